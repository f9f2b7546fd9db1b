"""The checks behind /ready; other commands may run the same ones."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg import Error as PostgresError
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field

from app.database import Database
from domain_queue import oldest_pending, workers_alive
from migrations.runner import load_migrations

Connection = AsyncConnection[Any]
CONNECT_SECONDS = 3.0
STATEMENT_SECONDS = 5.0


class Check(BaseModel):
    """One link of the chain, what was seen of it, and what to do where it is broken."""

    name: str
    ok: bool
    seen: str = Field(description="What was found.")
    advice: str | None = Field(default=None, description="What to do about it.")
    ms: float = Field(default=0, description="How long it took to look.")


CheckFunction = Callable[[Connection], Awaitable[Check]]


async def check_database(conn: Connection) -> Check:
    """The database answers."""
    cur = await conn.execute("SELECT current_setting('server_version')")
    [(version,)] = await cur.fetchall()
    return Check(name="database", ok=True, seen=f"Postgres {version} answers")


SELECT_APPLIED = "SELECT number, sha256 FROM schema_migrations ORDER BY number"


async def check_migrations(conn: Connection) -> Check:
    """The database has this program's migrations, all of them and no other."""
    cur = await conn.execute("SELECT to_regclass('schema_migrations') IS NOT NULL")
    [(exists,)] = await cur.fetchall()
    applied = await (await conn.execute(SELECT_APPLIED)).fetchall() if exists else []
    known = [(migration.number, migration.sha256) for migration in load_migrations()]
    if applied == known:
        return Check(name="migrations", ok=True, seen=f"all {len(known)} applied")
    if len(applied) > len(known):
        advice = "the database is newer than this program: start a newer version of it"
    elif applied == known[: len(applied)]:
        advice = "run: scrapersky migrate"
    else:
        advice = "a migration was edited after it was applied: restore the file"
    return Check(name="migrations", ok=False, seen=f"{len(applied)} of {len(known)} applied", advice=advice)


async def check_workers(conn: Connection) -> Check:
    """A worker's lease is running."""
    workers = await workers_alive(conn)
    if workers:
        return Check(name="worker", ok=True, seen=f"{len(workers)} alive")
    return Check(name="worker", ok=False, seen="none alive", advice="run: worker run")


async def check_oldest_pending(conn: Connection) -> Check:
    """How long the front of the queue has been waiting; a long queue is told, and is not a fault by itself."""
    oldest = await oldest_pending(conn)
    seen = "nothing is waiting" if oldest is None else f"{oldest.age_seconds:.1f} s"
    return Check(name="oldest_pending", ok=True, seen=seen)


READINESS_CHECKS: Sequence[CheckFunction] = (check_database, check_migrations, check_workers, check_oldest_pending)


async def run_checks(database: Database, checks: Sequence[CheckFunction] = READINESS_CHECKS) -> list[Check]:
    """Run the checks in order on one connection. The first that cannot be run ends the list; a fault never raises."""
    done: list[Check] = []
    started = time.perf_counter()
    try:
        async with database.pool.connection(timeout=CONNECT_SECONDS) as conn, conn.transaction():
            await conn.execute(
                "SELECT set_config('statement_timeout', %s, true)", (str(int(STATEMENT_SECONDS * 1000)),)
            )
            for check in checks:
                started = time.perf_counter()
                result = await check(conn)
                done.append(result.model_copy(update={"ms": round((time.perf_counter() - started) * 1000, 2)}))
    except (PostgresError, PoolTimeout, OSError) as error:
        done.append(_failed(checks[len(done)], error, started))
    return done


def _failed(check: CheckFunction, error: Exception, started: float) -> Check:
    name = check.__name__.removeprefix("check_")
    away = isinstance(error, PoolTimeout | OSError)
    return Check(
        name=name,
        ok=False,
        seen="the database does not answer" if away else f"it could not be read ({type(error).__name__})",
        advice="start Postgres, or correct DATABASE_URL" if away or name == "database" else "run: scrapersky migrate",
        ms=round((time.perf_counter() - started) * 1000, 2),
    )
