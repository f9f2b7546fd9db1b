"""One reader for everybody who waits: it asks once for all watched rows, and no waiting request holds a connection.

A notification ends the pause between two looks; without any, it looks once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

import structlog
from psycopg import InterfaceError, OperationalError
from psycopg_pool import PoolClosed, PoolTimeout

from app.api.jobs import Row, changed_jobs, queue_places
from domain_queue import DomainStatus

log = structlog.get_logger("app.api")

POLL_SECONDS = 1.0
#: Two looks are at least this far apart, so that a busy queue costs at most ten statements a second.
PAUSE_SECONDS = 0.1
#: Places in the queue move with every claim; they are looked up for all pending watched rows together.
PLACE_SECONDS = 2.0
MAX_WATCHED_PLACE = 1000


class SystemConnections(Protocol):
    """What the hub needs of the database."""

    def system(self) -> Any:
        """A transaction that sees every tenant's rows."""


class Watcher:
    """What one waiting request sees: the newest state only, whatever was skipped between."""

    def __init__(self, tenant_id: UUID, row: Row, place: dict[str, Any] | None) -> None:
        self.tenant_id = tenant_id
        self.row = row
        self.place = place
        self._changed = asyncio.Event()

    async def wait(self, timeout_seconds: float) -> bool:
        """Whether something changed since the last call, before the time is over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def offer(self, row: Row, place: dict[str, Any] | None) -> None:
        """Take a newer state; a row of another tenant never arrives, whatever was read."""
        if row["tenant_id"] != self.tenant_id:
            return
        if row["version"] == self.row["version"] and place == self.place:
            return
        self.row, self.place = row, place
        self._changed.set()

    def close(self) -> None:
        self._changed.set()


class Hub:
    """Watches rows for many requests. Start ``run()`` once; call ``wake()`` at every notification."""

    def __init__(self, database: SystemConnections) -> None:
        self._database = database
        self._watchers: dict[UUID, set[Watcher]] = {}
        self._versions: dict[UUID, str] = {}
        self._woken = asyncio.Event()
        self._places_read_at = 0.0
        self.is_closed = False
        self.reads = 0

    @property
    def watcher_count(self) -> int:
        return sum(len(watchers) for watchers in self._watchers.values())

    def wake(self) -> None:
        """Look as soon as the pause allows."""
        self._woken.set()

    def close(self) -> None:
        """End every wait, so that the server can stop."""
        self.is_closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.close()
        self.wake()

    @contextmanager
    def watch(self, tenant_id: UUID, row: Row, place: dict[str, Any] | None = None) -> Iterator[Watcher]:
        """Be told what becomes of ``row``; nothing that happens after it was read is missed."""
        job_id = row["id"]
        watcher = Watcher(tenant_id, row, place)
        self._watchers.setdefault(job_id, set()).add(watcher)
        if self._versions.setdefault(job_id, row["version"]) != row["version"]:
            self._versions[job_id] = ""  # two readers know different versions: read it again for both
            self.wake()
        try:
            yield watcher
        finally:
            watchers = self._watchers[job_id]
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[job_id]
                self._versions.pop(job_id, None)

    async def run(self) -> None:
        """Look for changes until cancelled; a database that is away is tried again."""
        while True:
            await self._pause()
            if not self._watchers:
                continue
            try:
                await self._look()
            except (OperationalError, InterfaceError, PoolTimeout, PoolClosed, OSError) as error:
                log.warning("watching_failed", error_type=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()
        await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self) -> None:
        self.reads += 1
        known = dict(self._versions)
        async with self._database.system() as conn:
            changed = {row["id"]: row for row in await changed_jobs(conn, known)}
            places = await self._read_places(conn, changed)
        for job_id in changed.keys() | places.keys():
            self._deliver(job_id, changed.get(job_id), places.get(job_id))

    async def _read_places(self, conn: Any, changed: dict[UUID, Row]) -> dict[UUID, dict[str, Any]]:
        """Places of what has just become pending, and now and then of everything pending."""
        due = time.monotonic() - self._places_read_at >= PLACE_SECONDS
        rows = {watcher.row["id"]: watcher.row for watchers in self._watchers.values() for watcher in watchers}
        wanted = [
            job_id
            for job_id, row in ((rows | changed) if due else changed).items()
            if row["status"] == DomainStatus.PENDING
        ]
        if due:
            self._places_read_at = time.monotonic()
        return await queue_places(conn, wanted, limit=MAX_WATCHED_PLACE) if wanted else {}

    def _deliver(self, job_id: UUID, row: Row | None, place: dict[str, Any] | None) -> None:
        if row is not None and job_id in self._versions:
            self._versions[job_id] = row["version"]
        for watcher in self._watchers.get(job_id, ()):
            watcher.offer(row or watcher.row, place)
