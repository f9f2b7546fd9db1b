"""Acting as a tenant for one transaction at a time."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from psycopg_pool.base import AttemptWithBackoff
from pydantic import SecretStr

from app.database import AWAY_SECONDS, POOL_TIMEOUT_SECONDS, Database, DatabaseAway
from app.settings import DEFAULT_TENANT_ID, Settings
from tests.support.gate import Gate

TERMINATE_OTHERS = """
    SELECT pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def settings_for(conninfo: str) -> Settings:
    return Settings(database_url=SecretStr(conninfo), db_min_pool_size=1, db_max_pool_size=1)


async def test_a_tenant_sees_its_own_rows_and_no_others(database: str) -> None:
    async with Database(settings_for(database)) as db:
        async with db.tenant(DEFAULT_TENANT_ID) as conn:
            await conn.execute(
                "INSERT INTO domains (tenant_id, domain) VALUES (%s, 'example.com')", (DEFAULT_TENANT_ID,)
            )
        async with db.tenant(uuid4()) as conn:
            seen = await (await conn.execute("SELECT count(*) FROM domains")).fetchone()
        async with db.tenant(DEFAULT_TENANT_ID) as conn:
            own = await (await conn.execute("SELECT count(*) FROM domains")).fetchone()

    assert (seen, own) == ((0,), (1,))


async def test_a_tenant_cannot_write_rows_of_another(database: str) -> None:
    async with Database(settings_for(database)) as db:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.tenant(uuid4()) as conn:
                await conn.execute(
                    "INSERT INTO domains (tenant_id, domain) VALUES (%s, 'example.com')", (DEFAULT_TENANT_ID,)
                )


async def test_role_and_tenant_end_with_the_transaction_even_on_the_same_connection(database: str) -> None:
    async with Database(settings_for(database)) as db:
        async with db.tenant(DEFAULT_TENANT_ID) as conn:
            inside = await (await conn.execute("SELECT current_user::text, current_tenant_id()")).fetchone()
        async with db.system() as conn:
            outside = await (await conn.execute("SELECT current_user::text, current_tenant_id()")).fetchone()

    assert inside == ("scrapersky_tenant", UUID(str(DEFAULT_TENANT_ID)))
    assert outside is not None
    assert outside[0] != "scrapersky_tenant"
    assert outside[1] is None


async def test_a_query_that_forgets_the_tenant_sees_nothing(database: str) -> None:
    async with Database(settings_for(database)) as db, db.system() as conn:
        await conn.execute("INSERT INTO domains (tenant_id, domain) VALUES (%s, 'example.com')", (DEFAULT_TENANT_ID,))
        await conn.execute("SET LOCAL ROLE scrapersky_tenant")
        seen = await (await conn.execute("SELECT count(*) FROM domains")).fetchone()

    assert seen == (0,)


async def test_the_tenants_role_cannot_bypass_row_level_security(database: str) -> None:
    async with Database(settings_for(database)) as db, db.system() as conn:
        role = await (
            await conn.execute(
                "SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = 'scrapersky_tenant'"
            )
        ).fetchone()

    assert role == (False, False, False)


async def test_a_statement_that_takes_too_long_is_ended(database: str) -> None:
    async with Database(settings_for(database)) as db:
        with pytest.raises(psycopg.errors.QueryCanceled):
            async with db.tenant(DEFAULT_TENANT_ID, statement_seconds=0.05) as conn:
                await conn.execute("SELECT pg_sleep(30)")


async def ask(db: Database) -> float:
    """How long it took to be answered, or told that nobody answers."""
    started = time.monotonic()
    with suppress(psycopg.OperationalError):
        async with db.system() as conn:
            await conn.execute("SELECT 1")
    return time.monotonic() - started


@pytest.mark.parametrize("how", ["refused", "cut", "silent"])
async def test_a_database_that_is_away_is_told_long_before_the_wait_for_a_busy_one_is_over(
    database: str, how: str
) -> None:
    async with Gate(database) as gate, Database(settings_for(gate.conninfo)) as db:
        if how == "refused":
            await gate.shut()
        else:
            await ask(db)
            await gate.shut() if how == "cut" else gate.silence()

        started = time.monotonic()
        with pytest.raises(DatabaseAway):
            async with db.system():
                pass
        first = time.monotonic() - started
        others = await asyncio.gather(*(ask(db) for _ in range(20)))

        await gate.open()
        while True:
            async with asyncio.timeout(POOL_TIMEOUT_SECONDS):
                try:
                    async with db.system() as conn:
                        answer = await (await conn.execute("SELECT 1")).fetchone()
                    break
                except psycopg.OperationalError:
                    continue

    assert max(first, *others) < POOL_TIMEOUT_SECONDS / 2
    assert answer == (1,)


async def test_a_pool_whose_connections_are_all_in_use_is_busy_and_not_away(database: str) -> None:
    async with Database(settings_for(database)) as db:

        async def hold() -> None:
            async with db.system() as conn:
                await conn.execute("SELECT pg_sleep(%s)", (AWAY_SECONDS * 1.5,))

        holding = asyncio.create_task(hold())
        await asyncio.sleep(0)
        async with db.system() as conn:
            answer = await (await conn.execute("SELECT 1")).fetchone()
        await holding

        async with db.connection():
            with pytest.raises(PoolTimeout) as busy:
                async with db.connection(timeout=0.1):
                    pass

    assert answer == (1,)
    assert not isinstance(busy.value, DatabaseAway)


async def test_connections_that_died_while_nobody_asked_cost_the_next_request_no_wait(database: str) -> None:
    settings = Settings(database_url=SecretStr(database), db_min_pool_size=4, db_max_pool_size=4)
    async with Database(settings) as db:
        await asyncio.gather(*(ask(db) for _ in range(8)))
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(TERMINATE_OTHERS)

        waits = [await ask(db) for _ in range(4)]

    assert max(waits) < AttemptWithBackoff.INITIAL_DELAY * 0.9
