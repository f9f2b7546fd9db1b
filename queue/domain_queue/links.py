"""Connections that come back by themselves, and on which no statement can hang.

psycopg under ``asyncio.wait_for`` takes ten seconds longer than asked on a silent link, because it first tries to
cancel the statement over that same link. Here the deadline shuts the socket down instead: the statement ends at
once with OperationalError, and the next use connects anew.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import RowMaker

from domain_queue import arrays
from domain_queue.preparing import FORGOTTEN, Preparing, name_apart

Conn = AsyncConnection[tuple[Any, ...]]
Params = Mapping[str, object]

#: Noticed by the kernel while nothing is asked (keepalives) or while sent bytes stay unacknowledged (user timeout).
LINK_DEFAULTS: dict[str, str | int] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "connect_timeout": 5,
}

#: Errors after which the same statement may succeed on a new connection or in a moment.
TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, OSError, TimeoutError)


def link_conninfo(conninfo: str, **overrides: str | int) -> str:
    """``conninfo`` with keepalives and timeouts, where it names none of its own."""
    given = {key: value for key, value in conninfo_to_dict(conninfo).items() if value is not None}
    return make_conninfo("", **(LINK_DEFAULTS | given | overrides))


def shut_down(conn: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """End whatever ``conn`` waits for, now: its socket reads end of file. Safe from any thread."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def deadline(conn: AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Whatever is awaited on ``conn`` inside ends within ``seconds``, by OperationalError if not otherwise."""
    timer = asyncio.get_running_loop().call_later(seconds, shut_down, conn)
    try:
        yield
    finally:
        timer.cancel()


def reconnect_delay(failures: int, rng: random.Random) -> float:
    """Seconds to wait after ``failures`` connection errors in a row: jittered, 0.05 to 5."""
    return min(5.0, 0.1 * 2.0 ** min(failures, 10)) * rng.uniform(0.5, 1.0)


async def connect(conninfo: str, *, seconds: float, prepare_threshold: int | None = None) -> Conn:
    """An open autocommit connection, within ``seconds``.

    Raises:
        psycopg.OperationalError: the server refused the connection or cannot be reached.
        TimeoutError: nothing was heard in time.
    """
    async with asyncio.timeout(seconds):
        conn = await AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=prepare_threshold)
    name_apart(conn)
    arrays.register(conn)
    if prepare_threshold is not None:  # the session is ours
        await _settle(conn, seconds)
    return conn


# Times are the same in any zone, but those in UTC are loaded three times as fast as those of a zone by name. Plans are
# made once, from what is held against them by tests: made for the values at hand, a claim takes a third longer.
SETTLE = """
    SELECT set_config('timezone', 'UTC', false), set_config('plan_cache_mode', 'force_generic_plan', false)
"""


async def _settle(conn: Conn, seconds: float) -> None:
    try:
        with deadline(conn, seconds):
            await conn.execute(SETTLE)
    except BaseException:
        await conn.close()
        raise


class Link:
    """One autocommit connection for one purpose, made when it is first used and again after it broke.

    Statements run one at a time. Every statement has a deadline; after an error of ``TRANSIENT`` the caller
    cannot know whether the server executed it.
    """

    def __init__(self, conninfo: str, *, name: str, statement_seconds: float, prepare: bool) -> None:
        self._conninfo = link_conninfo(conninfo, application_name=name)
        self._statement_seconds = statement_seconds
        self._preparing = Preparing(self._conninfo, wanted=prepare)
        self._conn: Conn | None = None
        self._lock = asyncio.Lock()

    async def fetch(
        self,
        query: str,
        params: Params,
        *,
        seconds: float | None = None,
        make_row: RowMaker[Any] = tuple,
    ) -> list[Any]:
        """The rows ``query`` returns, each as ``make_row`` makes it; none if it is of the kind that returns none.

        Raises:
            psycopg.OperationalError: the link broke, or the deadline passed.
            psycopg.Error: the server refused the statement.
        """
        async with self._lock:
            try:
                return await self._execute(query, params, seconds or self._statement_seconds, make_row)
            except FORGOTTEN as error:
                # Refused before it was executed: it can be sent again as it is.
                self._preparing.give_up(error)
                return await self._execute(query, params, seconds or self._statement_seconds, make_row)

    async def _execute(self, query: str, params: Params, seconds: float, make_row: RowMaker[Any]) -> list[Any]:
        conn = await self._connection()
        try:
            with deadline(conn, seconds):
                cur: AsyncCursor[Any] = conn.cursor(binary=True, row_factory=lambda _: make_row)
                # A statement text of this package, never one put together from values.
                await cur.execute(query.encode(), params, prepare=self._preparing.is_on)
                return await cur.fetchall() if cur.description is not None else []
        except BaseException:
            # A cancelled or failed wait may leave an answer on its way: never hand it to the next statement.
            if conn.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                await self._drop()
            raise

    async def close(self) -> None:
        """Close the connection; a later use opens another."""
        await self._drop()

    async def _connection(self) -> Conn:
        if self._conn is not None and not self._conn.closed:
            return self._conn
        await self._drop()
        self._conn = await connect(
            self._conninfo, seconds=self._statement_seconds, prepare_threshold=self._preparing.threshold
        )
        return self._conn

    async def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(psycopg.Error, OSError):
                await conn.close()
