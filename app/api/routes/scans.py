"""Single scans: submit, look, wait, watch, cancel, retry. The old system's second path to them works too."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.access.tokens import Identity
from app.api.authentication import IdentityDep
from app.api.errors import CONFLICT, NOT_FOUND, ApiError, not_found
from app.api.idempotency import IdempotencyKey
from app.api.jobs import Row, is_final, job_document, read_document
from app.api.schemas import JobStatus, ScanAccepted, ScanRequest
from app.api.services import Services, ServicesDep
from app.api.submitting import submit_scan
from domain_queue import DomainStatus, cancel, retry

router = APIRouter(tags=["scans"])

STREAM_SECONDS = 3600.0  # a browser connects again by itself
WaitSeconds = Annotated[
    float, Query(ge=0, le=30, description="Answer when the status changes, or after so many seconds.")
]


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job that the identity may see, read once; no connection is held any more."""

    identity: Identity
    row: Row
    document: dict[str, Any]


async def find(job_id: UUID, identity: IdentityDep, services: ServicesDep) -> FoundJob:
    """The job of the address.

    Raises:
        ApiError: 404.
    """
    async with services.database.tenant(identity.tenant_id) as conn:
        found = await read_document(conn, job_id)
    if found is None:
        raise not_found()
    return FoundJob(identity, *found)


FoundJobDep = Annotated[FoundJob, Depends(find)]


@router.post("/scan", status_code=202, summary="Scan one domain")
async def scan(
    body: ScanRequest, identity: IdentityDep, services: ServicesDep, idempotency_key: IdempotencyKey = None
) -> ScanAccepted:
    """Put a domain into the queue; while it is there already, the same job is returned and nothing runs twice."""
    return await submit_scan(services, identity, body, idempotency_key=idempotency_key)


@router.get("/status/{job_id}", responses=NOT_FOUND, summary="Read a job, or wait for it", response_model=JobStatus)
async def status(found: FoundJobDep, services: ServicesDep, wait: WaitSeconds = 0) -> dict[str, Any]:
    """The job as it is now, or as soon as its status word changes."""
    if wait <= 0 or is_final(found.row):
        return found.document
    return await _wait_for_status(services, found, wait)


async def _wait_for_status(services: Services, found: FoundJob, seconds: float) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    with services.hub.watch(found.identity.tenant_id, found.row, found.document["queue"]) as watcher:
        while (left := deadline - time.monotonic()) > 0 and not services.hub.is_closed:
            if await watcher.wait(left) and watcher.row["status"] != found.row["status"]:
                break
        return job_document(watcher.row, watcher.place)


@router.get(
    "/status/{job_id}/events",
    response_class=EventSourceResponse,
    responses=NOT_FOUND,
    summary="Watch a job",
)
async def events(found: FoundJobDep, services: ServicesDep) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events named ``status``, each the whole status document, until the job has ended."""
    yield _event(found.row, found.document)
    if is_final(found.row):
        return
    deadline = time.monotonic() + STREAM_SECONDS
    with services.hub.watch(found.identity.tenant_id, found.row, found.document["queue"]) as watcher:
        while (left := deadline - time.monotonic()) > 0 and not services.hub.is_closed:
            if not await watcher.wait(left) or services.hub.is_closed:
                continue
            yield _event(watcher.row, job_document(watcher.row, watcher.place))
            if is_final(watcher.row):
                return


def _event(row: Row, document: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(data=JobStatus.model_validate(document), event="status", id=row["version"])


@router.post("/cancel/{job_id}", responses={**NOT_FOUND, **CONFLICT}, summary="Cancel a job", response_model=JobStatus)
async def cancel_job(found: FoundJobDep, services: ServicesDep) -> dict[str, Any]:
    """End a job that is pending or in work; one that is cancelled already stays so."""
    tenant_id = found.identity.tenant_id
    async with services.database.tenant(tenant_id) as conn:
        await cancel(conn, tenant_id=tenant_id, ids=[found.row["id"]])
        document = await _read_again(conn, found)
    if document["status"] != DomainStatus.CANCELLED:
        raise ApiError(409, "already_ended", f"The job has ended already: {document['status']}.")
    return document


@router.post("/retry/{job_id}", responses={**NOT_FOUND, **CONFLICT}, summary="Retry a job", response_model=JobStatus)
async def retry_job(found: FoundJobDep, services: ServicesDep) -> dict[str, Any]:
    """Put a job that ended in error or was cancelled back into the queue; one that is there already stays."""
    tenant_id = found.identity.tenant_id
    async with services.database.tenant(tenant_id) as conn:
        await retry(conn, tenant_id=tenant_id, ids=[found.row["id"]])
        document = await _read_again(conn, found)
    if document["status"] not in (DomainStatus.PENDING, DomainStatus.PROCESSING):
        raise ApiError(409, "nothing_to_retry", "The job did not fail; submit the domain again to scan it anew.")
    return document


async def _read_again(conn: Any, found: FoundJob) -> dict[str, Any]:
    again = await read_document(conn, found.row["id"])
    if again is None:
        raise not_found()
    return again[1]
