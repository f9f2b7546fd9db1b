"""Removes what has been over for long: small transactions, never a row that somebody holds, never one that is queued.

A finished domain goes with everything that belongs to it: its result, its changes, its places in batches, its
callbacks. Domains that are stored only, queued, in work, to be scanned again, or whose callback is still owed are kept
whatever their age.

With an archive every removed row is written to it in the transaction that removes it, and has reached the disk before
that commits. A crash in between leaves the row in both places, never in none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

from pydantic import BaseModel, Field

from app.archive import Archive
from app.database import Connection, Database

#: Rows looked at in one transaction.
WINDOW_ROWS = 2_000
#: The same where the rows are read as well, with all that belongs to them.
ARCHIVED_ROWS = 200
#: Answers to repeated submits are kept a day, workers that ended as well, whatever age was asked for.
SHORTEST_AGE = timedelta(days=1)
NIL = UUID(int=0)


class Pruned(BaseModel):
    """How many rows of each kind were removed, or would be."""

    domains: int = Field(default=0, description="Finished domains, with their results.")
    domain_changes: int = Field(default=0, description="Changes of domains that are kept.")
    webhook_deliveries: int = Field(
        default=0, description="Callbacks that ended, of domains and batches that are kept."
    )
    batches: int = Field(default=0, description="Batches none of whose domains is left.")
    idempotency_keys: int = Field(default=0, description="Answers to repeated submits, older than a day.")
    workers: int = Field(default=0, description="Workers that ended more than a day ago and hold nothing.")


# What of a domain d has been over for long, with nothing that is still owed to anybody.
PRUNABLE: LiteralString = """
    d.status IN ('completed', 'error', 'cancelled')
    AND d.completed_at < now() - %(age)s
    AND d.rescan_every IS NULL
    AND NOT EXISTS (
        SELECT FROM webhook_deliveries AS w WHERE w.domain_id = d.id AND w.state IN ('waiting', 'due')
    )
"""

# A window of the primary key after another, so that the whole takes one pass whatever is kept. SKIP LOCKED leaves a
# row that is being submitted again; what is locked here cannot be, until it is gone.
CHOOSE_DOMAINS: LiteralString = f"""
    WITH seen AS MATERIALIZED (
        SELECT id
        FROM domains
        WHERE id > %(after)s
        ORDER BY id
        LIMIT %(rows)s
    ), chosen AS MATERIALIZED (
        SELECT d.id
        FROM domains AS d
        WHERE d.id IN (SELECT id FROM seen) AND {PRUNABLE}
        FOR UPDATE OF d SKIP LOCKED
    )
    SELECT
        coalesce((SELECT array_agg(id) FROM chosen), ARRAY[]::uuid[]),
        (SELECT id FROM seen ORDER BY id DESC LIMIT 1)
"""  # noqa: S608 - of constants

# A statement of its own, after the lock: nothing can be added to the rows any more, and all that was added is seen.
SELECT_DOCUMENTS = """
    SELECT jsonb_build_object(
        'kind', 'domains',
        'removed_at', now(),
        'row', to_jsonb(d),
        'domain_changes', (SELECT jsonb_agg(c ORDER BY c.id) FROM domain_changes AS c WHERE c.domain_id = d.id),
        'batch_items', (SELECT jsonb_agg(i) FROM batch_items AS i WHERE i.domain_id = d.id),
        'webhook_deliveries', (SELECT jsonb_agg(w ORDER BY w.id) FROM webhook_deliveries AS w WHERE w.domain_id = d.id)
    )::text
    FROM domains AS d
    WHERE d.id = ANY(%(ids)s)
    ORDER BY d.id
"""

DELETE_DOMAINS = "DELETE FROM domains WHERE id = ANY(%(ids)s)"

COUNT_DOMAINS: LiteralString = f"SELECT count(*) FROM domains AS d WHERE {PRUNABLE}"  # noqa: S608 - of constants

DELETE_CHANGES = """
    DELETE FROM domain_changes
    WHERE id IN (
        SELECT id FROM domain_changes WHERE changed_at < now() - %(age)s ORDER BY id LIMIT %(rows)s
        FOR UPDATE SKIP LOCKED
    )
"""
COUNT_CHANGES = "SELECT count(*) FROM domain_changes WHERE changed_at < now() - %(age)s"

DELETE_CALLBACKS = """
    DELETE FROM webhook_deliveries
    WHERE id IN (
        SELECT id FROM webhook_deliveries WHERE finished_at < now() - %(age)s ORDER BY id LIMIT %(rows)s
        FOR UPDATE SKIP LOCKED
    )
"""
COUNT_CALLBACKS = "SELECT count(*) FROM webhook_deliveries WHERE finished_at < now() - %(age)s"

DELETE_BATCHES = """
    DELETE FROM batches
    WHERE id IN (
        SELECT b.id
        FROM batches AS b
        WHERE b.created_at < now() - %(age)s
          AND NOT EXISTS (SELECT FROM batch_items AS i WHERE i.batch_id = b.id)
          AND NOT EXISTS (
              SELECT FROM webhook_deliveries AS w WHERE w.batch_id = b.id AND w.state IN ('waiting', 'due')
          )
        LIMIT %(rows)s
        FOR UPDATE SKIP LOCKED
    )
"""
# Also those whose domains the same round would remove.
COUNT_BATCHES: LiteralString = f"""
    SELECT count(*)
    FROM batches AS b
    WHERE b.created_at < now() - %(age)s
      AND NOT EXISTS (
          SELECT FROM webhook_deliveries AS w WHERE w.batch_id = b.id AND w.state IN ('waiting', 'due')
      )
      AND NOT EXISTS (
          SELECT
          FROM batch_items AS i
          JOIN domains AS d ON d.id = i.domain_id
          WHERE i.batch_id = b.id AND NOT ({PRUNABLE})
      )
"""  # noqa: S608 - of constants

DELETE_KEYS = """
    DELETE FROM idempotency_keys
    WHERE (tenant_id, key) IN (
        SELECT tenant_id, key FROM idempotency_keys WHERE created_at < now() - %(short_age)s LIMIT %(rows)s
        FOR UPDATE SKIP LOCKED
    )
"""
COUNT_KEYS = "SELECT count(*) FROM idempotency_keys WHERE created_at < now() - %(short_age)s"

DELETE_WORKERS = """
    DELETE FROM workers
    WHERE id IN (
        SELECT w.id
        FROM workers AS w
        WHERE w.lease_expires_at < now() - %(short_age)s
          AND NOT EXISTS (SELECT FROM domains AS d WHERE d.status = 'processing' AND d.worker_id = w.id)
        LIMIT %(rows)s
        FOR UPDATE SKIP LOCKED
    )
"""
COUNT_WORKERS = """
    SELECT count(*)
    FROM workers AS w
    WHERE w.lease_expires_at < now() - %(short_age)s
      AND NOT EXISTS (SELECT FROM domains AS d WHERE d.status = 'processing' AND d.worker_id = w.id)
"""

RETURN_CHANGES = """
    RETURNING jsonb_build_object('kind', 'domain_changes', 'removed_at', now(), 'row', to_jsonb(domain_changes))::text
"""
RETURN_CALLBACKS = """
    RETURNING
        jsonb_build_object('kind', 'webhook_deliveries', 'removed_at', now(), 'row', to_jsonb(webhook_deliveries))::text
"""
# What goes with the batch is seen here as it was before.
RETURN_BATCHES = """
    RETURNING jsonb_build_object(
        'kind', 'batches',
        'removed_at', now(),
        'row', to_jsonb(batches),
        'webhook_deliveries', (SELECT jsonb_agg(w) FROM webhook_deliveries AS w WHERE w.batch_id = batches.id)
    )::text
"""
#: What is archived. Answers to repeated submits and workers that ended are nobody's history.
RETURNS: dict[str, LiteralString] = {
    "domain_changes": RETURN_CHANGES,
    "webhook_deliveries": RETURN_CALLBACKS,
    "batches": RETURN_BATCHES,
}

# In this order: what goes with its domain is not counted again.
DELETES: tuple[tuple[str, LiteralString], ...] = (
    ("domain_changes", DELETE_CHANGES),
    ("webhook_deliveries", DELETE_CALLBACKS),
    ("batches", DELETE_BATCHES),
    ("idempotency_keys", DELETE_KEYS),
    ("workers", DELETE_WORKERS),
)
COUNTS: tuple[tuple[str, LiteralString], ...] = (
    ("domains", COUNT_DOMAINS),
    ("domain_changes", COUNT_CHANGES),
    ("webhook_deliveries", COUNT_CALLBACKS),
    ("batches", COUNT_BATCHES),
    ("idempotency_keys", COUNT_KEYS),
    ("workers", COUNT_WORKERS),
)
#: A count may read the whole table.
COUNT_SECONDS = 300.0


async def count_prunable(database: Database, age: timedelta) -> Pruned:
    """What ``prune`` would remove; reads only. Changes and callbacks of domains that would go are counted as well."""
    found: dict[str, int] = {}
    async with database.system(statement_seconds=COUNT_SECONDS) as conn:
        for kind, query in COUNTS:
            row = await (await conn.execute(query, _params(age))).fetchone()
            found[kind] = 0 if row is None else int(row[0])
    return Pruned(**found)


async def prune(
    database: Database, age: timedelta, *, rows: int | None = None, archive: Archive | None = None
) -> Pruned:
    """Remove what has been over for longer than ``age``, at most ``rows`` rows in one transaction.

    Safe beside running workers and beside itself; ended half way, it has removed whole rows and can be run again.
    With ``archive`` no row is removed that is not in it.

    Raises:
        ArchiveUnusable: what was to be removed next is still there.
    """
    removed = {"domains": 0}
    rows = rows or (WINDOW_ROWS if archive is None else ARCHIVED_ROWS)
    async for count in _delete_domains(database, age, rows, archive):
        removed["domains"] += count
    for kind, statement in DELETES:
        removed[kind] = 0
        to = archive if kind in RETURNS else None
        query = statement + RETURNS[kind] if to is not None else statement
        while count := await _delete(database, query, {**_params(age), "rows": rows}, to):
            removed[kind] += count
    return Pruned(**removed)


async def _delete_domains(database: Database, age: timedelta, rows: int, archive: Archive | None) -> AsyncIterator[int]:
    after: UUID | None = NIL
    while after is not None:
        async with database.system() as conn:
            cur = await conn.execute(CHOOSE_DOMAINS, {**_params(age), "after": after, "rows": rows})
            [(ids, after)] = await cur.fetchall()
            if ids:
                if archive is not None:
                    await archive.append(await _texts(conn, SELECT_DOCUMENTS, {"ids": ids}))
                await conn.execute(DELETE_DOMAINS, {"ids": ids})
        yield len(ids)


async def _delete(
    database: Database, statement: LiteralString, params: dict[str, object], archive: Archive | None
) -> int:
    async with database.system() as conn:
        if archive is None:
            return (await conn.execute(statement, params)).rowcount
        lines = await _texts(conn, statement, params)
        await archive.append(lines)
        return len(lines)


async def _texts(conn: Connection, query: LiteralString, params: dict[str, object]) -> list[str]:
    cur = await conn.execute(query, params)
    return [text for (text,) in await cur.fetchall()]


def _params(age: timedelta) -> dict[str, object]:
    return {"age": age, "short_age": SHORTEST_AGE}
