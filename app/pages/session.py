"""Signing in with a token, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app.access.sessions import COOKIE, COOKIE_SECONDS, is_foreign
from app.access.tokens import find_identity
from app.api.authentication import is_development_token, resolve
from app.api.errors import ApiError
from app.api.services import ServicesDep
from app.pages.rendering import render
from app.pages.visitors import ActorDep

router = APIRouter()


def safe_next(target: str) -> str:
    """Where to go after the sign-in: a path here, never another site."""
    is_here = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if is_here else "/"


@router.get("/sign-in")
async def show_sign_in(
    request: Request, services: ServicesDep, target: Annotated[str, Query(alias="next", max_length=2000)] = "/"
) -> Response:
    """The form; whoever is signed in already, or needs not be, goes on."""
    if await resolve(services, request, request.cookies.get(COOKIE)) is not None:
        return RedirectResponse(safe_next(target), status_code=303)
    return render(request, "sign_in.html", {"next": safe_next(target), "problem": None})


@router.post("/sign-in")
async def sign_in(
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Form(max_length=400)] = "",
    target: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    """Keep a valid token in a cookie that scripts cannot read and other sites cannot send along with a form."""
    if is_foreign(request.headers):
        raise ApiError(403, "foreign_request", "Another site sent this form.")
    services.rate_limiter.spend(f"sign-in {request.client.host if request.client else ''}")
    secret = token.strip()
    identity = None
    if secret and not is_development_token(secret):
        async with services.database.system() as conn:
            identity = await find_identity(conn, secret)
    if identity is None:
        values = {"next": safe_next(target), "problem": "That token is not known here, or was revoked."}
        return render(request, "sign_in.html", values, status_code=401)
    response = RedirectResponse(safe_next(target), status_code=303)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return response


@router.post("/sign-out")
async def sign_out(identity: ActorDep) -> Response:
    """Forget the token."""
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(COOKIE, path="/")
    return response
