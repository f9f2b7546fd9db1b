"""Waking whoever waits: NOTIFY as a hint and never more, since polling is the guarantee.

A notifying commit takes one lock for the whole cluster, so a NOTIFY is sent from a connection of its own, empty,
after the commit it tells of, and many at once become one. A listener is believed only when a notification from
another connection has reached it while it was idle: behind a transaction pooler LISTEN succeeds, what the session
sends to itself even comes back with the answer, and nothing else is ever delivered.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, Self

import psycopg
import structlog
from psycopg import sql

from domain_queue.ending import end_tasks
from domain_queue.links import TRANSIENT, Conn, Link, connect, deadline, link_conninfo, reconnect_delay

log = structlog.get_logger("domain_queue")

WakeMode = Literal["starting", "listen", "poll"]

PENDING_CHANNEL = "domains_pending"
FINISHED_CHANNEL = "domains_finished"
CANCELLED_CHANNEL = "domains_cancelled"


class Notifier:
    """Sends NOTIFY on one channel: the first at once, then at most one in ``interval()`` seconds.

    Used as an async context manager. The connection is made at the first notification.
    """

    def __init__(self, conninfo: str, channel: str, *, interval: Callable[[], float] = lambda: 0.01) -> None:
        self._link = Link(conninfo, name=f"notify {channel}", statement_seconds=5.0, prepare=False)
        self._channel = channel
        self._interval = interval
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"notifier {self._channel}")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            await end_tasks([self._task])
        if self._asked.is_set():
            await self._send()
        await self._link.close()

    def notify(self) -> None:
        """Ask for a notification. Never waits and never raises; one that cannot be sent is given up and logged."""
        self._asked.set()

    async def _run(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._send()
            await asyncio.sleep(self._interval())

    async def _send(self) -> None:
        for attempts_left in (1, 0):
            try:
                await self._link.fetch("SELECT pg_notify(%(channel)s, '')", {"channel": self._channel})
            except (*TRANSIENT, psycopg.Error) as error:
                if not attempts_left:
                    log.warning("notification_given_up", channel=self._channel, error=str(error))
            else:
                return


class Listener:
    """Calls ``on_wake`` after every notification on ``channels``, and on connecting, since some may have been missed.

    Used as an async context manager. ``mode`` is ``starting`` until the first proof, ``listen`` while notifications
    are proven to arrive, and ``poll`` while they are not: then the caller's polling does all the work.
    """

    def __init__(
        self,
        conninfo: str,
        channels: Sequence[str],
        on_wake: Callable[[], None],
        *,
        ping_seconds: float = 10.0,
        proof_seconds: float = 3.0,
        deaf_seconds: float = 300.0,
        rng: random.Random | None = None,
    ) -> None:
        self.mode: WakeMode = "starting"
        self.reconnects = 0
        self._turned_at = time.monotonic()
        self._conninfo = link_conninfo(conninfo, application_name="listen")
        self._channels = tuple(channels)
        self._on_wake = on_wake
        self._ping_seconds = ping_seconds
        self._proof_seconds = proof_seconds
        self._deaf_seconds = deaf_seconds
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def mode_seconds(self) -> float:
        """For how long ``mode`` has been what it is."""
        return time.monotonic() - self._turned_at

    @property
    def proven(self) -> bool:
        """Whether a notification from another connection arrived on the one that is open now."""
        return self.mode == "listen"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="listener")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            await end_tasks([self._task])

    async def settled(self) -> WakeMode:
        """Wait until the first attempt to listen has ended, well or not."""
        await self._settled.wait()
        return self.mode

    def _turn(self, mode: WakeMode) -> None:
        if mode != self.mode:
            self.mode = mode
            self._turned_at = time.monotonic()

    async def _run(self) -> None:
        failures = 0
        while True:
            proven_before = self.proven
            try:
                await self._listen_until_broken()
                failures, pause = 0, self._deaf_seconds * self._rng.uniform(0.8, 1.2)
            except (*TRANSIENT, psycopg.Error) as error:
                failures = 1 if self.proven else failures + 1
                pause = reconnect_delay(failures, self._rng)
                if failures == 1 or proven_before:
                    log.warning("listener_disconnected", error=str(error).strip())
            self._turn("poll")
            self._settled.set()
            self.reconnects += 1
            await asyncio.sleep(pause)

    async def _listen_until_broken(self) -> None:
        """Returns only if the link is deaf."""
        conn = await connect(self._conninfo, seconds=10.0)
        try:
            if not await self._prove(conn):
                log.warning("listener_deaf", advice="set LISTEN_DATABASE_URL to a direct or session-mode connection")
                return
            self._turn("listen")
            self._settled.set()
            self._on_wake()
            await self._wait_for_notifications(conn)
        finally:
            with suppress(psycopg.Error, OSError):
                await conn.close()

    async def _prove(self, conn: Conn) -> bool:
        """LISTEN, look in a later statement whether the session remembers, and hear another connection while idle."""
        proof = f"domain_queue_proof_{secrets.token_hex(8)}"
        with deadline(conn, 10.0):
            for channel in (*self._channels, proof):
                await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            if not await self._hears(conn):
                return False
        other = Link(self._conninfo, name="listen proof", statement_seconds=10.0, prepare=False)
        try:
            await other.fetch("SELECT pg_notify(%(channel)s, '')", {"channel": proof})
        finally:
            await other.close()
        arrived = False
        async for notification in conn.notifies(timeout=self._proof_seconds):
            if notification.channel == proof:
                arrived = True
                break
        if arrived:
            with deadline(conn, 10.0):
                await conn.execute(sql.SQL("UNLISTEN {}").format(sql.Identifier(proof)))
        return arrived

    async def _hears(self, conn: Conn) -> bool:
        cur = await conn.execute("SELECT pg_listening_channels()")
        return set(self._channels) <= {channel for (channel,) in await cur.fetchall()}

    async def _wait_for_notifications(self, conn: Conn) -> None:
        """A silent link is asked now and then: the kernel does not tell a dead peer from one with nothing to say."""
        while True:
            async for _ in conn.notifies(timeout=self._ping_seconds * self._rng.uniform(0.9, 1.1)):
                self._on_wake()
            with deadline(conn, 5.0):
                if not await self._hears(conn):
                    raise psycopg.OperationalError("the session forgot what it listened to")
