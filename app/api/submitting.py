"""Submits: what a request names becomes rows in the queue, in one transaction, and a worker is woken after it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from app.access.tokens import Identity
from app.api.errors import ApiError, ErrorDetail
from app.api.idempotency import once
from app.api.schemas import BATCHES, SCANS, BatchAccepted, Rejected, ScanAccepted, ScanRequest
from app.api.services import Services
from app.api.spans import note_submitted
from app.api.webhooks import Callback, check_callback_url, owe_callback
from domain_queue import Submission, Submitted, submit
from extractor.address import normalise_domain
from extractor.errors import AddressError

MAX_SHOWN_INPUT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of what was sent, from 1, and the text in it."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Lines told apart: each distinct domain once, in order; what was refused; what came again."""

    domains: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    duplicates: list[tuple[int, str, int]] = field(default_factory=list)  #: line, domain, line where it came first


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What holds for every domain of a batch."""

    max_pages: int = 5
    priority: int = 50
    rescan_every: timedelta | None = None
    callback_url: str | None = None


def sort_lines(lines: Iterable[Line]) -> Sorted:
    """Normalise every line by the one normaliser; nothing is dropped without a reason."""
    result = Sorted()
    first_lines: dict[str, int] = {}
    for line in lines:
        try:
            domain = normalise_domain(line.text)
        except AddressError as error:
            shown = line.text[:MAX_SHOWN_INPUT]
            result.rejected.append(Rejected(line=line.number, input=shown, code=error.code, message=error.message))
            continue
        if domain in first_lines:
            result.duplicates.append((line.number, domain, first_lines[domain]))
        else:
            first_lines[domain] = line.number
            result.domains.append(domain)
    return result


async def submit_scan(
    services: Services, identity: Identity, request: ScanRequest, *, idempotency_key: str | None = None
) -> ScanAccepted:
    """Put one domain into the queue.

    Raises:
        AddressError: 422, the text names no public domain; nothing was written.
        ApiError: 422 or 429; nothing was written.
    """
    domain = normalise_domain(request.base_url)
    url = check_callback_url(request.callback_url)

    jobs: list[Submitted] = []
    async with services.database.tenant(identity.tenant_id) as conn:

        async def work() -> ScanAccepted:
            await services.allowance.take(conn, identity.tenant_id, 1)
            [job] = await submit(
                conn,
                tenant_id=identity.tenant_id,
                submissions=[_submission(services, identity, domain, request)],
                quiet=True,
            )
            jobs.append(job)
            if url is not None:
                await owe_callback(conn, Callback(identity=identity, url=url, domain_id=job.id))
            return ScanAccepted(
                job_id=job.id,
                status_url=f"{SCANS}/status/{job.id}",
                created_at=job.created_at,
                domain=job.domain,
                status=job.status,
            )

        fingerprint = f"scan {request.model_dump_json()}"
        accepted, _ = await once(conn, identity.tenant_id, idempotency_key, fingerprint, work, ScanAccepted)
    services.notifier.notify()
    note_submitted(jobs)
    return accepted


def _submission(services: Services, identity: Identity, domain: str, request: ScanRequest) -> Submission:
    return Submission(
        domain=domain,
        max_pages=request.max_pages,
        priority=request.priority,
        max_attempts=services.settings.max_attempts,
        force=request.force,
        rescan_every=request.rescan_every,
        submitted_by=identity.name,
    )


INSERT_BATCH = """
    INSERT INTO batches (tenant_id, max_pages, submitted_by)
    VALUES (%(tenant_id)s, %(max_pages)s, %(submitted_by)s)
    RETURNING id, created_at
"""


async def submit_batch(
    services: Services,
    identity: Identity,
    lines: Sequence[Line],
    options: BatchOptions,
    *,
    idempotency_key: str | None = None,
) -> BatchAccepted:
    """Put many domains into the queue as one batch; refused lines are told, not fatal.

    Raises:
        ApiError: 422, no line names a domain, or the callback is refused; 429. Nothing was written.
    """
    url = check_callback_url(options.callback_url)
    found = await asyncio.to_thread(sort_lines, lines)  # long lists must not hold up who watches or polls
    if not found.domains:
        details = [ErrorDetail(line=r.line, input=r.input, code=r.code, message=r.message) for r in found.rejected]
        raise ApiError(422, "no_valid_domains", "No line names a public domain.", details=details[:100])

    jobs: list[Submitted] = []
    async with services.database.tenant(identity.tenant_id) as conn:

        async def work() -> BatchAccepted:
            await services.allowance.take(conn, identity.tenant_id, len(found.domains))
            batch_id, created_at = await _insert_batch(conn, identity, options)
            submissions = [_batch_submission(services, identity, domain, options) for domain in found.domains]
            jobs.extend(
                await submit(conn, tenant_id=identity.tenant_id, submissions=submissions, batch_id=batch_id, quiet=True)
            )
            if url is not None:
                await owe_callback(conn, Callback(identity=identity, url=url, batch_id=batch_id))
            return BatchAccepted(
                batch_id=batch_id,
                status_url=f"{BATCHES}/batch/{batch_id}/status",
                job_count=len(found.domains),
                created_at=created_at,
                duplicates=len(found.duplicates),
                rejected=found.rejected,
            )

        text = "\n".join(line.text for line in lines)
        fingerprint = f"batch {options} {text}"
        accepted, _ = await once(conn, identity.tenant_id, idempotency_key, fingerprint, work, BatchAccepted)
    services.notifier.notify()
    note_submitted(jobs)
    return accepted


async def _insert_batch(conn: AsyncConnection[Any], identity: Identity, options: BatchOptions) -> tuple[UUID, datetime]:
    params = {"tenant_id": identity.tenant_id, "max_pages": options.max_pages, "submitted_by": identity.name}
    cur = await conn.execute(INSERT_BATCH, params)
    [(batch_id, created_at)] = await cur.fetchall()
    return batch_id, created_at


def _batch_submission(services: Services, identity: Identity, domain: str, options: BatchOptions) -> Submission:
    return Submission(
        domain=domain,
        max_pages=options.max_pages,
        priority=options.priority,
        max_attempts=services.settings.max_attempts,
        rescan_every=options.rescan_every,
        submitted_by=identity.name,
    )
