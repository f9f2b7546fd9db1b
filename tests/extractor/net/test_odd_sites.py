"""Sites that lead to their home page in odd ways."""

from __future__ import annotations

import asyncio

import pytest

from extractor.errors import ExtractError, Permanent
from tests.extractor.net.conftest import World
from tests.support.sites import catalogue
from tests.support.sites.server import Answer, Request

REFRESH = '<html><head><META HTTP-EQUIV="Refresh" CONTENT="0; URL={}"></head></html>'


async def test_a_page_that_only_refreshes_to_another_is_followed(world: World) -> None:
    world.add(
        "old-fixture.com", catalogue.of_pages({"/": REFRESH.format("/home.htm"), "/home.htm": "<title>Old</title>"})
    )
    report = (await world.scan("old-fixture.com", max_pages=1)).report

    assert (report.final_url, report.title) == ("http://old-fixture.com/home.htm", "Old")


async def test_a_refresh_that_leads_inside_is_refused(world: World) -> None:
    world.add("inside-fixture.com", catalogue.of_pages({"/": REFRESH.format("http://127.0.0.1/")}))
    with pytest.raises(Permanent) as refused:
        await world.scan("inside-fixture.com", max_pages=1)

    assert refused.value.code == "refused_address"


async def test_where_only_www_has_a_valid_certificate_it_is_read(world: World) -> None:
    world.add("www.halfway-fixture.com", catalogue.of_pages({"/": "<title>Halfway</title>"}), https=True, http=False)
    world.add(
        "halfway-fixture.com", catalogue.moved("https://halfway-fixture.com/"), https=True, certificate="other-name"
    )
    report = (await world.scan("halfway-fixture.com", max_pages=1)).report

    assert report.final_url == "https://www.halfway-fixture.com/"


async def test_a_site_that_sets_a_cookie_and_looks_whether_it_comes_along_is_read(world: World) -> None:
    def site(request: Request, _: asyncio.StreamWriter) -> Answer:
        if request.path == "/robots.txt":
            return Answer("", 404)
        if request.headers.get("cookie") != "seen=yes":
            return Answer("", 302, {"Location": request.path, "Set-Cookie": "seen=yes; Path=/"})
        return Answer("<title>Welcome back</title>")

    world.add("curious-fixture.com", site)

    assert (await world.scan("curious-fixture.com", max_pages=1)).report.title == "Welcome back"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(b"\x89PNG\r\n\x1a\n" + bytes(range(256))), "not_html"),
        (Answer("{}", headers={"Content-Type": "application/json"}), "not_html"),
        (Answer(" \n"), "empty_page"),
        (Answer("", 300), "bad_redirect"),
        (Answer("<title>Teapot</title>", 418), "http_4xx"),
        (Answer("", 410), "not_found"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.status),
)
async def test_an_answer_that_is_no_page_never_becomes_an_empty_result(world: World, answer: Answer, code: str) -> None:
    world.add("odd-fixture.com", catalogue.always(answer))
    with pytest.raises(ExtractError) as failure:
        await world.scan("odd-fixture.com", max_pages=1)

    assert failure.value.code == code
