"""The pool of the web process and the command line, and the two ways to use it: as a tenant, or as the owner."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.dsn import Dsn, parse_dsn
from app.settings import Settings
from domain_queue.links import TRANSIENT, deadline, link_conninfo
from domain_queue.preparing import FORGOTTEN, Preparing, name_apart

Connection = AsyncConnection[tuple[Any, ...]]

#: How long a request waits for a free connection before it is told that the database is busy, in seconds.
POOL_TIMEOUT_SECONDS = 10.0
#: How long it waits where connecting, or asking over a connection that was there, has failed and nothing answers.
AWAY_SECONDS = 1.5
LOOK_SECONDS = 0.2
#: How long a connection of the pool may take to show that it lives.
CHECK_SECONDS = 1.0
#: How long the pool tries to connect on its own, less often each time; then the next request has it begin anew.
RECONNECT_SECONDS = 5.0
STATEMENT_TIMEOUT_SECONDS = 15.0

# One statement, so that a pooler cannot come between; all of it ends with the transaction.
BECOME_TENANT = """
    SELECT set_config('role', 'scrapersky_tenant', true),
           set_config('app.tenant_id', %(tenant_id)s, true),
           set_config('statement_timeout', %(timeout)s, true)
"""

LIMIT_STATEMENTS = "SELECT set_config('statement_timeout', %(timeout)s, true)"


class DatabaseAway(PoolTimeout):
    """Nothing has answered for AWAY_SECONDS, and the last attempt to connect failed."""


class Database:
    """Connections to the database that ``settings`` name. An async context manager: nothing is connected outside it.

    Opening does not wait for the server: while it is away, using it raises ``psycopg.OperationalError`` (of which
    ``DatabaseAway`` is one) within two seconds, and it comes back by itself.
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
        self._answered_at = -math.inf  #: monotonic: a connection was made, or showed that it lives
        self._known_errors = 0  #: of the pool's attempts to connect, when the last one succeeded
        self._check_failed = False
        self._preparing = Preparing(self.dsn.conninfo, wanted=self.dsn.prepared_statements)
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            link_conninfo(self.dsn.conninfo, application_name=name),
            kwargs={"autocommit": True},
            min_size=settings.db_min_pool_size,
            max_size=settings.db_max_pool_size,
            timeout=POOL_TIMEOUT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
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
        self._known_errors = self._connection_errors()
        self._note_answer()

    async def _check(self, conn: Connection) -> None:
        """Whether the connection lives. Where one does not, none that was idle as long is asked, but all made anew."""
        try:
            with deadline(conn, CHECK_SECONDS):
                await self._ask(conn)
        except TRANSIENT:
            if not self._check_failed:
                self._check_failed = True
                await self.pool.drain()
            raise
        self._note_answer()

    async def _ask(self, conn: Connection) -> None:
        """By a prepared statement: an undeclared pooler shows here first."""
        conn.prepare_threshold = self._preparing.threshold
        try:
            await conn.execute("SELECT 1", prepare=self._preparing.is_on)
        except FORGOTTEN as error:
            self._preparing.give_up(error)
            conn.prepare_threshold = None
            await conn.execute("SELECT 1")

    def _note_answer(self) -> None:
        self._answered_at = time.monotonic()
        self._check_failed = False

    def _connection_errors(self) -> int:
        return int(self.pool.get_stats().get("connections_errors", 0))

    def _is_away(self, since: float) -> bool:
        """Whether something failed and nothing has answered since; a pool that is only busy or slow is not away."""
        is_silent = time.monotonic() - max(self._answered_at, since) >= AWAY_SECONDS
        return is_silent and (self._check_failed or self._connection_errors() > self._known_errors)

    @asynccontextmanager
    async def connection(self, *, timeout: float | None = None) -> AsyncIterator[Connection]:
        """A connection of the pool in autocommit mode, waited for at most ``timeout`` seconds.

        Raises:
            DatabaseAway: soon, where nothing answers. psycopg_pool.PoolTimeout: every connection is in use.
            psycopg.OperationalError: also where an undeclared transaction pooler made the server forget a prepared
                statement: its transaction is rolled back, none is prepared from then on, a second try succeeds.
        """
        async with AsyncExitStack() as stack:
            conn = await self._take(stack, timeout)
            try:
                yield conn
            except FORGOTTEN as error:
                self._preparing.give_up(error)
                raise OperationalError("the server forgot a prepared statement; try again") from error

    async def _take(self, stack: AsyncExitStack, timeout: float | None) -> Connection:
        """Wait in the pool's queue, for as long as there is somebody to wait for."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(None) as patience:
                with _watching(patience, lambda: self._is_away(started)):
                    return await stack.enter_async_context(self.pool.connection(timeout=timeout))
        except TimeoutError:
            raise DatabaseAway(f"nothing has answered for {AWAY_SECONDS:g} s") from None

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


@contextmanager
def _watching(patience: asyncio.Timeout, is_over: Callable[[], bool]) -> Iterator[None]:
    """Let the timeout pass as soon as, looked at every now and then, the wait is over."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def look_later() -> None:
        nonlocal timer
        timer = loop.call_later(LOOK_SECONDS, look)

    def look() -> None:
        if is_over():
            patience.reschedule(loop.time())
        else:
            look_later()

    look_later()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))
