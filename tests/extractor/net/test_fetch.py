"""URLs as they are followed, headers as they are kept, failures as they are told."""

from __future__ import annotations

import errno
import string

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from extractor.errors import ExtractError, Permanent
from extractor.fetch import Reply
from extractor.fetch.client import clean_headers
from extractor.fetch.cookies import ChainCookies
from extractor.fetch.failures import explain
from extractor.fetch.urls import checked_url, origin_of
from extractor.site.visit import conditional_headers

BASE = URL("https://www.example.com/a/b?c")

FOLLOWED = {
    "/x": "https://www.example.com/x",
    "x": "https://www.example.com/a/x",
    "?d=1": "https://www.example.com/a/b?d=1",
    "../x": "https://www.example.com/x",
    "//other.com/x": "https://other.com/x",
    "HTTP://Other.COM": "http://other.com/",
    "http://other.com:80/": "http://other.com/",
    "https://other.com:443/": "https://other.com/",
    "http://other.com:443/": "http://other.com:443/",
    "https://other.com/#top": "https://other.com/",
    "https://other.com./": "https://other.com/",
    "https://münchen.de/ü": "https://xn--mnchen-3ya.de/%C3%BC",
    "/caf\udce9": "https://www.example.com/caf%E9",
    "/a b": "https://www.example.com/a%20b",
    "/a%20b?x=%26": "https://www.example.com/a%20b?x=%26",
    " /x ": "https://www.example.com/x",
    "https://gov.uk/": "https://gov.uk/",
}
NOT_FOLLOWED = {
    "http://127.0.0.1/": "refused_address",
    "http://[::1]/": "refused_address",
    "//localhost/": "refused_address",
    "http://2130706433/": "refused_address",
    "http://example.com:8080/": "refused_address",
    "http://printer.local/": "refused_address",
    "http://exa_mple.com/": "refused_address",
    "ftp://example.com/": "bad_redirect",
    "javascript:alert(1)": "bad_redirect",
    "data:text/html,x": "bad_redirect",
    "file:///etc/passwd": "bad_redirect",
    "http://user:pw@example.com/": "bad_redirect",
    "http://": "bad_redirect",
    "http:///x": "bad_redirect",
    "http://example.com:99999/": "bad_redirect",
    "http://a\\b.com/": "bad_redirect",
    "/x\r\nSet-Cookie: a=b": "bad_redirect",
    "/" + "x" * 3_000: "bad_redirect",
    "http://[::1": "bad_redirect",
}


@pytest.mark.parametrize(("location", "url"), FOLLOWED.items())
def test_a_location_is_resolved_to_one_spelling(location: str, url: str) -> None:
    assert str(checked_url(location, base=BASE)) == url


@pytest.mark.parametrize(("location", "code"), NOT_FOLLOWED.items())
def test_a_location_that_leads_astray_is_not_followed(location: str, code: str) -> None:
    with pytest.raises(Permanent) as refused:
        checked_url(location, base=BASE)

    assert refused.value.code == code


@given(st.text(max_size=120) | st.text(string.printable + "０１。@\\[]\udcff", max_size=60))
def test_any_location_is_a_public_url_or_a_permanent_error(location: str) -> None:
    try:
        url = checked_url(location, base=BASE)
    except Permanent:
        return
    assert url.scheme in ("http", "https")
    assert url.user is None
    assert str(url).isascii()
    assert str(checked_url(str(url))) == str(url)


def test_an_origin_is_scheme_and_authority() -> None:
    assert origin_of(BASE) == "https://www.example.com"


def test_headers_are_one_line_of_valid_text_each() -> None:
    clean = clean_headers({"Server": "a\udcffb\x1b[31m\tc", "X-Long": "x" * 9_000, "X-Nul": "a\0b"})

    assert clean["server"] == "a�b [31m c"
    assert len(clean["x-long"]) == 2_000
    assert clean["x-nul"] == "a b"
    assert all(value.isprintable() for value in clean.values())


def test_repeated_headers_are_joined_and_cookies_kept_apart() -> None:
    from multidict import CIMultiDict

    clean = clean_headers(CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Link", "x"), ("link", "y")]))

    assert clean == {"set-cookie": "a=1\nb=2", "link": "x, y"}


def test_conditional_headers_are_only_the_two_and_one_line_each() -> None:
    assert conditional_headers({"etag": '"1"', "last_modified": "Mon", "other": "x"}) == {
        "If-None-Match": '"1"',
        "If-Modified-Since": "Mon",
    }
    assert conditional_headers({"etag": '"1"\r\nX: y'}) == {}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), "timed_out"),
        (OSError(errno.EMFILE, "files"), "out_of_resources"),
        (ConnectionResetError(), "connection_lost"),
        (aiohttp.ServerDisconnectedError(), "connection_lost"),
        (ValueError("\x1b[31msite text"), "bad_response"),
        (aiohttp.ClientPayloadError("site text"), "connection_lost"),
    ],
)
def test_failures_have_stable_codes_and_say_nothing_of_the_site(error: Exception, code: str) -> None:
    explained: ExtractError = explain(error)

    assert explained.code == code
    assert "site text" not in str(explained)


def redirect(url: str, *cookies: str) -> Reply:
    headers = {"set-cookie": "\n".join(cookies)}
    return Reply(URL(url), 302, headers, b"", False, 1, "HTTP/1.1", location="/")


def test_a_chains_cookies_go_back_to_the_host_that_set_them_alone() -> None:
    cookies = ChainCookies()
    cookies.remember(redirect("https://one.com/", "a=1; Path=/; Domain=two.com", "b=2; HttpOnly", "a=3"))

    assert cookies.headers_for("one.com") == {"Cookie": "a=3; b=2"}
    assert cookies.headers_for("two.com") == {}
    assert cookies.headers_for("www.one.com") == {}


@pytest.mark.parametrize("line", ["", "novalue", "=x", "a=b c", 'a="b', "a=" + "x" * 2_000, "a b=c", "ä=1"])
def test_senseless_cookies_are_cut_or_left_out(line: str) -> None:
    cookies = ChainCookies()
    cookies.remember(redirect("https://one.com/", line))

    assert cookies.headers_for("one.com") in ({}, {"Cookie": "a=b"}, {"Cookie": "a="})


def test_a_cookie_flood_is_bounded() -> None:
    cookies = ChainCookies()
    cookies.remember(redirect("https://one.com/", *(f"c{n}=v" for n in range(1_000))))

    assert cookies.headers_for("one.com")["Cookie"].count("=") == 20
