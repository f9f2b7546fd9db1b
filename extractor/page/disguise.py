# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""Addresses written so that people read them and simple programs do not: info [at] acme [dot] de, in many languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from extractor.page import mailboxes

_AT_WORDS: Final = (
    "at|ät|aet|arobase|arobaz|arrobase|arroba|chiocciola|klammeraffe|apenstaartje|apestaartje|apestaart|snabel-?a|kukac|zavin[aá][cč]"
    "|ma[lł]pa|miukumauku|affenschwanz|bei|собака|@|＠|a"
)
_DOT_WORDS: Final = "dot|punkt|pkt|point|punto|ponto|punt|prik|piste|kropka|te[cč]ka|pont|d0t|точка|dott?|\\."
_OPEN, _CLOSE = r"[\[({<|*_\-–~«]", r"[\])}>|*_\-–~»]"

#: Whether the text has anything like it at all: one cheap search spares most pages the rest.
_MARK = re.compile(
    rf"{_OPEN}\s{{0,2}}(?:{_AT_WORDS})\s{{0,2}}{_CLOSE}|\s(?:at|ät|arobase|arroba|chiocciola)\s[^\n]{{1,80}}?\s(?:{_DOT_WORDS})\s|\w\s@\s?\w|\w\s?@\s\w",
    re.IGNORECASE,
)
_LOCAL = (
    r"(?<![\w.+-])([a-z0-9][\w+-]{0,40}(?:(?:\.|\s?[\[({]\s?(?:dot|punkt|point|punto)\s?[\])}]\s?)[\w+-]{1,40}){0,4})"
)
_DOT = rf"(?:\s{{0,2}}[\[({{<|]\s{{0,2}}(?:{_DOT_WORDS})\s{{0,2}}[\])}}>|]\s{{0,2}}|\.|\s(?:dot|punkt|point|punto|ponto|punt|kropka)\s|-(?:dot|punkt)-)"
_HOST = rf"([^\W_][\w-]{{0,62}}(?:{_DOT}[^\W_][\w-]{{0,62}}){{1,5}})"
_BRACKETED = re.compile(
    rf"{_LOCAL}\s{{0,3}}{_OPEN}{{1,2}}\s{{0,2}}(?:{_AT_WORDS})\s{{0,2}}{_CLOSE}{{1,2}}\s{{0,3}}{_HOST}", re.IGNORECASE
)
_SPELLED = re.compile(
    rf"{_LOCAL}\s(?:at|ät|arobase|arroba|chiocciola)\s([^\W_][\w-]{{0,62}}(?:\s{{0,2}}[\[({{]?(?:{_DOT_WORDS})[\])}}]?\s{{0,2}}[^\W_][\w-]{{0,62}}){{1,5}})",
    re.IGNORECASE,
)
_SPACED = re.compile(
    rf"{_LOCAL}(?:\s@\s?|\s?@\s)([^\W_][\w-]{{0,62}}(?:\s?\.\s?[^\W_][\w-]{{0,62}}){{1,4}})(?![\w])", re.IGNORECASE
)
_DOTS = re.compile(_DOT, re.IGNORECASE)
_LOCAL_DOTS = re.compile(r"\s?[\[({]\s?(?:dot|punkt|point|punto)\s?[\])}]\s?", re.IGNORECASE)
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


def disguised_addresses(text: str, site: str) -> Iterator[tuple[str, str]]:
    """Every (local part, domain) that is spelled out; loose spellings only where they are the site's own or a role's."""
    if not _MARK.search(text):
        return
    for match in _BRACKETED.finditer(text):
        yield _pair(match)
    for match in _SPELLED.finditer(text):
        if "." not in match[2] or mailboxes.role_rank(match[1].lower()) < 2:
            local, domain = _pair(match, spelled=True)
            if local.lower() not in _NO_LOCAL:
                yield local, domain
    for match in _SPACED.finditer(text):
        local, domain = match[1], re.sub(r"\s", "", match[2])
        if mailboxes.role_rank(local.lower()) != 2 or (site and domain.lower().endswith(site)):
            yield local, domain


def _pair(match: re.Match[str], *, spelled: bool = False) -> tuple[str, str]:
    domain = _DOTS.sub(".", match[2])
    if spelled:
        domain = re.sub(r"\s{1,2}(?:dot|punkt|point|punto|ponto|punt|kropka)\s{1,2}", ".", domain, flags=re.IGNORECASE)
    return _LOCAL_DOTS.sub(".", match[1]), re.sub(r"\s", "", domain)


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
