"""Limits of one token: requests a minute, and domains in the queue.

Both are kept by each web process for itself. The clock is an argument, so that a test needs no waiting.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from app.api.errors import too_many

#: Forgotten beyond this, the one that was used longest ago first: a forgotten key starts with a full bucket.
MAX_KEYS = 10_000
QUEUE_RETRY_SECONDS = 30


class RateLimiter:
    """A bucket for each key that holds a minute's requests and refills evenly."""

    def __init__(self, requests_per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(requests_per_minute)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key: (tokens, at)

    def spend(self, key: str) -> None:
        """Take one request from the key's bucket.

        Raises:
            ApiError: 429, with the seconds until the bucket holds one again.
        """
        now = self._clock()
        tokens, at = self._buckets.get(key, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - at) * self._capacity / 60)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        if not allowed:
            seconds = (1 - tokens) * 60 / self._capacity
            raise too_many(f"More than {self._capacity:.0f} requests a minute.", "rate_limited", seconds)


COUNT_QUEUED = """
    -- At most one more than the limit is counted, along the claim index.
    SELECT count(*)
    FROM (
        SELECT
        FROM domains
        WHERE status = 'pending' AND tenant_id = %(tenant_id)s
        LIMIT %(limit)s
    ) AS queued
"""


class QueueAllowance:
    """How many domains a tenant may have waiting.

    The queue is counted again only when half of what was free is used up or the count is old, so that a submit
    does not pay for the depth of the queue.
    """

    def __init__(
        self, max_queued: int, *, fresh_seconds: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_queued = max_queued
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._headroom: dict[UUID, tuple[int, float]] = {}

    async def take(self, conn: AsyncConnection[Any], tenant_id: UUID, count: int) -> None:
        """Make sure that ``count`` more domains fit.

        Raises:
            ApiError: 429; nothing was written.
        """
        now = self._clock()
        free, until = self._headroom.get(tenant_id, (0, 0.0))
        if now > until or count > free:
            cur = await conn.execute(COUNT_QUEUED, {"tenant_id": tenant_id, "limit": self._max_queued + 1})
            [(queued,)] = await cur.fetchall()
            free = self._max_queued - queued
            if count > free:
                self._headroom.pop(tenant_id, None)
                message = (
                    f"At most {self._max_queued} domains may wait at once; {queued} do, and {count} more were sent."
                )
                raise too_many(message, "queue_full", QUEUE_RETRY_SECONDS)
            # Other processes submit too: only half of what is free is taken on trust.
            free = count + (free - count) // 2
            until = now + self._fresh_seconds
        self._headroom[tenant_id] = (free - count, until)
