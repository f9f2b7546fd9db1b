"""Everything a tenant has: list, one, import, export, changes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile

from app.api.authentication import IdentityDep
from app.api.batches import position_of
from app.api.csv_import import Table, read_table
from app.api.domains import Filter, Sort, list_changes, list_domains, read_domain, set_rescan
from app.api.errors import NOT_FOUND, ApiError, not_found
from app.api.exports import export_domains
from app.api.idempotency import IdempotencyKey
from app.api.schemas import (
    DomainChanges,
    DomainDetail,
    DomainPage,
    DomainPatch,
    ImportAccepted,
    MaxPages,
    Priority,
)
from app.api.services import ServicesDep
from app.api.submitting import BatchOptions, submit_batch
from domain_queue import DomainStatus

router = APIRouter(tags=["domains"])

StatusFilter = Annotated[DomainStatus | None, Query(description="Only domains of this status.")]
# A NUL is refused before an export has begun: Postgres takes none in a text, and then it is too late for a 422.
SearchText = Annotated[
    str | None, Query(max_length=200, pattern=r"^[^\x00]*$", description="Part of the domain or the title.")
]
BatchFilter = Annotated[UUID | None, Query(description="Only domains of this batch.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="next_cursor of the page before.")]

IMPORT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": "domain\nexample.com\nexample.org\n"},
            "text/plain": {"schema": {"type": "string"}, "example": "example.com\nexample.org\n"},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
        },
    }
}


@router.get("", response_model=DomainPage, summary="List domains")
async def list_all(
    identity: IdentityDep,
    services: ServicesDep,
    status: StatusFilter = None,
    q: SearchText = None,
    batch_id: BatchFilter = None,
    sort: Annotated[Sort, Query(description="A leading minus turns the order round.")] = "newest",
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """A page of domains with the results of their last scan; the order holds while domains are added."""
    chosen = Filter(status=status, q=q, batch_id=batch_id)
    async with services.database.tenant(identity.tenant_id) as conn:
        rows, next_cursor = await list_domains(conn, chosen, sort=sort, cursor=cursor, limit=limit)
    return {"domains": rows, "next_cursor": next_cursor}


@router.get(
    "/export",
    response_class=StreamingResponse,
    summary="Export domains",
    responses={
        200: {
            "content": {name: {"schema": {"type": "string"}} for name in ("text/csv", "application/x-ndjson")},
            "description": "The file.",
        }
    },
)
async def export(
    identity: IdentityDep,
    services: ServicesDep,
    file_format: Annotated[
        Literal["csv", "jsonl"], Query(alias="format", description="csv opens safely in a spreadsheet.")
    ] = "csv",
    status: StatusFilter = None,
    q: SearchText = None,
    batch_id: BatchFilter = None,
) -> StreamingResponse:
    """Everything chosen, as a file that is written while it is read."""
    chosen = Filter(status=status, q=q, batch_id=batch_id)
    media_type = "text/csv; charset=utf-8" if file_format == "csv" else "application/x-ndjson"
    return StreamingResponse(
        export_domains(services.database, identity.tenant_id, chosen, file_format=file_format),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="domains.{file_format}"'},
    )


@router.post("/import", status_code=202, summary="Import a CSV", openapi_extra=IMPORT_BODY)
async def import_csv(
    request: Request,
    identity: IdentityDep,
    services: ServicesDep,
    max_pages: MaxPages = 5,
    priority: Priority = 50,
    idempotency_key: IdempotencyKey = None,
) -> ImportAccepted:
    """Read a CSV (a form's ``file``, or the body itself) and queue its domains as one batch.

    The column is found by its header: domain, url or website; without a header the first column is read.
    """
    table = await read_request(request)
    options = BatchOptions(max_pages=max_pages, priority=priority)
    accepted = await submit_batch(services, identity, table.lines, options, idempotency_key=idempotency_key)
    return ImportAccepted(**accepted.model_dump(), column=table.column)


async def read_request(request: Request) -> Table:
    """The table in a request, as a form's file or as the body.

    Raises:
        ApiError: 400, neither; 422, it cannot be read.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise ApiError(400, "malformed", "The form has no file named file.")
            return read_table(await file.read())
    if content_type not in ("text/csv", "text/plain", "application/csv", "application/vnd.ms-excel"):
        raise ApiError(400, "malformed", "Send the CSV as text/csv, or as the file of a multipart form.")
    return read_table(await request.body())


@router.get("/{domain_id}", responses=NOT_FOUND, response_model=DomainDetail, summary="Read a domain")
async def read(domain_id: UUID, identity: IdentityDep, services: ServicesDep) -> dict[str, Any]:
    """One domain with its whole result document."""
    async with services.database.tenant(identity.tenant_id) as conn:
        row = await read_domain(conn, domain_id)
    if row is None:
        raise not_found("domain")
    return row


@router.patch("/{domain_id}", responses=NOT_FOUND, response_model=DomainDetail, summary="Change a domain")
async def patch(domain_id: UUID, body: DomainPatch, identity: IdentityDep, services: ServicesDep) -> dict[str, Any]:
    """Have a domain scanned again by itself, or end that."""
    async with services.database.tenant(identity.tenant_id) as conn:
        if "rescan_every" in body.model_fields_set:
            await set_rescan(conn, domain_id, body.rescan_every)
        row = await read_domain(conn, domain_id)
    if row is None:
        raise not_found("domain")
    return row


@router.get("/{domain_id}/changes", responses=NOT_FOUND, response_model=DomainChanges, summary="Read the changes")
async def changes(
    domain_id: UUID,
    identity: IdentityDep,
    services: ServicesDep,
    cursor: Annotated[str | None, Query(max_length=20, description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """What differed between one successful scan and the next, newest first."""
    before = position_of(cursor) if cursor else None
    async with services.database.tenant(identity.tenant_id) as conn:
        if await read_domain(conn, domain_id) is None:
            raise not_found("domain")
        rows, next_cursor = await list_changes(conn, domain_id, before=before, limit=limit)
    return {"changes": rows, "next_cursor": next_cursor}
