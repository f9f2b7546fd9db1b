"""Every fixture site by name: what the tests, the benchmarks and a curious reader can scan.

================================  =====================================================================
wordpress-fixture.com             WordPress with Elementor, http and https, robots.txt with a sitemap
impressum-fixture.de              German, contacts in the Impressum, https
plain-NAME-fixture.com            five plain pages, http only; as many sites as there are names
http-only-fixture.com             plain, nothing listens on 443
www-only-fixture.com              the bare name does not exist, www. does
redirect-fixture.com              moved to https://www.redirect-target-fixture.com/start
slow-NUMBER-fixture.com           plain, but each answer takes NUMBER milliseconds
down-fixture.com                  nothing listens
missing-fixture.com               no such name; servfail-fixture.com: the name servers fail
blocked-fixture.com               a Cloudflare challenge, status 403; robots.txt is readable
soft404-fixture.com               status 200, says "page not found" everywhere but at home
notfound-fixture.com              home page 404
forbidding-fixture.com            robots.txt forbids everything; robots-broken-fixture.com: it answers 503
busy-fixture.com                  429 with Retry-After: 7; broken-fixture.com: 500 everywhere
pdf-fixture.com                   the home page is a PDF
unchanged-fixture.com             ETag on every page, 304 when it matches
bad-cert-fixture.com              untrusted certificate, http answers; expired-cert-fixture.com: http answers not
cookie-fixture.com                sets a cookie and counts who sends one
================================  =====================================================================
"""

from __future__ import annotations

import asyncio
import hashlib

from tests.support.sites import pages
from tests.support.sites.server import CLOSED_PORT, Answer, Fixture, Request, Site, SiteServer


def of_pages(content: dict[str, str], robots: str = "User-agent: *\nAllow: /\n") -> Site:
    """A site of fixed pages; anything else is 404."""

    def site(request: Request, _: asyncio.StreamWriter) -> Answer:
        path = request.path.partition("?")[0]
        if path == "/robots.txt":
            return Answer(robots, headers={"Content-Type": "text/plain"}) if robots else Answer("", 404)
        if path == "/sitemap.xml" and "sitemap" in robots.lower():
            return _sitemap(request, list(content))
        if path in content:
            return Answer(content[path])
        return Answer(pages.page("Not found", "<h1>404 Not Found</h1>"), 404)

    return site


def _sitemap(request: Request, paths: list[str]) -> Answer:
    scheme = "https" if request.is_tls else "http"
    urls = "".join(f"<url><loc>{scheme}://{request.host}{path}</loc></url>" for path in paths)
    xml = f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'
    return Answer(xml, headers={"Content-Type": "application/xml"})


def plain(request: Request, _: asyncio.StreamWriter) -> Answer:
    if request.path == "/robots.txt":
        return Answer("User-agent: *\nDisallow: /private\n", headers={"Content-Type": "text/plain"})
    body = pages.plain_page(request.host, request.path)
    headers = {"Server": "nginx", "X-Powered-By": "PHP/8.3.1"}
    return Answer(body, headers=headers) if body else Answer("<title>Not found</title>", 404)


async def slow(request: Request, writer: asyncio.StreamWriter) -> Answer:
    milliseconds = next((int(part) for part in request.host.split("-") if part.isdigit()), 500)
    await asyncio.sleep(milliseconds / 1000)
    return plain(request, writer)


def moved(location: str, status: int = 301) -> Site:
    def site(request: Request, _: asyncio.StreamWriter) -> Answer:
        return Answer("", status, {"Location": location})

    return site


def always(answer: Answer, *, robots_too: bool = False) -> Site:
    """The same answer to everything, except that there is no robots.txt."""

    def site(request: Request, _: asyncio.StreamWriter) -> Answer:
        return answer if robots_too or request.path != "/robots.txt" else Answer("", 404)

    return site


def soft_404(request: Request, _: asyncio.StreamWriter) -> Answer:
    if request.path == "/robots.txt":
        return Answer("", 404)
    return Answer(pages.page("Real home", "<h1>Hello</h1>") if request.path == "/" else pages.SOFT_404)


def unchanged(request: Request, _: asyncio.StreamWriter) -> Answer:
    body = pages.plain_page(request.host, request.path)
    if body is None:
        return Answer("", 404)
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:16]}"'
    if request.headers.get("if-none-match") == tag:
        return Answer("", 304, {"ETag": tag, "Content-Length": "", "Content-Type": ""})
    return Answer(body, headers={"ETag": tag, "Last-Modified": "Mon, 05 Jan 2026 08:00:00 GMT"})


def cookie(request: Request, _: asyncio.StreamWriter) -> Answer:
    return Answer(
        pages.page("Cookies", f"<p>{'cookie' in request.headers}</p>"), headers={"Set-Cookie": "session=1; Path=/"}
    )


def robots_broken(request: Request, writer: asyncio.StreamWriter) -> Answer:
    return Answer("", 503) if request.path == "/robots.txt" else plain(request, writer)


def fixtures() -> list[Fixture]:
    """The well-behaved and the ordinarily failing ones; the hostile ones are in ``hostile``."""
    wordpress_robots = "User-agent: *\nDisallow: /wp-admin/\nSitemap: https://wordpress-fixture.com/sitemap.xml\n"
    busy = Answer("Too many requests", 429, {"Retry-After": "7"})
    return [
        Fixture(
            ("wordpress-fixture.com", "www.wordpress-fixture.com"),
            of_pages(pages.WORDPRESS, wordpress_robots),
            https=True,
        ),
        Fixture(("impressum-fixture.de", "www.impressum-fixture.de"), of_pages(pages.GERMAN), https=True),
        Fixture(("plain-*-fixture.com", "http-only-fixture.com", "www.www-only-fixture.com"), plain),
        Fixture(("redirect-fixture.com",), moved("https://www.redirect-target-fixture.com/start"), https=True),
        Fixture(
            ("redirect-target-fixture.com", "www.redirect-target-fixture.com"),
            of_pages(
                {
                    "/start": pages.page("We moved", '<a href="/contact">Contact</a>'),
                    "/contact": pages.page("Contact", "new@redirect-target-fixture.com"),
                }
            ),
            https=True,
        ),
        Fixture(("slow-*-fixture.com",), slow),
        Fixture(("down-fixture.com", "www.down-fixture.com"), plain, http=False),
        Fixture(("blocked-fixture.com",), always(Answer(pages.CLOUDFLARE_CHALLENGE, 403, {"Server": "cloudflare"}))),
        Fixture(("soft404-fixture.com",), soft_404),
        Fixture(("notfound-fixture.com",), always(Answer("<title>404</title>", 404))),
        Fixture(("forbidding-fixture.com",), of_pages({"/": "<title>No</title>"}, "User-agent: *\nDisallow: /\n")),
        Fixture(("robots-broken-fixture.com",), robots_broken),
        Fixture(("busy-fixture.com",), always(busy)),
        Fixture(("broken-fixture.com",), always(Answer("<title>Error</title>", 500))),
        Fixture(("pdf-fixture.com",), always(Answer(b"%PDF-1.7", headers={"Content-Type": "application/pdf"}))),
        Fixture(("unchanged-fixture.com",), unchanged),
        Fixture(("bad-cert-fixture.com",), plain, https=True, certificate="untrusted"),
        Fixture(("expired-cert-fixture.com",), plain, https=True, http=False, certificate="expired"),
        Fixture(("cookie-fixture.com", "cookie-two-fixture.com"), cookie),
    ]


async def start_catalogue() -> SiteServer:
    """Every fixture site, started on the running loop; the caller ends it with ``__aexit__``."""
    server = SiteServer(fixtures())
    for name in ("missing-fixture.com", "www.missing-fixture.com", "www-only-fixture.com"):
        server.route(name, "nxdomain")
    server.route("servfail-fixture.com", "servfail")
    server.route("www.servfail-fixture.com", "servfail")
    # Whatever else is asked for exists neither here nor, for a test, anywhere.
    await server.__aenter__()
    server.fixtures.append(Fixture(("*-fixture.com", "*-fixture.de"), plain, http=False))
    return server


__all__ = ["CLOSED_PORT", "fixtures", "start_catalogue"]
