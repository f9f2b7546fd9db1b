"""The part of a page's markup that counts as markup, for looks at it that need no tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator


def visible_markup(markup: bytes, hidden: Iterable[str]) -> bytes:
    """The markup without comments and ``hidden`` elements; linear in its size, also where none is closed."""
    return b" ".join(_parts(markup, re.compile(rb"<!--|<(" + "|".join(hidden).encode() + rb")\b", re.IGNORECASE)))


def _parts(markup: bytes, opening: re.Pattern[bytes]) -> Iterator[bytes]:
    lowered = markup.lower()
    position = 0
    while match := opening.search(markup, position):
        yield markup[position : match.start()]
        end = b"</" + match[1].lower() if match[1] else b"-->"
        position = lowered.find(end, match.end())
        if position < 0:  # what is not closed hides everything after it
            return
        position += len(end)
    yield markup[position:]
