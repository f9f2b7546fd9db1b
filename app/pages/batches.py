"""Batches: paste or drop a list, see what will happen, follow it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from app.api.batches import BATCH_ORDERS, BatchSort, read_batch_document
from app.api.csv_import import read_table
from app.api.errors import ApiError, not_found
from app.api.jobs import count_workers
from app.api.services import ServicesDep
from app.api.submitting import BatchOptions, sort_lines, submit_batch
from app.pages.rendering import render
from app.pages.visitors import ActorDep, VisitorDep, refuse_forgery
from app.pages.wording import BATCH_SORT_WORDS
from domain_queue import DomainStatus, cancel, retry

router = APIRouter()

PAGE_ROWS = 50
SHOWN_REFUSALS = 200
RECENT_BATCHES = 8
MAX_PART_BYTES = 8 * 1024 * 1024

SELECT_RECENT = """
    SELECT b.id, b.created_at, (SELECT count(*) FROM batch_items AS i WHERE i.batch_id = b.id)
    FROM batches AS b
    ORDER BY b.created_at DESC
    LIMIT %(limit)s
"""


@router.get("/batch")
async def show_form(request: Request, identity: VisitorDep, services: ServicesDep) -> Response:
    """The list to fill in, and the latest batches."""
    async with services.database.tenant(identity.tenant_id) as conn:
        recent = await (await conn.execute(SELECT_RECENT, {"limit": RECENT_BATCHES})).fetchall()
        workers = await count_workers(conn)
    return render(request, "batch_form.html", _form(recent=recent, workers=workers))


def _form(**values: Any) -> dict[str, Any]:
    return {"text": "", "max_pages": 5, "problem": None, "recent": [], "workers": None} | values


@router.post("/batch/preview")
async def preview(request: Request, identity: VisitorDep, services: ServicesDep) -> Response:
    """What the list comes to: domains, merged lines, refused lines with the reason. Nothing is written."""
    await refuse_forgery(request)
    async with request.form(max_files=1, max_fields=20, max_part_size=MAX_PART_BYTES) as form:
        text, max_pages = form.get("text"), _pages(form.get("max_pages"))
        file = form.get("file")
        data = await file.read() if isinstance(file, UploadFile) and file.size else None
    try:
        table = read_table(data if data is not None else str(text or ""))
        found = await asyncio.to_thread(sort_lines, table.lines)
    except ApiError as error:
        values = _form(text=str(text or ""), max_pages=max_pages, problem=error.message)
        return render(request, "batch_form.html", values, status_code=error.status)
    values = {
        "found": found,
        "column": table.column,
        "line_count": len(table.lines),
        "max_pages": max_pages,
        "shown_refusals": SHOWN_REFUSALS,
    }
    return render(request, "batch_preview.html", values)


def _pages(value: object) -> int:
    return min(100, max(1, int(value))) if isinstance(value, str) and value.isascii() and value.isdigit() else 5


@router.post("/batch")
async def create(request: Request, identity: ActorDep, services: ServicesDep) -> Response:
    """Queue the list and go to the batch's page."""
    async with request.form(max_files=1, max_fields=20, max_part_size=MAX_PART_BYTES) as form:
        text, max_pages = str(form.get("text") or ""), _pages(form.get("max_pages"))
    try:
        table = read_table(text)
        accepted = await submit_batch(services, identity, table.lines, BatchOptions(max_pages=max_pages))
    except ApiError as error:
        values = _form(text=text, max_pages=max_pages, problem=error.message)
        return render(request, "batch_form.html", values, status_code=error.status)
    return RedirectResponse(f"/batch/{accepted.batch_id}", status_code=303)


@router.get("/batch/{batch_id}")
async def show_batch(
    request: Request,
    batch_id: UUID,
    identity: VisitorDep,
    services: ServicesDep,
    status: str = "",
    sort: str = "submitted",
    cursor: str = "",
) -> Response:
    """Counts, and one page of the domains; a script keeps both up to date."""
    chosen = DomainStatus(status) if status in set(DomainStatus) else None
    order: BatchSort = sort if sort in BATCH_ORDERS else "submitted"
    async with services.database.tenant(identity.tenant_id) as conn:
        batch = await read_batch_document(conn, batch_id, sort=order, cursor=cursor, limit=PAGE_ROWS, status=chosen)
        workers = await count_workers(conn)
    if batch is None:
        raise not_found("batch")
    values = {
        "batch": batch,
        "status": chosen,
        "sort": order,
        "sort_words": BATCH_SORT_WORDS,
        "cursor": cursor,
        "workers": workers,
        "page_rows": PAGE_ROWS,
    }
    return render(request, "batch.html", values)


@router.post("/batch/{batch_id}/{action}")
async def change_batch(
    batch_id: UUID,
    action: str,
    identity: ActorDep,
    services: ServicesDep,
    status: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Retry what failed or cancel the rest, then back to the batch."""
    tenant_id = identity.tenant_id
    async with services.database.tenant(tenant_id) as conn:
        if await read_batch_document(conn, batch_id, limit=0) is None:
            raise not_found("batch")
        if action == "retry":
            await retry(conn, tenant_id=tenant_id, batch_id=batch_id)
        elif action == "cancel":
            await cancel(conn, tenant_id=tenant_id, batch_id=batch_id)
        else:
            raise not_found("page")
    return RedirectResponse(f"/batch/{batch_id}", status_code=303)
