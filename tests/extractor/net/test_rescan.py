"""Scanning again: what is confirmed, and what is read anew."""

from __future__ import annotations

from extractor.site import Previous
from tests.extractor.net.conftest import World


async def test_an_unchanged_site_is_confirmed_without_reading_it_again(world: World) -> None:
    async with world.scanner() as scanner:
        first = await scanner.scan("unchanged-fixture.com", max_pages=3)
        world.sites.requests.clear()
        again = await scanner.scan(
            "unchanged-fixture.com", max_pages=3, previous=Previous(first.report, first.validators)
        )

    requests = world.sites.requests["unchanged-fixture.com"]
    assert again.is_unchanged
    assert len(first.validators) == 3
    assert [page.status for page in again.report.pages] == [304] * 3
    assert all("if-none-match" in request.headers for request in requests if request.path != "/robots.txt")
    assert again.report.email_addresses == first.report.email_addresses
    assert again.report.scanned_at > first.report.scanned_at  # type: ignore[operator]
    assert again.validators == first.validators


async def test_one_changed_page_means_that_the_site_is_read_anew(world: World) -> None:
    async with world.scanner() as scanner:
        first = await scanner.scan("unchanged-fixture.com", max_pages=3)
        contact = "http://unchanged-fixture.com/contact"
        stale = {**first.validators, contact: {"etag": '"something-else"'}}
        again = await scanner.scan("unchanged-fixture.com", max_pages=3, previous=Previous(first.report, stale))

    assert not again.is_unchanged
    assert [page.status for page in again.report.pages] == [200] * 3
    assert again.report.email_addresses == first.report.email_addresses


async def test_a_changed_home_page_is_not_asked_for_twice(world: World) -> None:
    home = "http://unchanged-fixture.com/"
    async with world.scanner() as scanner:
        first = await scanner.scan("unchanged-fixture.com", max_pages=2)
        world.sites.requests.clear()
        stale = {**first.validators, home: {"etag": '"something-else"'}}
        again = await scanner.scan("unchanged-fixture.com", max_pages=2, previous=Previous(first.report, stale))

    assert world.asked("unchanged-fixture.com").count("/") == 1
    assert [page.status for page in again.report.pages] == [200, 200]


async def test_force_reads_everything(world: World) -> None:
    async with world.scanner() as scanner:
        first = await scanner.scan("unchanged-fixture.com", max_pages=2)
        previous = Previous(first.report, first.validators)
        again = await scanner.scan("unchanged-fixture.com", max_pages=2, previous=previous, force=True)

    assert not again.is_unchanged
