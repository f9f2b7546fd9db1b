"""Reading what a tenant has: lists by keyset, one row, and its changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from app.api.cursors import is_moment, is_text, read_cursor, write_cursor
from domain_queue import DomainStatus

Connection = AsyncConnection[Any]
Sort = Literal["newest", "oldest", "domain", "-domain", "completed_at", "-completed_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which domains; None means any."""

    status: DomainStatus | None = None
    q: str | None = None
    batch_id: UUID | None = None

    def params(self) -> dict[str, object]:
        """For the statements of this module; wildcards in the search text stand for themselves."""
        text = (self.q or "").strip()
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {
            "status": self.status,
            "pattern": f"%{escaped}%" if text else None,
            "batch_id": self.batch_id,
        }


# What a Filter lets through; its params() are the parameters.
CHOSEN = """
    WHERE (%(status)s::domain_status IS NULL OR d.status = %(status)s)
      AND (%(pattern)s::text IS NULL OR d.domain ILIKE %(pattern)s OR d.title ILIKE %(pattern)s)
      AND (
          %(batch_id)s::uuid IS NULL
          OR EXISTS (SELECT FROM batch_items AS i WHERE i.batch_id = %(batch_id)s AND i.domain_id = d.id)
      )
"""

# Each order is a keyset: the last row's key and seq are where the next page begins, whatever was added since.
# seq makes every key unique; rows without an end are kept out of the orders by end.
LIST = (
    """
    SELECT
        d.seq, d.id, d.domain, d.status, d.priority, d.max_pages, d.batch_id, d.progress, d.step, d.attempt,
        d.max_attempts, d.last_error, d.error_code, d.rescan_every, d.title, d.description, d.language, d.is_wordpress,
        d.wordpress_version, d.email_addresses, d.phone_numbers, d.favicon_url, d.logo_url, d.created_at, d.updated_at,
        d.started_at, d.completed_at, d.domain_metadata ->> 'blocked' AS blocked
    FROM domains AS d
"""
    + CHOSEN
)
LIST_NEWEST = (
    LIST
    + """
      AND (%(seq)s::bigint IS NULL OR d.seq < %(seq)s)
    ORDER BY d.seq DESC
    LIMIT %(limit)s
"""
)
LIST_OLDEST = (
    LIST
    + """
      AND (%(seq)s::bigint IS NULL OR d.seq > %(seq)s)
    ORDER BY d.seq
    LIMIT %(limit)s
"""
)
LIST_BY_DOMAIN = (
    LIST
    + """
      AND (%(key)s::text IS NULL OR d.domain > %(key)s)
    ORDER BY d.domain
    LIMIT %(limit)s
"""
)
LIST_BY_DOMAIN_DOWN = (
    LIST
    + """
      AND (%(key)s::text IS NULL OR d.domain < %(key)s)
    ORDER BY d.domain DESC
    LIMIT %(limit)s
"""
)
LIST_BY_END = (
    LIST
    + """
      AND d.completed_at IS NOT NULL
      AND (%(key)s::timestamptz IS NULL OR (d.completed_at, d.seq) > (%(key)s, %(seq)s))
    ORDER BY d.completed_at, d.seq
    LIMIT %(limit)s
"""
)
LIST_BY_END_DOWN = (
    LIST
    + """
      AND d.completed_at IS NOT NULL
      AND (%(key)s::timestamptz IS NULL OR (d.completed_at, d.seq) < (%(key)s, %(seq)s))
    ORDER BY d.completed_at DESC, d.seq DESC
    LIMIT %(limit)s
"""
)
STATEMENTS: dict[Sort, str] = {
    "newest": LIST_NEWEST,
    "oldest": LIST_OLDEST,
    "domain": LIST_BY_DOMAIN,
    "-domain": LIST_BY_DOMAIN_DOWN,
    "completed_at": LIST_BY_END,
    "-completed_at": LIST_BY_END_DOWN,
}
KEYS: dict[Sort, str | None] = {
    "newest": None,
    "oldest": None,
    "domain": "domain",
    "-domain": "domain",
    "completed_at": "completed_at",
    "-completed_at": "completed_at",
}


async def list_domains(
    conn: Connection, chosen: Filter, *, sort: Sort = "newest", cursor: str | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of rows, and the cursor of the next; None on the last.

    Raises:
        ApiError: 422, the cursor is not one of this order.
    """
    params = chosen.params() | _position(cursor, sort) | {"limit": limit + 1}
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(STATEMENTS[sort], params)
        rows = await cur.fetchall()
    next_cursor = _cursor(rows[limit - 1], sort) if len(rows) > limit else None
    return rows[:limit], next_cursor


def _cursor(row: dict[str, Any], sort: Sort) -> str:
    name = KEYS[sort]
    return write_cursor(sort, row[name] if name else None, row["seq"])


def _position(cursor: str | None, sort: Sort) -> dict[str, object]:
    if not cursor:
        return {"key": None, "seq": None}
    is_key = {None: lambda key: key is None, "domain": is_text, "completed_at": is_moment}[KEYS[sort]]
    key, seq = read_cursor(cursor, sort, is_key)
    return {"key": key, "seq": seq}


SELECT_DOMAIN = """
    SELECT
        id, domain, status, priority, max_pages, batch_id, progress, step, attempt, max_attempts, last_error,
        error_code, rescan_every, title, description, language, is_wordpress, wordpress_version, email_addresses,
        phone_numbers, favicon_url, logo_url, created_at, updated_at, started_at, completed_at, errors,
        domain_metadata, domain_metadata ->> 'blocked' AS blocked
    FROM domains
    WHERE id = %(id)s
"""


async def read_domain(conn: Connection, domain_id: UUID) -> dict[str, Any] | None:
    """One row with everything; None where this tenant has no such row."""
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SELECT_DOMAIN, {"id": domain_id})
        return await cur.fetchone()


SET_RESCAN = """
    UPDATE domains
    SET rescan_every = %(rescan_every)s::interval,
        available_at = CASE
            WHEN status = 'completed' AND %(rescan_every)s::interval IS NOT NULL
            THEN coalesce(completed_at, now()) + %(rescan_every)s::interval
            ELSE available_at
        END,
        updated_at   = now()
    WHERE id = %(id)s
"""


async def set_rescan(conn: Connection, domain_id: UUID, rescan_every: timedelta | None) -> None:
    """Have a domain scanned again by itself, counted from its last scan; None ends it."""
    await conn.execute(SET_RESCAN, {"id": domain_id, "rescan_every": rescan_every})


SELECT_CHANGES = """
    SELECT id, changed_at, field, old_value, new_value
    FROM domain_changes
    WHERE domain_id = %(domain_id)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
    ORDER BY id DESC
    LIMIT %(limit)s
"""


async def list_changes(
    conn: Connection, domain_id: UUID, *, before: int | None = None, limit: int = 100
) -> tuple[list[dict[str, Any]], str | None]:
    """What differed between scans, newest first, and the cursor of the next page."""
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SELECT_CHANGES, {"domain_id": domain_id, "before": before, "limit": limit + 1})
        rows = await cur.fetchall()
    return rows[:limit], str(rows[limit - 1]["id"]) if len(rows) > limit else None
