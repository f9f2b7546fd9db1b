"""What the checks look at: the settings, and a few connections made as the program makes its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from app.dsn import Dsn
from app.settings import Settings
from domain_queue.links import deadline, link_conninfo

Connection = AsyncConnection[tuple[Any, ...]]

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 3.0
#: A name that the world's DNS knows and that exists to be asked for.
PUBLIC_NAME = "example.com"


@dataclass(slots=True, kw_only=True)
class Patient:
    """Handed to every check in turn. An async context manager: it closes what the checks opened.

    A check may fill in what later checks need: ``dsn``, ``listen_dsn``, ``conn``, ``is_pooled``, ``hears``.
    """

    settings: Settings | None
    environ: Mapping[str, str]
    no_database: str | None = None  #: why the embedded server, where no other is named, cannot be used
    public_name: str = PUBLIC_NAME
    public_port: int = 443
    probe_seconds: float = 4.0  #: how long the probe row is followed through the queue
    dsn: Dsn | None = None
    listen_dsn: Dsn | None = None
    conn: Connection | None = None
    is_pooled: bool = False  #: a pooler gives the connection to others between transactions
    hears: bool = False  #: LISTEN was proven to deliver
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    @property
    def known_settings(self) -> Settings:
        """The settings; only for checks that need the check ``settings``."""
        assert self.settings is not None, "the check settings was needed"  # noqa: S101 - an invariant, not input
        return self.settings

    async def open(self, dsn: Dsn, *, prepare_threshold: int | None = None) -> Connection:
        """An autocommit connection that ends with the examination.

        Raises:
            psycopg.OperationalError: it could not be made within three seconds.
        """
        conninfo = link_conninfo(
            make_conninfo(dsn.conninfo, connect_timeout=CONNECT_SECONDS), application_name="scrapersky doctor"
        )
        conn = await AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=prepare_threshold)
        self._stack.push_async_callback(conn.close)
        return conn

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """The connection of the check ``connect``, one user at a time, in a transaction with a statement timeout."""
        assert self.conn is not None, "the check connect was needed"  # noqa: S101 - an invariant, not input
        async with self._lock:
            with deadline(self.conn, STATEMENT_SECONDS + 1):
                async with self.conn.transaction():
                    milliseconds = str(int(STATEMENT_SECONDS * 1000))
                    await self.conn.execute("SELECT set_config('statement_timeout', %s, true)", (milliseconds,))
                    yield self.conn

    async def rows(self, query: LiteralString, params: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """What ``query`` returns, in a transaction of its own."""
        async with self.transaction() as conn:
            cur: psycopg.AsyncCursor[tuple[Any, ...]] = await conn.execute(query, params)
            return await cur.fetchall() if cur.description is not None else []
