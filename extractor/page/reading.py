"""The order in which a page is read, and the promise that reading never fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from selectolax.lexbor import LexborHTMLParser

from extractor.models import Organization, PageFacts
from extractor.page import head, images, marks
from extractor.page.addresses import read_addresses
from extractor.page.archive import as_it_was
from extractor.page.blocks import blocked_kind, is_soft_404
from extractor.page.charset import decode
from extractor.page.document import Document
from extractor.page.emails import mailto_addresses, read_emails
from extractor.page.links import read_links
from extractor.page.mailboxes import mailbox
from extractor.page.markup import bound_markup
from extractor.page.organization import read_organizations
from extractor.page.phones import e164, read_phones
from extractor.page.regions import likely_regions, region_of_country
from extractor.page.social import read_social_links
from extractor.page.structured import Node, json_ld_nodes, markup_nodes
from extractor.page.text import clean_url
from extractor.page.wordpress import read_wordpress, technology_assets
from extractor.technologies import Surface, detect

MAX_BODY_BYTES = 6_000_000
#: Kinds of pages that are the site's own, although they are not its content: who they say to write to is right.
OWN_NOTICES = frozenset(("coming_soon", "maintenance", "login"))

_log = logging.getLogger(__name__)
_Value = TypeVar("_Value")


def read_page(body: bytes, *, url: str, status: int | None = None, headers: Mapping[str, str] = {}) -> PageFacts:
    """Everything a page says. Never raises, whatever the bytes; time and memory are linear in their number.

    A page that is no page of the site (``blocked``) keeps no title, description or other word of its own.
    """
    names = {name.lower(): value for name, value in headers.items()}
    content_type = names.get("content-type", "")
    facts = PageFacts(url=clean_url(url) or "", status=status, is_html=_is_html(content_type, body))
    if not facts.is_html:
        return facts
    text, facts.charset = decode(body[:MAX_BODY_BYTES], content_type)
    text, address = as_it_was(text, url)
    markup = bound_markup(text)
    document = Document(url=address, status=status, headers=names, markup=markup, tree=LexborHTMLParser(markup.html))
    facts.truncated = markup.truncated or len(body) > MAX_BODY_BYTES
    facts.base_url = document.base_url
    facts.blocked = _read(None, blocked_kind, document)
    facts.links = _read([], read_links, document)
    facts.noindex = _read(False, head.is_noindex, document)
    _read_technologies(facts, document)
    if facts.blocked is None:
        facts.soft_404 = _read(False, is_soft_404, document)
        _read_content(facts, document)
    elif facts.blocked in OWN_NOTICES:
        _read_contacts(facts, document, _nodes(document))
    return facts


#: A page with something for every reader that has rules or tables to load.
_TYPICAL_PAGE = b"""<!doctype html><html lang="en"><head><title>Typical</title>
<meta name="generator" content="WordPress 6.8"><script src="/wp-includes/js/jquery/jquery.min.js"></script>
<script type="application/ld+json">{"@type": "Organization", "name": "Typical", "telephone": "+1 415 555 2671"}</script>
<script>var a = "info" + "@" + "typical.example"; document.write(a)</script></head>
<body><header><a href="/contact">Contact</a></header><p>info [at] typical [dot] example, cookie</p>
<p>Tel. +49 30 901820, +44 20 7219 3000, +33 1 42 34 20 00, +39 06 67061, +34 91 390 60 00, +31 70 318 2211,
+41 58 322 21 11, +43 1 401 10 0</p><address>1 Example Street, Springfield, IL 62701</address>
<footer>&copy; 2025 <a href="https://www.facebook.com/typical">f</a></footer></body></html>"""


def warm_up() -> None:
    """Load what the first page would have to wait for, a tenth of a second: processes forked afterwards share it."""
    read_page(_TYPICAL_PAGE, url="https://www.typical.example/", status=200)


def _read(absent: _Value, reader: Callable[..., _Value], *arguments: Any) -> _Value:
    """What a reader returns; one that fails costs its own field, not the page."""
    try:
        return reader(*arguments)
    except Exception as error:
        _log.warning("reader failed: %s: %s", reader.__name__, type(error).__name__)
        return absent


_DOCUMENT_TYPES = frozenset(("text/html", "application/xhtml+xml"))
_VAGUE_TYPES = frozenset(("", "text/plain", "text/xml", "application/xml", "application/octet-stream"))
_OTHER_FORMATS = (
    b"%pdf",
    b"\x89png",
    b"gif8",
    b"\xff\xd8\xff",
    b"pk\x03\x04",
    b"\x1f\x8b",
    b"<?xml",
    b"<rss",
    b"<feed",
    b"<urlset",
    b"{",
    b"[",
)


def _is_html(content_type: str, body: bytes) -> bool:
    """Whether this is a document for people: by its declared type, by its first bytes where that says nothing."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _DOCUMENT_TYPES:
        return True
    if kind not in _VAGUE_TYPES:
        return False
    start = body[:2_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return b"<html" in start or not start.startswith(_OTHER_FORMATS)


def _nodes(document: Document) -> list[Node]:
    nodes: list[Node] = []
    return _read(nodes, json_ld_nodes, document) + _read(nodes, markup_nodes, document)


def _read_content(facts: PageFacts, document: Document) -> None:
    nodes = _nodes(document)
    facts.titles = _read([], head.read_titles, document)
    facts.descriptions = _read([], head.read_descriptions, document, nodes)
    facts.site_names = _read([], head.read_site_names, document, nodes)
    facts.canonical_urls = _read([], head.read_canonical_urls, document)
    facts.favicons = _read([], images.read_favicons, document)
    facts.logos = _read([], images.read_logos, document, nodes)
    facts.feed_urls = _read([], marks.read_feed_urls, document)
    facts.sitemap_urls = _read([], marks.read_sitemap_urls, document, facts.links)
    facts.copyright_year = _read(None, marks.read_copyright_year, document)
    facts.has_cookie_notice = _read(False, marks.has_cookie_notice, document)
    facts.has_privacy_policy = _read(False, marks.has_privacy_policy, facts.links)
    no_ids: tuple[list[str], list[str]] = ([], [])
    analytics, managers = _read(no_ids, marks.read_measurement_ids, document)
    facts.google_analytics_ids, facts.google_tag_manager_ids = analytics, managers
    _read_contacts(facts, document, nodes)


def _read_contacts(facts: PageFacts, document: Document, nodes: list[Node]) -> None:
    facts.languages = _read([], head.read_languages, document)
    languages = [found.value for found in facts.languages]
    facts.emails = _read([], read_emails, document, nodes)
    facts.phones = _read([], read_phones, document, nodes, languages)
    facts.addresses = _read([], read_addresses, document, nodes)
    facts.social_links = _read({}, read_social_links, document, nodes)
    nobody: list[Organization] = []
    organizations = _read(nobody, read_organizations, document, nodes)
    facts.organizations = _read(organizations, _with_readable_contacts, document, organizations, languages, nodes)


def _with_readable_contacts(
    document: Document, organizations: list[Organization], languages: list[str], nodes: list[Node]
) -> list[Organization]:
    """The organisations with their number as E.164 and their address of e-mail in its stored spelling."""
    if not organizations:
        return organizations
    regions = likely_regions(document, languages, nodes, ())
    for organization in organizations:
        if organization.telephone:
            country = region_of_country(organization.address.country or "") if organization.address else None
            own_regions = [country, *regions] if country else regions
            organization.telephone = e164(organization.telephone, own_regions) or organization.telephone
        if organization.email:
            pairs = mailto_addresses(organization.email)
            organization.email = next((found for pair in pairs if (found := mailbox(*pair, document.site))), None)
    return organizations


def _read_technologies(facts: PageFacts, document: Document) -> None:
    facts.wordpress = _read(facts.wordpress, read_wordpress, document)
    surface = Surface(
        headers=document.headers,
        cookies=_cookie_names(document.headers.get("set-cookie", "")),
        meta=document.meta,
        assets="\n".join(technology_assets(document))[:300_000],
        inline="\n".join(_script_texts(document))[:600_000],
        markup=document.markup.start_tags[:2_000_000],
        comments=document.markup.comments,
    )
    facts.technologies = _read([], detect, surface)


def _script_texts(document: Document) -> list[str]:
    """Code as it stands, and the attributes of every script: the kind of a data block names its maker."""
    return [*(f"<script{script.attributes}>" for script in document.markup.scripts), *document.inline_scripts]


def _cookie_names(header: str) -> list[str]:
    """Names in one or several Set-Cookie headers joined by commas or line ends."""
    parts = header.replace("\n", ",").split(",")
    return [part.partition("=")[0].strip() for part in parts if "=" in part]
