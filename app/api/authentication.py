"""Who a request acts as: a bearer token, the cookie of a page, or the open tenant of a development server."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request

from app.access.sessions import (
    COOKIE,
    CSRF_HEADER,
    SAFE_METHODS,
    is_csrf_token,
    is_foreign,
    is_loopback_host,
)
from app.access.tokens import Identity, find_identity
from app.api.errors import ApiError
from app.api.services import Services, ServicesDep
from app.settings import DEVELOPMENT_TOKEN

NO_TOKEN = "Send a token: Authorization: Bearer TOKEN. Make one with: scrapersky token create NAME"  # noqa: S105 - a sentence
BAD_TOKEN = "The token is not known here, or was revoked."  # noqa: S105 - a sentence


async def identify(request: Request, services: ServicesDep) -> Identity:
    """The identity behind a request of the API, its rate limit spent.

    Raises:
        ApiError: 401 without a valid token, 403 for a change that another site may have sent, 429.
    """
    bearer = bearer_token(request)
    identity = await resolve(services, request, bearer if bearer is not None else request.cookies.get(COOKIE))
    if identity is None:
        raise ApiError(401, "unauthorized", BAD_TOKEN if bearer else NO_TOKEN)
    if bearer is None and request.method not in SAFE_METHODS:
        _refuse_forgery(request)
    services.rate_limiter.spend(str(identity.token_id or "development"))
    request.state.identity = identity
    return identity


IdentityDep = Annotated[Identity, Depends(identify)]


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header; None where there is no such header.

    Raises:
        ApiError: 401, the header is of another scheme or empty.
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "unauthorized", NO_TOKEN)
    return token


async def resolve(services: Services, request: Request, secret: str | None) -> Identity | None:
    """Who a token, or its absence, stands for; None for nobody."""
    if _is_open(services, request) and (secret is None or is_development_token(secret)):
        return Identity(tenant_id=services.settings.default_tenant_id, name="development")
    if secret is None or is_development_token(secret):
        return None
    async with services.database.system() as conn:
        return await find_identity(conn, secret)


def is_development_token(secret: str) -> bool:
    """Whether this is the published token, which is worth nothing in production."""
    return hmac.compare_digest(secret.encode("utf-8", "surrogatepass"), DEVELOPMENT_TOKEN.encode())


def _is_open(services: Services, request: Request) -> bool:
    """Development, and asked for by this machine's own name: a foreign name that resolves here is an attack."""
    is_development = services.settings.environment == "development"
    return is_development and is_loopback_host(request.headers.get("host", ""))


def _refuse_forgery(request: Request) -> None:
    """A browser sends the cookie, or nothing at all to an open server, on behalf of any site."""
    if is_foreign(request.headers):
        raise ApiError(403, "foreign_request", "Another site sent this request.")
    secret = request.cookies.get(COOKIE)
    if secret is not None and not is_csrf_token(secret, request.headers.get(CSRF_HEADER, "")):
        raise ApiError(403, "csrf", "The page is out of date; reload it and try again.")
