"""The pictures of a site under our own address: which bytes are shown, to whom, and how little the site is asked."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.api.images import CACHE_ENTRIES, MAX_IMAGE_BYTES, Image, ImageCache, image_type
from app.settings import DEFAULT_TENANT_ID
from tests.support.sites.server import Answer, Fixture, Request, SiteServer, site_server
from tests.support.web import DOMAINS, WebServer, bearer, default_token, new_token, serving, web_settings

SITE = "pictures-fixture.com"
PRIVATE = "inner-fixture.com"
SVG = '<?xml version="1.0"?><!-- drawn --><svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'


def png(side: int = 8) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x0b\x63\xbd" * side for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def site(request: Request, _: asyncio.StreamWriter) -> Answer:
    octets = {"Content-Type": "application/octet-stream"}
    match request.path:
        case "/logo.png":
            return Answer(png(), headers=octets)
        case "/logo.svg":
            return Answer(SVG, headers=octets)
        case "/moved.png":
            return Answer("", 302, {"Location": "/logo.png"})
        case "/inwards.png":
            return Answer("", 302, {"Location": "http://127.0.0.1/logo.png"})
        case "/round.png":
            return Answer("", 302, {"Location": "/round.png"})
        case "/page.png":
            return Answer("<html><script>alert(1)</script>", headers={"Content-Type": "image/png"})
        case "/large.png":
            return Answer(png() + bytes(MAX_IMAGE_BYTES), headers={"Content-Type": "image/png"})
        case "/slow.png":
            await asyncio.sleep(5)
            return Answer(png())
    return Answer("nothing here", 404)


@pytest.fixture
async def sites() -> AsyncIterator[SiteServer]:
    """A site at 127.0.0.1, and one at 127.0.0.2 that answers whoever comes through to it."""
    async with site_server([Fixture((SITE,), site)]) as server:
        private = await asyncio.start_server(server.accept, "127.0.0.2", 0)
        port = server.add_port(private)
        server.route(PRIVATE, f"127.0.0.2:{port}:{port}")
        yield server


@pytest.fixture
async def web(database: str, sites: SiteServer, tmp_path: Path) -> AsyncIterator[WebServer]:
    """Only 127.0.0.1 may be reached, by the names of the fixtures."""
    hosts = tmp_path / "hosts"
    hosts.write_text(sites.hosts_text())
    settings = web_settings(
        database, fetch_hosts_file=hosts, fetch_allow_networks="127.0.0.1/32", fetch_timeout_seconds=1
    )
    async with serving(settings) as server:
        yield server


INSERT = """
    INSERT INTO domains (tenant_id, domain, status, logo_url, favicon_url)
    VALUES (%s, %s, 'completed', %s, %s)
    RETURNING id
"""


async def stored(conn: Any, logo: str | None, favicon: str | None = None, *, tenant_id: Any = DEFAULT_TENANT_ID) -> str:
    """The address of a domain that has been scanned."""
    cur = await conn.execute(INSERT, (tenant_id, f"{uuid4().hex}.com", logo, favicon))
    [(domain_id,)] = await cur.fetchall()
    return f"{DOMAINS}/{domain_id}"


async def test_a_logo_is_served_as_what_its_bytes_are_and_is_not_sent_twice(
    web: WebServer, conn: Any, sites: SiteServer
) -> None:
    address = await stored(conn, f"http://{SITE}/logo.png")

    reply = await web.client.get(f"{address}/logo")
    again = await web.client.get(f"{address}/logo", headers={"If-None-Match": f'"other", W/{reply.headers["etag"]}'})

    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (200, png(), "image/png")
    assert reply.headers["cache-control"] == "private, max-age=3600"
    assert reply.headers["content-disposition"] == "inline"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"].count("default-src 'none'") == 1
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", reply.headers["etag"])
    [request] = sites.requests[SITE]
    assert not {"cookie", "referer", "authorization"} & set(request.headers)
    assert request.headers["accept"].startswith("image/")


async def test_an_svg_is_served_with_a_policy_of_its_own_that_lets_nothing_run(web: WebServer, conn: Any) -> None:
    address = await stored(conn, None, f"http://{SITE}/logo.svg")

    reply = await web.client.get(f"{address}/favicon")

    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/svg+xml")
    policies = reply.headers.get_list("content-security-policy")
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; sandbox"]
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_a_redirect_within_the_open_web_is_followed(web: WebServer, conn: Any) -> None:
    address = await stored(conn, f"http://{SITE}/moved.png")

    assert (await web.client.get(f"{address}/logo")).content == png()


@pytest.mark.parametrize(
    "url",
    [
        f"http://{SITE}/missing.png",
        f"http://{SITE}/page.png",
        f"http://{SITE}/large.png",
        f"http://{SITE}/slow.png",
        f"http://{SITE}/round.png",
        f"http://{SITE}/inwards.png",
        f"http://{PRIVATE}/logo.png",
        "http://169.254.169.254/latest/meta-data/",
        "https://user:password@example.com/logo.png",
        "file:///etc/passwd",
        "data:image/png;base64,aGVsbG8=",
    ],
)
async def test_what_the_site_does_not_give_as_a_picture_is_one_plain_error_and_is_not_asked_for_again_at_once(
    web: WebServer, conn: Any, sites: SiteServer, url: str
) -> None:
    address = await stored(conn, url)

    replies = [await web.client.get(f"{address}/logo") for _ in range(2)]

    for reply in replies:
        assert reply.status_code == 404
        assert reply.json() == {
            "error": {
                "code": "image_unavailable",
                "message": "The site does not give this picture.",
                "details": [],
            }
        }
        assert reply.headers["cache-control"] == "no-store"
    assert len(sites.requests[SITE]) <= (4 if "round" in url else 1)
    assert not sites.requests[PRIVATE]
    assert not sites.requests["127.0.0.1"]


async def test_readers_of_one_picture_at_the_same_time_ask_the_site_once(
    web: WebServer, conn: Any, sites: SiteServer
) -> None:
    address = await stored(conn, f"http://{SITE}/logo.png")

    replies = await asyncio.gather(*(web.client.get(f"{address}/logo") for _ in range(10)))

    assert {reply.status_code for reply in replies} == {200}
    assert len(sites.requests[SITE]) == 1


async def test_a_domain_without_the_picture_says_so_and_another_tenants_is_not_there(
    web: WebServer, conn: Any, sites: SiteServer
) -> None:
    _, stranger = await new_token(conn, "stranger")
    theirs = await stored(conn, f"http://{SITE}/logo.png", tenant_id=stranger)
    bare = await stored(conn, None)

    hidden = await web.client.get(f"{theirs}/logo")
    missing = await web.client.get(f"{bare}/favicon")

    assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, "not_found")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "no_image")
    assert not sites.requests[SITE]


async def test_pictures_need_a_token_and_count_against_its_limit(database: str, conn: Any) -> None:
    secret = await default_token(conn)
    address = await stored(conn, None)
    async with serving(web_settings(database, environment="production", api_requests_per_minute=2)) as web:
        nobody = await web.client.get(f"{address}/logo")
        codes = [(await web.client.get(f"{address}/logo", headers=bearer(secret))).status_code for _ in range(3)]

    assert nobody.status_code == 401
    assert codes == [404, 404, 429]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (png(), "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", None),
        (b"\x00\x00\x01\x00\x01\x00\x10\x10", "image/x-icon"),
        (b"\x00\x00\x01\x00\x00\x00\x10\x10", None),
        (b"\x00\x00\x00\x20ftypavif\x00", "image/avif"),
        (b"\x00\x00\x00\x20ftypmp42\x00", None),
        (SVG.encode(), "image/svg+xml"),
        (b'\xef\xbb\xbf <!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">\n<svg>', "image/svg+xml"),
        (b"<svg:svg xmlns:svg='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b'<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>', None),
        (b"<svg><!ENTITY a 'b'></svg>", None),
        (b"<html><svg></svg></html>", None),
        (b"<svgx>", None),
        (b"<!--" * 4000, None),
        (b"<!---->" * 2000 + b" " * 9000, None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_the_type_of_a_picture_is_told_by_its_bytes(body: bytes, content_type: str | None) -> None:
    assert image_type(body) == content_type


def test_the_least_used_pictures_are_forgotten_first_and_all_of_them_in_time() -> None:
    now = [0.0]
    cache = ImageCache(max_bytes=100, clock=lambda: now[0])
    tenant = uuid4()
    for name in ("a", "b"):
        cache.put((tenant, name), Image(b"x" * 40, "image/png"))
    cache.put((tenant, "a"), Image(b"y" * 40, "image/png"))

    cache.get((tenant, "b"))
    cache.put((tenant, "c"), Image(b"x" * 40, "image/png"))
    cache.put((tenant, "none"), None)

    assert [cache.get((tenant, name))[0] for name in ("a", "b", "c", "none")] == [False, True, True, True]
    assert not cache.get((uuid4(), "b"))[0]
    now[0] = 61
    assert [cache.get((tenant, name))[0] for name in ("b", "c", "none")] == [True, True, False]
    now[0] = 3601
    assert not cache.get((tenant, "b"))[0]
    for number in range(CACHE_ENTRIES + 5):
        cache.put((tenant, str(number)), None)
    assert not cache.get((tenant, "4"))[0]
    assert cache.get((tenant, "5"))[0]
    assert cache.size == 0
