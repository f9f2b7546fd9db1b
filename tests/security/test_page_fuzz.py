"""Whatever bytes a site sends, reading them ends, raises nothing, and gives text that a database takes."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractor.models import PageFacts
from extractor.page import read_page
from extractor.report import build_report

URL = "https://fuzz-fixture.com/"
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)

#: Pieces that parsers stumble over, put together in any order.
PIECES = [
    "<html>",
    "<head>",
    "<title>",
    "</title>",
    "<body lang=de>",
    "<svg><title>x</title>",
    "</svg>",
    "<template>",
    "<b>",
    "<i>",
    "</b>",
    "<p>",
    "<table>",
    "<td>",
    "<select>",
    "<option>",
    "<a href=",
    "'mailto:a%40b.de?x'",
    '"tel:+49 (0)30 1"',
    ">",
    "<!--",
    "-->",
    "<![CDATA[",
    "<script type=application/ld+json>",
    '{"@type":"Organization","telephone":',
    "NaN",
    "[[[[",
    "]}",
    "</script>",
    "<meta name=description content=",
    "\0",
    "\ud800",
    "\u202e",
    "&#x0;",
    "&#xD800;",
    "&amp;",
    "info@x.de",
    "info [at] x [dot] de",
    "+49 30 123456",
    "0x7f",
    "9" * 50,
    "@" * 30,
    "<meta charset=utf-7>",
    "<base href=javascript:x>",
    "data-cfemail=",
    "zz",
    "543a",
    "<address>",
    "©",
    "99999",
    "wp-content/themes/",
    "<link rel=icon href=",
    "\u2028",
]


def check(facts: PageFacts) -> None:
    report = build_report("fuzz-fixture.com", 5, [facts])
    for document in (facts, report):
        stored = document.model_dump_json()
        assert "\\u0000" not in stored
        stored.encode("utf-8")  # no lone surrogate
        json.loads(stored, parse_constant=lambda name: (_ for _ in ()).throw(AssertionError(name)))
        assert len(stored) < 2_000_000


@QUICK
@given(body=st.binary(max_size=4_000))
def test_any_bytes(body: bytes) -> None:
    check(read_page(body, url=URL, status=200))


@QUICK
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=120))
def test_any_order_of_awkward_markup(pieces: list[str]) -> None:
    check(read_page("".join(pieces).encode("utf-8", "surrogatepass"), url=URL, status=200))


@QUICK
@given(
    headers=st.dictionaries(
        st.sampled_from(["Content-Type", "Content-Language", "Server", "Link", "Set-Cookie", "X-Powered-By"]),
        st.text(max_size=200),
    ),
    status=st.integers(100, 599),
    url=st.sampled_from(
        [URL, "https://x.co.jp/%zz?a=%00", "http://[::1]/", "https://xn--zz.example.com/" + "a" * 3_000]
    ),
    text=st.text(max_size=2_000),
)
def test_any_headers_status_and_address(headers: dict[str, str], status: int, url: str, text: str) -> None:
    check(read_page(text.encode("utf-16", "surrogatepass"), url=url, status=status, headers=headers))
