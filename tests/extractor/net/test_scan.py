"""Whole scans of fixture sites: what is requested, in which order, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from extractor.errors import AddressError, ExtractError, Permanent, Transient
from extractor.models import PageFacts
from extractor.sandbox import SandboxUnavailable
from extractor.site import Scanner
from tests.extractor.net.conftest import HereReader, World, settings_for
from tests.support.sites import catalogue, pages
from tests.support.sites.server import Answer, Request


async def test_a_whole_site_is_read_contact_pages_first(world: World) -> None:
    steps: list[tuple[float, str]] = []
    scan = await world.scan("wordpress-fixture.com", max_pages=4, progress=lambda *step: steps.append(step))
    report = scan.report

    assert report.final_url == "https://wordpress-fixture.com/"
    assert (report.http_status, report.blocked, report.fetch_tier) == (200, None, "direct")
    assert report.title == "Oak Street Bakery"
    assert "orders@wordpress-fixture.com" in report.email_addresses
    assert [page.status for page in report.pages] == [200] * 4
    assert {page.url.split("/")[3] for page in report.pages} == {"", "contact", "about-us", "privacy-policy"}
    assert report.sitemap_urls == ["https://wordpress-fixture.com/sitemap.xml"]
    assert report.robots is not None
    assert report.robots.allowed
    assert report.tls is not None
    assert report.tls.issuer is not None
    assert report.tls.expires_at is not None
    assert report.http is not None
    assert report.http.protocol == "HTTP/1.1"
    assert report.scanned_at is not None
    assert report.duration_ms is not None
    assert not {"/cart/", "/menu.pdf"} & set(world.asked("wordpress-fixture.com"))
    assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)
    assert {"resolving", "reading /", "reading /contact/"} <= {step for _, step in steps}


async def test_a_german_site_gives_its_impressum(world: World) -> None:
    report = (await world.scan("impressum-fixture.de", max_pages=3)).report

    assert {page.url.rsplit("/", 1)[1] for page in report.pages} == {"", "impressum", "kontakt"}
    assert "kontakt@impressum-fixture.de" in report.email_addresses


async def test_max_pages_counts_the_home_page(world: World) -> None:
    report = (await world.scan("wordpress-fixture.com", max_pages=1)).report

    assert len(report.pages) == 1
    assert world.asked("wordpress-fixture.com") == ["/robots.txt", "/"]


async def test_no_more_than_two_requests_go_to_a_site_at_once(world: World) -> None:
    await world.scan("slow-50-fixture.com")

    assert world.sites.peak_connections["slow-50-fixture.com"] == 2


OUTCOMES = {
    "http-only-fixture.com": "http://http-only-fixture.com/",
    "www-only-fixture.com": "http://www.www-only-fixture.com/",
    "redirect-fixture.com": "https://www.redirect-target-fixture.com/start",
    "bad-cert-fixture.com": "http://bad-cert-fixture.com/",
    "down-fixture.com": (Transient, "connect_failed"),
    "missing-fixture.com": (Permanent, "no_such_domain"),
    "servfail-fixture.com": (Transient, "dns_failed"),
    "notfound-fixture.com": (Permanent, "not_found"),
    "forbidding-fixture.com": (Permanent, "robots_disallowed"),
    "robots-broken-fixture.com": (Transient, "robots_unreachable"),
    "busy-fixture.com": (Transient, "rate_limited"),
    "broken-fixture.com": (Transient, "http_5xx"),
    "pdf-fixture.com": (Permanent, "not_html"),
    "expired-cert-fixture.com": (Permanent, "tls_certificate"),
    "localhost": (AddressError, "special_use_name"),
    "127.0.0.1": (AddressError, "ip_address"),
}


async def test_every_kind_of_site_ends_as_it_should(world: World) -> None:
    outcomes: dict[str, Any] = {}
    async with world.scanner() as scanner:
        for domain in OUTCOMES:
            try:
                outcomes[domain] = (await scanner.scan(domain, max_pages=1)).report.final_url
            except ExtractError as error:
                outcomes[domain] = (type(error), error.code)

    assert outcomes == OUTCOMES


class BrokenAfter(HereReader):
    """Reads so many pages, then no process can be started."""

    def __init__(self, pages: int) -> None:
        self.left = pages

    async def read_page(self, body: bytes, **about: Any) -> PageFacts:
        self.left -= 1
        if self.left < 0:
            raise SandboxUnavailable
        return await super().read_page(body, **about)


@pytest.mark.parametrize("pages", [0, 2])
async def test_a_machine_that_cannot_read_pages_has_no_report_of_the_site(world: World, pages: int) -> None:
    async with Scanner(settings_for(world.sites, world.folder), reader=BrokenAfter(pages)) as scanner:
        with pytest.raises(Transient) as failure:
            await scanner.scan("plain-1-fixture.com", max_pages=5)

    assert failure.value.code == "reader_unavailable"
    assert failure.value.retry_after_seconds


async def test_retry_after_is_passed_on(world: World) -> None:
    with pytest.raises(Transient) as failure:
        await world.scan("busy-fixture.com")

    assert failure.value.retry_after_seconds == 7


async def test_a_block_page_is_reported_and_its_title_never_stored(world: World) -> None:
    report = (await world.scan("blocked-fixture.com")).report

    assert report.blocked == "cloudflare"
    assert report.title is None
    assert report.http_status == 403
    assert [(page.status, page.title) for page in report.pages] == [(403, None)]


async def test_a_missing_page_that_says_200_is_no_page(world: World) -> None:
    report = (await world.scan("soft404-fixture.com")).report

    assert report.title == "Real home"
    assert {page.title for page in report.pages[1:]} == {None}
    assert report.blocked is None


async def test_a_site_that_answers_the_same_to_everything_is_one_page(world: World) -> None:
    report = (await world.scan("cookie-fixture.com")).report

    assert [page.title for page in report.pages if page.title] == ["Cookies"]


async def test_no_cookie_is_carried_within_or_between_sites(world: World) -> None:
    async with world.scanner() as scanner:
        for domain in ("cookie-fixture.com", "cookie-two-fixture.com", "cookie-fixture.com"):
            await scanner.scan(domain, max_pages=3)
    requests = [r for host in ("cookie-fixture.com", "cookie-two-fixture.com") for r in world.sites.requests[host]]

    assert len(requests) > 5
    assert not any("cookie" in request.headers for request in requests)


async def test_proxy_variables_are_not_honoured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert (await world.scan("wordpress-fixture.com", max_pages=1)).report.title == "Oak Street Bakery"


async def test_what_robots_disallows_is_not_read(world: World) -> None:
    world.add(
        "private-fixture.com",
        catalogue.of_pages(
            {
                "/": '<title>P</title><a href="/contact">Contact</a><a href="/about">About</a>',
                "/contact": "x",
                "/about": "y",
            },
            "User-agent: *\nDisallow: /contact\n",
        ),
    )
    await world.scan("private-fixture.com")

    assert "/about" in world.asked("private-fixture.com")
    assert "/contact" not in world.asked("private-fixture.com")


async def test_the_operator_may_decide_against_robots(world: World) -> None:
    report = (await world.scan("forbidding-fixture.com", settings={"respect_robots": False})).report

    assert report.title == "No"
    assert report.robots is not None
    assert report.robots.allowed is False, "what it says is reported all the same"


async def test_crawl_delay_is_honoured(world: World) -> None:
    content = {"/": '<title>D</title><a href="/contact">Contact</a>', "/contact": "<title>C</title>contact"}
    world.add("delay-fixture.com", catalogue.of_pages(content, "User-agent: *\nCrawl-delay: 0.3\n"))
    report = (await world.scan("delay-fixture.com", max_pages=2)).report

    assert report.duration_ms is not None
    assert report.duration_ms >= 300
    assert report.robots is not None
    assert report.robots.crawl_delay == 0.3


LINKS = "".join(f'<a href="/p{number}">Page</a>' for number in range(20))


async def test_a_long_crawl_delay_means_fewer_pages_and_none_too_early(world: World) -> None:
    content = {"/": f"<title>D</title>{LINKS}"} | {f"/p{number}": f"<title>{number}</title>" for number in range(20)}
    world.add("slow-rules-fixture.com", catalogue.of_pages(content, "User-agent: *\nCrawl-delay: 0.5\n"))
    report = (await world.scan("slow-rules-fixture.com", max_pages=20, settings={"scan_seconds": 1.4})).report

    asked = [path for path in world.asked("slow-rules-fixture.com") if path != "/robots.txt"]
    assert 1 < len(asked) <= 3, "at 0, 0.5 and 1 seconds; and no sitemap, where pages are linked"
    assert [page.status for page in report.pages] == [200] * len(asked)


async def test_of_a_site_whose_crawl_delay_is_longer_than_a_scan_the_home_page_is_read(world: World) -> None:
    pages = {"/start": f"<title>Start</title>{LINKS}", "/p1": "<title>1</title>"}

    def site(request: Request, writer: asyncio.StreamWriter) -> Any:
        home = catalogue.moved("/start") if request.path == "/" else None
        return (home or catalogue.of_pages(pages, "User-agent: *\nCrawl-delay: 3600\n"))(request, writer)

    world.add("hourly-fixture.com", site)
    report = (await world.scan("hourly-fixture.com")).report

    assert report.title == "Start", "the redirect is followed at once"
    assert world.asked("hourly-fixture.com") == ["/robots.txt", "/", "/start"]
    assert report.robots is not None
    assert report.robots.crawl_delay == 3600


async def test_usual_places_are_tried_where_no_link_leads_to_a_contact_page(world: World) -> None:
    content = {"/": "<title>Bare</title>", "/kontakt": "<title>Kontakt</title>here"}
    world.add("bare-fixture.de", catalogue.of_pages(content))
    report = (await world.scan("bare-fixture.de")).report

    assert [page.url for page in report.pages if page.status == 200] == [
        "http://bare-fixture.de/",
        "http://bare-fixture.de/kontakt",
    ]
    assert len(world.asked("bare-fixture.de")) <= 7


async def test_a_sitemap_finds_pages_that_no_link_leads_to(world: World) -> None:
    content = {"/": "<title>Map</title>", "/reach-the-team": "<title>Team</title>"}
    world.add("map-fixture.com", catalogue.of_pages(content, "Sitemap: http://map-fixture.com/sitemap.xml\n"))
    report = (await world.scan("map-fixture.com", max_pages=2)).report

    assert [page.url for page in report.pages] == ["http://map-fixture.com/", "http://map-fixture.com/reach-the-team"]


async def test_pages_that_fail_are_noted_and_the_scan_goes_on(world: World) -> None:
    async def site(request: Request, writer: asyncio.StreamWriter) -> Answer | None:
        if request.path == "/contact":
            return None  # closes the connection
        if request.path == "/about":
            return Answer("", 500)
        return catalogue.plain(request, writer)

    world.add("holes-fixture.com", site)
    report = (await world.scan("holes-fixture.com")).report

    assert {page.url.rsplit("/", 1)[1]: page.status for page in report.pages} == {
        "": 200,
        "contact": None,
        "about": 500,
        "impressum": 200,
        "services": 200,
    }


async def test_a_page_that_leaves_the_site_is_not_followed(world: World) -> None:
    content = {"/": '<title>L</title><a href="/contact">Contact</a>'}

    def site(request: Request, writer: asyncio.StreamWriter) -> Answer:
        if request.path == "/contact":
            return Answer("", 302, {"Location": "http://plain-7-fixture.com/contact"})
        return catalogue.of_pages(content)(request, writer)  # type: ignore[return-value]

    world.add("leaving-fixture.com", site)
    await world.scan("leaving-fixture.com")

    assert world.asked("plain-7-fixture.com") == []


async def test_the_scans_deadline_ends_the_crawl_and_keeps_what_was_read(world: World) -> None:
    report = (await world.scan("slow-600-fixture.com", settings={"scan_seconds": 2.0})).report

    assert report.title == "Slow 600"
    assert 1 <= len([page for page in report.pages if page.status == 200]) < 5


async def test_one_page_has_its_own_deadline(world: World) -> None:
    with pytest.raises(Transient) as failure:
        await world.scan("slow-5000-fixture.com", settings={"timeout_seconds": 0.3})

    assert failure.value.code == "timed_out"


async def test_a_body_is_cut_at_the_limit(world: World) -> None:
    world.add("large-fixture.com", catalogue.of_pages({"/": pages.page("Large", "<p>word</p>" * 100_000)}))
    report = (await world.scan("large-fixture.com", max_pages=1, settings={"max_bytes": 100_000})).report

    assert report.title == "Large"
    assert report.pages[0].bytes == 100_000


async def test_a_slot_is_held_for_each_address(world: World) -> None:
    held: list[str] = []

    @asynccontextmanager
    async def slot(address: str) -> AsyncIterator[None]:
        held.append(f"+{address}")
        yield
        held.append(f"-{address}")

    await world.scan("plain-1-fixture.com", address_slot=slot)

    assert held == ["+127.0.0.1", "-127.0.0.1"]


async def test_connections_do_not_outlive_the_scan(world: World) -> None:
    async with world.scanner() as scanner:
        await asyncio.gather(*(scanner.scan(f"plain-{n}-fixture.com", max_pages=3) for n in range(10)))
        async with asyncio.timeout(3):
            while world.sites.open_connections:
                await asyncio.sleep(0.01)


async def test_two_scans_of_one_site_do_not_disturb_each_other(world: World) -> None:
    async with world.scanner() as scanner:
        scans = await asyncio.gather(*(scanner.scan("slow-20-fixture.com", max_pages=3) for _ in range(4)))

    assert {tuple(sorted(page.url for page in scan.report.pages)) for scan in scans} == {
        tuple(f"http://slow-20-fixture.com/{path}" for path in ("", "contact", "impressum"))
    }


async def test_a_cancelled_scan_leaves_nothing_behind(world: World) -> None:
    async with world.scanner() as scanner:
        scan = asyncio.create_task(scanner.scan("slow-2000-fixture.com", max_pages=3))
        while not world.sites.requests["slow-2000-fixture.com"]:
            await asyncio.sleep(0.01)
        scan.cancel()
        await asyncio.gather(scan, return_exceptions=True)

        assert scan.cancelled()
        assert (await scanner.scan("plain-1-fixture.com", max_pages=2)).report.title == "Plain 1"


async def test_an_intranet_name_needs_only_its_network_allowed(world: World, tmp_path: Path) -> None:
    settings = settings_for(world.sites, tmp_path)
    shut = replace(settings, allow_networks=())
    async with Scanner(shut, reader=HereReader()) as scanner:
        with pytest.raises(Permanent) as refused:
            await scanner.scan("plain-1-fixture.com", max_pages=1)

    assert refused.value.code == "refused_address"
