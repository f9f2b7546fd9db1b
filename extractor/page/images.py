"""The icon and the logo of a site, best first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from selectolax.lexbor import LexborNode

from extractor.models import Found
from extractor.page.document import Document, host_of
from extractor.page.head import found_list
from extractor.page.structured import Node, texts_of
from extractor.words import TAG_WORDS

_SIZE = re.compile(r"(\d{1,4})\s*[xX×]\s*\d{1,4}")
#: Logos of others, in lower case: customers, partners, payment, awards, social networks, the consent manager.
_FOREIGN = re.compile(
    r"partner|client|customer|kunde|sponsor|payment|zahlung|paypal|visa|mastercard|award|badge|certif|siegel|trust"
    r"|facebook|instagram|linkedin|twitter|youtube|tiktok|cookie|consent|cmp|(?<![a-z])seal(?![a-z])|(?<![a-z])bbb|associat|member|referenz"
    r"|google|powered|press|media-?logo|as-?seen|testimonial|carousel|slider|swiper"
)
_NO_PICTURE = re.compile(
    r"(?:place-?holder|blank|spacer|transparent|pixel|lazy|loading|1x1)[\w.-]*\.(?:gif|png|svg)", re.IGNORECASE
)
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-lazyload", "data-orig-file", "data-opt-src")
_HEADERS: Final = (
    ("", "header, nav, #top"),
    ("header", '#header, [class*="header" i]'),
    ("masthead", "#masthead"),
    ("navbar", ".navbar"),
    ("site-branding", ".site-branding"),
    ("banner", '[role="banner"]'),
    ("topbar", ".topbar"),
)

TAG_WORDS.add(*(word for word, _ in _HEADERS if word))


def read_favicons(document: Document) -> list[Found]:
    """The declared icons from best to worst, then the place where browsers look without being told."""
    declared = []
    for position, (relations, attributes) in enumerate(document.link_elements):
        kind = _icon_kind(relations)
        url = document.absolute(attributes.get("href")) if kind is not None else None
        if url and kind is not None:
            declared.append(((kind, -_icon_size(attributes, url), position), url, " ".join(sorted(relations))))
    declared.sort()
    candidates = [(url, f"link rel={how}", rank) for rank, (_, url, how) in enumerate(declared)]
    tile = document.meta.get("msapplication-tileimage", [None])[0]
    return found_list(
        *candidates,
        (document.absolute(tile), "msapplication-TileImage", 80),
        (document.absolute("/favicon.ico"), "default place", 90),
    )


def _icon_kind(relations: frozenset[str]) -> int | None:
    """0 for an icon, 1 for a touch icon, 2 for a one-colour mask; None for anything else."""
    if "icon" in relations:
        return 0
    if relations & {"apple-touch-icon", "apple-touch-icon-precomposed", "fluid-icon"}:
        return 1
    return 2 if "mask-icon" in relations else None


def _icon_size(attributes: Mapping[str, str | None], url: str) -> int:
    """Side in pixels; a vector image has every size."""
    if "svg" in (attributes.get("type") or "") or url.partition("?")[0].endswith(".svg"):
        return 10_000
    sizes = _SIZE.findall(attributes.get("sizes") or "")
    return max((int(size) for size in sizes), default=16)


def read_logos(document: Document, nodes: list[Node]) -> list[Found]:
    """The logo by structured data, by its place in the header, by its name; the image for sharing last."""
    candidates: list[tuple[str | None, str, int]] = []
    for node in nodes:
        for text in texts_of(node.get("logo"))[:3]:
            candidates.append((document.absolute(text), "structured data logo", 0))
    candidates += _logo_images(document)
    for content in document.meta.get("og:logo", [])[:1]:
        candidates.append((document.absolute(content), "og:logo", 6))
    for content in document.meta.get("og:image", [])[:1]:
        candidates.append((document.absolute(content), "og:image", 9))
    candidates.sort(key=lambda candidate: candidate[2])
    return found_list(*candidates)[:10]


def _logo_images(document: Document) -> Iterator[tuple[str | None, str, int]]:
    """The images that are a logo by place and name, by place, by name; never those that are others' logos."""
    in_header = _header_images(document)
    is_named = not document.tag_words.isdisjoint(_LOGO_NAMES)
    for image, attributes in document.images[:150]:
        kinship = is_named and (_says_logo(attributes) or _is_inside_logo(image))
        is_in_header = image.mem_id in in_header
        if not (kinship or is_in_header) or _is_foreign(image, attributes):
            continue
        if "custom-logo" in (attributes.get("class") or "") or (kinship and is_in_header):
            yield image_url(document, attributes), "logo image in the header", 1
        elif kinship and (_names_site(document, attributes) or _links_home(document, image)):
            yield image_url(document, attributes), "image named logo that is the site's", 3
        elif kinship:
            yield image_url(document, attributes), "image named logo", 5
        elif _links_home(document, image):
            yield image_url(document, attributes), "image in the header that links home", 3


def _is_inside_logo(image: LexborNode) -> bool:
    """Whether one of the next ancestors is named a logo."""
    node = image.parent
    for _ in range(3):
        if node is None or node.tag == "body":
            return False
        attributes = node.attributes
        names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}".lower()
        if "logo" in names or "navbar-brand" in names or "site-branding" in names:
            return True
        node = node.parent
    return False


_LOGO_NAMES: Final = TAG_WORDS.add("logo", "navbar-brand", "site-branding")


def _header_images(document: Document) -> frozenset[int]:
    return frozenset(image.mem_id for region in document.elements(_HEADERS, 20) for image in region.css("img")[:20])


def _says_logo(attributes: Mapping[str, str | None]) -> bool:
    source = attributes.get("src") or ""
    text = "" if source.startswith("data:") else source[:500]
    text += f" {attributes.get('alt') or ''} {attributes.get('class') or ''} {attributes.get('id') or ''}"
    return "logo" in text.lower() and _LOGO_WORD.search(text.lower()) is not None


#: No logo: logout, logowanie (to log in, in Polish), logopedics; and what begins with blogo.
_LOGO_WORD = re.compile(r"(?<!\bb)logo(?!ut|wan|ff|ped|man|rrh|n\b)")


def _names_site(document: Document, attributes: Mapping[str, str | None]) -> bool:
    label = document.site.partition(".")[0].replace("-", "")
    file = (attributes.get("src") or "")[:500].rpartition("/")[2]
    text = f"{file} {attributes.get('alt') or ''}".lower()
    return len(label) >= 3 and label in _NOT_LETTERS.sub("", text)


_NOT_LETTERS = re.compile(r"[\W_]+")


def _is_foreign(image: LexborNode, attributes: Mapping[str, str | None]) -> bool:
    """Whether the image or one of its next ancestors speaks of others' logos."""
    source = (attributes.get("src") or "")[:500].rpartition("/")[2]
    if _FOREIGN.search(source.lower()) or _FOREIGN.search((attributes.get("class") or "").lower()):
        return True
    node = image.parent
    for _ in range(5):
        if node is None or node.tag in ("body", "header"):
            return False
        names = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"
        if node.tag == "footer" or _FOREIGN.search(names.lower()):
            return True
        node = node.parent
    return False


def _links_home(document: Document, image: LexborNode) -> bool:
    node = image.parent
    for _ in range(4):
        if node is None:
            return False
        if node.tag == "a":
            url = document.absolute(node.attributes.get("href"))
            return bool(url) and host_of(url or "") == document.host and len(urlsplit(url).path) <= 4
        node = node.parent
    return False


def image_url(document: Document, attributes: Mapping[str, str | None]) -> str | None:
    """The address of an image, the real one where loading is delayed."""
    source = attributes.get("src") or ""
    if not source or source.startswith("data:") or _NO_PICTURE.search(source):
        lazy = next((attributes[name] for name in _LAZY if attributes.get(name)), None)
        source_set = attributes.get("srcset") or attributes.get("data-srcset") or ""
        source = lazy or (source_set.split() or [""])[0].rstrip(",")
    return document.absolute(source)
