"""Structured data of a page as plain dictionaries of one shape: JSON-LD, microdata, RDFa Lite, hCard.

A node has ``@type`` (a list of names without their vocabulary) and properties whose values are strings, nodes or lists
of those. Numbers stay the text they were written as. The reader for microdata is
our own: extruct takes 34 MB and a third of a second to import, and parses every page a second time, unbounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

from selectolax.lexbor import LexborNode

from extractor.page.document import Document
from extractor.words import TAG_WORDS

Node = dict[str, Any]

MAX_NODES = 1_000
MAX_JSON_CHARACTERS = 1_000_000
MAX_NESTING = 12
MAX_PROPERTIES = 2_000
MAX_VALUE = 2_000

_COMMENT_WRAP = re.compile(
    r"^\s*(?:/\*\s*)?(?:<!--|<!\[CDATA\[|//\s*<!\[CDATA\[)(?:\s*\*/)?|(?:-->|(?://|/\*)?\s*\]\]>\s*(?:\*/)?)\s*$"
)
_TRAILING_COMMA = re.compile(r",(?=\s{0,200}[}\]])")
_LINE_COMMENT = re.compile(r"(?m)^\s{0,200}//[^\n]{0,1000}$|/\*(?:[^*]|\*(?!/)){0,2000}\*/")
_CONTROL = re.compile(r"[\x00-\x1f]+")
_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)


def json_ld_nodes(document: Document) -> list[Node]:
    """Every node of the page's JSON-LD, graphs and nested nodes included, outermost first."""
    nodes: list[Node] = []
    for text in document.data_scripts("ld+json"):
        for value in parse_json(text):
            _flatten(value, nodes, 0)
    return nodes


def parse_json(text: str) -> Iterator[Any]:
    """The JSON values in a script, with the damage that occurs in the wild undone; nothing for what stays broken."""
    if len(text) > MAX_JSON_CHARACTERS:
        return
    text = _COMMENT_WRAP.sub("", _COMMENT_WRAP.sub("", text)).strip().rstrip(";")
    for attempt in (_same, _without_comments, unescape, _without_controls):
        repaired = attempt(text)
        try:
            yield from _values(repaired)
        except (ValueError, RecursionError):
            continue
        return


def _same(text: str) -> str:
    return text


def _without_comments(text: str) -> str:
    return _TRAILING_COMMA.sub("", _LINE_COMMENT.sub("", text))


def _without_controls(text: str) -> str:
    return _TRAILING_COMMA.sub("", _CONTROL.sub(" ", unescape(text)))


def _values(text: str) -> list[Any]:
    """All values that stand one after another."""
    values: list[Any] = []
    position = 0
    while position < len(text) and len(values) < 100:
        value, position = _DECODER.raw_decode(text, position)
        values.append(value)
        while position < len(text) and text[position] in " \t\r\n,;":
            position += 1
    return values


def _flatten(value: Any, nodes: list[Node], depth: int) -> None:
    if depth > MAX_NESTING or len(nodes) >= MAX_NODES:
        return
    if isinstance(value, list):
        for member in value[:500]:
            _flatten(member, nodes, depth + 1)
    elif isinstance(value, dict):
        if types := _type_names(value.get("@type")):
            value["@type"] = types
            nodes.append(value)
        for key, member in value.items():
            if key != "@context" and isinstance(member, dict | list):
                _flatten(member, nodes, depth + 1)


def _type_names(value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    return [re.split(r"[/#:]", name.strip())[-1] for name in names[:10] if isinstance(name, str) and name.strip()]


def types_of(node: Node) -> list[str]:
    """The schema.org types of a node."""
    types = node.get("@type")
    return types if isinstance(types, list) else []


def text_of(value: Any) -> str | None:
    """A property as text: the first string in it, the name or value or id of a node."""
    for _ in range(4):
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            value = next((value[key] for key in ("@value", "name", "url", "contentUrl", "@id") if value.get(key)), None)
    return unescape(value).strip()[:MAX_VALUE] or None if isinstance(value, str) else None


def texts_of(value: Any) -> list[str]:
    """All strings of a property."""
    members = value if isinstance(value, list) else [value]
    return [text for member in members[:100] if (text := text_of(member))]


# Microdata and RDFa Lite

_MICRODATA: Final = ("itemscope", "itemtype", "itemprop")
_RDFA: Final = ("typeof", "typeof", "property")
_ADDRESS_ATTRIBUTES: Final = {
    **dict.fromkeys(("a", "area", "link"), "href"),
    **dict.fromkeys(("img", "audio", "video", "source", "iframe", "embed", "track"), "src"),
    "object": "data",
    "time": "datetime",
    "data": "value",
    "meter": "value",
}

TAG_WORDS.add("itemscope", "typeof=", "vcard", "h-card")


def markup_nodes(document: Document) -> list[Node]:
    """The nodes of microdata, RDFa Lite and hCard."""
    words = document.tag_words
    nodes: list[Node] = []
    if "itemscope" in words:
        nodes += _attribute_nodes(document, *_MICRODATA)
    if "typeof=" in words:
        nodes += _attribute_nodes(document, *_RDFA)
    if "vcard" in words or "h-card" in words:
        nodes += _cards(document)
    return nodes


def _attribute_nodes(document: Document, scope: str, kind: str, name: str) -> list[Node]:
    items: dict[int, Node] = {}
    for element in document.tree.css(f"[{scope}]")[:MAX_NODES]:
        items[element.mem_id] = {"@type": _type_names((element.attributes.get(kind) or "").split())}
    for element in document.tree.css(f"[{name}]")[:MAX_PROPERTIES]:
        owner = _owner(element, items)
        if owner is None:
            continue
        value = items.get(element.mem_id) or _property_value(element, document)
        for key in _type_names((element.attributes.get(name) or "").split()[:5]):
            _add_value(owner, key, (_words_of_link(element) or value) if key in _NAMES else value)
    return [node for node in items.values() if node["@type"]]


_NAMES: Final = frozenset(["name", "legalName"])


def _words_of_link(element: LexborNode) -> str | None:
    """The words of a link that is called a name: by the letter its value is where it leads, which nobody means."""
    if element.tag != "a" or element.attributes.get("content") is not None:
        return None
    return " ".join(element.text(separator=" ").split())[:MAX_VALUE] or None


def _owner(element: LexborNode, items: dict[int, Node]) -> Node | None:
    parent = element.parent
    while parent is not None:
        found = items.get(parent.mem_id)
        if found is not None:
            return found
        parent = parent.parent
    return None


def _property_value(element: LexborNode, document: Document) -> str:
    attributes = element.attributes
    if attributes.get("content") is not None:
        return (attributes["content"] or "")[:MAX_VALUE]
    attribute = _ADDRESS_ATTRIBUTES.get(element.tag or "")
    if attribute:
        value = attributes.get(attribute) or ""
        if attribute in ("href", "src"):
            value = value if value.lower().startswith(("tel:", "mailto:")) else document.absolute(value) or value
        return value[:MAX_VALUE]
    return " ".join(element.text(separator=" ").split())[:MAX_VALUE]


def _add_value(node: Node, key: str, value: Any) -> None:
    if key not in node:
        node[key] = value
    elif key != "@type":
        node[key] = [*(node[key] if isinstance(node[key], list) else [node[key]]), value][:100]


# hCard

_CARD_PROPERTIES: Final = (
    ("name", ".fn, .p-name, .org, .p-org"),
    ("telephone", ".tel, .p-tel"),
    ("email", ".email, .u-email"),
    ("url", "a.url, a.u-url"),
)
_ADDRESS_PROPERTIES: Final = (
    ("streetAddress", ".street-address, .p-street-address"),
    ("postalCode", ".postal-code, .p-postal-code"),
    ("addressLocality", ".locality, .p-locality"),
    ("addressRegion", ".region, .p-region"),
    ("addressCountry", ".country-name, .p-country-name"),
)


def _cards(document: Document) -> list[Node]:
    """hCards with an address or an organisation; the cards of commenters and authors say nothing about the site."""
    nodes = []
    for card in document.tree.css(".vcard, .h-card")[:50]:
        address = _card_part(card, _ADDRESS_PROPERTIES, document)
        node = _card_part(card, _CARD_PROPERTIES, document)
        is_organization = card.css_first(".org, .p-org") is not None
        if len(address) >= 2 or (is_organization and node):
            if address:
                node["address"] = {"@type": ["PostalAddress"], **address}
            nodes.append({"@type": ["Organization" if is_organization else "hCard"], **node})
    return nodes


def _card_part(card: LexborNode, properties: tuple[tuple[str, str], ...], document: Document) -> Node:
    found: Node = {}
    for key, selector in properties:
        element = card.css_first(selector)
        if element is not None and (value := _card_value(element, document)):
            found[key] = value
    return found


def _card_value(element: LexborNode, document: Document) -> str:
    value = element.css_first(".value")
    return _property_value(value if value is not None else element, document).strip()
