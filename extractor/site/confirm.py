"""Scanning again without reading again: asking each page of the last scan whether it changed."""

from __future__ import annotations

from datetime import UTC, datetime

from extractor.errors import ExtractError
from extractor.fetch import Reply
from extractor.fetch.urls import checked_url
from extractor.models import PageRead
from extractor.site.visit import Previous, Scan, Visit

#: Where more lies between two pages, there may be no time left to read what a question found changed.
MAX_DELAY_SECONDS = 2.0


def is_usable(previous: Previous, domain: str, max_pages: int) -> bool:
    """Whether every page of the previous scan can be asked for conditionally, and the question is the same."""
    report = previous.report
    pages = [page for page in report.pages if page.status in (200, 304)]
    return (
        report.domain == domain
        and report.max_pages == max_pages
        and report.blocked is None
        and ((report.robots.crawl_delay if report.robots else None) or 0) <= MAX_DELAY_SECONDS
        and report.fetch_tier == "direct"
        and bool(pages)
        and all(page.url in previous.validators for page in pages)
    )


async def confirm(visit: Visit, home: Reply, previous: Previous) -> Scan | None:
    """The previous report with today's date, where all its pages answer 304; None where anything changed.

    ``home`` is the answer to the conditional request for the home page. Half-confirmed facts would be dishonest, so
    one changed page means that the whole site is read anew.
    """
    if home.status != 304 or str(home.url) != previous.report.final_url:
        return None
    report = previous.report.model_copy(deep=True)
    old_pages = [page for page in report.pages if page.status in (200, 304)]
    report.pages = []
    for number, page in enumerate(old_pages):
        reply = home
        if page.url != str(home.url):
            visit.report_progress(0.1 + 0.8 * number / len(old_pages), "asking for changes")
            try:
                reply = await visit.follow(checked_url(page.url), stay_on_site=True, validators=previous.validators)
            except ExtractError:
                return None
        if reply.status != 304:
            return None
        report.pages.append(PageRead(url=page.url, status=304, title=page.title, bytes=0, ms=reply.ms))
    report.http_status = 304
    report.scanned_at = datetime.now(UTC)
    report.tls = home.tls or report.tls
    report.robots = (await visit.robots_for(home.url)).facts(home.url)
    return Scan(report, previous.validators, is_unchanged=True)
