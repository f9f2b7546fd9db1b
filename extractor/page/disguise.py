# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""Addresses written so that people read them and simple programs do not: info [at] acme [dot] de, in many languages."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Final

from extractor.page import mailboxes
from extractor.words import TEXT_WORDS

_AT_WORDS: Final = (
    "at|ät|aet|arobase|arobaz|arrobase|arroba|chiocciola|klammeraffe|apenstaartje|apestaartje|apestaart|snabel-?a|kukac|zavin[aá][cč]"
    "|ma[lł]pa|miukumauku|affenschwanz|bei|собака|@|＠|a"
)
_DOT_WORDS: Final = "dot|punkt|pkt|point|punto|ponto|punt|prik|piste|kropka|te[cč]ka|pont|d0t|точка|dott?|\\."
_OPEN, _CLOSE = r"[\[({<|*_\-–~«]", r"[\])}>|*_\-–~»]"

#: What a spelled address cannot do without, in lower case: one search for all spares most pages the rest.
_SPELLED_MARKS: Final = (
    *(" dot ", "(dot)", "[dot]", " punkt ", "(punkt)", "[punkt]"),
    *(" point ", " punto ", " ponto ", "[.]", "(.)"),
)
TEXT_WORDS.add(*_SPELLED_MARKS)

_LOCAL = (
    r"(?<![\w.+-])([a-z0-9][\w+-]{0,40}(?:(?:\.|\s?[\[({]\s?(?:dot|punkt|point|punto)\s?[\])}]\s?)[\w+-]{1,40}){0,4})"
)
_DOT = rf"(?:\s{{0,2}}[\[({{<|]\s{{0,2}}(?:{_DOT_WORDS})\s{{0,2}}[\])}}>|]\s{{0,2}}|\.|\s(?:dot|punkt|point|punto|ponto|punt|kropka)\s|-(?:dot|punkt)-)"
_HOST = rf"([^\W_][\w-]{{0,62}}(?:{_DOT}[^\W_][\w-]{{0,62}}){{1,5}})"
_AT_AND_CLOSE = rf"\s{{0,2}}(?:{_AT_WORDS})\s{{0,2}}{_CLOSE}"
_BRACKETED_AT = re.compile(rf"{_OPEN}{{1,2}}{_AT_AND_CLOSE}{{1,2}}", re.IGNORECASE)
#: The same by the character it begins with: what begins with one known character is found many times faster.
_BY_OPENING: Final = tuple(
    (opening, re.compile(re.escape(opening) + _AT_AND_CLOSE, re.IGNORECASE)) for opening in "[({<|*_-–~«"
)
_SPELLED_AT = re.compile(r"\s(?:at|ät|arobase|arroba|chiocciola)\s", re.IGNORECASE)
#: "She said at another point in the talk": where at is at, a point is none.
_AT_A_POINT = re.compile(r"\sat\s[\w-]{1,63}\spoint\s", re.IGNORECASE)
_SPACED_AT = re.compile(r"\s@\s?|@\s")
_LOCAL_BEFORE = re.compile(rf"{_LOCAL}\s{{0,3}}\Z", re.IGNORECASE)
_HOST_AFTER = re.compile(rf"\s{{0,3}}{_HOST}", re.IGNORECASE)
_SPELLED_HOST_AFTER = re.compile(
    rf"([^\W_][\w-]{{0,62}}(?:\s{{0,2}}[\[({{]?(?:{_DOT_WORDS})[\])}}]?\s{{0,2}}[^\W_][\w-]{{0,62}}){{1,5}})",
    re.IGNORECASE,
)
_SPACED_HOST_AFTER = re.compile(r"([^\W_][\w-]{0,62}(?:\s?\.\s?[^\W_][\w-]{0,62}){1,4})(?!\w)")
_DOTS = re.compile(_DOT, re.IGNORECASE)
_SPELLED_DOTS = re.compile(
    r"\s{0,2}[\[({]?(?<![a-z])(?:dot|punkt|point|punto|ponto|punt|kropka)(?![a-z])[\])}]?\s{0,2}", re.IGNORECASE
)
_LOCAL_DOTS = re.compile(r"\s?[\[({]\s?(?:dot|punkt|point|punto)\s?[\])}]\s?", re.IGNORECASE)
MAX_PLACES = 300
#: Words that stand before "at" in sentences: "look at acme dot com" is no address of somebody called look.
_NO_LOCAL: Final = frozenset(
    [
        "us",
        "me",
        "you",
        "look",
        "find",
        "visit",
        "online",
        "here",
        "page",
        "site",
        "website",
        "more",
        "shop",
        "available",
        "see",
        "follow",
        "email",
        "mail",
        "contact",
        "and",
        "or",
        "on",
        "not",
    ]
)


def disguised_addresses(text: str, site: str, words: Container[str] | None = None) -> Iterator[tuple[str, str]]:
    """Every (local part, domain) that is spelled out; loose spellings only where they are the site's own or a role's.

    ``words``: those of TEXT_WORDS in the text, where they are known.
    """
    if any(opening in text and sign.search(text) for opening, sign in _BY_OPENING):
        for local, domain in _around(text, _BRACKETED_AT, _HOST_AFTER):
            yield local, _DOTS.sub(".", domain)
    words = TEXT_WORDS.among(text.lower()) if words is None else words
    if any(mark in words for mark in _SPELLED_MARKS):
        text = _AT_A_POINT.sub("\n", text) if " point " in words else text
        for local, domain in _around(text, _SPELLED_AT, _SPELLED_HOST_AFTER):
            if local.lower() not in _NO_LOCAL and ("." not in domain or mailboxes.role_rank(local.lower()) < 2):
                yield local, _DOTS.sub(".", _SPELLED_DOTS.sub(".", domain))
    if " @" in text or "@ " in text:
        for local, domain in _around(text, _SPACED_AT, _SPACED_HOST_AFTER):
            host = domain.replace(" ", "").lower()
            if mailboxes.role_rank(local.lower()) != 2 or (site and host.endswith(site)):
                yield local, host


def _around(text: str, sign: re.Pattern[str], host: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """What stands before and behind each sign, where it can be an address."""
    for count, match in enumerate(sign.finditer(text)):
        if count >= MAX_PLACES:
            return
        local = _LOCAL_BEFORE.search(text, max(0, match.start() - 100), match.start())
        domain = host.match(text, match.end(), match.end() + 260)
        if local and domain:
            yield _LOCAL_DOTS.sub(".", local[1]), re.sub(r"\s{2,}", " ", domain[1])


# TYPO3: every character moved by a fixed number of places inside its range

_RANGES: Final = ((0x2B, 0x3A), (0x40, 0x5A), (0x61, 0x7A))


def rotated(code: str) -> str | None:
    """The mailto link a rotated code stands for, whatever the number of places; None where it is no such code."""
    for offset in range(-26, 27):
        decoded = "".join(_moved(ord(character), offset) for character in code)
        if decoded.startswith("mailto:"):
            return decoded
    return None


def _moved(point: int, offset: int) -> str:
    for low, high in _RANGES:
        if low <= point <= high:
            return chr(low + (point - low + offset) % (high - low + 1))
    return chr(point)
