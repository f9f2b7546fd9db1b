"""Everything a tenant has: search, filter, sort, open, scan again, export."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.api.domains import STATEMENTS, Filter, Sort, list_domains
from app.api.errors import not_found
from app.api.jobs import find_job
from app.api.schemas import DOMAINS, ScanRequest
from app.api.services import ServicesDep
from app.api.submitting import submit_scan
from app.pages.rendering import render
from app.pages.session import safe_next
from app.pages.visitors import ActorDep, VisitorDep
from app.pages.wording import SORT_WORDS
from domain_queue import DomainStatus

router = APIRouter()

PAGE_ROWS = 50


@router.get("/domains")
async def show_domains(
    request: Request,
    identity: VisitorDep,
    services: ServicesDep,
    q: str = "",
    status: str = "",
    sort: str = "newest",
    cursor: str = "",
) -> Response:
    """A page of the list; what is not understood in the address is passed over."""
    chosen = Filter(q=q[:200] or None, status=DomainStatus(status) if status in set(DomainStatus) else None)
    order: Sort = sort if sort in STATEMENTS else "newest"
    async with services.database.tenant(identity.tenant_id) as conn:
        rows, next_cursor = await list_domains(conn, chosen, sort=order, cursor=cursor, limit=PAGE_ROWS)
    values = {
        "rows": rows,
        "next_cursor": next_cursor,
        "q": chosen.q or "",
        "status": chosen.status,
        "statuses": list(DomainStatus),
        "sort": order,
        "sort_words": SORT_WORDS,
        "cursor": cursor,
        "export_url": f"{DOMAINS}/export",
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
    return render(request, "domains.html", values)


@router.post("/domains/rescan")
async def rescan(
    identity: ActorDep,
    services: ServicesDep,
    domain_id: Annotated[UUID, Form(alias="id")],
    target: Annotated[str, Form(alias="next", max_length=2000)] = "/domains",
) -> Response:
    """Queue a domain again, and back to the list."""
    async with services.database.tenant(identity.tenant_id) as conn:
        row = await find_job(conn, domain_id)
    if row is None:
        raise not_found("domain")
    body = ScanRequest(base_url=row["domain"], max_pages=row["max_pages"], force=True)
    await submit_scan(services, identity, body)
    return RedirectResponse(safe_next(target), status_code=303)
