"""The claim: due rows become this worker's, many in one statement, fairly across tenants."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from psycopg.rows import RowMaker

from domain_queue.lanes import Lane, Position
from domain_queue.links import Link
from domain_queue.models import Claim

# A locked row keeps its place, so the update goes there and not through the key: a tenth less for each row.
# The commit may be lost in a crash of the server: then the rows are pending again, and the token the worker holds
# matches nothing. So it need not wait for the disk, and says so for this transaction alone.
TAKE = """    , setting AS MATERIALIZED (
        SELECT set_config('synchronous_commit', 'off', true), set_config('scrapersky.notify', 'off', true)
    )
    UPDATE domains AS d
    SET status      = 'processing',
        attempt     = d.attempt + 1,
        claim_token = d.claim_token + 1,
        worker_id   = %(worker_id)s,
        claimed_at  = now(),
        started_at  = coalesce(d.started_at, now()),
        updated_at  = now(),
        progress    = 0,
        step        = 'claimed'
    FROM setting
    WHERE d.ctid = ANY (ARRAY(SELECT place FROM picked))
    RETURNING
        d.id, d.tenant_id, d.domain, d.max_pages, d.priority, d.attempt, d.max_attempts, d.crash_count,
        d.claim_token, d.force, d.domain_metadata IS NOT NULL, d.submitted_at, d.available_at, d.claimed_at, d.seq,
        d.http_validators
"""

# below, above   the distinct lanes by one index probe for each, backwards: at a lane's end the entries are live, at its
#                head lie the dead ones of rows claimed before. First the tenants after the one served last, then the
#                others. Both are walked only as far as the next step pulls.
# lane           those that have a due row, from their watermark on, until there are enough. A tenant has at most 101.
# turn           as many tenants as rows are wanted, with the share of each. One whose lanes were cut off waits.
# picked         of each tenant its share, by priority, then by due time. What another claim has locked is passed over.
#                Locked here, inside, so that no more rows are locked than are taken. NO KEY: inserting a child row,
#                such as a batch item, takes KEY SHARE and need not wait. The CTE is never inlined: no LIMIT runs twice.
PICK = """
    WITH RECURSIVE below AS (
        (
            SELECT tenant_id, priority
            FROM domains
            WHERE status = 'pending' AND tenant_id < %(served_last)s::uuid
            ORDER BY tenant_id DESC, priority DESC
            LIMIT 1
        )
        UNION ALL
        SELECT before.tenant_id, before.priority
        FROM below
        CROSS JOIN LATERAL (
            SELECT d.tenant_id, d.priority
            FROM domains AS d
            WHERE d.status = 'pending' AND (d.tenant_id, d.priority) < (below.tenant_id, below.priority)
            ORDER BY d.tenant_id DESC, d.priority DESC
            LIMIT 1
        ) AS before
    ), above AS (
        (
            SELECT tenant_id, priority
            FROM domains
            WHERE status = 'pending' AND tenant_id >= %(served_last)s::uuid
            ORDER BY tenant_id DESC, priority DESC
            LIMIT 1
        )
        UNION ALL
        SELECT before.tenant_id, before.priority
        FROM above
        CROSS JOIN LATERAL (
            SELECT d.tenant_id, d.priority
            FROM domains AS d
            WHERE d.status = 'pending'
              AND d.tenant_id >= %(served_last)s::uuid
              AND (d.tenant_id, d.priority) < (above.tenant_id, above.priority)
            ORDER BY d.tenant_id DESC, d.priority DESC
            LIMIT 1
        ) AS before
    ), watermark AS MATERIALIZED (
        SELECT w.tenant_id, w.priority, w.available_at, w.seq
        FROM unnest(
            %(tenants)s::uuid[], %(priorities)s::smallint[], %(after_at)s::timestamptz[], %(after_seq)s::bigint[]
        ) AS w (tenant_id, priority, available_at, seq)
    ), lane AS MATERIALIZED (
        SELECT
            known.tenant_id,
            known.priority,
            known.available_at,
            known.seq,
            row_number() OVER () AS position
        FROM (
            SELECT
                found.tenant_id,
                found.priority,
                coalesce(watermark.available_at, '-infinity') AS available_at,
                coalesce(watermark.seq, 0) AS seq
            FROM (
                SELECT tenant_id, priority FROM below
                UNION ALL
                SELECT tenant_id, priority FROM above
            ) AS found
            LEFT JOIN LATERAL (
                SELECT w.available_at, w.seq
                FROM watermark AS w
                WHERE w.tenant_id = found.tenant_id AND w.priority = found.priority
            ) AS watermark ON true
        ) AS known
        CROSS JOIN LATERAL (
            SELECT
            FROM domains AS d
            WHERE d.status = 'pending'
              AND d.tenant_id = known.tenant_id
              AND d.priority = known.priority
              AND (d.available_at, d.seq) >= (known.available_at, known.seq)
              AND d.available_at <= now()
            ORDER BY d.available_at, d.seq
            LIMIT 1
        ) AS due
        LIMIT %(limit)s + 101
    ), turn AS MATERIALIZED (
        SELECT tenant_id, ceil(%(limit)s::float / count(*) OVER ())::int AS share
        FROM (
            SELECT tenant_id
            FROM lane
            GROUP BY tenant_id
            HAVING max(position) < %(limit)s + 101
            ORDER BY min(position)
            LIMIT %(limit)s
        ) AS tenant
    ), picked AS MATERIALIZED (
        SELECT mine.place
        FROM turn
        CROSS JOIN LATERAL (
            SELECT due.place
            FROM (
                SELECT lane.priority, lane.available_at, lane.seq
                FROM lane
                WHERE lane.tenant_id = turn.tenant_id
                ORDER BY lane.priority
            ) AS lane
            CROSS JOIN LATERAL (
                SELECT d.ctid AS place
                FROM domains AS d
                WHERE d.status = 'pending'
                  AND d.tenant_id = turn.tenant_id
                  AND d.priority = lane.priority
                  AND (d.available_at, d.seq) >= (lane.available_at, lane.seq)
                  AND d.available_at <= now()
                ORDER BY d.available_at, d.seq
                LIMIT turn.share
                FOR NO KEY UPDATE OF d SKIP LOCKED
            ) AS due
            LIMIT turn.share
        ) AS mine
        LIMIT %(limit)s
    )"""

CLAIM = PICK + TAKE

# The same where the queue is one lane, which leaves nothing to be fair about: a quarter of the work, for whoever has
# just submitted to an idle queue. It takes nothing where any other lane has a row, due or not.
PICK_FROM_LANE = """
    WITH picked AS MATERIALIZED (
        SELECT d.ctid AS place
        FROM domains AS d
        WHERE d.status = 'pending'
          AND d.tenant_id = %(tenant_id)s::uuid
          AND d.priority = %(priority)s::smallint
          AND (d.available_at, d.seq) >= (%(after_at)s::timestamptz, %(after_seq)s::bigint)
          AND d.available_at <= now()
          AND (
              SELECT true
              FROM domains AS other
              WHERE other.status = 'pending'
                AND (other.tenant_id, other.priority) < (%(tenant_id)s::uuid, %(priority)s::smallint)
              ORDER BY other.tenant_id DESC, other.priority DESC
              LIMIT 1
          ) IS NULL
          AND (
              SELECT true
              FROM domains AS other
              WHERE other.status = 'pending'
                AND (other.tenant_id, other.priority) > (%(tenant_id)s::uuid, %(priority)s::smallint)
              ORDER BY other.tenant_id DESC, other.priority DESC
              LIMIT 1
          ) IS NULL
        ORDER BY d.available_at, d.seq
        LIMIT %(limit)s
        FOR NO KEY UPDATE OF d SKIP LOCKED
    )"""

CLAIM_LANE = PICK_FROM_LANE + TAKE

NIL = UUID(int=0)

# Claim._make without the check of the length: once for each row.
_as_claim: RowMaker[Claim] = partial(tuple.__new__, Claim)


async def claim(
    link: Link,
    *,
    worker_id: UUID,
    limit: int,
    watermarks: Mapping[Lane, Position],
    served_last: UUID = NIL,
) -> list[Claim]:
    """Make up to ``limit`` due rows this worker's, in no order; lower priority numbers of a tenant first.

    Tenants with due rows share ``limit`` equally. When they are more than ``limit``, those whose id is below
    ``served_last`` come first, from the highest down. Fewer rows than ``limit`` mean that some tenant had less than
    its share, that rows were locked, or that rows are due below a watermark only: ask again, from the beginning.
    """
    params = {
        "worker_id": worker_id,
        "limit": limit,
        "served_last": served_last,
        "tenants": [tenant_id for tenant_id, _ in watermarks],
        "priorities": [priority for _, priority in watermarks],
        "after_at": [available_at for available_at, _ in watermarks.values()],
        "after_seq": [seq for _, seq in watermarks.values()],
    }
    claims: list[Claim] = await link.fetch(CLAIM, params, make_row=_as_claim)
    return claims


async def claim_lane(link: Link, *, worker_id: UUID, limit: int, lane: Lane, position: Position) -> list[Claim]:
    """As ``claim``, from ``position`` on in ``lane``; nothing if any other lane has a pending row.

    No rows mean that none is due there, that they were locked, or that the queue is not this lane alone: ask ``claim``.
    """
    tenant_id, priority = lane
    after_at, after_seq = position
    params = {
        "worker_id": worker_id,
        "limit": limit,
        "tenant_id": tenant_id,
        "priority": priority,
        "after_at": after_at,
        "after_seq": after_seq,
    }
    claims: list[Claim] = await link.fetch(CLAIM_LANE, params, make_row=_as_claim)
    return claims
