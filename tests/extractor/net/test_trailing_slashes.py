"""Pages behind the redirects that every other site answers with: a final slash, https, www."""

from __future__ import annotations

import asyncio
from pathlib import Path

from extractor.site import Scanner
from tests.extractor.net.conftest import settings_for
from tests.support.sites import pages
from tests.support.sites.server import Answer, Fixture, Request, SiteServer

CONTACT = "<p>Write to hello@slash-fixture.com</p>"


def with_final_slashes(request: Request, _: asyncio.StreamWriter) -> Answer:
    if request.path == "/":
        return Answer(pages.page("Home", '<a href="/contact">Contact</a>'))
    if request.path == "/contact":
        return Answer("", 301, {"Location": "/contact/"})
    return Answer(pages.page("Contact", CONTACT)) if request.path == "/contact/" else Answer("", 404)


async def test_a_page_that_redirects_to_itself_with_a_final_slash_is_read(tmp_path: Path) -> None:
    async with (
        SiteServer([Fixture(("slash-fixture.com",), with_final_slashes)]) as server,
        Scanner(settings_for(server, tmp_path)) as scanner,
    ):
        report = (await scanner.scan("slash-fixture.com", max_pages=3)).report

    assert report.email_addresses == ["hello@slash-fixture.com"]
    assert [page.url for page in report.pages if page.status == 200] == [
        "http://slash-fixture.com/",
        "http://slash-fixture.com/contact/",
    ]
