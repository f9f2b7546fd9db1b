"""How claims end: completed, failed, retried, given back. Many in one statement, each only if its token still matches.

The statements match on (id, claim_token) and do not name the status. Every way out of ``processing`` raises the
token, so a matching token proves that the row is still in processing under this very claim. Naming the status would
let the planner drive the join through the index on the holders of rows in processing, and read every row in flight
for each row to write: 3,000 rows a second instead of 50,000.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from domain_queue.arrays import int8_array, uuid_array
from domain_queue.links import Link
from domain_queue.models import Claim, Result

# previous   what the rows held that had a result before; nothing is read for those that had none
# changes    one row for each field that the new result changes
# The reasons of attempts that failed before are left where they are, so that the job's life can be told: whatever
# makes the row pending anew clears them.
COMPLETE = """
    WITH outcome AS MATERIALIZED (
        SELECT o.*
        FROM unnest(
            %(ids)s::uuid[], %(tokens)s::bigint[], %(had_result)s::boolean[], %(titles)s::text[],
            %(descriptions)s::text[], %(languages)s::text[], %(is_wordpress)s::boolean[],
            %(wordpress_versions)s::text[], %(email_addresses)s::text[], %(phone_numbers)s::text[],
            %(favicon_urls)s::text[], %(logo_urls)s::text[], %(metadata)s::text[], %(http_validators)s::text[]
        ) AS o (
            id, claim_token, had_result, title, description, language, is_wordpress, wordpress_version,
            email_addresses, phone_numbers, favicon_url, logo_url, metadata, http_validators
        )
    ), previous AS MATERIALIZED (
        SELECT
            d.id, d.tenant_id, d.title, d.description, d.language, d.is_wordpress, d.wordpress_version,
            d.email_addresses, d.phone_numbers, d.favicon_url, d.logo_url, d.domain_metadata
        FROM outcome AS o
        JOIN domains AS d ON d.id = o.id
        WHERE o.had_result
    ), setting AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    ), completed AS (
        UPDATE domains AS d
        SET status            = 'completed',
            claim_token       = d.claim_token + 1,
            progress          = 1,
            step              = 'done',
            available_at      = CASE WHEN d.rescan_every IS NULL THEN d.available_at ELSE now() + d.rescan_every END,
            force             = false,
            crash_count       = 0,
            last_error        = NULL,
            error_code        = NULL,
            title             = o.title,
            description       = o.description,
            language          = o.language,
            is_wordpress      = o.is_wordpress,
            wordpress_version = o.wordpress_version,
            email_addresses   = o.email_addresses::text[],
            phone_numbers     = o.phone_numbers::text[],
            favicon_url       = o.favicon_url,
            logo_url          = o.logo_url,
            domain_metadata   = o.metadata::jsonb,
            http_validators   = o.http_validators::jsonb,
            updated_at        = now(),
            completed_at      = now()
        FROM outcome AS o CROSS JOIN setting
        WHERE d.id = o.id AND d.claim_token = o.claim_token
        RETURNING d.id, d.seq
    ), changes AS (
        INSERT INTO domain_changes (tenant_id, domain_id, field, old_value, new_value)
        SELECT p.tenant_id, p.id, change.field, change.old_value, change.new_value
        FROM previous AS p
        JOIN completed ON completed.id = p.id
        JOIN outcome AS o ON o.id = p.id
        CROSS JOIN LATERAL (
            VALUES
                ('title', to_jsonb(p.title), to_jsonb(o.title)),
                ('description', to_jsonb(p.description), to_jsonb(o.description)),
                ('language', to_jsonb(p.language), to_jsonb(o.language)),
                ('is_wordpress', to_jsonb(p.is_wordpress), to_jsonb(o.is_wordpress)),
                ('wordpress_version', to_jsonb(p.wordpress_version), to_jsonb(o.wordpress_version)),
                ('email_addresses', to_jsonb(p.email_addresses), to_jsonb(o.email_addresses::text[])),
                ('phone_numbers', to_jsonb(p.phone_numbers), to_jsonb(o.phone_numbers::text[])),
                ('favicon_url', to_jsonb(p.favicon_url), to_jsonb(o.favicon_url)),
                ('logo_url', to_jsonb(p.logo_url), to_jsonb(o.logo_url))
            UNION ALL
            SELECT watched.field, p.domain_metadata -> watched.field, o.metadata::jsonb -> watched.field
            FROM unnest(%(watched)s::text[]) AS watched (field)
        ) AS change (field, old_value, new_value)
        WHERE coalesce(change.old_value, 'null') <> coalesce(change.new_value, 'null')
    )
    SELECT seq FROM completed
"""

# A handler without a result: the row ends, what it held before stays.
COMPLETE_EMPTY = """
    WITH setting AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    )
    UPDATE domains AS d
    SET status       = 'completed',
        claim_token  = d.claim_token + 1,
        progress     = 1,
        step         = 'done',
        available_at = CASE WHEN d.rescan_every IS NULL THEN d.available_at ELSE now() + d.rescan_every END,
        force        = false,
        crash_count  = 0,
        last_error   = NULL,
        error_code   = NULL,
        updated_at   = now(),
        completed_at = now()
    FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS o (id, claim_token) CROSS JOIN setting
    WHERE d.id = o.id AND d.claim_token = o.claim_token
    RETURNING d.seq
"""

# The list of reasons keeps the last twenty. A failure erases no result of an earlier scan.
FAIL_OR_RETRY = """
    WITH setting AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    )
    UPDATE domains AS d
    SET status       = CASE WHEN o.final THEN 'error' ELSE 'pending' END::domain_status,
        claim_token  = d.claim_token + 1,
        available_at = CASE WHEN o.final THEN d.available_at ELSE now() + make_interval(secs => o.delay) END,
        completed_at = CASE WHEN o.final THEN now() END,
        updated_at   = now(),
        progress     = CASE WHEN o.final THEN d.progress ELSE 0 END,
        step         = NULL,
        error_code   = o.code,
        last_error   = o.message,
        errors       = CASE WHEN jsonb_array_length(d.errors) >= 20 THEN d.errors - 0 ELSE d.errors END
            || jsonb_build_object(
                'attempt', d.attempt, 'at', now(), 'worker', d.worker_id, 'code', o.code, 'message', o.message,
                'claimed_at', d.claimed_at
            )
    FROM unnest(
        %(ids)s::uuid[], %(tokens)s::bigint[], %(final)s::boolean[], %(delays)s::float[], %(codes)s::text[],
        %(messages)s::text[]
    ) AS o (id, claim_token, final, delay, code, message)
    CROSS JOIN setting
    WHERE d.id = o.id AND d.claim_token = o.claim_token
    RETURNING d.seq
"""

# The attempt was not the site's fault and is given back; the row is due at once, at its old place.
RELEASE = """
    WITH setting AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    ), released AS (
        UPDATE domains AS d
        SET status      = 'pending',
            claim_token = d.claim_token + 1,
            attempt     = greatest(d.attempt - 1, 0),
            updated_at  = now(),
            progress    = 0,
            step        = NULL
        FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS o (id, claim_token) CROSS JOIN setting
        WHERE d.id = o.id AND d.claim_token = o.claim_token
        RETURNING d.seq
    ), told AS MATERIALIZED (
        SELECT pg_notify('domains_pending', '')
        WHERE EXISTS (SELECT FROM released)
    )
    SELECT released.seq
    FROM released
    LEFT JOIN told ON true
"""

# A claim that was committed while its answer was lost: this worker holds rows it does not know of.
RELEASE_UNKNOWN = """
    WITH unknown AS MATERIALIZED (
        SELECT d.id, d.claim_token
        FROM domains AS d
        WHERE d.status = 'processing' AND d.worker_id = %(worker_id)s AND d.id <> ALL(%(known)s::uuid[])
        LIMIT %(limit)s
        FOR NO KEY UPDATE SKIP LOCKED
    ), setting AS MATERIALIZED (
        SELECT set_config('scrapersky.notify', 'off', true)
    )
    UPDATE domains AS d
    SET status      = 'pending',
        claim_token = d.claim_token + 1,
        attempt     = greatest(d.attempt - 1, 0),
        updated_at  = now(),
        progress    = 0,
        step        = NULL
    FROM unknown CROSS JOIN setting
    WHERE d.id = unknown.id
    RETURNING d.id
"""

# Progress of those that moved, and a look at the others: whichever id does not come back is lost or cancelled.
PROGRESS = """
    WITH tick AS MATERIALIZED (
        SELECT t.*
        FROM unnest(
            %(ids)s::uuid[], %(tokens)s::bigint[], %(moved)s::boolean[], %(progress)s::real[], %(steps)s::text[]
        ) AS t (id, claim_token, moved, progress, step)
    ), setting AS MATERIALIZED (
        SELECT set_config('synchronous_commit', 'off', true)
        WHERE EXISTS (SELECT FROM tick WHERE moved)
    ), moved AS (
        UPDATE domains AS d
        SET progress   = t.progress,
            step       = t.step,
            updated_at = now()
        FROM tick AS t CROSS JOIN setting
        WHERE t.moved AND d.id = t.id AND d.claim_token = t.claim_token
        RETURNING d.seq
    )
    SELECT seq FROM moved
    UNION ALL
    SELECT d.seq
    FROM tick AS t
    JOIN domains AS d ON d.id = t.id AND d.claim_token = t.claim_token
    WHERE NOT t.moved
"""

# After a broken link: which of these did the first try write after all?
SELECT_WRITTEN = """
    SELECT d.seq
    FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS o (id, claim_token)
    JOIN domains AS d ON d.id = o.id AND d.claim_token = o.claim_token + 1
    WHERE d.worker_id = %(worker_id)s AND d.status = %(status)s::domain_status
"""

LONGEST_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of an attempt that did not succeed: for good (``final``) or until ``delay_seconds`` have passed."""

    code: str
    message: str
    final: bool
    delay_seconds: float = 0.0


class Completed(NamedTuple):
    """A claim and what its handler found; the texts are those that the statement takes."""

    claim: Claim
    result: Result
    metadata: str
    http_validators: str | None


def prepare_result(claim: Claim, result: Result) -> Completed:
    """Encode what is nested in ``result``.

    Raises:
        ValueError, TypeError: it holds what JSON cannot (NaN, a set, a text that is none); no later try can succeed.
    """
    validators = result.http_validators
    return Completed(
        claim,
        result,
        json.dumps(result.metadata, allow_nan=False),
        None if validators is None else json.dumps(validators, allow_nan=False),
    )


def array_literal(values: Sequence[str]) -> str:
    """The text form of a text[], since an array of arrays of different lengths is no array to Postgres."""
    if not values:
        return "{}"
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return '{"' + '","'.join(quoted) + '"}'


def one_line(message: str) -> str:
    """``message`` as one line that Postgres stores: no NUL, no lone surrogate, at most a thousand characters."""
    text = " ".join(message[: 4 * LONGEST_MESSAGE].replace("\0", " ").split())
    return text.encode("utf-8", "replace").decode("utf-8")[:LONGEST_MESSAGE]


def _keys(claims: Sequence[Claim]) -> dict[str, object]:
    return {
        "ids": uuid_array([claim.id for claim in claims]),
        "tokens": int8_array([claim.claim_token for claim in claims]),
    }


async def complete(link: Link, rows: Sequence[Completed], *, watched: Sequence[str] = ()) -> set[int]:
    """Record results; the ``seq`` of the rows whose token matched. Of the others nothing was written.

    Fields that changed since an earlier result go to ``domain_changes``: the columns, and the top-level keys of the
    metadata document named by ``watched``.
    """
    results = [row.result for row in rows]
    params: dict[str, Any] = _keys([row.claim for row in rows]) | {
        "had_result": [row.claim.has_result for row in rows],
        "titles": [result.title for result in results],
        "descriptions": [result.description for result in results],
        "languages": [result.language for result in results],
        "is_wordpress": [result.is_wordpress for result in results],
        "wordpress_versions": [result.wordpress_version for result in results],
        "email_addresses": [array_literal(result.email_addresses) for result in results],
        "phone_numbers": [array_literal(result.phone_numbers) for result in results],
        "favicon_urls": [result.favicon_url for result in results],
        "logo_urls": [result.logo_url for result in results],
        "metadata": [row.metadata for row in rows],
        "http_validators": [row.http_validators for row in rows],
        "watched": list(watched),
    }
    return {row[0] for row in await link.fetch(COMPLETE, params)}


async def complete_empty(link: Link, claims: Sequence[Claim]) -> set[int]:
    """Record success without a result; the ``seq`` of the rows whose token matched."""
    return {row[0] for row in await link.fetch(COMPLETE_EMPTY, _keys(claims))}


async def fail_or_retry(link: Link, rows: Sequence[tuple[Claim, Failure]]) -> set[int]:
    """Record failed attempts; the ``seq`` of the rows whose token matched."""
    failures = [failure for _, failure in rows]
    params = _keys([claim for claim, _ in rows]) | {
        "final": [failure.final for failure in failures],
        "delays": [failure.delay_seconds for failure in failures],
        "codes": [failure.code for failure in failures],
        "messages": [one_line(failure.message) for failure in failures],
    }
    return {row[0] for row in await link.fetch(FAIL_OR_RETRY, params)}


async def release(link: Link, claims: Sequence[Claim]) -> set[int]:
    """Give rows back unfinished, with their attempt; the ``seq`` of the rows whose token matched."""
    return {row[0] for row in await link.fetch(RELEASE, _keys(claims))}


async def release_unknown(link: Link, *, worker_id: UUID, known: Sequence[UUID], limit: int) -> int:
    """Give back rows in this worker's name that it does not hold, up to ``limit``; how many.

    Only between two claims of this worker: a claim whose answer is on its way is not ``known`` yet.
    """
    params = {"worker_id": worker_id, "known": list(known), "limit": limit}
    return len(await link.fetch(RELEASE_UNKNOWN, params))


async def write_progress(link: Link, rows: Sequence[tuple[Claim, bool, float, str]]) -> set[int]:
    """Record (claim, moved, progress, step); the ``seq`` of the rows that are still held, moved or not."""
    params = _keys([row[0] for row in rows]) | {
        "moved": [row[1] for row in rows],
        "progress": [row[2] for row in rows],
        "steps": [row[3] for row in rows],
    }
    return {row[0] for row in await link.fetch(PROGRESS, params)}


async def find_written(link: Link, claims: Sequence[Claim], *, worker_id: UUID, status: str) -> set[int]:
    """Of rows whose token no longer matches: those that this worker itself brought to ``status`` with that claim."""
    params = _keys(claims) | {"worker_id": worker_id, "status": status}
    return {row[0] for row in await link.fetch(SELECT_WRITTEN, params)}
