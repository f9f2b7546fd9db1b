"""Many words looked for in one text at once, by the algorithm of Aho and Corasick (Comm. ACM 18.6, 1975).

One pass costs what two or three plain searches do, however many words there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation

#: Bytes or characters read at once: a text of nothing but matches needs no more memory than a piece of it does.
PIECE = 65_536
MAX_PLACES = 1_000


class Words:
    """Words to find in bytes or text as they are written: case matters, what stands around them does not."""

    def __init__(self, words: Iterable[str], *, piece: int = PIECE) -> None:
        self._words = dict.fromkeys(words)
        self._piece = piece

    def add(self, *words: str) -> tuple[str, ...]:
        """More words, for readers that ask the same text: they are returned."""
        self._words.update(dict.fromkeys(words))
        self.__dict__.pop("_in_bytes", None)
        self.__dict__.pop("_in_text", None)
        return words

    def among(self, text: str | bytes) -> set[str]:
        """Those that stand in a text, or in its UTF-8."""
        value = text.encode("utf-8", "replace") if isinstance(text, str) else text
        matcher, words, overlap = self._in_bytes
        found: set[int] = set()
        for start in range(0, len(value), self._piece):
            piece = value[start : start + self._piece + overlap]
            found.update([index for index, _, _ in matcher.find_matches_as_indexes(piece, overlapping=True)])
        return {words[index] for index in found}

    def places_in(self, text: str) -> dict[str, list[int]]:
        """Where each begins in a text, in order, up to MAX_PLACES each; words that are not there are left out."""
        matcher, words, overlap = self._in_text
        places: dict[str, list[int]] = {}
        for begun in range(0, len(text), self._piece):
            piece = _without_surrogates(text[begun : begun + self._piece + overlap])
            for index, start, _ in matcher.find_matches_as_indexes(piece, overlapping=True):
                known = places.setdefault(words[index], [])
                if start < self._piece and len(known) < MAX_PLACES:
                    known.append(begun + start)
        return places

    @cached_property
    def _in_bytes(self) -> tuple[BytesAhoCorasick, list[str], int]:
        encoded = [word.encode() for word in self._words]
        matcher = BytesAhoCorasick(encoded, implementation=Implementation.DFA)
        return matcher, list(self._words), max(map(len, encoded)) - 1

    @cached_property
    def _in_text(self) -> tuple[AhoCorasick, list[str], int]:
        words = list(self._words)
        return AhoCorasick(words, implementation=Implementation.DFA), words, max(map(len, words)) - 1


def _without_surrogates(text: str) -> str:
    """The text, character for character, as it can be written in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


#: What readers ask the start tags for, in lower case: each adds its own, and all are looked for at once.
TAG_WORDS: Final = Words(["<base", "<frame", "<iframe", "<source"])
#: The same for the visible text in lower case.
TEXT_WORDS: Final = Words([])
