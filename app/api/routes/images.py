"""The logo and the icon of a domain, as pictures of this address."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.authentication import IdentityDep
from app.api.domains import read_domain
from app.api.errors import NOT_FOUND, ApiError, not_found
from app.api.images import SVG_TYPE, Image
from app.api.services import Services, ServicesDep

router = APIRouter(tags=["domains"])

#: A picture that a site made may be markup, which must not run even where somebody opens it by itself.
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/x-icon", "image/avif", SVG_TYPE)
RESPONSES: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    200: {
        "description": "The picture, 512 kB at most, of the type that its bytes are of.",
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in TYPES},
    },
    304: {"description": "It is still the one of If-None-Match."},
}


@router.get("/{domain_id}/logo", responses=RESPONSES, response_class=Response, summary="Show the logo")
async def logo(request: Request, domain_id: UUID, identity: IdentityDep, services: ServicesDep) -> Response:
    """The picture at logo_url, fetched from the site and kept for an hour; 404 where the site does not give it."""
    return await _picture(request, services, identity.tenant_id, domain_id, "logo_url")


@router.get("/{domain_id}/favicon", responses=RESPONSES, response_class=Response, summary="Show the icon")
async def favicon(request: Request, domain_id: UUID, identity: IdentityDep, services: ServicesDep) -> Response:
    """The picture at favicon_url, fetched from the site and kept for an hour; 404 where the site does not give it."""
    return await _picture(request, services, identity.tenant_id, domain_id, "favicon_url")


async def _picture(
    request: Request,
    services: Services,
    tenant_id: UUID,
    domain_id: UUID,
    column: Literal["logo_url", "favicon_url"],
) -> Response:
    async with services.database.tenant(tenant_id) as conn:
        row = await read_domain(conn, domain_id)
    if row is None:
        raise not_found("domain")
    if row[column] is None:
        raise ApiError(404, "no_image", "No scan has found such a picture.")
    image = await services.images.get(tenant_id, row[column])
    if image is None:
        raise ApiError(404, "image_unavailable", "The site does not give this picture.")
    return _answer(request, image)


def _answer(request: Request, image: Image) -> Response:
    headers = {
        "ETag": image.etag,
        "Cache-Control": "private, max-age=3600",
        "Vary": "Cookie, Authorization",
        "Content-Disposition": "inline",
    }
    if image.content_type == SVG_TYPE:
        headers["Content-Security-Policy"] = SVG_POLICY
    given = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if image.etag in given or "*" in given:
        return Response(status_code=304, headers=headers)
    return Response(image.body, media_type=image.content_type, headers=headers)
