"""Reads for people and probes: how deep the queue is, whose turn it is, who works. All cheap, none on a replica."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain_queue.status import DomainStatus

Conn = AsyncConnection[Any]

MOST_COUNTED_AHEAD = 10_000

COUNT_BY_STATUS = """
    SELECT status::text, count(*)
    FROM domains
    WHERE %(tenant_id)s::uuid IS NULL OR tenant_id = %(tenant_id)s
    GROUP BY status
"""

# Counted in the tenant's own lanes: tenants take turns, so what others have waiting does not come first.
SELECT_POSITION = """
    SELECT
        (
            SELECT count(*)
            FROM (
                SELECT
                FROM domains AS d
                WHERE d.status = 'pending'
                  AND d.tenant_id = mine.tenant_id
                  AND d.priority <= mine.priority
                  AND (d.priority, d.available_at, d.seq) < (mine.priority, mine.available_at, mine.seq)
                LIMIT %(most)s
            ) AS ahead
        ) + 1
    FROM domains AS mine
    WHERE mine.id = %(id)s AND mine.status = 'pending'
"""

SELECT_WORKERS = """
    SELECT
        id, name, version, concurrency, in_flight, wake_mode, draining, started_at, renewed_at, lease_expires_at, stats
    FROM workers
    WHERE lease_expires_at > now()
    ORDER BY started_at, id
"""

# One probe for each lane, as the claim does it.
SELECT_OLDEST = """
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
    )
    SELECT oldest.domain, oldest.available_at, extract(epoch FROM now() - oldest.available_at)::float AS age_seconds
    FROM lane
    CROSS JOIN LATERAL (
        SELECT d.domain, d.available_at
        FROM domains AS d
        WHERE d.status = 'pending' AND d.tenant_id = lane.tenant_id AND d.priority = lane.priority
          AND d.available_at <= now()
        ORDER BY d.available_at
        LIMIT 1
    ) AS oldest
    ORDER BY oldest.available_at
    LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAlive:
    """A worker whose lease runs."""

    id: UUID
    name: str
    version: str
    concurrency: int
    in_flight: int
    wake_mode: str
    draining: bool
    started_at: datetime
    renewed_at: datetime
    lease_expires_at: datetime
    stats: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldestPending:
    """The row that has been due for longest."""

    domain: str
    available_at: datetime
    age_seconds: float


async def queue_depths(conn: Conn, tenant_id: UUID | None = None) -> dict[DomainStatus, int]:
    """How many rows are in each status, all of them present; of one tenant, or of all that may be seen."""
    cur = await conn.execute(COUNT_BY_STATUS, {"tenant_id": tenant_id})
    counted = {DomainStatus(status): count for status, count in await cur.fetchall()}
    return {status: counted.get(status, 0) for status in DomainStatus}


async def pending_position(conn: Conn, job_id: UUID) -> int | None:
    """The row's place among its tenant's pending rows, from 1; counted up to 10,001. None if it is not pending."""
    cur = await conn.execute(SELECT_POSITION, {"id": job_id, "most": MOST_COUNTED_AHEAD})
    row = await cur.fetchone()
    return None if row is None else row[0]


async def workers_alive(conn: Conn) -> list[WorkerAlive]:
    """The workers whose lease runs, oldest first."""
    async with conn.cursor(row_factory=class_row(WorkerAlive)) as cur:
        await cur.execute(SELECT_WORKERS)
        return await cur.fetchall()


async def oldest_pending(conn: Conn) -> OldestPending | None:
    """The row that has been due for longest, without those that wait for a retry; None if none is due."""
    async with conn.cursor(row_factory=class_row(OldestPending)) as cur:
        await cur.execute(SELECT_OLDEST)
        return await cur.fetchone()
