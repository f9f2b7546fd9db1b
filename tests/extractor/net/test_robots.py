"""robots.txt: whose rules are ours, what a file may cost, and what its absence means."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from extractor.robots import MAX_ROBOTS_BYTES, RobotsRules, parse_robots, product_token, rate_limited

BASE = URL("https://example.com/robots.txt")


def rules_of(text: str | bytes) -> RobotsRules:
    return parse_robots(text if isinstance(text, bytes) else text.encode(), base=BASE, token="scrapersky")


def allows(rules: RobotsRules, path: str) -> bool:
    return rules.allows(URL(f"https://example.com{path}", encoded=True))


def test_the_rules_for_everyone_are_ours() -> None:
    rules = rules_of("User-agent: *\nDisallow: /private\nAllow: /private/open\n")

    assert allows(rules, "/")
    assert not allows(rules, "/private/x")
    assert allows(rules, "/private/open/x")


def test_our_own_group_goes_before_everyones() -> None:
    rules = rules_of("User-agent: *\nDisallow: /\n\nUser-agent: ScraperSky/2.0\nDisallow: /only-this\n")

    assert allows(rules, "/")
    assert not allows(rules, "/only-this")


@pytest.mark.parametrize("agent", ["s", "scraper", "sky", "otherbot", "scrapersky-news", "mozilla"])
def test_another_programs_group_is_not_ours(agent: str) -> None:
    assert allows(rules_of(f"User-agent: {agent}\nDisallow: /\n"), "/")


def test_a_group_for_several_programs_is_ours_when_one_of_them_is() -> None:
    rules = rules_of(
        "User-agent: otherbot\nUser-agent: *\nUser-agent: thirdbot\nDisallow: /x\n\nUser-agent: b\nDisallow: /\n"
    )

    assert not allows(rules, "/x")
    assert allows(rules, "/y")


def test_rules_of_other_programs_do_not_leak_into_the_group_before() -> None:
    rules = rules_of("User-agent: *\nDisallow: /x\nUser-agent: otherbot\nDisallow: /\n")

    assert allows(rules, "/")


def test_a_forgotten_colon_and_odd_case_are_read() -> None:
    assert not allows(rules_of("USER-AGENT *\nDISALLOW /x # a comment\n"), "/x")


def test_crawl_delay_and_sitemaps_are_read() -> None:
    rules = rules_of(
        "Sitemap: /relative.xml\nUser-agent: *\nCrawl-delay: 2.5\n"
        "Sitemap: https://example.com/sitemap.xml\nSitemap: http://127.0.0.1/s.xml\nSitemap: javascript:x\n"
    )

    assert rules.crawl_delay == 2.5
    assert rules.sitemaps == ("https://example.com/relative.xml", "https://example.com/sitemap.xml")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "soon", ""])
def test_a_senseless_crawl_delay_is_none(value: str) -> None:
    assert rules_of(f"User-agent: *\nCrawl-delay: {value}\n").crawl_delay is None


def test_a_missing_file_allows_everything() -> None:
    assert allows(RobotsRules("scrapersky"), "/anything")


@pytest.mark.parametrize(
    "body",
    [
        b"".join(b"User-agent: a%d\n" % n for n in range(15_000)) + b"Disallow: /x\n" * 15_000,
        b"User-agent: *\n" + b"Disallow: /a*b*c*d$\n" * 25_000,
        b"User-agent: *\n" * 33_000,
        b"User-agent: *\nDisallow: /" + b"*a" * 200_000,
        b"Sitemap: https://example.com/" + b"a" * 400_000,
        b"Sitemap: https://example.com/s.xml\n" * 14_000,
        b" " * MAX_ROBOTS_BYTES,
        b"a " * (MAX_ROBOTS_BYTES // 2),
        bytes(range(256)) * 2_000,
    ],
    ids=[
        "agents times rules",
        "wildcards",
        "agents",
        "one wildcard",
        "long sitemap",
        "sitemaps",
        "blanks",
        "words",
        "bytes",
    ],
)
def test_the_largest_file_is_read_in_linear_time(body: bytes) -> None:
    started = time.process_time()
    rules = rules_of(body[:MAX_ROBOTS_BYTES])
    allows(rules, "/" + "a" * 1_500)

    assert time.process_time() - started < 3.0, "34 s without the bound"


@given(st.binary(max_size=400) | st.text("UserAgnt-:*/$dislowCr #\n", max_size=300).map(str.encode))
def test_any_bytes_are_read(body: bytes) -> None:
    allows(rules_of(body), "/path?query")


def test_our_name_is_taken_from_the_user_agent() -> None:
    assert product_token("Mozilla/5.0 (compatible; scrapersky/0.1)") == "scrapersky"
    assert product_token("AcmeBot/2.1 (+https://acme.com/bot)") == "acmebot"
    assert product_token("no product at all") == "scrapersky"


def test_retry_after_is_kept_within_a_day() -> None:
    assert rate_limited("120").retry_after_seconds == 120
    assert rate_limited("99999999").retry_after_seconds == 86_400
    assert rate_limited("-5").retry_after_seconds is None
    assert rate_limited("Wed, 21 Oct 2020 07:28:00 GMT").retry_after_seconds is None
    assert rate_limited("Wed, 21 Oct 2099 07:28:00 GMT").retry_after_seconds == 86_400
    assert rate_limited("Wed, 99 Oct 99999 07:28:00 GMT").retry_after_seconds is None
    assert rate_limited("soon").retry_after_seconds is None
    assert (
        rate_limited(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)).retry_after_seconds > 80
    )
    assert rate_limited("٣").retry_after_seconds is None
