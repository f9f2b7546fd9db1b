"""The scan: a domain in, the report of the whole site out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from extractor.address import normalise_domain
from extractor.errors import ExtractError
from extractor.fetch import AddressSlot, Fetcher, FetchSettings, Pace, Reply
from extractor.ladder import CreditBudget, Ladder, as_page_of
from extractor.models import HttpFacts, PageFacts, SiteReport
from extractor.report import build_report
from extractor.sandbox import PagePool, PageReader
from extractor.site.confirm import confirm, is_usable
from extractor.site.frames import frame_urls
from extractor.site.home import fetch_home, may_get_through, raise_for_home, refusal_of
from extractor.site.pages import Crawl
from extractor.site.visit import Previous, Progress, Scan, Tools, Visit


def _ignore_progress(_fraction: float, _step: str) -> None:
    return None


class Scanner:
    """One for each process: it owns the session, the name cache and the children that read the pages.

    ``credit_budget`` counts what the paid service charges; without one it is never asked. ``reader`` reads the pages
    in place of the children, for callers that trust the pages or protect themselves.
    """

    def __init__(
        self, settings: FetchSettings, *, credit_budget: CreditBudget | None = None, reader: PageReader | None = None
    ) -> None:
        fetcher = Fetcher(settings)
        ladder = Ladder(settings.ladder, fetcher, credit_budget)
        self._pool = PagePool(settings.sandbox_processes)
        self._tools = Tools(settings, fetcher, reader or self._pool, ladder)

    async def __aenter__(self) -> Self:
        await self._tools.fetcher.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()
        await self._tools.fetcher.__aexit__(kind, error, trace)

    def forget_names(self) -> None:
        """Ask DNS anew from now on, for instance after the machine changed networks."""
        self._tools.fetcher.resolver.forget()

    async def scan(
        self,
        domain: str,
        *,
        max_pages: int,
        progress: Progress = _ignore_progress,
        address_slot: AddressSlot | None = None,
        previous: Previous | None = None,
        force: bool = False,
    ) -> Scan:
        """Read the site and say what it says.

        A site that answers but does not let us in is a finished scan whose report has ``blocked`` and no facts; the
        caller must not overwrite earlier facts with it. ``progress(fraction, step)`` is called as pages are read.
        ``address_slot(ip)`` is held around the requests to an address. ``previous`` makes the requests conditional,
        unless ``force``: where every page is unchanged, its report is confirmed instead of made anew.

        Raises:
            AddressError: ``domain`` is no public domain name.
            Transient, Permanent: with a stable code; nothing of the site was read.
        """
        domain = normalise_domain(domain)
        pace = Pace(self._tools.settings.scan_seconds, address_slot)
        visit = Visit(self._tools, pace=pace, progress=progress)
        started = time.monotonic()
        try:
            visit.report_progress(0.02, "resolving")
            home = None
            scan = None
            if previous is not None and not force and is_usable(previous, domain, max_pages):
                home = await fetch_home(visit, domain, previous.validators)
                scan = await confirm(visit, home, previous)
            if scan is None:
                changed = home if home is not None and home.status != 304 else None
                scan = await _read_site(visit, changed or await fetch_home(visit, domain), domain, max_pages)
        except ExtractError as error:
            error.credits_spent = visit.spending.credits
            raise
        finally:
            await pace.finish()
        scan.report.duration_ms = int((time.monotonic() - started) * 1000)
        return scan


async def _read_site(visit: Visit, home: Reply, domain: str, max_pages: int) -> Scan:
    first = home
    visit.report_progress(0.1, "reading /")
    facts = await visit.read(home) if home.body else None
    blocked = refusal_of(home, facts)
    if blocked is None:
        raise_for_home(home, facts)
    elif may_get_through(blocked) and (found := await _climb(visit, home)) is not None:
        home, facts = found
        blocked = None
    visit.note(home, facts)
    frames = frame_urls(home, facts) if facts is not None else []
    first, home = first.without_body(), home.without_body()
    rules = await visit.robots_for(first.url)
    sitemap_urls = list(rules.sitemaps)
    if blocked is None and facts is not None:
        crawl = Crawl(visit, home, facts, frames, max_pages=max_pages)
        await crawl.run([*sitemap_urls, *facts.sitemap_urls])
        sitemap_urls = crawl.sitemap_urls
    visit.report_progress(0.97, "putting it together")
    report = build_report(domain, max_pages, visit.facts)
    _add_fetch_facts(report, visit, home, answered=first)
    report.robots = rules.facts(first.url)
    report.sitemap_urls = sitemap_urls
    report.blocked = blocked
    return Scan(report, visit.validators)


async def _climb(visit: Visit, home: Reply) -> tuple[Reply, PageFacts] | None:
    """The home page by the paid service, tier by tier until it is a real page; None where no tier gets through."""
    while visit.ladder.is_on and not visit.spending.is_over:
        visit.report_progress(0.12, "trying the fetching service")
        reply = await visit.ladder.climb(home.url, visit.spending, max_bytes=visit.settings.max_bytes)
        if reply is None:
            break
        page = as_page_of(reply, home.url)
        facts = await visit.read(page)
        if refusal_of(page, facts) is None:
            return page, facts
    visit.spending.tier = None
    return None


def _add_fetch_facts(report: SiteReport, visit: Visit, home: Reply, *, answered: Reply) -> None:
    """What is known from the requests themselves; ``answered`` is the site's own answer, be it a refusal."""
    report.final_url = str(home.url)
    report.http_status = home.status
    report.pages = visit.pages
    report.scanned_at = datetime.now(UTC)
    report.fetch_tier = visit.spending.tier or "direct"
    report.fetch_credits = visit.spending.credits
    report.http = http_facts(answered)
    report.tls = answered.tls


def http_facts(home: Reply) -> HttpFacts:
    """What the home page's response headers say."""

    def header(name: str) -> str | None:
        return home.headers.get(name, "").strip()[:200] or None

    return HttpFacts(
        server=header("server"),
        powered_by=header("x-powered-by"),
        content_type=header("content-type"),
        protocol=home.protocol,
        hsts=home.url.scheme == "https" and "strict-transport-security" in home.headers,
    )
