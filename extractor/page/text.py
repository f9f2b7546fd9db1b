"""The one boundary that text of a page crosses before it is stored: no control, no surrogate, no endless value."""

from __future__ import annotations

import re

MAX_LINE_CHARACTERS = 300
MAX_URL_CHARACTERS = 2_048

#: Lone surrogates, C0 and C1 controls, line and paragraph separators, Unicode non-characters: never stored.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufffe\uffff]")
#: Soft hyphen, zero width space, marks and overrides of direction, word joiner, byte order mark: invisible in a line.
_INVISIBLE_CHARACTERS = (
    "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
_INVISIBLE = re.compile(f"[{_INVISIBLE_CHARACTERS}]")
_URL_UNSAFE = re.compile('[\x00-\x20\x7f-\x9f\ud800-\udfff\u2028\u2029\ufffe\uffff"<>\\\\^`{|}]')


def clean_line(text: str | None, limit: int = MAX_LINE_CHARACTERS) -> str | None:
    """One line of visible text of at most ``limit`` characters, whitespace folded; None if nothing is left."""
    if not text:
        return None
    # Ten times the limit is read: a value padded with blanks still shows what it says.
    text = text[: limit * 10]
    if not text.isprintable():
        text = _INVISIBLE.sub("", _FORBIDDEN.sub(" ", text))
    folded = " ".join(text.split())
    if len(folded) > limit:
        folded = folded[: limit - 1].rstrip() + "…"
    return folded or None


def clean_url(url: str) -> str | None:
    """The address as it can be stored: http(s), no control character, bounded; None if it is none of that."""
    if len(url) > MAX_URL_CHARACTERS or not url.startswith(("http://", "https://")):
        return None
    return _URL_UNSAFE.sub(_percent_encoded, url)


def remove_invisible(text: str) -> str:
    """The text without the characters that split a word for machines but not for people."""
    # Looking for each of them takes a third of the time that looking for any of them takes.
    is_clean = text.isascii() or not any(character in text for character in _INVISIBLE_CHARACTERS)
    return text if is_clean else _INVISIBLE.sub("", text)


def lower_text(text: str) -> str:
    """The text in lower case, character for character beside ``text``."""
    lowered = text.lower()
    # One letter alone has a longer small form; positions must stay comparable.
    return lowered if len(lowered) == len(text) else "İ".join([part.lower() for part in text.split("İ")])


def replace_forbidden(text: str) -> str:
    """The text with every character that must not be stored replaced by a blank; length kept."""
    return _FORBIDDEN.sub(" ", text)


def _percent_encoded(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\\":
        return "/"
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
