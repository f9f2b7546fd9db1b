"""Where tags begin and end, by the tokenizer of the HTML Standard (section 13.2.5).

TOKEN follows the standard to the letter: a tag seen by the tree builder but not here would be unbounded. ORDINARY reads
what nearly all tags look like, several times faster; it never sees a tag otherwise than TOKEN does, only fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from extractor.page.elements import RAW

_BLANK = r"[\t\n\f\r ]"
_ATTRIBUTE = (
    r"(?:=[^\t\n\f\r />=]*+|[^\t\n\f\r />=]++)"
    rf"(?:{_BLANK}*+={_BLANK}*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+)?+"
)
#: A comment, a tag, or what the standard calls a bogus comment. Possessive throughout: no backtracking.
#: Groups: comment, stroke of an end tag, name, attributes.
TOKEN: Final = re.compile(
    r"<(?:!--(?:-?>|((?:[^-]++|-(?!-!?>))*+)(?:--!?>|\Z))"
    rf"|(/?)([A-Za-z][^\t\n\f\r />]*+)((?:[\t\n\f\r /]++|{_ATTRIBUTE})*+)(?:>|\Z)"
    r"|[!?][^>]*+(?:>|\Z)|/[^A-Za-z>][^>]*+(?:>|\Z)|/>)"
)
ATTRIBUTES: Final = re.compile(_ATTRIBUTE)

#: Text, and the tag behind it where it is complete and its attributes are written as usual: groups of text, tag,
#: stroke, name, attributes. Where it is not, the rest is taken along at once, so that nothing is read twice.
#: A sign of equality has to stand behind a name, as what follows blanks, strokes or quotes begins a name itself.
ORDINARY: Final = re.compile(
    r"([^<]*)(<(/?)([A-Za-z][^\t\n\f\r />]*+)([^<>\"'=]*+(?:"
    r"(?<![\t\n\f\r /\"'])=(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r \"'<>=]++(?=[\t\n\f\r >]))[^<>\"'=]*+)*+)>"
    r"|<(?s:.*)|)"
)


def _beginnings(names: Iterable[str]) -> str:
    """A pattern for any of the names in any case, by their first letters: those are told apart without trying names."""
    rests: dict[str, list[str]] = {}
    for name in sorted(names):
        for initial in (name[0], name[0].upper()):
            rests.setdefault(initial, []).append(name[1:])
    return "|".join(f"{initial}(?i:{'|'.join(members)})" for initial, members in rests.items())


#: Where a comment begins, or perhaps an element whose content is no markup.
STOP: Final = re.compile(f"<(?:!|{_beginnings((*RAW, 'plaintext'))})")

MAX_NESTED = 8  #: elements inside their own kind, for those that are jumped over
_END_TAGS: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])[^>]*+(?:>|\Z)", re.IGNORECASE) for name in (*RAW, "noscript")
}


class Contents:
    """Where contents end that are no markup or say nothing: those of scripts, styles, vector images and the like."""

    def __init__(self, source: str) -> None:
        self.source = source
        #: Until an end tag in capitals is met a plain search is enough, many times faster than one without case.
        self.is_lower = True
        self.ends_missing: set[str] = set()

    def end(self, name: str, position: int) -> tuple[int, int]:
        """Where the content that begins at ``position`` ends, and where its end tag does.

        Without an end tag, markup goes on behind the start tag; raw text reaches to the end of the page.
        """
        if name in self.ends_missing:
            return position, position
        if name == "script":
            return self._script_end(position)
        found = self._search_end(name, position)
        if found and name in ("svg", "template", "math"):
            found = self._nested_end(name, position, found)
        if found:
            return found.start(), found.end()
        self.ends_missing.add(name)
        raw = name in ("style", "textarea", "title", "xmp", "noembed", "noframes", "iframe")
        limit = len(self.source) if raw else position
        return limit, limit

    def _script_end(self, position: int) -> tuple[int, int]:
        found = self._search_end("script", position)
        if found:
            return found.start(), found.end()
        return len(self.source), len(self.source)

    def _search_end(self, name: str, position: int) -> re.Match[str] | None:
        pattern = _END_TAGS[name]
        while self.is_lower:
            beginning = self.source.find(f"</{name}", position)
            limit = beginning if beginning >= 0 else len(self.source)
            if self.source.find(f"</{name[0].upper()}", position, limit) >= 0:
                self.is_lower = False
            elif beginning < 0:
                return None
            elif found := pattern.match(self.source, beginning):
                return found
            else:
                position = beginning + 2
        return pattern.search(self.source, position)

    def _nested_end(self, name: str, position: int, found: re.Match[str]) -> re.Match[str] | None:
        begun = self.source.count(f"<{name}", position, found.start())
        last: re.Match[str] | None = found
        for _ in range(MAX_NESTED):
            if not begun or not last:
                break
            previous = last.end()
            last = self._search_end(name, previous)
            if last:
                begun += self.source.count(f"<{name}", previous, last.start()) - 1
        return last if last and not begun else found
