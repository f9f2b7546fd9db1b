"""Sites that mean harm: each a behaviour under a name of its own, with the outcomes that are right for it.

``report`` is a finished scan; anything else is the code of a clean error. What a site may never cause is a hang, a
crash, an unbounded cost, or a request to where its redirect points.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache

import brotli

from tests.support.sites.catalogue import of_pages, start_catalogue
from tests.support.sites.server import CLOSED_PORT, Answer, Fixture, Request, Site, SiteServer

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

Stream = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
HEAD = "<!doctype html><title>Bait</title><p>bait@bait-hostile.com</p>"
MIB = 1024 * 1024
BOMB_MIB = 128


@dataclass(frozen=True)
class Hostile:
    """A behaviour: where it is served, and the outcomes that are right."""

    name: str
    site: Site
    outcomes: frozenset[str]

    @property
    def domain(self) -> str:
        return f"{self.name}-hostile.com"


def _home_only(stream: Stream) -> Site:
    """The behaviour for every path but robots.txt, of which there is none."""

    async def site(request: Request, writer: asyncio.StreamWriter) -> Answer | None:
        if request.path == "/robots.txt":
            return Answer("", 404)
        await stream(request, writer)
        return None

    return site


def _raw(data: bytes | Callable[[], Iterable[bytes]], *, then: str = "close", pause: float = 0.0) -> Site:
    """Send bytes, with a pause after each part; then ``close``, ``reset`` or ``hang``. Every connection gets all."""

    async def stream(_: Request, writer: asyncio.StreamWriter) -> None:
        for part in [data] if isinstance(data, bytes) else data():
            writer.write(part)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        if then == "hang":
            await asyncio.sleep(120)
        if then == "reset":
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    return _home_only(stream)


def _page(body: str | bytes, content_type: str = "text/html; charset=utf-8", **headers: str) -> Site:
    """A complete answer to everything but robots.txt."""
    answer = Answer(
        body, headers={"Content-Type": content_type, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )
    return lambda request, _: Answer("", 404) if request.path == "/robots.txt" else answer


def _redirect(location: str | bytes) -> Site:
    raw = location if isinstance(location, bytes) else location.encode()
    return _raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + raw + b"\r\n\r\n")


def _compressed(coding: str, parts: Callable[[], Iterable[bytes]]) -> Site:
    async def stream(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + f"Content-Encoding: {coding}\r\n\r\n".encode())
        for part in parts():
            writer.write(part)
            await writer.drain()

    return _home_only(stream)


@cache
def _gzip_bomb() -> list[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return [packer.compress(HEAD.encode()), *(packer.compress(bytes(MIB)) for _ in range(BOMB_MIB)), packer.flush()]


@cache
def _brotli_bomb() -> list[bytes]:
    packer = brotli.Compressor(quality=1)
    return [packer.process(HEAD.encode()), *(packer.process(bytes(MIB)) for _ in range(BOMB_MIB)), packer.finish()]


@cache
def _zstd_bomb() -> list[bytes]:
    packer = zstd.ZstdCompressor()
    return [packer.compress(HEAD.encode()), *(packer.compress(bytes(MIB)) for _ in range(BOMB_MIB)), packer.flush()]


def _endless(part: bytes, first: bytes = b"") -> Callable[[], Iterable[bytes]]:
    return lambda: itertools.chain([first], itertools.repeat(part))


def _redirect_chain(request: Request, _: asyncio.StreamWriter) -> Answer:
    number = int(request.path.strip("/") or 0) if request.path != "/robots.txt" else 0
    return Answer("", 404) if request.path == "/robots.txt" else Answer("", 302, {"Location": f"/{number + 1}"})


def _json_ld(text: str) -> str:
    return f'{HEAD}<script type="application/ld+json">{text}</script>'


def _many_links() -> str:
    links = "".join(f'<a href="/contact/{n}?q={n}">Contact {n}</a>' for n in range(20_000))
    bad = "".join(
        f'<a href="{target}">Contact</a>'
        for target in (
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://127.0.0.1/contact",
            "http://[::1]/contact",
            "http://169.254.169.254/contact",
            "//2130706433/contact",
            "http://x@many-links-hostile.com:22/",
        )
    )
    return HEAD + bad + links


def _robots(body: bytes) -> Site:
    def site(request: Request, _: asyncio.StreamWriter) -> Answer:
        return Answer(body, headers={"Content-Type": "text/plain"}) if request.path == "/robots.txt" else Answer(HEAD)

    return site


def _sitemap_bomb(request: Request, _: asyncio.StreamWriter) -> Answer:
    if request.path == "/robots.txt":
        return Answer(f"Sitemap: http://{request.host}/sitemap.xml.gz\n", headers={"Content-Type": "text/plain"})
    if request.path == "/sitemap.xml.gz":
        return Answer(gzip.compress(b"<urlset>" + bytes(64 * MIB)), headers={"Content-Type": "application/gzip"})
    return Answer(HEAD)


CHARSETS = ("unicode_escape", "punycode", "idna", "utf-7", "rot13", "zlib_codec", "undefined", "utf-8\0", "x" * 3000)


def _charsets(request: Request, _: asyncio.StreamWriter) -> Answer:
    if request.path == "/robots.txt":
        return Answer("", 404)
    links = "".join(f'<a href="/contact-{n}">Contact</a>' for n in range(len(CHARSETS)))
    number = int("".join(c for c in request.path if c.isdigit()) or 0) % len(CHARSETS)
    charset = CHARSETS[number].replace("\0", "")
    body = f'<meta charset="{charset}">{HEAD}{links}{number}\\ud800\\x00' + "+ADw-script+AD4-" * 500
    return Answer(body, headers={"Content-Type": f"text/html; charset={charset}"})


REPORT = frozenset({"report"})
_MIS = "".join(f"<b n{n}><i n{n}>" for n in range(4_000)) + "x" + "</b>" * 4_000

#: name -> (site, outcomes)
BEHAVIOURS: dict[str, tuple[Site, frozenset[str]]] = {
    # time
    "slow-drip": (_raw(_endless(b" ", OK + b"\r\n" + HEAD.encode()), pause=0.05), frozenset({"timed_out"})),
    "slow-headers": (_raw(_endless(b"X-A: b\r\n", OK), pause=0.1), frozenset({"timed_out"})),
    "silent": (_raw(b"", then="hang"), frozenset({"timed_out"})),
    "stalled-body": (_raw(OK + b"Content-Length: 5000\r\n\r\n" + HEAD.encode(), then="hang"), frozenset({"timed_out"})),
    "informational-flood": (
        _raw(_endless(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50), pause=0.01),
        frozenset({"timed_out", "bad_response"}),
    ),
    # size
    "endless-body": (_raw(_endless(b"<p>more</p>" * 4_000, OK + b"\r\n" + HEAD.encode())), REPORT),
    "two-hundred-megabytes": (
        _raw(
            lambda: itertools.chain(
                [OK + b"Content-Length: 209715200\r\n\r\n" + HEAD.encode()], itertools.repeat(b" " * 65536, 3200)
            )
        ),
        REPORT,
    ),
    "endless-headers": (
        _raw(_endless(b"X-Filler: " + b"a" * 4_000 + b"\r\n", OK)),
        frozenset({"bad_response", "timed_out"}),
    ),
    "huge-header": (_raw(OK + b"X-Huge: " + b"a" * MIB + b"\r\n\r\n" + HEAD.encode()), frozenset({"bad_response"})),
    "many-headers": (
        _raw(OK + b"".join(b"X-%d: a\r\n" % n for n in range(10_000)) + b"\r\n" + HEAD.encode()),
        frozenset({"bad_response"}),
    ),
    "cookie-flood": (
        _raw(
            OK
            + b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"v" * 3_000) for n in range(90))
            + b"Content-Length: %d\r\n\r\n" % len(HEAD)
            + HEAD.encode()
        ),
        REPORT,
    ),
    "one-byte-chunks": (
        _raw(_endless(b"1\r\nx\r\n" * 10_000, OK + b"Transfer-Encoding: chunked\r\n\r\n")),
        REPORT | {"timed_out"},
    ),
    # compression
    "gzip-bomb": (_compressed("gzip", _gzip_bomb), REPORT),
    "brotli-bomb": (_compressed("br", _brotli_bomb), REPORT),
    "zstd-bomb": (_compressed("zstd", _zstd_bomb), REPORT),
    "gzip-twice": (
        _compressed("gzip, gzip", lambda: iter([gzip.compress(gzip.compress(HEAD.encode()))])),
        frozenset({"bad_encoding"}),
    ),
    "unknown-coding": (_compressed("x-secret", lambda: iter([HEAD.encode()])), frozenset({"bad_encoding"})),
    "lying-gzip": (_compressed("gzip", lambda: iter([HEAD.encode() * 10])), frozenset({"bad_encoding"})),
    "endless-gzip-members": (
        _compressed("gzip", lambda: itertools.repeat(gzip.compress(b"") * 500)),
        frozenset({"bad_encoding", "timed_out", "connection_lost"}),
    ),
    "cut-brotli": (
        _compressed("br", lambda: iter([brotli.compress(HEAD.encode() * 2_000)[:-20]])),
        REPORT | {"bad_encoding", "connection_lost", "empty_page"},
    ),
    # framing
    "short-body": (_raw(OK + b"Content-Length: 5000\r\n\r\n" + HEAD.encode()), REPORT),
    "long-body": (_raw(OK + b"Content-Length: 20\r\n\r\n" + HEAD.encode() * 10), REPORT | {"bad_response"}),
    "two-lengths": (
        _raw(OK + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\n" + HEAD.encode()),
        frozenset({"bad_response"}),
    ),
    "negative-length": (_raw(OK + b"Content-Length: -5\r\n\r\n" + HEAD.encode()), frozenset({"bad_response"})),
    "bad-chunks": (
        _raw(OK + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n" + HEAD.encode()),
        frozenset({"bad_response", "connection_lost"}),
    ),
    "reset-mid-body": (
        _raw(OK + b"Content-Length: 5000\r\n\r\n" + HEAD.encode(), then="reset"),
        REPORT | {"connection_lost"},
    ),
    "closed-at-once": (_raw(b""), frozenset({"connection_lost"})),
    "no-http": (_raw(b"SSH-2.0-OpenSSH_9.6\r\n"), frozenset({"bad_response"})),
    "http-zero-nine": (_raw(HEAD.encode()), frozenset({"bad_response"})),
    "status-of-letters": (_raw(b"HTTP/1.1 OK fine\r\n\r\n" + HEAD.encode()), frozenset({"bad_response"})),
    "status-999": (
        _raw(b"HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nno"),
        frozenset({"http_4xx", "http_5xx", "bad_response"}),
    ),
    "no-content": (_raw(b"HTTP/1.1 204 No Content\r\n\r\n"), frozenset({"empty_page"})),
    "empty-page": (_page(""), frozenset({"empty_page"})),
    # lies and bytes
    "image-as-html": (_page(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400), frozenset({"not_html"})),
    "nul-bytes": (_page(b"<title>Nul\0Bytes\0</title><p>\0a\0@b.com\0" * 50), REPORT),
    "surrogates": (
        _page(
            b"<title>\xed\xa0\x80\xed\xbf\xbf lone &#xD800; &#55296;</title>" + _json_ld('{"name":"\\ud800"}').encode()
        ),
        REPORT,
    ),
    "python-charsets": (_charsets, REPORT),
    "header-bytes": (
        _raw(
            OK
            + b"Server: \xff\xfe\x80evil\x1b[31m\r\nX-Powered-By: \xed\xa0\x80\r\nContent-Length: %d\r\n\r\n"
            % len(HEAD)
            + HEAD.encode()
        ),
        REPORT | {"bad_response"},
    ),
    # redirects
    "redirect-loop": (_redirect("/"), frozenset({"too_many_redirects"})),
    "redirect-chain": (_redirect_chain, frozenset({"too_many_redirects"})),
    "redirect-nowhere": (_raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), frozenset({"bad_redirect"})),
    "redirect-loopback": (_redirect("http://127.0.0.1/"), frozenset({"refused_address"})),
    "redirect-decimal": (_redirect("http://2130706433/"), frozenset({"refused_address"})),
    "redirect-hex": (_redirect("http://0x7f000001/"), frozenset({"refused_address"})),
    "redirect-octal": (_redirect("http://0177.0.0.1/"), frozenset({"refused_address"})),
    "redirect-short": (_redirect("http://127.1/"), frozenset({"refused_address"})),
    "redirect-fullwidth": (_redirect("http://１２７.０.０.１/"), frozenset({"refused_address", "bad_redirect"})),
    "redirect-ipv6": (_redirect("http://[::1]/"), frozenset({"refused_address"})),
    "redirect-mapped": (_redirect("http://[::ffff:127.0.0.1]/"), frozenset({"refused_address"})),
    "redirect-metadata": (_redirect("http://169.254.169.254/latest/meta-data/"), frozenset({"refused_address"})),
    "redirect-localhost": (_redirect("http://localhost/"), frozenset({"refused_address"})),
    "redirect-inner-name": (_redirect("http://inner-hostile.com/"), frozenset({"refused_address"})),
    "redirect-port": (_redirect("http://redirect-port-hostile.com:22/"), frozenset({"refused_address"})),
    "redirect-file": (_redirect("file:///etc/passwd"), frozenset({"bad_redirect"})),
    "redirect-script": (_redirect("javascript:alert(1)"), frozenset({"bad_redirect"})),
    "redirect-gopher": (_redirect("gopher://127.0.0.1:6379/_FLUSHALL"), frozenset({"bad_redirect"})),
    "redirect-userinfo": (
        _redirect("http://plain-1-fixture.com@127.0.0.1/"),
        frozenset({"bad_redirect", "refused_address"}),
    ),
    "redirect-backslash": (
        _redirect("http://127.0.0.1\\@plain-1-fixture.com/"),
        frozenset({"bad_redirect", "refused_address"}),
    ),
    "redirect-bytes": (
        _redirect(b"http://\xff\xfe\xed\xa0\x80/"),
        frozenset({"bad_redirect", "refused_address", "bad_response"}),
    ),
    "redirect-long": (_redirect("/" + "a" * 7_000), frozenset({"bad_redirect"})),
    "redirect-bad-cert": (_redirect("https://expired-cert-fixture.com/"), frozenset({"tls_certificate"})),
    "tls-tarpit": (_page(HEAD), frozenset({"timed_out"})),
    # markup
    "nested-divs": (_page(HEAD + "<div>" * 200_000), REPORT),
    "nested-lists": (_page(HEAD + "<ul><li>" * 50_000), REPORT),
    "nested-templates": (_page(HEAD + "<template>" * 100_000), REPORT),
    "nested-svg": (_page(HEAD + "<svg><g>" * 60_000), REPORT),
    "misnested-tags": (_page(HEAD + _MIS), REPORT),
    "misnested-links": (_page(HEAD + "".join(f'<a href="{"x" * 60}{n}"><p>' for n in range(6_000))), REPORT),
    "hundred-thousand-attributes": (_page(HEAD + "<p " + " ".join(f"a{n}=b" for n in range(100_000)) + ">"), REPORT),
    "ten-megabyte-title": (_page(f"<title>{'T' * (10 * MIB)}</title>"), REPORT),
    "endless-digits": (_page(HEAD + "+49 " + "1234567890 " * 90_000), REPORT),
    "endless-at-signs": (_page(HEAD + "a@" * 400_000), REPORT),
    "endless-letters": (_page(HEAD + "a" * 900_000), REPORT),
    "deep-json-ld": (_page(_json_ld('{"a":' * 100_000 + "1" + "}" * 100_000)), REPORT),
    "broad-json-ld": (
        _page(_json_ld(json.dumps([{"@type": "Organization", "name": f"n{n}"} for n in range(15_000)]))),
        REPORT,
    ),
    "nan-json-ld": (
        _page(_json_ld('{"@type":"Organization","name":NaN,"telephone":Infinity,"foundingDate":1e999}')),
        REPORT,
    ),
    "long-number-json-ld": (_page(_json_ld('{"@type":"Organization","telephone":' + "9" * 100_000 + "}")), REPORT),
    "year-99999": (
        _page(
            _json_ld('{"@type":"Organization","name":"Far","foundingDate":"99999-12-31"}')
            + "<footer>© 99999 Far</footer>"
        ),
        REPORT,
    ),
    "script-in-everything": (
        _page(
            "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>"
            '<meta name="description" content="=cmd|\' /C calc\'!A0">'
        ),
        REPORT,
    ),
    "many-links": (_page(_many_links()), REPORT),
    # what belongs to robots and sitemaps
    "robots-agents-times-rules": (
        _robots(b"".join(b"User-agent: a%d\n" % n for n in range(15_000)) + b"Disallow: /x\n" * 15_000),
        REPORT,
    ),
    "robots-wildcards": (
        _robots(b"User-agent: *\nDisallow: /" + b"*a" * 200 + b"b$\n" + b"Allow: /*?*=*&*$\n" * 3_000),
        REPORT,
    ),
    "robots-bytes": (_robots(bytes(range(256)) * 2_000), REPORT),
    "sitemap-bomb": (_sitemap_bomb, REPORT),
}

HOSTILE = [Hostile(name, site, outcomes) for name, (site, outcomes) in BEHAVIOURS.items()]


async def add_hostile_sites(server: SiteServer) -> None:
    """Serve every hostile site from a running server, and what they need around them."""
    for hostile in HOSTILE:
        if hostile.name != "tls-tarpit":
            server.fixtures.insert(0, Fixture((hostile.domain,), hostile.site))
    tarpit = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    port = server.add_port(tarpit)
    server.route("tls-tarpit-hostile.com", f"127.0.0.1:{CLOSED_PORT}:{port}")
    server.route("inner-hostile.com", "10.0.0.1")
    server.fixtures.append(Fixture(("*-hostile.com",), of_pages({}), http=False))


async def start_everything() -> SiteServer:
    """The catalogue and every hostile site: ``running_sites(start_everything)`` serves them to whole programs."""
    server = await start_catalogue()
    await add_hostile_sites(server)
    return server


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    finally:
        writer.close()
