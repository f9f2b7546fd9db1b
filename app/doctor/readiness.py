"""The fast part of the chain, for probes and pages: one connection of the pool, few reads."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from psycopg import Error as PostgresError
from psycopg_pool import PoolTimeout

from app.database import Connection, Database
from app.doctor.models import Check, broken, skipped, sound
from app.doctor.queue import SELECT_WAITING, Waiting, judge_waiting, judge_workers
from app.doctor.schema import SELECT_APPLIED, TABLE_EXISTS, Applied, judge_migrations
from domain_queue import oldest_pending, workers_alive

CONNECT_SECONDS = 3.0
STATEMENT_SECONDS = 5.0


async def _database(conn: Connection) -> Check:
    cur = await conn.execute("SELECT current_setting('server_version')")
    [(version,)] = await cur.fetchall()
    return sound(f"Postgres {version} answers")


async def _migrations(conn: Connection) -> Check:
    [(exists,)] = await (await conn.execute(TABLE_EXISTS)).fetchall()
    applied = await (await conn.execute(SELECT_APPLIED)).fetchall() if exists else []
    return judge_migrations([Applied(*row) for row in applied])


async def _worker(conn: Connection) -> Check:
    return judge_workers(await workers_alive(conn))


async def _oldest_pending(conn: Connection) -> Check:
    """A long queue is told, and is no fault by itself."""
    [row] = await (await conn.execute(SELECT_WAITING)).fetchall()
    waiting = Waiting(due=row[0], later=row[1], next_seconds=row[2], tenants=row[3])
    check = judge_waiting(await oldest_pending(conn), await workers_alive(conn), waiting)
    return check.model_copy(update={"ok": True})


LOOKS: tuple[tuple[str, Callable[[Connection], Awaitable[Check]]], ...] = (
    ("database", _database),
    ("migrations", _migrations),
    ("worker", _worker),
    ("oldest_pending", _oldest_pending),
)


async def readiness(database: Database) -> list[Check]:
    """Whether a scan that is submitted now would be done: four checks, always all of them. Never raises for a fault."""
    done: list[Check] = []
    started = time.perf_counter()
    try:
        async with database.connection(timeout=CONNECT_SECONDS) as conn, conn.transaction():
            await conn.execute(
                "SELECT set_config('statement_timeout', %s, true)", (str(int(STATEMENT_SECONDS * 1000)),)
            )
            for name, look in LOOKS:
                started = time.perf_counter()
                done.append(_named(await look(conn), name, started))
                if not done[-1].ok and name == "migrations":
                    break
    except (PostgresError, PoolTimeout, OSError) as error:
        name = LOOKS[len(done)][0]
        advice = "start Postgres, or correct DATABASE_URL" if name == "database" else "run: scrapersky doctor"
        done.append(_named(broken(f"the database does not answer ({type(error).__name__})", advice), name, started))
    needs = done[-1].name
    return done + [_named(skipped(needs), name, time.perf_counter()) for name, _ in LOOKS[len(done) :]]


def _named(check: Check, name: str, started: float) -> Check:
    return check.model_copy(update={"name": name, "ms": round((time.perf_counter() - started) * 1000, 2)})
