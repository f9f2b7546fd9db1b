"""Who looks at a page: a signed-in person, anybody on a development server, or somebody to be shown the sign-in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from app.access.sessions import COOKIE, CSRF_FIELD, is_csrf_token, is_foreign
from app.access.tokens import Identity
from app.api.authentication import resolve
from app.api.errors import ApiError
from app.api.services import ServicesDep


async def visit(request: Request, services: ServicesDep) -> Identity:
    """The identity behind a page, its rate limit spent.

    Raises:
        HTTPException: 303 to the sign-in.
        ApiError: 429.
    """
    identity = await resolve(services, request, request.cookies.get(COOKIE))
    if identity is None:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = "/sign-in" + (f"?next={quote(here)}" if request.method == "GET" and here != "/" else "")
        raise HTTPException(303, headers={"Location": target})
    services.rate_limiter.spend(str(identity.token_id or "development"))
    request.state.identity = identity
    return identity


VisitorDep = Annotated[Identity, Depends(visit)]


async def act(request: Request, identity: VisitorDep) -> Identity:
    """The identity behind a form that changes something.

    Raises:
        ApiError: 403, another site sent it, or the page's proof is missing.
    """
    await refuse_forgery(request)
    return identity


ActorDep = Annotated[Identity, Depends(act)]


async def refuse_forgery(request: Request) -> None:
    """Let no other site send a form in the name of who is signed in here.

    Raises:
        ApiError: 403.
    """
    if is_foreign(request.headers):
        raise ApiError(403, "foreign_request", "Another site sent this form.")
    secret = request.cookies.get(COOKIE)
    if secret is None:
        return
    form = await request.form(max_files=1, max_fields=50, max_part_size=8 * 1024 * 1024)
    given = form.get(CSRF_FIELD)
    if not isinstance(given, str) or not is_csrf_token(secret, given):
        raise ApiError(403, "csrf", "The page was out of date. Go back, reload it, and try again.")
