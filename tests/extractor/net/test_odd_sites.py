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


async def test_refreshes_count_as_redirects_and_a_circle_of_them_ends(world: World) -> None:
    chain = {
        "/": REFRESH.format("/1"),
        "/1": REFRESH.format("/2"),
        "/2": REFRESH.format("/3"),
        "/3": "<title>End</title>",
    }
    world.add("chain-fixture.com", catalogue.of_pages(chain))
    world.add("circle-fixture.com", catalogue.of_pages({"/": REFRESH.format("/1"), "/1": REFRESH.format("/")}))

    assert (await world.scan("chain-fixture.com", max_pages=1)).report.title == "End"
    with pytest.raises(Permanent) as failure:
        await world.scan("circle-fixture.com", max_pages=1)
    assert failure.value.code == "too_many_redirects"


@pytest.mark.parametrize(
    "page",
    [
        REFRESH.format("/"),
        REFRESH.format("javascript:void(0)"),
        REFRESH.format("/other").replace('"0;', '"30;'),
        "<noscript>" + REFRESH.format("/other") + "</noscript>",
        "<!-- " + REFRESH.format("/other") + " -->",
    ],
)
async def test_a_page_that_stays_in_a_browser_is_the_page(world: World, page: str) -> None:
    world.add(
        "stays-fixture.com", catalogue.of_pages({"/": f"<title>Here</title>{page}", "/other": "<title>Other</title>"})
    )

    assert (await world.scan("stays-fixture.com", max_pages=1)).report.title == "Here"


@pytest.mark.parametrize(
    "tag",
    [
        "<meta content='1;/home.htm' http-equiv=refresh>",
        '<META content="0; url=\'/home.htm\'" HTTP-EQUIV="Refresh">' + "<p>You are sent on.</p>" * 1_000,
    ],
)
async def test_a_refresh_is_followed_however_it_is_written(world: World, tag: str) -> None:
    world.add("way-fixture.com", catalogue.of_pages({"/": tag, "/home.htm": "<title>Home</title>"}))

    assert (await world.scan("way-fixture.com", max_pages=1)).report.title == "Home"


FRAMESET = """<html><head><title>Bakery Klein</title></head><frameset cols="160,*">
<!-- <frame src="/old.htm"> --><frame name=menu SRC=menu.htm><frame name="main" src="start.htm?a=1&amp;b=2">
<frame src="https://elsewhere-fixture.com/ad.htm"><noframes><body><a href="/text.htm">Text</a></body></noframes>
</frameset></html>"""


async def test_the_pages_in_the_frames_of_a_home_page_are_read_first(world: World) -> None:
    pages = {
        "/": FRAMESET,
        "/menu.htm": '<title>Menu</title><a href="kontakt.htm" target="main">Kontakt</a><a href="brot.htm">Brot</a>',
        "/start.htm": "<title>Start</title><p>Write to post@frames-fixture.com</p>",
        "/kontakt.htm": "<title>Kontakt</title><p>kontakt@frames-fixture.com</p>",
        "/brot.htm": "<title>Brot</title>",
        "/contact": "<title>Never asked for</title>",
    }
    world.add("frames-fixture.com", catalogue.of_pages(pages))
    report = (await world.scan("frames-fixture.com", max_pages=4)).report

    assert report.title == "Bakery Klein"
    assert {page.title for page in report.pages} == {"Bakery Klein", "Menu", "Start", "Kontakt"}
    assert set(report.email_addresses) == {"post@frames-fixture.com", "kontakt@frames-fixture.com"}
    assert "/start.htm?a=1&b=2" in world.asked("frames-fixture.com")
    assert "/contact" not in world.asked("frames-fixture.com")
    assert world.asked("elsewhere-fixture.com") == []


async def test_the_page_in_the_only_frame_of_an_empty_page_is_read(world: World) -> None:
    shell = '<title>Shell</title><body style="margin:0"><iframe src="/app/" style="width:100%;height:100%"></iframe>'
    world.add(
        "shell-fixture.com",
        catalogue.of_pages({"/": shell, "/app/": "<title>App</title><p>app@shell-fixture.com</p>"}),
    )
    report = (await world.scan("shell-fixture.com", max_pages=2)).report

    assert report.email_addresses == ["app@shell-fixture.com"]


async def test_a_frame_beside_links_is_no_page_of_its_own(world: World) -> None:
    home = '<title>Home</title><a href="/about">About us</a><iframe src="/widget"></iframe>'
    world.add(
        "widget-fixture.com",
        catalogue.of_pages({"/": home, "/about": "<title>About</title>", "/widget": "<title>Widget</title>"}),
    )
    await world.scan("widget-fixture.com", max_pages=2)

    assert "/widget" not in world.asked("widget-fixture.com")
