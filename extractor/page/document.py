"""A page opened for reading: the bounded tree, its addresses made absolute, its meta and link elements in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from html import unescape
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from extractor.address import registrable_domain
from extractor.page.markup import Markup
from extractor.page.text import clean_line, clean_url, lower_text
from extractor.words import TAG_WORDS, TEXT_WORDS

MAX_META = 500
MAX_ANCHORS = 3_000
MAX_IMAGES = 400

_URL_BLANKS = re.compile(r"[\t\n\r]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}:")


@lru_cache(maxsize=4_096)
def registrable(host: str) -> str:
    """The registrable domain of a host, remembered: pages name the same few hosts again and again."""
    return registrable_domain(host)


_PLAIN_HOST = re.compile(r"https?://(?:www\.)?+([a-z0-9.-]+)(?=[/?#]|\Z)")


@lru_cache(maxsize=4_096)
def host_of(url: str) -> str:
    """The lower-case host of an address, without a leading ``www.``; empty where it has none."""
    if plain := _PLAIN_HOST.match(url):
        return plain[1]
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


#: Selectors, each with the word of TAG_WORDS that the start tags must have for it to match, or none.
Selectors = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Anchor:
    """A link of the page as it stands: nothing resolved yet."""

    node: LexborNode
    href: str
    attributes: Mapping[str, str | None]


@dataclass
class Document:
    """Everything the readers of a page share."""

    url: str
    status: int | None
    headers: Mapping[str, str]  #: names in lower case
    markup: Markup
    tree: LexborHTMLParser
    base_url: str = field(init=False)
    _absolute: dict[str, str | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.base_url = self.url
        base = self.tree.css_first("base[href]") if "<base" in self.tag_words else None
        if base is not None:
            self.base_url = absolute_url(self.url, base.attributes.get("href") or "") or self.url

    @property
    def text(self) -> str:
        """The visible text, one block a line."""
        return self.markup.text

    @cached_property
    def lower_text(self) -> str:
        """The visible text in lower case, character for character beside ``text``."""
        return lower_text(self.text)

    @cached_property
    def text_places(self) -> dict[str, list[int]]:
        """Where the words of TEXT_WORDS stand in the text."""
        return TEXT_WORDS.places_in(self.lower_text)

    @cached_property
    def tag_words(self) -> set[str]:
        """The words of TAG_WORDS that the start tags have, in whatever case."""
        return TAG_WORDS.among(self.markup.start_tags.encode("utf-8", "replace").lower())

    def elements(self, selectors: Selectors, limit: int) -> list[LexborNode]:
        """The elements that match any of the selectors, each once, in document order."""
        likely = ", ".join([selector for word, selector in selectors if not word or word in self.tag_words])
        found = {node.mem_id: node for node in self.tree.css(likely)[: limit * 4]} if likely else {}
        return list(found.values())[:limit]

    @cached_property
    def host(self) -> str:
        return host_of(self.url)

    @cached_property
    def site(self) -> str:
        """The registrable domain of the page."""
        return registrable(self.host) if self.host else ""

    @cached_property
    def meta(self) -> dict[str, list[str]]:
        """Contents of the meta elements by lower-case name, property, itemprop or http-equiv, in document order."""
        found: dict[str, list[str]] = {}
        for node in self.tree.css("meta[content]")[:MAX_META]:
            attributes = node.attributes
            content = (attributes.get("content") or "").strip()
            if not content:
                continue
            for key in ("name", "property", "itemprop", "http-equiv"):
                if name := attributes.get(key):
                    found.setdefault(name.strip().lower(), []).append(content)
        return found

    def meta_line(self, *names: str, limit: int = 300) -> str | None:
        """The first content with text of the named meta elements, entities decoded a second time where doubled."""
        for name in names:
            for content in self.meta.get(name, ()):
                if line := readable(content, limit):
                    return line
        return None

    @cached_property
    def link_elements(self) -> list[tuple[frozenset[str], Mapping[str, str | None]]]:
        """The link elements: the set of their relations in lower case, and their attributes."""
        nodes = self.tree.css("link[rel][href]")[:MAX_META]
        return [(frozenset((node.attributes.get("rel") or "").lower().split()), node.attributes) for node in nodes]

    @cached_property
    def images(self) -> list[tuple[LexborNode, Mapping[str, str | None]]]:
        """The images with their attributes, in document order."""
        return [(node, node.attributes) for node in self.tree.css("img")[:MAX_IMAGES]]

    @cached_property
    def anchors(self) -> list[Anchor]:
        found = []
        for node in self.tree.css("a[href], area[href]")[:MAX_ANCHORS]:
            attributes = node.attributes
            found.append(Anchor(node, (attributes.get("href") or "").strip(), attributes))
        return found

    @cached_property
    def contact_anchors(self) -> list[Anchor]:
        """The links whose address is no plain web address: of mail, telephone or script, or with an at-sign."""
        return [
            anchor
            for anchor in self.anchors
            if "@" in anchor.href
            or "%40" in anchor.href
            or (":" in anchor.href[:12] and not anchor.href.startswith(("http://", "https://")))
        ]

    def absolute(self, reference: str | None) -> str | None:
        """The http(s) address a reference points at, None where it points elsewhere or cannot be read."""
        if not reference:
            return None
        known = self._absolute
        if reference not in known:
            known[reference] = absolute_url(self.base_url, reference)
        return known[reference]

    @cached_property
    def inline_scripts(self) -> list[str]:
        """The texts of scripts that are code, not data and not loaded from elsewhere."""
        return [
            script.text
            for script in self.markup.scripts
            if script.text and (script_type(script.attributes) in _CODE_TYPES)
        ]

    @cached_property
    def script_sources(self) -> list[str]:
        """The absolute addresses of loaded scripts, delayed ones too."""
        found = []
        for script in self.markup.scripts:
            for name in _SOURCE_ATTRIBUTES if "src" in script.attributes.lower() else ():
                if url := self.absolute(raw_attribute(script.attributes, name)):
                    found.append(url)
                    break
        return found

    def data_scripts(self, kind: str) -> Iterator[str]:
        """The texts of scripts whose type contains ``kind``."""
        for script in self.markup.scripts:
            if script.text and kind in script_type(script.attributes):
                yield script.text


def absolute_url(base: str, reference: str) -> str | None:
    """A reference resolved against an address: http(s) or None. The common spellings are put together by hand,
    because urljoin takes twenty times as long and a page has hundreds of links."""
    reference = reference.strip()[:4_096]
    if len(reference) <= _PLAIN_CHARACTERS and "/." not in reference and "//" not in reference[8:]:
        if _PLAIN_PATH.fullmatch(reference):
            beginning = _clean_origin(base)
        elif _PLAIN_ADDRESS.fullmatch(reference):
            return reference
        else:
            beginning = _directory(base) if "//" not in reference and _PLAIN_NAME.fullmatch(reference) else None
        if beginning:
            return beginning + reference
    return _joined(base, reference)


_PLAIN_CHARACTERS = 1_000
#: Nothing that has to be escaped, folded or dropped: no dot behind a stroke, no second stroke, no port, ASCII alone.
_LETTER, _ANY = "A-Za-z0-9_~%=+,@!*./-", "A-Za-z0-9_~%=+,@!*.&;:/?-"
_PLAIN = rf"[{_LETTER}]*+(?:\?[{_ANY}]++)?(?:#[{_ANY}]++)?"
_PLAIN_PATH = re.compile(rf"/(?!/){_PLAIN}")
_PLAIN_NAME = re.compile(rf"(?=[^./?#]){_PLAIN}")
_PLAIN_ADDRESS = re.compile(rf"https?://[A-Za-z0-9-]{{1,63}}+(?:\.[A-Za-z0-9-]{{1,63}}+){{0,3}}(?=/(?!/)|\Z){_PLAIN}")


def _joined(base: str, reference: str) -> str | None:
    if "\n" in reference or "\t" in reference or "\r" in reference:
        reference = _URL_BLANKS.sub("", reference)
    if reference.startswith(("https://", "http://")):
        return clean_url(reference) if _HAS_HOST.match(reference) else None
    if reference[:1] == "/" and reference[1:2] not in ("/", "\\") and "/." not in reference:
        return clean_url(_origin(base) + reference)
    try:
        if _SCHEME.match(reference) and not reference[:8].lower().startswith(("http:", "https:")):
            return None
        joined = urljoin(base, reference.replace("\\", "/"))
        if not urlsplit(joined).hostname:
            return None
    except ValueError:
        return None
    scheme, colon, rest = joined.partition(":")
    return clean_url(scheme.lower() + colon + rest)


_HAS_HOST = re.compile(r"https?://(?:[^/?#@\s]{0,200}@)?[^/?#@:\s][^/?#@\s]{0,254}(?=[/?#]|$)")


@lru_cache(maxsize=1_024)
def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3]).split("?")[0].split("#")[0]


@lru_cache(maxsize=1_024)
def _clean_origin(url: str) -> str | None:
    return clean_url(_origin(url)) if len(url) <= _PLAIN_CHARACTERS else None


@lru_cache(maxsize=1_024)
def _directory(url: str) -> str | None:
    """What stands before the name of a page's file, with the stroke; None where names cannot be put behind it."""
    try:
        joined = urljoin(url, "x")
        if len(url) > _PLAIN_CHARACTERS or not urlsplit(joined).hostname:
            return None
    except ValueError:
        return None
    scheme, colon, rest = joined.partition(":")
    return clean_url((scheme.lower() + colon + rest)[:-1])


_SOURCE_ATTRIBUTES = (
    "src",
    "data-src",
    "data-rocket-src",
    "data-cookieconsent-src",
    "data-wpmeteor-src",
    "data-lazy-src",
)
_CODE_TYPES = frozenset(
    (
        "",
        "text/javascript",
        "application/javascript",
        "module",
        "text/plain",
        "text/rocketscript",
        "rocketlazyloadscript",
    )
)


@lru_cache(maxsize=64)
def _raw_pattern(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w-]){re.escape(name)}\s{{0,9}}=\s{{0,9}}(?:\"([^\"]*)|'([^']*)|([^\s\"'>]+))", re.IGNORECASE
    )


def raw_attribute(attributes: str, name: str) -> str | None:
    """The value of one attribute in a tag as written, entities decoded."""
    if name not in attributes and name not in attributes.lower():
        return None
    found = _raw_pattern(name).search(attributes)
    return unescape(next((value for value in found.groups() if value), "")) if found else None


def script_type(attributes: str) -> str:
    """The type of a script element in lower case, without parameters; empty where it has none."""
    return (raw_attribute(attributes, "type") or "").split(";")[0].strip().lower()


def readable(value: str | None, limit: int = 300) -> str | None:
    """A line for people: an entity that survived parsing was escaped twice."""
    if value and "&" in value:
        value = unescape(value)
    return clean_line(value, limit)
