"""One job's life in order, put together from what its row and those around it say.

Only what was written is told: a failed attempt leaves a reason with its times and its worker (the last twenty are
kept until the job is submitted or scanned anew), a claim leaves the first time and the last one's, a result its pages.
How the first worker learned of the job is not written anywhere: it is told from whether that worker was listening.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from pydantic import BaseModel, Field, ValidationError

from domain_queue import pending_position
from extractor.models import PageRead

Connection = AsyncConnection[Any]

#: A listening worker that claims within this time of the submit was woken by it: idle ones look every six seconds.
NOTIFIED_WITHIN_MS = 1000


class Event(BaseModel):
    """Something that happened to the job, or that is awaited."""

    at: datetime | None = Field(description="By the database's clock; null for what is so now.")
    event: str = Field(description="Past tense for what happened: submitted, claimed, attempt_failed, completed, ...")
    detail: str = Field(default="", description="For a person.")
    attempt: int | None = None
    worker: str | None = Field(default=None, description="The worker's name, or its id where it is forgotten.")
    after_ms: int | None = Field(default=None, description="Since the event that it follows from.")


class Trace(BaseModel):
    """One job, and its events in the order of time; what is so now comes last."""

    job_id: UUID
    domain: str
    tenant: str
    status: str
    events: list[Event]


# By way of the tenants, because the index on the domain begins with the tenant.
SELECT_JOBS = """
    WITH chosen AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE id = %(id)s
        UNION
        SELECT d.id
        FROM tenants AS t
        JOIN domains AS d ON d.tenant_id = t.id AND d.domain = %(domain)s
    )
    SELECT
        d.id, d.domain, d.status::text, d.priority, d.available_at, d.rescan_every, d.attempt, d.max_attempts,
        d.crash_count, d.worker_id, d.claimed_at, d.progress, d.step, d.errors, d.error_code,
        d.last_error, d.domain_metadata -> 'pages' AS pages, d.domain_metadata ->> 'fetch_tier' AS fetch_tier,
        d.domain_metadata ->> 'fetch_credits' AS fetch_credits,
        (d.domain_metadata ->> 'scanned_at')::timestamptz AS scanned_at, d.batch_id, d.submitted_by, d.submitted_at,
        d.created_at, d.started_at, d.completed_at, t.name AS tenant, now() AS now
    FROM chosen
    JOIN domains AS d ON d.id = chosen.id
    JOIN tenants AS t ON t.id = d.tenant_id
    ORDER BY d.submitted_at DESC
    LIMIT 20
"""

#: By how much a worker's clock, which dates the scan, may be behind the database's.
CLOCK_SKEW = timedelta(minutes=5)

# wake_mode_since: the beginning of the wake mode that it last told of, by the database's clock
SELECT_WORKERS = """
    SELECT
        id::text, name, lease_expires_at > now() AS is_alive, wake_mode,
        coalesce(stopped_at, renewed_at) - make_interval(secs => (stats ->> 'wake_mode_seconds')::float)
            AS wake_mode_since,
        extract(epoch FROM lease_expires_at - now())::float AS seconds_left
    FROM workers
    WHERE id = ANY(%(ids)s::uuid[])
"""

SELECT_CHANGES = """
    SELECT changed_at, array_agg(field ORDER BY id) AS fields
    FROM domain_changes
    WHERE domain_id = %(id)s AND changed_at >= %(since)s
    GROUP BY changed_at
    ORDER BY changed_at
    LIMIT 100
"""

SELECT_CALLBACKS = """
    SELECT url, state, attempt, available_at, last_error, created_at, finished_at
    FROM webhook_deliveries
    WHERE domain_id = %(id)s OR (batch_id = %(batch_id)s AND %(batch_id)s::uuid IS NOT NULL)
    ORDER BY id DESC
    LIMIT 20
"""


async def trace_jobs(conn: Connection, text: str, *, domain: str | None = None) -> list[Trace]:
    """The jobs whose id ``text`` is, or whose domain is ``domain``: one for each tenant that has it, newest first."""
    rows = await _rows(conn, SELECT_JOBS, {"id": _as_uuid(text), "domain": domain})
    return [await _trace(conn, row) for row in rows]


async def _trace(conn: Connection, row: dict[str, Any]) -> Trace:
    reasons = [entry for entry in row["errors"] if datetime.fromisoformat(entry["at"]) >= row["submitted_at"]]
    workers = await _workers(conn, [row["worker_id"], *(entry.get("worker") for entry in reasons)])
    events = [
        *_submitted(row),
        *_notified(reasons, row, workers),
        *_earlier_claims(reasons, row, workers),
        *_failed_attempts(reasons, row, workers),
        *_ended(reasons, row, workers),
    ]
    for change in await _rows(conn, SELECT_CHANGES, {"id": row["id"], "since": row["submitted_at"]}):
        events.append(Event(at=change["changed_at"], event="changes_found", detail=", ".join(change["fields"])))
    for callback in await _rows(conn, SELECT_CALLBACKS, {"id": row["id"], "batch_id": row["batch_id"]}):
        events += _callback(callback)
    events.sort(key=lambda event: (event.at is None, event.at or row["now"]))
    events += await _now(conn, row, workers)
    return Trace(job_id=row["id"], domain=row["domain"], tenant=row["tenant"], status=row["status"], events=events)


def _submitted(row: dict[str, Any]) -> list[Event]:
    stored = []
    if (row["submitted_at"] - row["created_at"]).total_seconds() > 0.001:
        stored = [Event(at=row["created_at"], event="stored", detail="the domain was seen for the first time")]
    by = f"by {row['submitted_by']}" if row["submitted_by"] else "by a writer that gave no name"
    batch = f", in batch {row['batch_id']}" if row["batch_id"] else ""
    return [
        *stored,
        Event(at=row["submitted_at"], event="submitted", detail=f"{by}{batch}, priority {row['priority']}"),
    ]


def _notified(reasons: list[dict[str, Any]], row: dict[str, Any], workers: dict[str, dict[str, Any]]) -> list[Event]:
    """How the first worker learned of the job, as far as that can be told from its wake mode at the claim."""
    claimed = row["started_at"]
    worker = workers.get(str(_first_holder(reasons, row)))
    if claimed is None or worker is None:
        return []
    wait = _between(row["submitted_at"], claimed)
    known = worker["wake_mode_since"] is not None and worker["wake_mode_since"] <= claimed
    mode = worker["wake_mode"] if known else "starting"
    if mode == "listen" and wait is not None and wait <= NOTIFIED_WITHIN_MS:
        event, detail = "notified", "the submit's commit woke a listening worker"
    elif mode == "listen":
        event, detail = (
            "notified",
            "the worker was listening, and came to it later: it was busy, or it was not its turn",
        )
    elif mode == "poll":
        event, detail = "found_by_poll", "no notification reaches the worker that claimed it; it looked by itself"
    else:
        event, detail = "found", "by a worker that had just started, or changed its way of waking since"
    return [Event(at=claimed, event=event, worker=worker["name"], detail=detail, after_ms=wait)]


def _first_holder(reasons: list[dict[str, Any]], row: dict[str, Any]) -> Any:
    """The id of the worker that made the first claim since the submit; None if nothing tells."""
    if row["started_at"] == row["claimed_at"]:
        return row["worker_id"]
    for entry in reasons:
        if _moment(entry.get("claimed_at")) == row["started_at"]:
            return entry.get("worker")
    return None


def _earlier_claims(
    reasons: list[dict[str, Any]], row: dict[str, Any], workers: dict[str, dict[str, Any]]
) -> list[Event]:
    """Claims before the last one, which is told with the end; those of attempts that were given back left nothing."""
    claims = {_moment(entry.get("claimed_at")): entry for entry in reasons}
    claims.setdefault(row["started_at"], {"attempt": 1})
    events = []
    before = row["submitted_at"]
    for at in sorted(moment for moment in claims if moment is not None and moment != row["claimed_at"]):
        entry = claims[at]
        events.append(
            Event(
                at=at,
                event="claimed",
                attempt=entry.get("attempt"),
                worker=_name(entry.get("worker"), workers),
                detail=f"attempt {entry.get('attempt')} of {row['max_attempts']}",
                after_ms=_between(before, at),
            )
        )
        before = _moment(entry.get("at")) or at
    return events


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _clause(message: object) -> str:
    """A sentence without its full stop: more follows it on the line."""
    return str(message).removesuffix(".")


def _failed_attempts(
    reasons: list[dict[str, Any]], row: dict[str, Any], workers: dict[str, dict[str, Any]]
) -> list[Event]:
    events = []
    for entry in reasons:
        at = datetime.fromisoformat(entry["at"])
        lost = entry.get("code") == "worker_lost"
        final = row["status"] == "error" and entry is reasons[-1]
        after = _between(_moment(entry.get("claimed_at")), at)
        events.append(
            Event(
                at=at,
                event="lease_lost" if lost else "attempt_failed",
                attempt=entry.get("attempt"),
                worker=_name(entry.get("worker"), workers),
                detail=f"{entry.get('code')}: {_clause(entry.get('message'))}"
                + ("" if final else "; to be tried again"),
                after_ms=after,
            )
        )
    return events


def _ended(reasons: list[dict[str, Any]], row: dict[str, Any], workers: dict[str, dict[str, Any]]) -> list[Event]:
    events = []
    since = row["submitted_at"]
    before = [
        moment for entry in reasons if (moment := _moment(entry["at"])) and moment <= (row["claimed_at"] or since)
    ]
    if row["claimed_at"] is not None and row["claimed_at"] >= since and row["started_at"] is not None:
        events.append(
            Event(
                at=row["claimed_at"],
                event="claimed",
                attempt=row["attempt"] or None,
                worker=_name(row["worker_id"], workers),
                detail=f"attempt {row['attempt']} of {row['max_attempts']}",
                after_ms=_between(max(before, default=since), row["claimed_at"]),
            )
        )
    if row["completed_at"] is None or row["completed_at"] < since or row["status"] in ("pending", "processing"):
        return events
    if row["status"] == "completed":
        events += _pages(row)
    detail = {
        "completed": _completed(row),
        "error": f"{row['error_code']}: {_clause(row['last_error'])}",
    }.get(row["status"], "")
    events.append(
        Event(
            at=row["completed_at"],
            event="failed" if row["status"] == "error" else row["status"],
            attempt=row["attempt"] or None,
            detail=detail,
            after_ms=_between(row["claimed_at"], row["completed_at"]),
        )
    )
    return events


def _completed(row: dict[str, Any]) -> str:
    """What it took besides the pages."""
    parts = [
        f"after {row['attempt']} attempts" if row["attempt"] > 1 else "",
        f"credits of the fetching service spent: {row['fetch_credits']}"
        if row["fetch_credits"] not in (None, "0")
        else "",
    ]
    return ", ".join(part for part in parts if part)


def _pages(row: dict[str, Any]) -> list[Event]:
    """What was fetched, in order; all carry the time at which the scan ended, and their own duration."""
    if row["scanned_at"] is None or row["scanned_at"] < row["submitted_at"] - CLOCK_SKEW:
        return []
    pages = []
    for page in row["pages"] or []:
        try:
            pages.append(PageRead.model_validate(page))
        except ValidationError:
            continue  # written by another version of the program
    return [
        Event(
            at=min(max(row["scanned_at"], row["claimed_at"]), row["completed_at"]),
            event="page_read",
            detail=f"{page.url} answered {page.status or 'nothing'}, {page.bytes:,} bytes"
            + (f", fetched {row['fetch_tier']}" if row["fetch_tier"] not in (None, "direct") else ""),
            after_ms=page.ms,
        )
        for page in pages
    ]


def _callback(callback: dict[str, Any]) -> list[Event]:
    events = [Event(at=callback["created_at"], event="callback_owed", detail=callback["url"])]
    if callback["finished_at"] is not None:
        detail = f"{callback['url']} {callback['last_error'] or ''}".strip()
        events.append(
            Event(
                at=callback["finished_at"],
                event=f"callback_{callback['state']}",
                attempt=callback["attempt"],
                detail=detail,
            )
        )
    return events


async def _now(conn: Connection, row: dict[str, Any], workers: dict[str, dict[str, Any]]) -> list[Event]:
    if row["status"] == "pending":
        wait = (row["available_at"] - row["now"]).total_seconds()
        if wait > 0:
            return [Event(at=None, event="waiting", detail=f"due in {wait:.1f} s, at {row['available_at']:%H:%M:%S}")]
        place = await pending_position(conn, row["id"])
        return [Event(at=None, event="waiting", detail=f"due for {-wait:.1f} s, place {place} of its tenant's queue")]
    if row["status"] == "processing":
        worker = workers.get(str(row["worker_id"]))
        lease = (
            "whose lease is out: it will be taken back"
            if worker is None or not worker["is_alive"]
            else (f"whose lease has {worker['seconds_left']:.0f} s left")
        )
        detail = f"{row['progress']:.0%}, {row['step'] or 'no step yet'}, by a worker {lease}"
        return [Event(at=None, event="processing", worker=_name(row["worker_id"], workers), detail=detail)]
    if row["status"] == "completed" and row["rescan_every"] is not None:
        return [Event(at=None, event="waiting", detail=f"to be scanned again at {row['available_at']:%Y-%m-%d %H:%M}")]
    return []


async def _workers(conn: Connection, ids: list[Any]) -> dict[str, dict[str, Any]]:
    wanted = [str(one) for one in ids if _as_uuid(str(one))]
    return {row["id"]: row for row in await _rows(conn, SELECT_WORKERS, {"ids": wanted})}


def _name(worker_id: Any, workers: dict[str, dict[str, Any]]) -> str | None:
    if worker_id is None:
        return None
    known = workers.get(str(worker_id))
    return str(known["name"]) if known else str(worker_id)


def _between(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None or end < start:
        return None
    return round((end - start).total_seconds() * 1000)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _rows(conn: Connection, query: Any, params: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(query, params)
        return await cur.fetchall()
