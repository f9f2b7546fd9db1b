"""The links of a page: absolute, each once, with the text people see and the part of the page it stands in."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import TypeAdapter
from selectolax.lexbor import LexborNode

from extractor.models import Link
from extractor.page.document import Anchor, Document, Selectors
from extractor.page.text import clean_line
from extractor.words import TAG_WORDS

MAX_LINKS = 500
MAX_LINK_TEXT = 120

Place = Literal["header", "nav", "main", "footer", "head"]

#: Later entries win: navigation inside a footer is footer, inside a header it is navigation.
_REGIONS: Final[tuple[tuple[Place, Selectors], ...]] = (
    (
        "header",
        (
            ("", "header"),
            ("banner", '[role="banner"]'),
            ("header", "#header, .header, .site-header"),
            ("masthead", "#masthead"),
            ("topbar", ".topbar"),
            ("top-bar", ".top-bar"),
        ),
    ),
    (
        "nav",
        (
            ("", "nav, #nav"),
            ("navigation", '[role="navigation"], .navigation'),
            ("menu", "#menu, .menu, .main-menu"),
            ("navbar", ".navbar"),
        ),
    ),
    (
        "footer",
        (
            ("", "footer"),
            ("contentinfo", '[role="contentinfo"]'),
            ("footer", "#footer, .footer, .site-footer"),
            ("colophon", "#colophon"),
        ),
    ),
)
TAG_WORDS.add(*(word for _, selectors in _REGIONS for word, _ in selectors if word))
_HEAD_RELATIONS = frozenset(("contact", "author", "help", "copyright", "privacy-policy", "terms-of-service", "home"))
_REFRESH = re.compile(r"\s*\d{1,6}(?:\.\d{0,9})?\s*[;,]?\s*(?:url\s*=)?\s*[\"']?([^\"'\s]+)", re.IGNORECASE)


def read_links(document: Document) -> list[Link]:
    """Up to MAX_LINKS links to follow; mail, telephone, script and in-page links are no links here."""
    places = link_places(document)
    found: dict[str, dict[str, str]] = {}
    for anchor in document.anchors:
        if len(found) >= MAX_LINKS:
            break
        if not anchor.href or anchor.href[0] == "#":
            continue
        _add(found, document, anchor.href, _link_text(anchor), places.get(anchor.node.mem_id, "main"))
    for relations, attributes in document.link_elements:
        if relations & _HEAD_RELATIONS:
            _add(found, document, attributes.get("href"), attributes.get("title") or "", "head")
    for node in document.elements((("<frame", "frame[src]"),), 20):
        _add(found, document, node.attributes.get("src"), node.attributes.get("name") or "", "main")
    for content in document.meta.get("refresh", ()):
        if target := _REFRESH.match(content):
            _add(found, document, target[1], "", "head")
    return _LINKS.validate_python(list(found.values())[:MAX_LINKS])


def link_places(document: Document) -> dict[int, Place]:
    """The part of the page each link stands in, by the identity of its node; main is left out."""
    known: dict[int, Place] | None = document.__dict__.get("_link_places")
    if known is not None:
        return known
    places: dict[int, Place] = {}
    for place, selectors in _REGIONS:
        for region in document.elements(selectors, 30):
            if place != "nav" and _is_of_an_article(region):
                continue
            for node in region.css("a[href]"):
                places[node.mem_id] = place
    document.__dict__["_link_places"] = places
    return places


def _is_of_an_article(region: LexborNode) -> bool:
    """Whether a header or footer is an article's own, which names its author and not the site."""
    node = region.parent
    for _ in range(8):
        if node is None or node.tag == "body":
            return False
        if node.tag == "article":
            return True
        node = node.parent
    return False


_LINKS = TypeAdapter(list[Link])


def _add(found: dict[str, dict[str, str]], document: Document, href: str | None, text: str, place: Place) -> None:
    url = document.absolute(href)
    if not url:
        return
    url = url.partition("#")[0]
    known = found.get(url)
    if known is None:
        found[url] = {"url": url, "text": text, "place": place}
    elif text and not known["text"]:
        known["text"] = text


def _link_text(anchor: Anchor) -> str:
    attributes = anchor.attributes
    text = clean_line(anchor.node.text(separator=" "), MAX_LINK_TEXT)
    return (
        text
        or clean_line(attributes.get("title") or attributes.get("aria-label"), MAX_LINK_TEXT)
        or _image_text(anchor.node)
    )


def _image_text(node: LexborNode) -> str:
    image = node.css_first("img[alt]")
    return (clean_line(image.attributes.get("alt"), MAX_LINK_TEXT) if image is not None else None) or ""
