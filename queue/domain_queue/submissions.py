"""What submitters do: put domains into the queue, cancel them, put them back.

Every function is one or two set-based statements in the caller's transaction, runs under the owner or under the
tenant role with row-level security, and locks rows in the order of their domain or id, so that two callers
with the same rows in another order wait for each other and do not deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from domain_queue.models import Submission, Submitted
from domain_queue.status import DomainStatus

Conn = AsyncConnection[Any]

# A row in the queue already is left alone; the second statement finds it, with a snapshot of its own.
UPSERT = """
    WITH quiet AS MATERIALIZED (
        SELECT CASE WHEN %(quiet)s THEN set_config('scrapersky.notify', 'off', true) END
    ), submission AS (
        SELECT *
        FROM unnest(
            %(domains)s::text[], %(max_pages)s::int[], %(priorities)s::smallint[], %(max_attempts)s::int[],
            %(force)s::boolean[], %(rescan_every)s::interval[], %(submitted_by)s::text[]
        ) AS s (domain, max_pages, priority, max_attempts, force, rescan_every, submitted_by)
    )
    INSERT INTO domains AS d (
        tenant_id, domain, status, max_pages, priority, max_attempts, force, rescan_every, submitted_by, batch_id,
        available_at, submitted_at, created_at, updated_at
    )
    SELECT
        %(tenant_id)s, s.domain, 'pending', s.max_pages, s.priority, s.max_attempts, s.force, s.rescan_every,
        s.submitted_by, %(batch_id)s, now(), now(), now(), now()
    FROM submission AS s
    CROSS JOIN quiet
    ORDER BY s.domain
    ON CONFLICT (tenant_id, domain) DO UPDATE
    SET status       = 'pending',
        max_pages    = excluded.max_pages,
        priority     = excluded.priority,
        max_attempts = excluded.max_attempts,
        force        = excluded.force,
        rescan_every = coalesce(excluded.rescan_every, d.rescan_every),
        submitted_by = excluded.submitted_by,
        batch_id     = coalesce(excluded.batch_id, d.batch_id),
        available_at = now(),
        submitted_at = now(),
        updated_at   = now(),
        started_at   = NULL,
        completed_at = NULL,
        attempt      = 0,
        crash_count  = 0,
        progress     = 0,
        step         = NULL,
        last_error   = NULL,
        error_code   = NULL,
        errors       = '[]'
    WHERE d.status NOT IN ('pending', 'processing')
    RETURNING id, domain, status, created_at, submitted_at
"""

SELECT_QUEUED = """
    SELECT id, domain, status, created_at, submitted_at
    FROM domains
    WHERE tenant_id = %(tenant_id)s AND domain = ANY(%(domains)s)
"""

# Only a wait is cut short: a row that a worker holds stays as it is.
HASTEN = """
    WITH waiting AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE tenant_id = %(tenant_id)s AND domain = ANY(%(domains)s) AND status = 'pending' AND available_at > now()
        ORDER BY domain
        FOR NO KEY UPDATE
    ), told AS MATERIALIZED (
        SELECT pg_notify('domains_pending', '')
        WHERE NOT %(quiet)s AND EXISTS (SELECT FROM waiting)
    )
    UPDATE domains AS d
    SET available_at = now(),
        updated_at   = now(),
        force        = true
    FROM waiting
    LEFT JOIN told ON true
    WHERE d.id = waiting.id
"""

INSERT_BATCH_ITEMS = """
    INSERT INTO batch_items (batch_id, position, tenant_id, domain_id)
    SELECT %(batch_id)s, item.position, %(tenant_id)s, item.domain_id
    FROM unnest(%(positions)s::int[], %(ids)s::uuid[]) AS item (position, domain_id)
    ON CONFLICT DO NOTHING
"""


async def submit(
    conn: Conn,
    *,
    tenant_id: UUID,
    submissions: Sequence[Submission],
    batch_id: UUID | None = None,
    quiet: bool = False,
) -> list[Submitted]:
    """Queue domains, one answer for each submission in their order; the same domain twice is one job.

    A finished, cancelled or merely stored row is set back to pending and keeps its old results until new ones
    replace them. A row that is pending or processing is returned as it is, with ``queued`` False; ``force`` makes
    it due at once if it waits for a retry. With ``batch_id``, a row of ``batches``, every domain becomes an item of it.

    With ``quiet`` the commit sends no NOTIFY, and the caller calls ``Notifier.notify()`` after it; without, the
    commit itself wakes the workers. Runs in the caller's transaction, READ COMMITTED as is the default.

    Raises:
        psycopg.errors.CheckViolation: a value is out of its range; nothing was written.
    """
    if not submissions:
        return []
    unique = {submission.domain: submission for submission in submissions}
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(UPSERT, _columns(list(unique.values()), tenant_id, batch_id, quiet))
        found = {row["domain"]: _submitted(row, queued=True) for row in await cur.fetchall()}
        if missing := [domain for domain in unique if domain not in found]:
            if hasty := [domain for domain in missing if unique[domain].force]:
                await cur.execute(HASTEN, {"tenant_id": tenant_id, "domains": hasty, "quiet": quiet})
            await cur.execute(SELECT_QUEUED, {"tenant_id": tenant_id, "domains": missing})
            found |= {row["domain"]: _submitted(row, queued=False) for row in await cur.fetchall()}
        if batch_id is not None:
            positions = {submission.domain: index for index, submission in reversed(list(enumerate(submissions)))}
            items = {"positions": list(positions.values()), "ids": [found[domain].id for domain in positions]}
            await cur.execute(INSERT_BATCH_ITEMS, {"batch_id": batch_id, "tenant_id": tenant_id, **items})
    return [found[submission.domain] for submission in submissions]


def _columns(submissions: list[Submission], tenant_id: UUID, batch_id: UUID | None, quiet: bool) -> dict[str, object]:
    return {
        "tenant_id": tenant_id,
        "batch_id": batch_id,
        "quiet": quiet,
        "domains": [submission.domain for submission in submissions],
        "max_pages": [submission.max_pages for submission in submissions],
        "priorities": [submission.priority for submission in submissions],
        "max_attempts": [submission.max_attempts for submission in submissions],
        "force": [submission.force for submission in submissions],
        "rescan_every": [submission.rescan_every for submission in submissions],
        "submitted_by": [submission.submitted_by for submission in submissions],
    }


def _submitted(row: dict[str, Any], *, queued: bool) -> Submitted:
    return Submitted(
        id=row["id"],
        domain=row["domain"],
        status=DomainStatus(row["status"]),
        created_at=row["created_at"],
        submitted_at=row["submitted_at"],
        queued=queued,
    )


# The raised token is what stops the holder: its next write or its next check, within a second, matches nothing.
CANCEL = """
    WITH chosen AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE status IN ('pending', 'processing')
          AND (%(tenant_id)s::uuid IS NULL OR tenant_id = %(tenant_id)s)
          AND id = ANY(%(ids)s::uuid[])
        ORDER BY id
        FOR NO KEY UPDATE
    ), quiet AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    ), cancelled AS (
        UPDATE domains AS d
        SET status       = 'cancelled',
            claim_token  = d.claim_token + 1,
            step         = NULL,
            completed_at = now(),
            updated_at   = now()
        FROM chosen CROSS JOIN quiet
        WHERE d.id = chosen.id
        RETURNING d.id
    ), told AS MATERIALIZED (
        SELECT pg_notify('domains_cancelled', ''), pg_notify('domains_finished', '')
        WHERE EXISTS (SELECT FROM cancelled)
    )
    SELECT cancelled.id
    FROM cancelled
    LEFT JOIN told ON true
"""

SELECT_BATCH_DOMAINS = """
    SELECT domain_id
    FROM batch_items
    WHERE batch_id = %(batch_id)s
"""


async def cancel(
    conn: Conn, *, tenant_id: UUID | None = None, ids: Sequence[UUID] | None = None, batch_id: UUID | None = None
) -> list[UUID]:
    """Cancel pending and processing rows, and return the ids of those that were; others are left alone.

    The handler of a row in processing is cancelled at once where notifications arrive, else within a second,
    and whatever it still writes is rejected. One of ``ids`` and ``batch_id`` is needed; with both, rows of either.
    """
    chosen = await _chosen_ids(conn, ids, batch_id)
    cur = await conn.execute(CANCEL, {"tenant_id": tenant_id, "ids": chosen})
    return [row_id for (row_id,) in await cur.fetchall()]


async def _chosen_ids(conn: Conn, ids: Sequence[UUID] | None, batch_id: UUID | None) -> list[UUID]:
    chosen = list(ids or [])
    if batch_id is not None:
        cur = await conn.execute(SELECT_BATCH_DOMAINS, {"batch_id": batch_id})
        chosen += [row_id for (row_id,) in await cur.fetchall()]
    return chosen


RETRY = """
    WITH chosen AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE status IN ('error', 'cancelled')
          AND (%(tenant_id)s::uuid IS NULL OR tenant_id = %(tenant_id)s)
          AND (%(error_code)s::text IS NULL OR error_code = %(error_code)s)
          AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[]))
        ORDER BY id
        FOR NO KEY UPDATE
    )
    UPDATE domains AS d
    SET status       = 'pending',
        available_at = now(),
        submitted_at = now(),
        updated_at   = now(),
        started_at   = NULL,
        completed_at = NULL,
        attempt      = 0,
        crash_count  = 0,
        progress     = 0,
        step         = NULL,
        last_error   = NULL,
        error_code   = NULL,
        errors       = '[]'
    FROM chosen
    WHERE d.id = chosen.id
    RETURNING d.id
"""


async def retry(
    conn: Conn,
    *,
    tenant_id: UUID | None = None,
    ids: Sequence[UUID] | None = None,
    batch_id: UUID | None = None,
    error_code: str | None = None,
    everything: bool = False,
) -> list[UUID]:
    """Put rows that ended in ``error`` or ``cancelled`` back into the queue, due now, with all their attempts again.

    The reasons of the earlier failure are cleared, results of earlier scans stay. Chosen by ``ids``, ``batch_id`` or
    ``error_code`` (the last narrows the others); ``everything`` takes every such row of the tenant, or of all tenants.

    Raises:
        ValueError: nothing was chosen; nothing was written.
    """
    by_row = ids is not None or batch_id is not None
    if not (by_row or error_code is not None or everything):
        raise ValueError("choose rows by ids, batch_id or error_code, or ask for everything")
    chosen = await _chosen_ids(conn, ids, batch_id) if by_row else None
    cur = await conn.execute(RETRY, {"tenant_id": tenant_id, "ids": chosen, "error_code": error_code})
    return [row_id for (row_id,) in await cur.fetchall()]
