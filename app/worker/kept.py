"""What an earlier scan found on a page that could not be read this time."""

from __future__ import annotations

from extractor.models import PageRead, SiteReport

FIELDS = ("email_addresses", "phone_numbers", "physical_addresses", "social_links")
#: Statuses that say nothing about the page itself: it may be there again tomorrow.
PASSING = (408, 425, 429)


def keep_what_could_not_be_read(report: SiteReport, previous: SiteReport) -> None:
    """Fill fields that are empty in ``report`` with the values, and their evidence, of pages whose fetch failed now.

    A page that was read, or that is gone (404), keeps nothing alive, and neither does one that was not asked for.
    """
    failed = {page.url for page in report.pages if _failed(page)}
    if not failed:
        return
    for field in FIELDS:
        found = getattr(previous, field)
        kept = [key for key in found if _is_from(previous, f"{field}:{key}", failed)]
        if getattr(report, field) or not kept:
            continue
        setattr(report, field, {key: found[key] for key in kept} if isinstance(found, dict) else kept)
        report.evidence.update({f"{field}:{key}": previous.evidence[f"{field}:{key}"] for key in kept})


def has_failed_pages(report: SiteReport) -> bool:
    """Whether a page was asked for and could not be read."""
    return any(_failed(page) for page in report.pages)


def _failed(page: PageRead) -> bool:
    return page.status is None or page.status >= 500 or page.status in PASSING


def _is_from(report: SiteReport, key: str, urls: set[str]) -> bool:
    evidence = report.evidence.get(key)
    return evidence is not None and evidence.url in urls
