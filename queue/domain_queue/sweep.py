"""What every worker does for the others, a bounded number of rows at a time: no leader, no janitor, no cron.

Rows whose worker's lease ran out go back to pending, or end when their attempts are used up. Rows that are to be
scanned again and are due become pending. Slots of workers that are gone are freed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from domain_queue.claims import NIL
from domain_queue.links import Link

# holder   the distinct workers that hold rows, by one index probe for each
# gone     those without a lease: expired, never registered, or named by the caller (see LeaseWatch). Not the sweeper
#          itself, whose handlers still run: it will find its lease lost, stop them, and sweep under its next id.
# A lost row counts a crash besides its attempt. It ends when the attempts are used up, else waits a jittered moment.
SWEEP_LOST = """
    WITH RECURSIVE holder AS (
        (SELECT worker_id FROM domains WHERE status = 'processing' AND worker_id IS NOT NULL ORDER BY worker_id LIMIT 1)
        UNION ALL
        SELECT following.worker_id
        FROM holder
        CROSS JOIN LATERAL (
            SELECT d.worker_id
            FROM domains AS d
            WHERE d.status = 'processing' AND d.worker_id > holder.worker_id
            ORDER BY d.worker_id
            LIMIT 1
        ) AS following
    ), gone AS MATERIALIZED (
        SELECT holder.worker_id
        FROM holder
        LEFT JOIN workers AS w ON w.id = holder.worker_id
        WHERE holder.worker_id <> %(sweeper)s
          AND (w.id IS NULL OR w.lease_expires_at <= now() OR w.id = ANY(%(silent)s::uuid[]))
    ), lost AS MATERIALIZED (
        SELECT mine.id, mine.final
        FROM gone
        CROSS JOIN LATERAL (
            SELECT d.id, d.attempt >= d.max_attempts AS final
            FROM domains AS d
            WHERE d.status = 'processing' AND d.worker_id = gone.worker_id
            LIMIT %(limit)s
            FOR NO KEY UPDATE OF d SKIP LOCKED
        ) AS mine
        LIMIT %(limit)s
    ), setting AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    )
    UPDATE domains AS d
    SET status       = CASE WHEN lost.final THEN 'error' ELSE 'pending' END::domain_status,
        claim_token  = d.claim_token + 1,
        crash_count  = d.crash_count + 1,
        available_at = CASE
            WHEN lost.final THEN d.available_at
            ELSE now() + random()
                * make_interval(secs => least(%(cap)s::float, %(base)s::float * 2 ^ least(d.crash_count, 20)))
        END,
        completed_at = CASE WHEN lost.final THEN now() END,
        updated_at   = now(),
        progress     = 0,
        step         = NULL,
        error_code   = 'worker_lost',
        last_error   = 'The worker stopped without a word, and its lease ran out.',
        errors       = CASE WHEN jsonb_array_length(d.errors) >= 20 THEN d.errors - 0 ELSE d.errors END
            || jsonb_build_object(
                'attempt', d.attempt, 'at', now(), 'worker', d.worker_id, 'code', 'worker_lost',
                'message', 'The worker stopped without a word, and its lease ran out.', 'claimed_at', d.claimed_at
            )
    FROM lost CROSS JOIN setting
    WHERE d.id = lost.id
    RETURNING
        d.id, d.tenant_id, d.domain, d.attempt, d.worker_id, lost.final,
        round(1000 * extract(epoch FROM now() - d.claimed_at))::bigint
"""

SWEEP_RESCANS = """
    WITH due AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE status = 'completed' AND rescan_every IS NOT NULL AND available_at <= now()
        ORDER BY available_at
        LIMIT %(limit)s
        FOR NO KEY UPDATE SKIP LOCKED
    ), setting AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    )
    UPDATE domains AS d
    SET status       = 'pending',
        available_at = now(),
        submitted_at = now(),
        updated_at   = now(),
        started_at   = NULL,
        attempt      = 0,
        progress     = 0,
        step         = NULL,
        errors       = '[]'
    FROM due CROSS JOIN setting
    WHERE d.id = due.id
    RETURNING d.id
"""

# What is to come, so that an idle worker sleeps until then and not for a polling interval: one probe for each lane.
LOOK = """
    WITH RECURSIVE lane AS (
        (
            SELECT tenant_id, priority
            FROM domains
            WHERE status = 'pending'
            ORDER BY tenant_id DESC, priority DESC
            LIMIT 1
        )
        UNION ALL
        SELECT before.tenant_id, before.priority
        FROM lane
        CROSS JOIN LATERAL (
            SELECT d.tenant_id, d.priority
            FROM domains AS d
            WHERE d.status = 'pending' AND (d.tenant_id, d.priority) < (lane.tenant_id, lane.priority)
            ORDER BY d.tenant_id DESC, d.priority DESC
            LIMIT 1
        ) AS before
    ), upcoming AS (
        SELECT following.available_at
        FROM lane
        CROSS JOIN LATERAL (
            SELECT d.available_at
            FROM domains AS d
            WHERE d.status = 'pending'
              AND d.tenant_id = lane.tenant_id
              AND d.priority = lane.priority
            ORDER BY d.available_at
            LIMIT 1
        ) AS following
        UNION ALL
        (
            SELECT available_at
            FROM domains
            WHERE status = 'completed' AND rescan_every IS NOT NULL
            ORDER BY available_at
            LIMIT 1
        )
    )
    SELECT extract(epoch FROM min(available_at) - now())::float
    FROM upcoming
"""

# A lease further ahead than any worker writes one was written before the clock of the database was set back.
SELECT_IMPLAUSIBLE = """
    SELECT id, renewed_at, lease_seconds
    FROM workers
    WHERE lease_expires_at > now() + make_interval(secs => lease_seconds + 1)
"""

FREE_SLOTS = """
    DELETE FROM concurrency_slots AS s
    WHERE NOT EXISTS (SELECT FROM workers AS w WHERE w.id = s.worker_id AND w.lease_expires_at > now())
       OR s.worker_id = ANY(%(silent)s::uuid[])
"""

FORGET_WORKERS = """
    DELETE FROM workers AS w
    WHERE w.lease_expires_at < now() - interval '1 day'
      AND NOT EXISTS (SELECT FROM domains AS d WHERE d.status = 'processing' AND d.worker_id = w.id)
"""

# Rows written after the moment that the clock now shows were written before it was set back; what they wait for is
# moved by as much, so that each still waits as long as was meant.
HEAL_CLOCK = """
    WITH ahead AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE status = 'pending' AND available_at > now() AND updated_at > now() + interval '1 second'
        LIMIT %(limit)s
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE domains AS d
    SET available_at = now() + greatest(d.available_at - d.updated_at, interval '0'),
        updated_at   = now()
    FROM ahead
    WHERE d.id = ahead.id
    RETURNING d.id
"""

HEAL_RESCANS = """
    WITH ahead AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE status = 'completed' AND rescan_every IS NOT NULL
          AND available_at > now() AND updated_at > now() + interval '1 second'
        LIMIT %(limit)s
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE domains AS d
    SET available_at = now() + greatest(d.available_at - d.updated_at, interval '0'),
        updated_at   = now()
    FROM ahead
    WHERE d.id = ahead.id
    RETURNING d.id
"""


class Lost(NamedTuple):
    """A row taken back from a worker whose lease ran out."""

    id: UUID
    tenant_id: UUID
    domain: str
    attempt: int
    worker_id: UUID
    final: bool  #: its attempts were used up, and it ended in ``error``
    held_ms: int | None  #: since its claim


class LeaseWatch:
    """Tells which workers are silent although their lease seems to run: the database's clock was set back.

    A lease that lies implausibly far ahead is believed for as long as it was given, counted here from when it was
    first seen. If it was not renewed by then, its worker is gone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[UUID, datetime], float] = {}

    @property
    def suspects(self) -> bool:
        """Whether a lease is being watched."""
        return bool(self._seen)

    def observe(self, implausible: Sequence[tuple[UUID, datetime, float]]) -> list[UUID]:
        """Take note of (worker, renewed at, lease seconds), and return the workers that are gone."""
        now = self._clock()
        self._seen = {
            (worker_id, renewed_at): self._seen.get((worker_id, renewed_at), now)
            for worker_id, renewed_at, _ in implausible
        }
        return [
            worker_id
            for worker_id, renewed_at, lease_seconds in implausible
            if now - self._seen[worker_id, renewed_at] > lease_seconds
        ]


async def sweep_lost(
    link: Link,
    *,
    limit: int,
    silent: Sequence[UUID],
    base_seconds: float,
    cap_seconds: float,
    sweeper: UUID = NIL,
) -> list[Lost]:
    """Take back up to ``limit`` rows of workers whose lease ran out; whatever those still write is rejected.

    ``sweeper`` is the worker that asks; its own rows are left to it.
    """
    params = {"limit": limit, "silent": list(silent), "base": base_seconds, "cap": cap_seconds, "sweeper": sweeper}
    return [Lost._make(row) for row in await link.fetch(SWEEP_LOST, params)]


async def sweep_rescans(link: Link, *, limit: int) -> int:
    """Make up to ``limit`` completed rows pending again whose next scan is due; how many."""
    return len(await link.fetch(SWEEP_RESCANS, {"limit": limit}))


async def find_silent(link: Link, watch: LeaseWatch) -> list[UUID]:
    """Workers that are gone although their lease, by the database's clock, is not out."""
    rows = await link.fetch(SELECT_IMPLAUSIBLE, {})
    return watch.observe([(row[0], row[1], row[2]) for row in rows])


async def seconds_until_due(link: Link) -> float | None:
    """How long until the next row or rescan is due, 0 if one is; None if nothing waits."""
    [(seconds,)] = await link.fetch(LOOK, {})
    return None if seconds is None else max(0.0, float(seconds))


async def tidy(link: Link, silent: Sequence[UUID]) -> None:
    """Free the slots of workers that are gone, and forget workers that have been gone for a day."""
    await link.fetch(FREE_SLOTS, {"silent": list(silent)})
    await link.fetch(FORGET_WORKERS, {})


async def heal_clock(link: Link, *, limit: int) -> int:
    """After the database's clock was set back: let rows wait as long as was meant, ``limit`` at a time; how many."""
    pending = await link.fetch(HEAL_CLOCK, {"limit": limit})
    return len(pending) + len(await link.fetch(HEAL_RESCANS, {"limit": limit}))
