"""The pool of the web process and the command line, and the two ways to use it: as a tenant, or as the owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from app.dsn import Dsn, parse_dsn
from app.settings import Settings
from domain_queue.links import link_conninfo
from domain_queue.preparing import FORGOTTEN, Preparing, name_apart

Connection = AsyncConnection[tuple[Any, ...]]

#: How long a request waits for a free connection before it is told that the database is busy, in seconds.
POOL_TIMEOUT_SECONDS = 10.0
STATEMENT_TIMEOUT_SECONDS = 15.0

# One statement, so that a pooler cannot come between; all of it ends with the transaction.
BECOME_TENANT = """
    SELECT set_config('role', 'scrapersky_tenant', true),
           set_config('app.tenant_id', %(tenant_id)s, true),
           set_config('statement_timeout', %(timeout)s, true)
"""

LIMIT_STATEMENTS = "SELECT set_config('statement_timeout', %(timeout)s, true)"


class Database:
    """Connections to the database that ``settings`` name. An async context manager: nothing is connected outside it.

    Opening does not wait for the server: while it is away, using it raises ``psycopg.OperationalError`` (or
    ``psycopg_pool.PoolTimeout``, which is one), and it comes back by itself.
    """

    def __init__(self, settings: Settings, *, name: str = "scrapersky") -> None:
        if settings.database_url is None:
            raise ValueError("DATABASE_URL is not set: start the embedded Postgres first, and pass its settings on")
        self.dsn: Dsn = parse_dsn(settings.database_url.get_secret_value())
        self.listen_dsn: Dsn = (
            parse_dsn(settings.listen_database_url.get_secret_value())
            if settings.listen_database_url is not None
            else self.dsn
        )
        self._preparing = Preparing(self.dsn.conninfo, wanted=self.dsn.prepared_statements)
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            link_conninfo(self.dsn.conninfo, application_name=name),
            kwargs={"autocommit": True},
            min_size=settings.db_min_pool_size,
            max_size=settings.db_max_pool_size,
            timeout=POOL_TIMEOUT_SECONDS,
            configure=self._configure,
            check=self._check,
            open=False,
            name=name,
        )

    async def __aenter__(self) -> Self:
        await self.pool.open(wait=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.pool.close()

    async def _configure(self, conn: Connection) -> None:
        name_apart(conn)
        conn.prepare_threshold = self._preparing.threshold

    async def _check(self, conn: Connection) -> None:
        """Whether the connection lives, asked by a prepared statement: an undeclared pooler shows here first."""
        conn.prepare_threshold = self._preparing.threshold
        try:
            await conn.execute("SELECT 1", prepare=self._preparing.is_on)
        except FORGOTTEN as error:
            self._preparing.give_up(error)
            conn.prepare_threshold = None
            await conn.execute("SELECT 1")

    @asynccontextmanager
    async def connection(self, *, timeout: float | None = None) -> AsyncIterator[Connection]:
        """A connection of the pool in autocommit mode, waited for at most ``timeout`` seconds.

        Raises:
            psycopg.OperationalError: also where an undeclared transaction pooler made the server forget a prepared
                statement: its transaction is rolled back, none is prepared from then on, a second try succeeds.
        """
        try:
            async with self.pool.connection(timeout=timeout) as conn:
                yield conn
        except FORGOTTEN as error:
            self._preparing.give_up(error)
            raise OperationalError("the server forgot a prepared statement; try again") from error

    @asynccontextmanager
    async def tenant(
        self, tenant_id: UUID, *, statement_seconds: float = STATEMENT_TIMEOUT_SECONDS
    ) -> AsyncIterator[Connection]:
        """One transaction in which row-level security shows the rows of ``tenant_id`` and no others.

        Role and tenant are set for the transaction alone, so that they hold, and end, through a transaction pooler.
        """
        async with self.connection() as conn, conn.transaction():
            await conn.execute(
                BECOME_TENANT, {"tenant_id": str(tenant_id), "timeout": _milliseconds(statement_seconds)}
            )
            yield conn

    @asynccontextmanager
    async def system(self, *, statement_seconds: float = STATEMENT_TIMEOUT_SECONDS) -> AsyncIterator[Connection]:
        """One transaction as the owner of the tables, whom row-level security does not bind: no tenant's query."""
        async with self.connection() as conn, conn.transaction():
            await conn.execute(LIMIT_STATEMENTS, {"timeout": _milliseconds(statement_seconds)})
            yield conn


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))
