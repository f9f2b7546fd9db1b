"""Which products a page shows itself to be made with."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from extractor.page import read_page
from extractor.technologies.matching import rules

PAGES: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "technology_pages.toml").read_text("utf-8"))


def _page(inside: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Acme</title>{inside}</head>'
        "<body><p>Acme makes anvils in Ohio.</p></body></html>"
    ).encode()


def test_every_rule_has_a_page_and_there_are_more_than_a_hundred() -> None:
    names = {rule.name for rule in rules()}

    assert names == PAGES.keys()
    assert len(names) > 100


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_made_with_it_shows_it(name: str) -> None:
    page = PAGES[name]

    facts = read_page(_page(page["html"]), url="https://www.acme.de/", headers=page.get("headers", {}))

    found = {technology.name: technology for technology in facts.technologies}
    assert name in found
    assert found[name].version == page.get("version")
    assert found[name].categories


def test_a_page_that_only_talks_about_products_uses_none_of_them() -> None:
    words = "".join(
        f"<li>We know {name}: <a href='https://www.{name.lower().replace(' ', '')}.com/'>{name}</a>, wp-content,"
        " cdn.shopify.com,"
        " &lt;script src='/_next/static/x.js'&gt; and googletagmanager.com/gtm.js</li>"
        for name in PAGES
    )

    facts = read_page(f"<html><body><ul>{words}</ul></body></html>".encode(), url="https://agency.example.com/")

    assert facts.technologies == []
    assert facts.wordpress.marks == {}


def test_a_picture_borrowed_from_another_site_says_nothing_about_the_borrower() -> None:
    html = (
        b'<img src="https://other.com/wp-content/plugins/woocommerce/assets/images/x.png">'
        b'<img src="https://o.org/sites/default/files/a.jpg"><img src="https://cdn.shopify.com/s/files/1/0953/a.jpg">'
    )

    facts = read_page(html, url="https://www.acme.de/")

    assert facts.technologies == []
