"""What a page says about itself in one line each: title, description, language, site name, canonical address."""

from __future__ import annotations

import re

from extractor.models import Found
from extractor.page.document import Document, readable
from extractor.page.language import language_of_text, language_tag
from extractor.page.structured import Node, text_of, types_of

MAX_TITLE = 300
MAX_DESCRIPTION = 1_000
MAX_NAME = 120

_LINK_HEADER = re.compile(r"<([^<>]{1,2000})>\s*;[^,<]{0,500}?\brel\s*=\s*\"?canonical\b", re.IGNORECASE)
_TITLE_PARTS = re.compile(r"\s+[|–—·•»:\-]\s+|\s*[|»·•]\s*")
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
#: What site builders write where the owner wrote nothing.
_NO_TITLE = frozenset(
    ("untitled", "untitled document", "document", "home page", "page title", "title", "react app", "vite app")
)


_LAST_RESORT = 9


def found_list(*candidates: tuple[str | None, str, int]) -> list[Found]:
    """The candidates that have a value, each value once, as (value, rule, rank)."""
    found: dict[str, Found] = {}
    for value, how, rank in candidates:
        if value and value not in found:
            found[value] = Found.model_construct(value=value, how=how, rank=rank)
    return list(found.values())


def read_titles(document: Document) -> list[Found]:
    """The title element, then what the page is called where it is shared, then its first heading."""
    title = readable(document.markup.title, MAX_TITLE)
    rank = _LAST_RESORT if title and title.lower() in _NO_TITLE else 0
    heading = document.tree.css_first("h1")
    return found_list(
        (None if rank else title, "title element", 0),
        (document.meta_line("og:title", limit=MAX_TITLE), "og:title", 1),
        (document.meta_line("twitter:title", limit=MAX_TITLE), "twitter:title", 2),
        (document.meta_line("dc.title", "title", limit=MAX_TITLE), "meta title", 3),
        (readable(heading.text(separator=" "), MAX_TITLE) if heading is not None else None, "first h1", 4),
        (title, "title element that says little", _LAST_RESORT),
    )


def read_descriptions(document: Document, nodes: list[Node]) -> list[Found]:
    """The description the page gives to search engines, else to those who share it."""

    def line(*names: str) -> str | None:
        return document.meta_line(*names, limit=MAX_DESCRIPTION)

    structured = next(
        (text for node in nodes if "WebSite" in types_of(node) and (text := text_of(node.get("description")))), None
    )
    return found_list(
        (line("description"), "meta description", 0),
        (line("og:description"), "og:description", 1),
        (line("twitter:description"), "twitter:description", 2),
        (line("dc.description", "dcterms.description"), "Dublin Core description", 3),
        (readable(structured, MAX_DESCRIPTION), "JSON-LD WebSite.description", 4),
    )


def read_languages(document: Document) -> list[Found]:
    """The declared language, most trusted place first; the text's own only where nothing is declared."""
    root = document.tree.css_first("html")
    attributes = root.attributes if root is not None else {}
    declared = found_list(
        (language_tag(attributes.get("lang")), "html lang", 0),
        (language_tag(attributes.get("xml:lang")), "html xml:lang", 1),
        (language_tag(document.headers.get("content-language")), "Content-Language header", 2),
        (language_tag(document.meta_line("content-language")), "meta Content-Language", 3),
        (language_tag(document.meta_line("og:locale")), "og:locale", 4),
        (language_tag(document.meta_line("language", "dc.language", "dcterms.language")), "meta language", 5),
    )
    return declared or found_list((language_of_text(document.text), "language of the text", 6))


def read_site_names(document: Document, nodes: list[Node]) -> list[Found]:
    """The name of the site, as opposed to the page's title."""

    def named(kind: str) -> str | None:
        return next((readable(text_of(node.get("name")), MAX_NAME) for node in nodes if kind in types_of(node)), None)

    return found_list(
        (document.meta_line("og:site_name", limit=MAX_NAME), "og:site_name", 0),
        (named("WebSite"), "JSON-LD WebSite.name", 1),
        (document.meta_line("application-name", limit=MAX_NAME), "application-name", 2),
        (named("Organization"), "JSON-LD Organization.name", 3),
        (document.meta_line("apple-mobile-web-app-title", limit=MAX_NAME), "apple-mobile-web-app-title", 4),
        (_brand_in_title(document), "part of the title that is the domain's name", 5),
    )


def _brand_in_title(document: Document) -> str | None:
    """The part of the title that spells the registered name: 'Imprint | Bäckerei Krume' on baeckerei-krume.de."""
    label = document.site.partition(".")[0].replace("-", "")
    title = readable(document.markup.title, MAX_TITLE)
    if not title or len(label) < 3:
        return None
    for part in _TITLE_PARTS.split(title):
        if part and _as_label(part) == label:
            return part.strip()
    return _words_that_spell(title, label, _as_label(document.site))


def _words_that_spell(title: str, *labels: str) -> str | None:
    """The words in a title that together are one of the labels: Acme.com of 'Acme.com: anvils and more'."""
    words = [(word.strip(_PUNCTUATION), _as_label(word)) for word in title.split()[:30]]
    for start in range(len(words)):
        if not words[start][1]:
            continue
        spelled = ""
        for end in range(start, min(start + 6, len(words))):
            spelled += words[end][1]
            if spelled in labels:
                return " ".join(word for word, letters in words[start : end + 1] if letters)
            if not any(label.startswith(spelled) for label in labels):
                break
    return None


_PUNCTUATION = " @,;:!?()[]{}|–—-«»\"'“”„"


def _as_label(text: str) -> str:
    for umlaut, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("é", "e"), ("è", "e"), ("&", "")):
        text = text.lower().replace(umlaut, letters)
    return _NOT_ALPHANUMERIC.sub("", text)


def read_canonical_urls(document: Document) -> list[Found]:
    """The page's own address by its own word."""
    header = _LINK_HEADER.search(document.headers.get("link", ""))
    element = next((attributes for relations, attributes in document.link_elements if "canonical" in relations), None)
    og_url = document.meta.get("og:url", [None])[0]
    return found_list(
        (document.absolute(element.get("href")) if element else None, "link rel=canonical", 0),
        (document.absolute(header[1]) if header else None, "Link header", 1),
        (document.absolute(og_url), "og:url", 2),
    )


def is_noindex(document: Document) -> bool:
    """Whether the page asks not to be listed."""
    values = [
        *document.meta.get("robots", ()),
        *document.meta.get("googlebot", ()),
        document.headers.get("x-robots-tag", ""),
    ]
    return any("noindex" in value.lower() or value.strip().lower() == "none" for value in values)
