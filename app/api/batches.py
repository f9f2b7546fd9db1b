"""Reading batches: counts over all their domains, and one page of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from app.api.cursors import is_moment, is_text, read_cursor, write_cursor
from app.api.errors import ApiError
from app.api.jobs import job_error
from app.api.schemas import SCANS
from domain_queue import DomainStatus

Connection = AsyncConnection[Any]

SELECT_BATCH = """
    SELECT
        b.id,
        b.created_at,
        coalesce(max(d.updated_at), b.created_at)                 AS updated_at,
        count(d.id)                                               AS total,
        count(*) FILTER (WHERE d.status = 'pending')              AS pending,
        count(*) FILTER (WHERE d.status = 'processing')           AS processing,
        count(*) FILTER (WHERE d.status = 'completed')            AS completed,
        count(*) FILTER (WHERE d.status = 'error')                AS error,
        count(*) FILTER (WHERE d.status = 'cancelled')            AS cancelled,
        count(*) FILTER (WHERE d.status = 'active')               AS active,
        coalesce(sum(d.progress) FILTER (WHERE d.status = 'processing'), 0)::float AS steps
    FROM batches AS b
    LEFT JOIN batch_items AS i ON i.batch_id = b.id
    LEFT JOIN domains AS d ON d.id = i.domain_id
    WHERE b.id = %(batch_id)s
    GROUP BY b.id
"""

BatchSort = Literal["submitted", "domain", "-domain", "status", "-status", "completed_at", "-completed_at"]

# Whatever the order, the position makes every key unique; what has not ended comes last in both orders by end.
SELECT_BATCH_PAGE = """
    SELECT
        i.position, d.id, d.domain, d.status, d.progress, d.step, d.title, d.email_addresses, d.phone_numbers,
        d.last_error, d.error_code, d.attempt, d.updated_at, d.completed_at, d.domain_metadata ->> 'blocked' AS blocked
    FROM batch_items AS i
    JOIN domains AS d ON d.id = i.domain_id
    WHERE i.batch_id = %(batch_id)s
      AND (%(status)s::domain_status IS NULL OR d.status = %(status)s)
"""
BATCH_ORDERS: dict[BatchSort, str] = {
    "submitted": """
      AND i.position > %(position)s
    ORDER BY i.position
    LIMIT %(limit)s
""",
    "domain": """
      AND (%(key)s::text IS NULL OR (d.domain, i.position) > (%(key)s, %(position)s))
    ORDER BY d.domain, i.position
    LIMIT %(limit)s
""",
    "-domain": """
      AND (%(key)s::text IS NULL OR (d.domain, i.position) < (%(key)s, %(position)s))
    ORDER BY d.domain DESC, i.position DESC
    LIMIT %(limit)s
""",
    "status": """
      AND (%(key)s::domain_status IS NULL OR (d.status, i.position) > (%(key)s, %(position)s))
    ORDER BY d.status, i.position
    LIMIT %(limit)s
""",
    "-status": """
      AND (%(key)s::domain_status IS NULL OR (d.status, i.position) < (%(key)s, %(position)s))
    ORDER BY d.status DESC, i.position DESC
    LIMIT %(limit)s
""",
    "completed_at": """
      AND (
          %(key)s::timestamptz IS NULL
          OR (coalesce(d.completed_at, 'infinity'), i.position) > (%(key)s, %(position)s)
      )
    ORDER BY coalesce(d.completed_at, 'infinity'), i.position
    LIMIT %(limit)s
""",
    "-completed_at": """
      AND (
          %(key)s::timestamptz IS NULL
          OR (coalesce(d.completed_at, '-infinity'), i.position) < (%(key)s, %(position)s)
      )
    ORDER BY coalesce(d.completed_at, '-infinity') DESC, i.position DESC
    LIMIT %(limit)s
""",
}
BATCH_KEYS: dict[str, Callable[[object], bool]] = {
    "domain": is_text,
    "status": lambda key: key in set(DomainStatus),
    "completed_at": is_moment,
}


async def read_batch_document(
    conn: Connection,
    batch_id: UUID,
    *,
    sort: BatchSort = "submitted",
    cursor: str | None = None,
    limit: int = 100,
    status: DomainStatus | None = None,
) -> dict[str, Any] | None:
    """The batch document with a page of domains behind the cursor; None where this tenant has no such batch.

    Raises:
        ApiError: 422, the cursor is not one of this order.
    """
    position = _position(cursor, sort)
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SELECT_BATCH, {"batch_id": batch_id})
        batch = await cur.fetchone()
        if batch is None:
            return None
        params = {"batch_id": batch_id, "status": status, "limit": limit + 1, **position}
        statement = SELECT_BATCH_PAGE + BATCH_ORDERS[sort]
        rows = await (await cur.execute(statement, params)).fetchall() if limit else []
    return {
        **batch_summary(batch),
        "domains": [batch_domain(row) for row in rows[:limit]],
        "next_cursor": _cursor(rows[limit - 1], sort) if len(rows) > limit else None,
    }


def _cursor(row: dict[str, Any], sort: BatchSort) -> str:
    """In the order submitted a cursor is the bare position."""
    if sort == "submitted":
        return str(row["position"])
    key = row[sort.removeprefix("-")]
    if key is None:
        key = "-infinity" if sort.startswith("-") else "infinity"
    return write_cursor(sort, key, row["position"])


def _position(cursor: str | None, sort: BatchSort) -> dict[str, object]:
    if sort == "submitted":
        return {"position": position_of(cursor)}
    if not cursor:
        return {"key": None, "position": None}
    key, position = read_cursor(cursor, sort, BATCH_KEYS[sort.removeprefix("-")])
    return {"key": key, "position": position}


def position_of(cursor: str | None) -> int:
    """The position in a cursor that is a bare number, -1 for the first page.

    Raises:
        ApiError: 422.
    """
    if not cursor:
        return -1
    if not (cursor.isascii() and cursor.isdigit()) or int(cursor) > 2**31 - 1:
        raise ApiError(422, "invalid_cursor", "The cursor is not one of this list.")
    return int(cursor)


def batch_summary(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch without its domains."""
    total = batch["total"]
    ended = batch["completed"] + batch["error"] + batch["cancelled"] + batch["active"]
    return {
        "batch_id": batch["id"],
        "status": batch_state(batch),
        "total_domains": total,
        "completed_domains": batch["completed"],
        "failed_domains": batch["error"],
        "progress": round((ended + batch["steps"]) / total, 4) if total else 1.0,
        "created_at": batch["created_at"],
        "updated_at": batch["updated_at"],
        "counts": {status.value: batch[status.value] for status in DomainStatus},
    }


def batch_state(batch: dict[str, Any]) -> str:
    """One word for all its domains together."""
    if batch["pending"] or batch["processing"]:
        untouched = batch["pending"] == batch["total"]
        return "pending" if untouched else "processing"
    if batch["completed"] == batch["total"]:
        return "completed"
    if batch["completed"]:
        return "partial"
    return "error" if batch["error"] else "cancelled"


def batch_domain(row: dict[str, Any]) -> dict[str, Any]:
    """One domain of a batch, in short."""
    return {
        "job_id": row["id"],
        "status_url": f"{SCANS}/status/{row['id']}",
        "domain": row["domain"],
        "status": row["status"],
        "progress": round(row["progress"], 4),
        "step": row["step"],
        "title": row["title"],
        "email_addresses": row["email_addresses"],
        "phone_numbers": row["phone_numbers"],
        "error": job_error(row),
        "blocked": row["blocked"],
        "attempt": row["attempt"],
        "updated_at": row["updated_at"],
        "completed_at": row["completed_at"],
    }
