"""Reading one job: the row, its version, and the status document made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from domain_queue import DomainStatus

Connection = AsyncConnection[Any]
Row = dict[str, Any]

#: A place beyond this is not counted out: the answer would cost more than it tells.
MAX_COUNTED_PLACE = 10_000

SELECT_JOB = """
    -- xmin names the transaction that wrote this version of the row: it changes with every change.
    SELECT
        id, tenant_id, xmin::text AS version, domain, status, progress, step, created_at, updated_at, started_at,
        completed_at, attempt, max_attempts, max_pages, last_error, error_code, domain_metadata
    FROM domains
    WHERE id = %(id)s
"""


async def find_job(conn: Connection, job_id: UUID) -> Row | None:
    """The row of a job that this connection's tenant may see."""
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SELECT_JOB, {"id": job_id})
        return await cur.fetchone()


SELECT_CHANGED = """
    WITH watched AS (
        SELECT *
        FROM unnest(%(ids)s::uuid[], %(versions)s::text[]) AS w (id, version)
    )
    SELECT
        d.id, d.tenant_id, d.xmin::text AS version, d.domain, d.status, d.progress, d.step, d.created_at, d.updated_at,
        d.started_at, d.completed_at, d.attempt, d.max_attempts, d.max_pages, d.last_error, d.error_code,
        d.domain_metadata
    FROM watched
    JOIN domains AS d ON d.id = watched.id
    WHERE d.xmin::text <> watched.version
"""


async def changed_jobs(conn: Connection, versions: dict[UUID, str]) -> list[Row]:
    """Of the given jobs, those whose row is no longer of the given version, in one statement."""
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SELECT_CHANGED, {"ids": list(versions), "versions": list(versions.values())})
        return await cur.fetchall()


SELECT_PLACES = """
    -- An index-only walk along the claim order of the row's lane, cut short where it gets long.
    SELECT
        d.id,
        CASE WHEN d.available_at <= now() THEN (
            SELECT count(*)
            FROM (
                SELECT
                FROM domains AS ahead
                WHERE ahead.status = 'pending'
                  AND ahead.tenant_id = d.tenant_id
                  AND (ahead.priority, ahead.available_at, ahead.seq) <= (d.priority, d.available_at, d.seq)
                LIMIT %(limit)s
            ) AS counted
        ) END AS position
    FROM domains AS d
    WHERE d.id = ANY(%(ids)s) AND d.status = 'pending'
"""

COUNT_WORKERS = """
    SELECT count(*)
    FROM workers
    WHERE stopped_at IS NULL AND lease_expires_at > now()
"""


async def queue_places(
    conn: Connection, ids: Sequence[UUID], *, limit: int = MAX_COUNTED_PLACE
) -> dict[UUID, dict[str, Any]]:
    """For each of the jobs that is pending: its place among its tenant's jobs, and how many workers are alive.

    The place is 1 for the next one, ``limit`` for any at or beyond it, None while the job waits for a retry.
    """
    workers = await count_workers(conn)
    cur = await conn.execute(SELECT_PLACES, {"ids": list(ids), "limit": limit})
    return {row_id: {"position": position, "workers_alive": workers} for row_id, position in await cur.fetchall()}


async def count_workers(conn: Connection) -> int:
    """Worker processes whose lease is running."""
    cur = await conn.execute(COUNT_WORKERS)
    [(count,)] = await cur.fetchall()
    return int(count)


def is_final(row: Row) -> bool:
    """Nothing more will happen to this job by itself."""
    return not is_waiting(row)


def is_waiting(row: Row) -> bool:
    """The job is in the queue or in work."""
    return row["status"] in (DomainStatus.PENDING, DomainStatus.PROCESSING)


def job_document(row: Row, place: dict[str, Any] | None = None) -> dict[str, Any]:
    """The status document; its keys are the contract."""
    pending = row["status"] == DomainStatus.PENDING
    return {
        "job_id": row["id"],
        "status": row["status"],
        "domain": row["domain"],
        "progress": round(row["progress"], 4),
        "step": row["step"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "started_at": row["started_at"],
        "completed_at": row["completed_at"],
        "attempt": row["attempt"],
        "max_attempts": row["max_attempts"],
        "error": job_error(row),
        "queue": (place or {"position": None, "workers_alive": 0}) if pending else None,
        "metadata": {
            **(row["domain_metadata"] or {}),
            "domain": row["domain"],
            "max_pages": row["max_pages"],
        },
    }


def job_error(row: Row) -> dict[str, str] | None:
    """Why the last attempt failed; None where none did."""
    if row["error_code"] is None and row["last_error"] is None:
        return None
    code = row["error_code"] or "unknown"
    return {"code": code, "message": row["last_error"] or code}


async def read_document(conn: Connection, job_id: UUID) -> tuple[Row, dict[str, Any]] | None:
    """The row and its status document, with the place in the queue while it is pending."""
    row = await find_job(conn, job_id)
    if row is None:
        return None
    places = await queue_places(conn, [job_id]) if row["status"] == DomainStatus.PENDING else {}
    return row, job_document(row, places.get(job_id))
