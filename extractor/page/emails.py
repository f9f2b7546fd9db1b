# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""The e-mail addresses of a page, from where they are certain to where they are disguised."""

from __future__ import annotations

import base64
import binascii
import codecs
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

from extractor.models import Found
from extractor.page import mailboxes
from extractor.page.disguise import disguised_addresses, rotated
from extractor.page.document import Document, registrable
from extractor.page.scripting import addresses_in_scripts, evaluated
from extractor.page.structured import Node, texts_of
from extractor.page.text import remove_invisible
from extractor.words import TAG_WORDS

MAX_EMAILS = 100
MAX_AT_SIGNS = 2_000

_LOCAL_BEFORE = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\\-]{1,80}\Z")
_DOMAIN_AFTER = re.compile(r"(?:[^\W_](?:[\w-]{0,62}))(?:\.[^\W_][\w-]{0,62}){1,6}")
_ANY = re.compile(r"[^\s@<>\"'(),;:\[\]]{1,80}@[^\s@<>\"'(),;:\[\]?&]{3,255}")
_HEX = re.compile(r"[0-9a-fA-F]{12,600}")

TAG_WORDS.add("data-cfemail", "/cdn-cgi/l/email-protection", "data-mailto-token", "onclick", "javascript:")
TAG_WORDS.add("bidi-override", "<bdo")

Address = tuple[str, str]


def read_emails(document: Document, nodes: list[Node]) -> list[Found]:
    """Each address once, with the most trusted rule that found it, in no order of use."""
    found: dict[str, Found] = {}
    for rank, how, pairs in _sources(document, nodes):
        for local, domain in pairs:
            address = mailboxes.mailbox(local, domain, document.site)
            if address and address not in found and len(found) < MAX_EMAILS:
                found[address] = Found.model_construct(value=address, how=how, rank=rank)
    return list(found.values())


def _sources(document: Document, nodes: list[Node]) -> Iterator[tuple[int, str, Iterable[Address]]]:
    yield 0, "mailto link", _mailto(document)
    yield 1, "Cloudflare e-mail protection", _cloudflare(document)
    yield 2, "structured data", _structured(nodes)
    yield 3, "meta element", _meta(document)
    yield 3, "text", addresses_in(document.text)
    yield 4, "attribute", _attributes(document)
    yield 5, "text turned by style", _reversed(document)
    yield 6, "disguised in the text", disguised_addresses(document.text, document.site, document.text_places)
    yield 7, "put together by a script", addresses_in_scripts(document.inline_scripts)
    yield 8, "data of a script", _in_data(document)
    yield 8, "field of a form", _form_fields(document)


#: "Enter your address, e.g. john@agency.gov"
_EXAMPLE_BEFORE = re.compile(
    r"(?<![^\W\d_])(?:e\.?\s?g\.?|example|z\.\s?b\.|beispiel|beispielsweise|np\.|ejemplo|p\.\s?ex\.?|exemple|ad es\.|esempio|napr\.|например|例)"
    r"[\s:,(\"'）)]{0,4}\Z",
    re.IGNORECASE,
)


def addresses_in(text: str) -> Iterator[Address]:
    """Every (local part, domain) around an at-sign of a text."""
    position = text.find("@")
    for _ in range(MAX_AT_SIGNS):
        if position < 0:
            return
        local = _LOCAL_BEFORE.search(text, max(0, position - 80), position)
        domain = _DOMAIN_AFTER.match(text, position + 1)
        # lists.org/mail@acme.org/msg1.html is the address of a page, a@acme.org/b@acme.org are two of e-mail.
        is_path = local and domain and "/" in local[0] and text.startswith("/", domain.end())
        is_example = local and _EXAMPLE_BEFORE.search(text, max(0, local.start() - 20), local.start())
        if local and domain and not is_path and not is_example:
            yield _last_part(local[0]), domain[0]
        position = text.find("@", position + 1)


def _last_part(local: str) -> str:
    """A local part without what only touches it: an escape of a script, or another word before a stroke."""
    word = local.rpartition("/")[2]
    return word.rpartition("\\")[2].lstrip("n") if "\\n" in word else word.rpartition("\\")[2]


def mailto_addresses(href: str) -> Iterator[Address]:
    """The recipients of a mailto link in all the spellings that browsers forgive."""
    target = unquote(href).strip()
    while target[:7].lower() == "mailto:":
        target = target[7:].lstrip(" /")
    path, _, query = target.partition("?")
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key.lower() == "to":
            path += "," + value
    path = remove_invisible(path).replace(" @ ", "@").replace("＠", "@")
    for match in _ANY.finditer(path[:2_000]):
        yield from addresses_in(match[0])
    if "@" not in path:
        yield from disguised_addresses(path, "")


def _mailto(document: Document) -> Iterator[Address]:
    for _, attributes in document.link_elements:
        if (attributes.get("href") or "").lower().startswith("mailto:"):
            yield from mailto_addresses(attributes["href"] or "")
    for anchor in document.contact_anchors:
        href = anchor.href
        lowered = href[:7].lower()
        if lowered == "mailto:":
            yield from mailto_addresses(href)
        elif "@" in href and "/" not in href.removeprefix("http://").removeprefix("https://").rstrip("/"):
            # An address typed where a link was asked for: href="info@acme.de", href="http://info@acme.de".
            yield from addresses_in(href.partition("?")[0].rpartition("/")[2] or href)
        elif "?" in href and ("@" in href or "%40" in href):
            # /contact?mailto=press@acme.de: of addresses handed on only the site's own say whose they are.
            values = (value for _, value in parse_qsl(href.partition("?")[2]))
            yield from _own((pair for value in values for pair in addresses_in(value)), document)


def _own(pairs: Iterable[Address], document: Document) -> Iterator[Address]:
    """The addresses in the site's own domain."""
    for local, domain in pairs:
        if registrable(domain.lower().strip(".")) == document.site:
            yield local, domain


_CONTACT_META = re.compile(r"mail|reply-to|contact|publisher\.address")


def _meta(document: Document) -> Iterator[Address]:
    """Meta elements that are an address: under a name that says whose, or one in the site's own domain."""
    for name, contents in document.meta.items():
        for content in contents if "@" in "".join(contents) else ():
            if _WHOLE_ADDRESS.fullmatch(content):
                pairs = mailto_addresses(content)
                yield from pairs if _CONTACT_META.search(name) else _own(pairs, document)


_WHOLE_ADDRESS = re.compile(r"\s{0,9}(?:mailto:)?[^\s@<>\"'(),;:]{1,64}@[^\s@<>\"'(),;:?&]{3,255}\s{0,9}")
_ADDRESS_AS_VALUE = re.compile(r"value\s?=\s?[\"']?[A-Za-z0-9._%+-]{1,64}@")
_RECIPIENT = re.compile(
    r"recipient|receiver|(?:^|_|-)(?:send)?to(?:$|_|-)|mailto|e?mail_?to$|empfaenger|destinatario|^business$",
    re.IGNORECASE,
)


def _form_fields(document: Document) -> Iterator[Address]:
    """Hidden fields that tell a form whom to write to: by their name, or by an address in the site's own domain."""
    if not _ADDRESS_AS_VALUE.search(document.markup.start_tags):
        return
    for node in document.tree.css('input[type="hidden" i][value*="@"]')[:20]:
        value = node.attributes.get("value") or ""
        if _WHOLE_ADDRESS.fullmatch(value):
            pairs = mailto_addresses(value)
            yield from pairs if _RECIPIENT.search(node.attributes.get("name") or "") else _own(pairs, document)


def _cloudflare(document: Document) -> Iterator[Address]:
    words = document.tag_words
    for node in document.tree.css("[data-cfemail]")[:200] if "data-cfemail" in words else ():
        yield from _decoded_cloudflare(node.attributes.get("data-cfemail") or "")
    for anchor in document.anchors if "/cdn-cgi/l/email-protection" in words else ():
        _, marker, code = anchor.href.partition("/cdn-cgi/l/email-protection#")
        if marker:
            yield from _decoded_cloudflare(code)


def _decoded_cloudflare(code: str) -> Iterator[Address]:
    """The first byte is the key, the others are the address under exclusive or with it."""
    found = _HEX.match(code.strip())
    if found and len(found[0]) % 2 == 0:
        key, *rest = bytes.fromhex(found[0])
        yield from addresses_in(bytes(byte ^ key for byte in rest).decode("utf-8", "replace").partition("?")[0])


def _structured(nodes: list[Node]) -> Iterator[Address]:
    for node in nodes:
        for text in texts_of(node.get("email")):
            yield from mailto_addresses(text)


_DATA_KEY = re.compile(
    r"\\?\"[A-Za-z_-]{0,20}[eE]-?[mM]ail[A-Za-z_-]{0,12}\\?\"\s?:\s?\\?\"([A-Za-z0-9._%+-]{1,64})@([A-Za-z0-9.-]{3,120})\\?\""
)
_LINK_IN_DATA = re.compile(r"mailto:([A-Za-z0-9._%+-]{1,64})@([A-Za-z0-9.-]{3,120})")


def _in_data(document: Document) -> Iterator[Address]:
    """Addresses under a key that says so in the data a page is built from; only the site's own, because the same data
    names everybody the maker of the page ever dealt with."""
    for script in document.markup.scripts[:100]:
        if "@" not in script.text or "mail" not in script.text.lower():
            continue
        for pattern in (_DATA_KEY, _LINK_IN_DATA):
            matches = itertools.islice(pattern.finditer(script.text[:1_000_000]), 50)
            yield from _own(((match[1], match[2]) for match in matches), document)


# Attributes: parts that a script puts together, and codes

_PARTS: Final = (
    ("data-user", "data-domain"), ("data-name", "data-domain"), ("data-local", "data-domain"), ("data-u", "data-d"),
    ("data-mail-user", "data-mail-domain"), ("data-email-user", "data-email-domain"), ("data-part1", "data-part2"),
    ("data-account", "data-domain"), ("data-user", "data-website"), ("data-mailbox", "data-domain"), ("data-first", "data-second"),
    ("data-before", "data-after"), ("data-start", "data-end"), ("data-prefix", "data-domain"), ("data-id", "data-domain"),
)  # fmt: skip
_WHOLE: Final = (
    "data-email", "data-mail", "data-mailto", "data-e", "data-enc-email", "data-address", "data-email-address", "data-contact",
    "data-href", "data-clipboard-text", "data-ea", "data-eml", "data-mailadresse", "data-encoded-email",
)  # fmt: skip
_DATA_NAMES = re.compile(r"data-[a-z0-9-]{1,24}(?==)")


def _attributes(document: Document) -> Iterator[Address]:
    words = document.tag_words
    written = set(_DATA_NAMES.findall(document.markup.start_tags))
    parts = [pair for pair in _PARTS if written.issuperset(pair)]
    names = written.intersection(_WHOLE).union(first for first, _ in parts)
    if names:
        for node in document.tree.css(", ".join(f"[{name}]" for name in sorted(names)))[:300]:
            attributes = node.attributes
            yield from _from_parts(attributes, parts)
            for name in _WHOLE:
                if value := attributes.get(name):
                    yield from _from_code(value[:500], rot13=name == "data-enc-email")
    for node in document.tree.css("[data-mailto-token]")[:100] if "data-mailto-token" in words else ():
        token = node.attributes.get("data-mailto-token") or ""
        yield from mailto_addresses(rotated(token[:300]) or "")
    for anchor in document.anchors if "onclick" in words or "javascript:" in words else ():
        if anchor.href[:11].lower() == "javascript:" or "onclick" in anchor.attributes:
            for code in (anchor.href, anchor.attributes.get("onclick") or ""):
                yield from evaluated(unquote(code[:2_000]))


def _from_parts(attributes: Mapping[str, str | None], parts: list[tuple[str, str]]) -> Iterator[Address]:
    for first, second in parts:
        local, domain = attributes.get(first), attributes.get(second)
        if local and domain:
            domain = domain.lstrip("@")
            ending = (attributes.get("data-tld") or "").lstrip(".")
            if ending and not domain.endswith("." + ending):
                domain = f"{domain}.{ending}"
            yield from addresses_in(f"{local.rstrip('@')}@{domain}")


def _from_code(value: str, *, rot13: bool) -> Iterator[Address]:
    """An attribute that holds an address: plain, disguised, turned round, rotated or in base 64."""
    if rot13:
        value = codecs.decode(value.replace("[at]", "@"), "rot13")
    if "@" in value:
        yield from mailto_addresses(value)
    elif re.search(r"\[at\]|\(at\)|%40", value, re.IGNORECASE):
        yield from mailto_addresses(unquote(value))
        yield from disguised_addresses(unquote(value), "")
    elif decoded := _from_base64(value):
        yield from mailto_addresses(decoded)


def _from_base64(value: str) -> str | None:
    if len(value) < 12 or not re.fullmatch(r"[A-Za-z0-9+/_-]{12,400}={0,2}", value):
        return None
    try:
        decoded = base64.b64decode(
            value + "=" * (-len(value) % 4), altchars=b"-_" if "-" in value or "_" in value else None
        )
        text = decoded.decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return text if "@" in text else None


# Text that a style sheet turns round

_OVERRIDE_CLASS = re.compile(r"\.([\w-]{1,60})\s{0,9}\{[^{}]{0,300}bidi-override[^{}]{0,300}\}")


def _reversed(document: Document) -> Iterator[Address]:
    words = document.tag_words
    selectors = ['[style*="bidi-override"]'] if "bidi-override" in words else []
    selectors += ['bdo[dir="rtl"]'] if "<bdo" in words else []
    if "bidi-override" in document.markup.styles:
        selectors += [f".{name}" for name in _OVERRIDE_CLASS.findall(document.markup.styles)[:10]]
    for node in document.tree.css(", ".join(selectors))[:100] if selectors else ():
        yield from addresses_in(node.text(separator="").strip()[:500][::-1])
