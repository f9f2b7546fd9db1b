"""Batches: submit many domains, follow them, retry what failed, cancel the rest."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.authentication import IdentityDep
from app.api.batches import BatchSort, read_batch_document
from app.api.errors import NOT_FOUND, not_found
from app.api.idempotency import IdempotencyKey
from app.api.schemas import BATCHES, BatchAccepted, BatchChange, BatchRequest, BatchStatus
from app.api.services import ServicesDep
from app.api.submitting import BatchOptions, Line, submit_batch
from domain_queue import DomainStatus, cancel, retry

router = APIRouter(prefix="/batch", tags=["batches"])


@router.post("", status_code=202, summary="Scan many domains")
async def create(
    body: BatchRequest, identity: IdentityDep, services: ServicesDep, idempotency_key: IdempotencyKey = None
) -> BatchAccepted:
    """Put up to 10,000 domains into the queue in one transaction; duplicates are merged, refused lines are told."""
    lines = [Line(number=number, text=text) for number, text in enumerate(body.domains, start=1)]
    options = BatchOptions(
        max_pages=body.max_pages,
        priority=body.priority,
        rescan_every=body.rescan_every,
        callback_url=body.callback_url,
    )
    return await submit_batch(services, identity, lines, options, idempotency_key=idempotency_key)


@router.get("/{batch_id}/status", responses=NOT_FOUND, response_model=BatchStatus, summary="Read a batch")
async def status(
    batch_id: UUID,
    identity: IdentityDep,
    services: ServicesDep,
    sort: Annotated[BatchSort, Query(description="A leading minus turns the order round.")] = "submitted",
    cursor: Annotated[str | None, Query(max_length=1000, description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    status: Annotated[DomainStatus | None, Query(description="Only domains of this status.")] = None,
) -> dict[str, Any]:
    """Counts over the whole batch, and one page of its domains, in the order submitted unless another is chosen."""
    async with services.database.tenant(identity.tenant_id) as conn:
        document = await read_batch_document(conn, batch_id, sort=sort, cursor=cursor, limit=limit, status=status)
    if document is None:
        raise not_found("batch")
    return document


@router.post("/{batch_id}/retry", responses=NOT_FOUND, summary="Retry what failed")
async def retry_batch(batch_id: UUID, identity: IdentityDep, services: ServicesDep) -> BatchChange:
    """Put every domain of the batch that ended in error or was cancelled back into the queue."""
    async with services.database.tenant(identity.tenant_id) as conn:
        if await read_batch_document(conn, batch_id, limit=0) is None:
            raise not_found("batch")
        changed = await retry(conn, tenant_id=identity.tenant_id, batch_id=batch_id)
    return _change(batch_id, changed)


@router.post("/{batch_id}/cancel", responses=NOT_FOUND, summary="Cancel the rest")
async def cancel_batch(batch_id: UUID, identity: IdentityDep, services: ServicesDep) -> BatchChange:
    """Cancel every domain of the batch that has not ended."""
    async with services.database.tenant(identity.tenant_id) as conn:
        if await read_batch_document(conn, batch_id, limit=0) is None:
            raise not_found("batch")
        changed = await cancel(conn, tenant_id=identity.tenant_id, batch_id=batch_id)
    return _change(batch_id, changed)


def _change(batch_id: UUID, changed: list[UUID]) -> BatchChange:
    return BatchChange(batch_id=batch_id, status_url=f"{BATCHES}/batch/{batch_id}/status", changed=len(changed))
