"""At most so many holders of one key at once, over all workers: exact, because a slot is a row of a primary key.

A slot belongs to the worker that took it and is freed by it when the handler has left, never before. Only when the
worker's lease is out, and with it, by the lease's own rule, its handlers, do others free it (``sweep.tidy``).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import psycopg

from domain_queue.links import TRANSIENT, Link
from domain_queue.models import Claim

FIRST_DELAY_SECONDS = 0.05  # between two looks for a free slot; grows by half each time
LONGEST_DELAY_SECONDS = 1.0

TAKE = """
    INSERT INTO concurrency_slots (key, slot, worker_id, domain_id, claim_token, taken_at)
    SELECT %(key)s, free.slot, %(worker_id)s, %(domain_id)s, %(claim_token)s, now()
    FROM (
        SELECT number.slot
        FROM generate_series(1, %(limit)s::int) AS number (slot)
        WHERE NOT EXISTS (SELECT FROM concurrency_slots AS s WHERE s.key = %(key)s AND s.slot = number.slot)
        ORDER BY random()
        LIMIT 1
    ) AS free
    ON CONFLICT (key, slot) DO NOTHING
    RETURNING slot
"""

FREE = """
    DELETE FROM concurrency_slots
    WHERE key = %(key)s AND worker_id = %(worker_id)s AND domain_id = %(domain_id)s AND claim_token = %(claim_token)s
"""


class Slots:
    """The slots that this worker's jobs hold or wait for."""

    def __init__(self, link: Link, *, rng: random.Random) -> None:
        self._link = link
        self._rng = rng
        self._freed: dict[str, asyncio.Event] = {}
        self._unfreed: list[tuple[str, UUID, Claim]] = []

    @asynccontextmanager
    async def hold(self, key: str, limit: int, *, worker_id: UUID, claim: Claim) -> AsyncIterator[None]:
        """Wait for one of the ``limit`` slots of ``key``, and hold it inside. One job holds one slot of a key."""
        await self._take(key, limit, worker_id, claim)
        try:
            yield
        finally:
            self._unfreed.append((key, worker_id, claim))
            await asyncio.shield(asyncio.ensure_future(self.free_unfreed()))

    async def _take(self, key: str, limit: int, worker_id: UUID, claim: Claim) -> None:
        delay = FIRST_DELAY_SECONDS
        keys = {"key": key, "worker_id": worker_id, "domain_id": claim.id, "claim_token": claim.claim_token}
        while True:
            try:
                if await self._link.fetch(TAKE, {**keys, "limit": limit}):
                    return
            except TRANSIENT:
                # A database that is away is no fault of the scan: it waits here, as it would for a slot.
                await self._undo(keys, (key, worker_id, claim))
            except BaseException:
                # It may have been taken all the same.
                self._unfreed.append((key, worker_id, claim))
                raise
            await self._wait_for_free(key, delay * self._rng.uniform(0.5, 1.0))
            delay = min(LONGEST_DELAY_SECONDS, delay * 1.5)

    async def _undo(self, keys: dict[str, object], entry: tuple[str, UUID, Claim]) -> None:
        """Free what a statement that failed may have taken, once the database answers again."""
        try:
            while True:
                with suppress(*TRANSIENT):
                    await self._link.fetch(FREE, keys)
                    return
                await asyncio.sleep(LONGEST_DELAY_SECONDS * self._rng.uniform(0.5, 1.0))
        except BaseException:
            self._unfreed.append(entry)
            raise

    async def _wait_for_free(self, key: str, seconds: float) -> None:
        freed = self._freed.setdefault(key, asyncio.Event())
        with suppress(TimeoutError):
            await asyncio.wait_for(freed.wait(), seconds)

    async def free_unfreed(self) -> None:
        """Free what jobs have left; what cannot be freed now is tried again at the next call."""
        while self._unfreed:
            key, worker_id, claim = entry = self._unfreed.pop()
            try:
                params = {"key": key, "worker_id": worker_id, "domain_id": claim.id, "claim_token": claim.claim_token}
                await self._link.fetch(FREE, params)
            except (*TRANSIENT, psycopg.Error):
                self._unfreed.append(entry)
                return
            if (freed := self._freed.pop(key, None)) is not None:
                freed.set()
