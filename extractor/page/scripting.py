"""Addresses that small scripts put together: concatenation, character codes, escapes. Nothing is executed.

A chain of string literals and names of earlier literals is joined; anything else in a script is left alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

from extractor.words import Words

MAX_SCRIPTS = 60
MAX_SCRIPT_CHARACTERS = 6_000
MAX_NAMES = 200

_STRING = r"(?:\"(?:[^\"\\\n]|\\.){0,400}\"|'(?:[^'\\\n]|\\.){0,400}')"
_NAME = r"[A-Za-z_$][\w$]{0,40}"
_LINK = rf"(?:{_STRING}|{_NAME})"
_CHAIN = rf"{_LINK}(?:\s{{0,4}}\+\s{{0,4}}{_LINK}){{0,30}}"
#: A chain, and the name it is given where it is given one.
_STATEMENT = re.compile(rf"(?:(?<![\w$.])({_NAME})\s{{0,4}}(\+?=)(?!=)\s{{0,4}})?({_CHAIN})")
_PIECE = re.compile(rf"({_STRING})|({_NAME})")
_CODES = re.compile(r"fromCharCode\(\s{0,9}((?:\d{1,5}\s{0,4},\s{0,4}){3,400}\d{1,5})\s{0,9}\)")
_UNESCAPED = re.compile(rf"(?:unescape|decodeURIComponent)\(\s{{0,9}}({_STRING})\s{{0,9}}\)")
_ATOB = re.compile(r"atob\(\s{0,9}[\"']([A-Za-z0-9+/=]{8,800})[\"']")
_REVERSED = re.compile(rf"({_STRING})\.split\(\s{{0,4}}(?:''|\"\")\s{{0,4}}\)\.reverse\(\)")
#: An alphabet out of order, and a text in it: each letter of the text stands for the one at its place in the order.
_SUBSTITUTED = re.compile(
    r"a=\\?\"([^\"\\]{40,90})\\?\";\s?var b=a\.split\(\\?\"\\?\"\)\.sort\(\)\.join\(\\?\"\\?\"\);"
    r"\s?var c=\\?\"([^\"\\]{3,120})\\?\""
)
_ROTATED = re.compile(r"UnCryptMailto\(\s{0,9}['\"]([^'\"]{8,300})['\"]", re.IGNORECASE)
_WRITES = re.compile(
    r"document\.write|innerHTML|\.href\s{0,4}=|\.text\(|\.html\(|\.append|textContent|location|mailto|getElementById|UnCrypt"
    r"|(?<!\w)e-?mail(?!\w)",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_SIGNS_OF_MAIL = Words(
    (
        *("mailto", ".sort()", "'@", '"@', "@'", '@"', "64;", "\\x40", "\\u0040", "%40"),
        *("UnCryptMailto", "bWFpbHRv", "otliam", "fromCharCode", "reverse(", "' @", '" @'),
    )
)


def addresses_in_scripts(scripts: list[str]) -> Iterator[tuple[str, str]]:
    """Addresses from scripts that are short and write something: libraries and bundles are neither."""
    read = 0
    for script in scripts:
        if len(script) > MAX_SCRIPT_CHARACTERS or not _SIGNS_OF_MAIL.among(script):
            continue
        if not _WRITES.search(script):
            continue
        read += 1
        if read > MAX_SCRIPTS:
            return
        yield from evaluated(script)


def evaluated(code: str) -> Iterator[tuple[str, str]]:
    """Every (local part, domain) that a piece of script writes."""
    from extractor.page.emails import mailto_addresses  # the two modules read each other's pieces

    for written in _written(code):
        text = unescape(unquote(written) if "%" in written else written)
        for found in _ADDRESS.finditer(text):
            yield from mailto_addresses(found[0])


_ADDRESS = re.compile(r"(?:mailto:)?[A-Za-z0-9._%+-]{1,64}@[^\W_][\w.-]{2,200}")


def _written(code: str) -> Iterator[str]:
    from extractor.page.disguise import rotated

    if substituted := _SUBSTITUTED.findall(code):
        yield from (_resolved(letters, cipher) for letters, cipher in substituted)
        return
    for match in _ROTATED.finditer(code):
        yield rotated(literal_text(f"'{match[1]}'")) or ""
    for match in _CODES.finditer(code):
        yield "".join(chr(int(number)) for number in match[1].split(",") if int(number) < 0xD800)
    for match in _UNESCAPED.finditer(code):
        yield unquote(literal_text(match[1]))
    for match in _REVERSED.finditer(code):
        yield literal_text(match[1])[::-1]
    for match in _ATOB.finditer(code):
        yield _from_base64(match[1])
    yield from _chains(code)
    # A whole address in one literal of a script that writes it.
    for match in re.finditer(_STRING, code):
        if "mailto:" in match[0] and "@" in match[0]:
            yield literal_text(match[0])


def _resolved(letters: str, cipher: str) -> str:
    ordered = "".join(sorted(letters))
    places = (letters.find(letter) for letter in cipher)
    return "".join(ordered[place] for place in places if place >= 0)  # as charAt(-1) is: nothing


def _chains(code: str) -> Iterator[str]:
    """The text of every chain, in order: a name stands for what it was last given."""
    names: dict[str, str] = {}
    for match in _STATEMENT.finditer(code):
        name, sign, chain = match.groups()
        if not name and "+" not in chain:
            continue
        value = _joined(chain, names)
        if name and len(names) < MAX_NAMES:
            value = (names.get(name, "") + value if sign == "+=" else value)[:2_000]
            names[name] = value
        if "@" in value or "&#" in value or "%40" in value:
            yield value


def _joined(chain: str, names: dict[str, str]) -> str:
    """The text of a chain; a name that is not known breaks it, so that no address is made of halves."""
    parts = []
    for literal, name in _PIECE.findall(chain):
        parts.append(literal_text(literal) if literal else names.get(name, "\n"))
    return "".join(parts)


def literal_text(literal: str) -> str:
    """The text of a quoted string literal of JavaScript."""
    return _ESCAPE.sub(_escaped, literal[1:-1])


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        point = int(code, 16)
        return " " if 0xD800 <= point <= 0xDFFF else chr(point)
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[3], match[3])


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
