# ruff: noqa: E501 - pages stand as servers send them
"""Any bytes are read, in time and memory that grow with their number and no faster."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from extractor.models import PageFacts
from extractor.page import markup as markup_module
from extractor.page import read_page
from extractor.page.markup import MAX_ATTRIBUTES, MAX_DEPTH, MAX_FORMATTING, Markup, bound_markup

HOSTILE = {
    "a million nested elements": lambda n: "<div>" * n,
    "nested lists": lambda n: "<ul><li>" * n,
    "a hundred thousand attributes": lambda n: "<p " + " ".join(f"a{i}" for i in range(n)) + ">x",
    "many tags of many attributes": lambda n: ("<p " + " ".join(f"a{i}" for i in range(80)) + ">x") * (n // 80),
    "formatting never closed": lambda n: "".join(f"<b {i}><i {i}>x</b>" for i in range(n)),
    "formatting in tables": lambda n: "<table>" + "".join(f"<b {i}>" for i in range(250)) + "<tr></tr>x" * n,
    "long links in paragraphs": lambda n: "".join(f"<a href={'x' * 100}{i}><p>" for i in range(n // 10)),
    "templates": lambda n: "<template>" * n,
    "vector images": lambda n: "<svg>" * n,
    "vector images in vector images": lambda n: "<svg><svg></svg>" * n,
    "elements hidden in a vector image's style": lambda n: "<svg><style>" + "<div>" * n,
    "elements hidden in an unquoted value": lambda n: '<a href=x="> ' + "<div>" * n,
    "crosswise ends": lambda n: "<span><div></span></div>" * n,
    "angle brackets": lambda n: "<" * n,
    "tags without end": lambda n: "<a " * n,
    "quotes without end": lambda n: '<a b="' * n,
    "comments without end": lambda n: "<!--" * n,
    "dashes": lambda n: "<!--" + "-" * n,
    "scripts": lambda n: "<script></script>" * n,
    "a title without end": lambda n: "<title>" + "x" * n,
    "bodies": lambda n: "".join(f"<body a{i}=1>" for i in range(n)),
    "cells": lambda n: "<table>" + "<td>x" * n,
    "buttons": lambda n: "<button><div>" * n,
    "at-signs": lambda n: "<p>" + "a@" * n,
    "addresses": lambda n: "<p>" + "".join(f"a{i}@b{i}.de " for i in range(n // 10)),
    "digits": lambda n: "<p>" + "1" * n,
    "groups of digits": lambda n: "<p>" + "030 123 45 67 " * (n // 10),
    "blanks": lambda n: "<p>" + " " * n + "x" + "\t\n" * n,
    "letters": lambda n: "<p>" + "a" * n,
    "codes of places": lambda n: "<p>" + "Hauptstraße 5, 10115 Berlin, " * (n // 10),
    "brackets": lambda n: "<p>" + "a [at] b " * (n // 5),
    "ampersands": lambda n: "<p>" + "&amp;#x" * n,
    "links": lambda n: "".join(f"<a href='https://x{i}.de/'>x</a>" for i in range(n // 10)),
    "metas": lambda n: "<meta name=a content=b>" * n,
    "nested JSON": lambda n: '<script type="application/ld+json">' + "[" * n + "</script>",
    "wide JSON": lambda n: (
        '<script type="application/ld+json">[' + '{"@type":"Store","name":"x"},' * (n // 10) + "{}]</script>"
    ),
    "long numbers in JSON": lambda n: (
        '<script type="application/ld+json">{"@type":"Store","telephone":' + "1" * n + "}</script>"
    ),
    "chains in scripts": lambda n: "<script>document.write(" + "'a'+" * (n // 100) + "'@b.de')</script>" * 50,
    "properties": lambda n: "<div itemscope itemtype=http://schema.org/Store>" + "<b itemprop=name>x</b>" * n,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_markup_is_read_and_costs_no_more_than_in_proportion(name: str) -> None:
    small, large = HOSTILE[name](10_000).encode(), HOSTILE[name](40_000).encode()

    read_page(small, url="https://acme.de/")  # whatever is built once is built now
    assert any(_is_in_proportion(small, large) for _ in range(4))
    assert len(read_page(large, url="https://acme.de/").model_dump_json()) < 2_000_000


def _is_in_proportion(small: bytes, large: bytes) -> bool:
    """Four times the input may take eight times as long on a busy machine; anything quadratic takes sixteen, always."""
    durations = []
    for body in (small, large):
        start = time.thread_time()
        read_page(body, url="https://acme.de/")
        durations.append(time.thread_time() - start)
    return durations[1] < 0.1 or durations[1] < durations[0] * 10


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_reaches_the_tree_builder_is_shallow_and_balanced(name: str) -> None:
    html = bound_markup(HOSTILE[name](2_000)).html

    tree = LexborHTMLParser(html)

    deepest = 0
    for node in tree.css("*")[::37]:
        depth, parent = 0, node.parent
        while parent is not None:
            depth, parent = depth + 1, parent.parent
        deepest = max(deepest, depth)
        assert len(node.attributes) <= MAX_ATTRIBUTES
    assert deepest <= MAX_DEPTH * 2
    assert MAX_FORMATTING < 32


def test_the_worst_pages_fit_into_little_memory_and_little_processor_time() -> None:
    program = (
        "import resource, sys\n"
        "from tests.extractor.core.test_bounds import HOSTILE\n"
        "from extractor.page import read_page\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "for name in ('a million nested elements', 'templates', 'formatting never closed', 'quotes without end', 'at-signs'):\n"
        "    read_page(HOSTILE[name](400_000).encode()[:6_000_000], url='https://acme.de/')\n"
        "print('read')\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=110)

    assert done.stdout.strip() == "read", done.stderr[-500:]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_500_000


_PIECES = st.sampled_from(
    [
        "<div>",
        "</div>",
        "<p>",
        "</p>",
        "<a href='/x'>",
        "</a>",
        "<b>",
        "</b>",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "<svg>",
        "</svg>",
        "<script>",
        "</script>",
        "<title>",
        "</title>",
        "<!--",
        "-->",
        "<select>",
        "<option>",
        "&amp;",
        "info@acme.de",
        "[at]",
        "030 1234567",
        "<template>",
        "</template>",
        "<style>",
        "\x00",
        "\ud800",
        "\u202e",
        "<",
        ">",
        '"',
        "'",
        "=",
        "<br/>",
        "<li>",
        "<ul>",
        "</ul>",
        "x y ",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=60))
def test_any_mixture_of_markup_is_read_and_can_be_stored(pieces: list[str]) -> None:
    body = "".join(pieces).encode("utf-8", "surrogatepass")

    facts = read_page(body, url="https://acme.de/")

    document = facts.model_dump_json()
    assert PageFacts.model_validate_json(document) == facts
    text = json.dumps(json.loads(document), ensure_ascii=False)
    assert "\x00" not in text
    text.encode("utf-8")


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["", "text/html", "text/html; charset=utf-16", "text/html; charset=x\x00y", "image/png"]),
)
def test_any_bytes_under_any_type_are_read(body: bytes, content_type: str) -> None:
    facts = read_page(body, url="https://acme.de/", headers={"Content-Type": content_type} if content_type else {})

    assert facts.url == "https://acme.de/"


def test_random_damage_to_a_real_page_never_raises() -> None:
    page = (
        b"<html lang=de><head><title>Acme</title></head><body><div class=vcard><span class=org>A</span></div>"
        b'<script type="application/ld+json">{"@graph":[{"@type":"Store","name":"x","address":{"streetAddress":"A 1"}}]}</script>'
        b"<a href='mailto:info@acme.de'>x</a><p>Tel. 030 23125600</p></body></html>"
    )
    dice = random.Random(7)

    for _ in range(300):
        damaged = bytearray(page)
        for _ in range(dice.randrange(1, 12)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        read_page(bytes(damaged), url="https://acme.de/")


@pytest.mark.parametrize("url", ["", "x", "https://", "https://[::1", "http://acme.de:99999/", "https://ä.de/\x00"])
def test_a_broken_address_of_the_page_is_no_reason_to_raise(url: str) -> None:
    assert (
        read_page(b"<title>Acme</title><a href='/x'>x</a><a href='http://[x'>y</a>", url=url).titles[0].value == "Acme"
    )


_MARKUP = [
    *(
        "<p>",
        "</p>",
        "<div class='a>b'>",
        "</div>",
        "<a href=x>",
        "</a>",
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<li>",
        "<ul>",
        "</ul>",
        "<td>",
        "<table>",
        "</table>",
    ),
    *(
        '<p ="x>y">',
        '<p a=b"c>d">',
        '<p a="b"="c>d">',
        '<p a = "1>">',
        "<p a='",
        '<p a="',
        "<p/>",
        "<br/>",
        "<P A=B>",
        "</P >",
        "</p x>",
        "<x-y>",
        "</x-y>",
    ),
    *(
        "<span hidden>",
        "<span style='display:none'>",
        "</span>",
        "<script>",
        "</script>",
        "<sCript>",
        "</SCRIPT>",
        "<style>",
        "</style>",
        "<svg/>",
        "<svg>",
        "</svg>",
    ),
    *(
        "<title>",
        "</title>",
        "<body>",
        "<noscript>",
        "<plaintext>",
        "<!--",
        "-->",
        "<!x>",
        "<?x?>",
        "</>",
        "</3>",
        "<",
        "< ",
        ">",
        '"',
        "'",
        "=",
        " ",
        "\n",
        "x",
        "&amp;",
    ),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_MARKUP), max_size=60).map("".join))
def test_tags_read_many_at_a_time_are_the_same_as_tags_read_one_by_one(source: str) -> None:
    def read(stretch: int) -> Markup:
        scan = markup_module._Scan(source)
        scan.stretch = stretch
        scan.run()
        return scan.markup

    assert read(markup_module.MAX_STRETCH) == read(0)


def test_after_warming_up_the_first_page_loads_nothing_more() -> None:
    """In a process of its own: in this one everything is loaded already."""
    program = """
import sys
from extractor.page import read_page, warm_up
from extractor.page.reading import _TYPICAL_PAGE
warm_up()
before = set(sys.modules)
facts = read_page(b'<html lang=de><p>Tel. 030 901820, info@acme.de, Musterstr. 1, 10117 Berlin', url='https://acme.de/')
assert facts.phones and facts.emails and facts.addresses, facts
assert set(sys.modules) == before, set(sys.modules) - before
from extractor.technologies import matching
assert matching._index.cache_info().misses == 1
typical = read_page(_TYPICAL_PAGE, url='https://www.typical.example/')
assert typical.wordpress.marks and typical.organizations and typical.copyright_year == 2025 and len(typical.phones) > 5
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
