"""The queue at a glance: depth, age, throughput, workers, errors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from domain_queue import queue_depths, workers_alive

Connection = AsyncConnection[Any]

SELECT_OLDEST = """
    SELECT extract(epoch FROM now() - min(available_at))::float
    FROM domains
    WHERE status = 'pending' AND available_at <= now()
"""

# updated_at has no index, because it changes with every write; an hour of one tenant is read by completed_at's share.
SELECT_FINISHED = """
    SELECT
        date_trunc('minute', completed_at)                                AS minute,
        count(*) FILTER (WHERE status = 'completed')                      AS completed,
        count(*) FILTER (WHERE status = 'error')                          AS failed
    FROM domains
    WHERE status IN ('completed', 'error') AND completed_at > now() - interval '1 hour'
    GROUP BY 1
    ORDER BY 1
"""

SELECT_ERRORS = """
    SELECT coalesce(error_code, 'unknown') AS code, count(*) AS count, max(last_error) AS example
    FROM domains
    WHERE status = 'error' AND completed_at > now() - interval '1 hour'
    GROUP BY 1
    ORDER BY 2 DESC, 1
    LIMIT 20
"""


async def read_overview(conn: Connection, tenant_id: UUID) -> dict[str, Any]:
    """The tenant's own queue, and the workers that serve all."""
    depths = await queue_depths(conn, tenant_id)
    workers = await workers_alive(conn)
    [(oldest,)] = await (await conn.execute(SELECT_OLDEST)).fetchall()
    async with conn.cursor(row_factory=dict_row) as cur:
        finished = await (await cur.execute(SELECT_FINISHED)).fetchall()
        errors = await (await cur.execute(SELECT_ERRORS)).fetchall()
    return {
        "queue": {status.value: count for status, count in depths.items()},
        "oldest_pending_seconds": oldest,
        "workers_alive": len(workers),
        "workers": [
            {
                "name": worker.name,
                "version": worker.version,
                "concurrency": worker.concurrency,
                "in_flight": worker.in_flight,
                "wake_mode": worker.wake_mode,
                "draining": worker.draining,
                "started_at": worker.started_at,
                "renewed_at": worker.renewed_at,
                "lease_expires_at": worker.lease_expires_at,
            }
            for worker in workers
        ],
        "errors": errors,
        "finished": finished,
    }
