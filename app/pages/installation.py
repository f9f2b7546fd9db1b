"""Adds the pages and their files to an application, and has errors shown as pages to whoever reads pages."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.api.errors import ErrorBody
from app.pages.batches import router as batches
from app.pages.domains import router as domains
from app.pages.jobs import router as jobs
from app.pages.reference import router as reference
from app.pages.rendering import render
from app.pages.session import router as session
from app.pages.status import router as status

STATIC = Path(__file__).parent / "static"
MACHINE_PATHS = ("/api/", "/health", "/ready", "/metrics", "/openapi.json", "/static/")


class StaticPages(StaticFiles):
    """Files that may be kept for an hour; their addresses carry the program's version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.setdefault("Cache-Control", "public, max-age=3600")
        return response


def install(app: FastAPI) -> None:
    """Add every page below / and its files below /static."""
    for router in (session, jobs, batches, domains, status, reference):
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticPages(directory=STATIC), name="static")
    app.state.render_error = render_error


def render_error(request: Request, code: int, body: ErrorBody) -> Response | None:
    """The error as a page, for a browser that asked for one; None for everybody else."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if not wants_page or request.url.path.startswith(MACHINE_PATHS):
        return None
    return render(request, "error.html", {"error": body, "code": code}, status_code=code)
