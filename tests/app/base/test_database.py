"""Acting as a tenant for one transaction at a time."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr

from app.database import Database
from app.settings import DEFAULT_TENANT_ID, Settings


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
