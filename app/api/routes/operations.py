"""What probes and people ask of the process itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from app.api.authentication import IdentityDep
from app.api.errors import COMMON_ERRORS
from app.api.overview import read_overview
from app.api.schemas import Overview
from app.api.services import ServicesDep
from app.doctor import Check, readiness

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """The process is up."""

    status: str = Field(examples=["ok"])
    version: str


class Readiness(BaseModel):
    """Whether a scan that is submitted now would be done."""

    ready: bool
    checks: list[Check]


@router.get("/health", summary="Is the process up?")
async def health(request: Request) -> Health:
    """Answers without the database."""
    return Health(status="ok", version=request.app.version)


@router.get(
    "/ready",
    summary="Would a scan be done now?",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "A check failed; it says what to do."}},
)
async def ready(services: ServicesDep) -> JSONResponse:
    """Database, migrations, a live worker, and the age of the oldest pending domain."""
    checks = await readiness(services.database)
    is_ready = all(check.ok for check in checks)
    content = Readiness(ready=is_ready, checks=checks).model_dump(mode="json")
    headers = {} if is_ready else {"Retry-After": "5"}
    return JSONResponse(content, status_code=200 if is_ready else 503, headers=headers)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Text for Prometheus; what needs the database is left out while it is away."""
    for refresh in request.app.state.metric_refreshers:
        await refresh(services)
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/v3/overview", response_model=Overview, responses=COMMON_ERRORS, summary="The queue at a glance")
async def overview(identity: IdentityDep, services: ServicesDep) -> dict[str, Any]:
    """Depths, age, throughput and errors of this tenant in the last hour, and the workers that serve everybody."""
    async with services.database.tenant(identity.tenant_id) as conn:
        return await read_overview(conn, identity.tenant_id)
