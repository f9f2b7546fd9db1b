"""The single scanner, and one job from the queue to its result."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.access.tokens import Identity
from app.api.domains import Filter, list_changes, list_domains, read_domain, set_rescan
from app.api.errors import not_found
from app.api.jobs import count_workers, find_job, is_waiting, job_document, queue_places
from app.api.schemas import DOMAINS, SCANS, ScanRequest
from app.api.services import Services, ServicesDep
from app.api.submitting import submit_scan
from app.pages.rendering import render
from app.pages.report import describe
from app.pages.visitors import ActorDep, VisitorDep
from app.pages.wording import advice_for, field_word
from domain_queue import cancel, retry
from extractor.errors import AddressError

router = APIRouter()

RECENT_ROWS = 6
PAGE_CHOICES = (1, 5, 10, 20, 50, 100)
RESCAN_CHOICES = {0: "never", 86_400: "every day", 604_800: "every week", 2_592_000: "every 30 days"}


@router.get("/")
async def show_scanner(
    request: Request, identity: VisitorDep, services: ServicesDep, job: UUID | None = None, domain: str = ""
) -> Response:
    """One field, and what was scanned last."""
    if job is not None:
        return RedirectResponse(f"/jobs/{job}", status_code=303)
    return await _scanner(request, services, identity, text=domain[:300])


async def _scanner(
    request: Request,
    services: Services,
    identity: Identity,
    *,
    text: str = "",
    max_pages: int = 5,
    problem: str | None = None,
) -> Response:
    async with services.database.tenant(identity.tenant_id) as conn:
        recent, _ = await list_domains(conn, Filter(), limit=RECENT_ROWS)
        workers = await count_workers(conn)
    values = {
        "text": text,
        "max_pages": max_pages,
        "page_choices": PAGE_CHOICES,
        "problem": problem,
        "recent": recent,
        "workers": workers,
    }
    return render(request, "scanner.html", values, status_code=422 if problem else 200)


@router.post("/scan")
async def scan(
    request: Request,
    identity: ActorDep,
    services: ServicesDep,
    domain: Annotated[str, Form(max_length=4096)] = "",
    max_pages: Annotated[int, Form(ge=1, le=100)] = 5,
) -> Response:
    """Queue the domain and go to its page; what is refused is said above the field."""
    body = ScanRequest(base_url=domain, max_pages=max_pages)
    try:
        accepted = await submit_scan(services, identity, body)
    except AddressError as error:
        return await _scanner(
            request, services, identity, text=domain[:300], max_pages=max_pages, problem=error.message
        )
    return RedirectResponse(f"/jobs/{accepted.job_id}", status_code=303)


@router.get("/jobs/{job_id}")
async def show_job(request: Request, job_id: UUID, identity: VisitorDep, services: ServicesDep) -> Response:
    """The job as it is now; a script keeps it moving, and without one the page reloads itself."""
    async with services.database.tenant(identity.tenant_id) as conn:
        row = await find_job(conn, job_id)
        domain = await read_domain(conn, job_id)
        if row is None or domain is None:
            raise not_found()
        places = await queue_places(conn, [job_id])
        workers = await count_workers(conn)
        changes, _ = await list_changes(conn, job_id, limit=30)
    document = job_document(row, places.get(job_id))
    has_result = bool(row["domain_metadata"])
    values = {
        "job": document,
        "domain": domain,
        "is_waiting": is_waiting(row),
        "workers": workers,
        "report": describe(document["metadata"]) if has_result else None,
        "metadata": document["metadata"] if has_result else None,
        "advice": advice_for(document["error"]["code"]) if document["error"] else None,
        "changes": [_change(change) for change in changes],
        "events_url": f"{SCANS}/status/{job_id}/events",
        "status_url": f"{SCANS}/status/{job_id}",
        "pictures_url": f"{DOMAINS}/{job_id}",
        "rescan_choices": RESCAN_CHOICES,
    }
    return render(request, "job.html", values)


def _change(change: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": change["changed_at"],
        "field": field_word(change["field"]),
        "old": _shown(change["old_value"]),
        "new": _shown(change["new_value"]),
    }


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


@router.post("/jobs/{job_id}/{action}")
async def change_job(
    job_id: UUID,
    action: str,
    identity: ActorDep,
    services: ServicesDep,
    rescan_seconds: Annotated[int, Form(ge=0, le=315_360_000)] = 0,
) -> Response:
    """Cancel, retry, scan again, or scan again regularly; then back to the job."""
    tenant_id = identity.tenant_id
    async with services.database.tenant(tenant_id) as conn:
        row = await find_job(conn, job_id)
        if row is None:
            raise not_found()
        if action == "cancel":
            await cancel(conn, tenant_id=tenant_id, ids=[job_id])
        elif action == "retry":
            await retry(conn, tenant_id=tenant_id, ids=[job_id])
        elif action == "repeat":
            await set_rescan(conn, job_id, timedelta(seconds=max(60, rescan_seconds)) if rescan_seconds else None)
        elif action != "rescan":
            raise not_found("page")
    if action == "rescan":
        body = ScanRequest(base_url=row["domain"], max_pages=row["max_pages"], force=True)
        await submit_scan(services, identity, body)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)
