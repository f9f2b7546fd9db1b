"""Markup made harmless before a tree is built: one linear pass that bounds depth, nesting, attributes and size.

Parsers of the HTML Standard need quadratic time and memory for deep or misnested markup, in the original as in every
port. What comes out of here is balanced: every start tag kept has its end tag in the right place, at most MAX_DEPTH
deep, with at most MAX_FORMATTING open formatting elements, so that the tree builder has nothing left to repair.
The same pass takes out what is no document: scripts, styles, comments and vector images never reach the tree; their
text is handed over as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Final

from extractor.page.elements import (
    BREAK,
    CLOSES_PARAGRAPH,
    ENDS_OTHERS,
    ENDS_PARAGRAPH,
    FORMATTING,
    IMPLIED_ENDS,
    INLINE,
    IS_RAW,
    IS_STRUCTURE,
    KINDS,
    SPECIAL,
    Kind,
)
from extractor.page.text import remove_invisible
from extractor.page.tokens import ATTRIBUTES, ORDINARY, STOP, TOKEN, Contents

MAX_CHARACTERS = 6_000_000
MAX_TAGS = 100_000
MAX_DEPTH = 256
MAX_FORMATTING = 12
MAX_ATTRIBUTES = 64
MAX_TEXT_CHARACTERS = 400_000
MAX_SCRIPT_CHARACTERS = 3_000_000
MAX_COMMENT_CHARACTERS = 40_000
MAX_STYLE_CHARACTERS = 200_000
MAX_TITLE_CHARACTERS = 10_000

#: How far an ordinary stretch is looked for, in characters: what is read twice after one that ends early stays small.
MIN_STRETCH, MAX_STRETCH = 256, 65_536

_HIDING: Final = re.compile(r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|\bhidden\b", re.IGNORECASE)


@dataclass(slots=True)
class Script:
    """A script element: its attributes as written and its text."""

    attributes: str
    text: str


@dataclass(slots=True)
class Markup:
    """A page after the pass."""

    html: str = ""  #: balanced markup for the tree builder
    start_tags: str = ""  #: its start tags, each once, one a line: all that marks in names and attributes can be in
    text: str = ""  #: visible text, entities decoded, one line for each block
    title: str | None = None  #: content of the first title element with text, entities decoded
    scripts: list[Script] = field(default_factory=list)
    styles: str = ""
    comments: str = ""
    tags: int = 0
    truncated: bool = False  #: something was left out at a bound


def bound_markup(source: str) -> Markup:
    """Read markup of any kind in time and memory linear in its length."""
    truncated = len(source) > MAX_CHARACTERS
    source = source[:MAX_CHARACTERS]
    if "\x00" in source:
        source = source.replace("\x00", "")
    if BREAK in source:
        source = source.replace(BREAK, " ")
    scan = _Scan(source)
    scan.run()
    markup = scan.markup
    markup.truncated = markup.truncated or truncated
    return markup


class _Scan:
    """The state of one pass. Ordinary stretches are cut into tags all at once; what needs care is read one by one."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.contents = Contents(source)
        self.markup = Markup()
        self.html: list[str] = []
        self.text: list[str] = []
        self.comments: list[str] = []
        self.styles: list[str] = []
        self.stack: list[str] = []
        self.formatting = 0
        self.owed: dict[str, int] = {}  #: end tags to come whose element was ended before, or never begun
        self.script_characters = 0
        self.seen: set[str] = set()
        self.start_tags: dict[str, None] = {}
        self.hidden_below: int | None = None  #: depth at which an inline element that is not shown began
        self.stretch = MAX_STRETCH  #: how far to look ahead; less after a stretch that was cut short

    def run(self) -> None:
        position = 0
        while position < len(self.source):
            if self.hidden_below is None:
                position = self._read_stretch(position)
            if position < len(self.source):
                position = self._read_exactly(position)
        self._finish()

    # Ordinary stretches

    def _read_stretch(self, position: int) -> int:
        """Read ordinary tags from ``position`` up to one that needs care: where that begins, or the text before it."""
        end = self._end_of_stretch(position)
        found = ORDINARY.findall(self.source, position, end) if end > position else []
        if self.markup.tags + len(found) > MAX_TAGS:
            self.stretch = 0
            return position
        words, rest = _without_tag(found)
        read = self._read_ordinary(found)
        self.markup.tags += read
        is_cut_short = self.hidden_below is not None or bool(rest)
        self.stretch = min(self.stretch, MIN_STRETCH) if is_cut_short else min(self.stretch * 2, MAX_STRETCH)
        if self.hidden_below is not None:
            return position + sum(len(words) + len(tag) for words, tag, *_ in found[:read])
        self.html.append(words)
        self.text.append(words)
        return end - len(rest)

    def _end_of_stretch(self, position: int) -> int:
        limit = position + self.stretch
        stop = STOP.search(self.source, position, limit)
        if stop:
            return stop.start()
        # Before a tag that the limit would cut, if there is a tag at all.
        return len(self.source) if limit >= len(self.source) else max(self.source.rfind("<", position, limit), position)

    def _read_ordinary(self, found: list[tuple[str, str, str, str, str]]) -> int:
        """Handle tags with the text before each: their number, less where an element begins that is not shown."""
        html, text, stack, owed, kinds = self.html, self.text, self.stack, self.owed, KINDS
        is_broken = False  # a line has just begun: further breaks and blanks would change nothing
        for number, (words, tag, stroke, written, attributes) in enumerate(found, 1):
            kind = name, separator, _, is_formatting = kinds[written]
            if words:
                html.append(words)
                if not (is_broken and words.isspace()):
                    text.append(words)
                    is_broken = False
            if separator is BREAK:
                if not is_broken:
                    text.append(BREAK)
                    is_broken = True
            elif separator:
                text.append(separator)
            if not stroke:
                if self._start(kind, attributes, tag):
                    return number
            elif stack and stack[-1] == name and name not in owed:
                del stack[-1]
                if is_formatting:
                    self.formatting -= 1
                html.append(tag)
            else:
                self._end_elsewhere(name)
        return len(found)

    # One by one

    def _read_exactly(self, position: int) -> int:
        """Read one token, and on to where everything is shown again: where to go on."""
        source = self.source
        for match in TOKEN.finditer(source, position):
            start, end = match.span()
            words = source[position:start]
            self.html.append(words)
            if self.hidden_below is None:
                self.text.append(words)
            comment, stroke, name, attributes = match.groups()
            if name is None:
                if comment:
                    self.comments.append(comment[:2_000])
            else:
                jump = self._tag(KINDS[name], stroke, attributes, start, end)
                if jump is not None:
                    return jump
            position = end
            if self.hidden_below is None:
                return position
        self.html.append(source[position:])
        if self.hidden_below is None:
            self.text.append(source[position:])
        return len(source)

    def _tag(self, kind: Kind, stroke: str, attributes: str, start: int, end: int) -> int | None:
        """Handle a tag: None, or where to go on after an element that was jumped over."""
        self.markup.tags += 1
        if self.markup.tags > MAX_TAGS:
            return self._stop(start)
        name = kind.name
        self.text.append(kind.separator)
        if not stroke:
            if name == "plaintext":
                return self._stop(start)
            if kind.start == IS_RAW:
                return self._jump_over(name, attributes, end)
            self._start(kind, attributes, self.source[start:end])
        elif self.stack and self.stack[-1] == name and name not in self.owed:
            self._end_innermost(kind.is_formatting)
            self.html.append(self.source[start:end])
        else:
            self._end_elsewhere(name)
        return None

    def _stop(self, position: int) -> int:
        """Leave out everything from here."""
        self.markup.truncated = True
        self.source = self.source[:position]
        return position

    # Start tags

    def _start(self, kind: Kind, attributes: str, tag: str) -> bool:
        """Handle a start tag; whether an element begins that is not shown."""
        name, _, start, is_formatting = kind
        stack = self.stack
        if attributes:
            self.start_tags[tag if tag[1] > "Z" else f"<{name}{attributes}>"] = None
            if len(attributes) > 256:
                tag = self._capped(name, attributes, tag)
        if start:
            if start <= IS_STRUCTURE:
                if start != IS_STRUCTURE or not self._is_left_out(name):
                    self.html.append(tag)
                return False
            if (start != ENDS_OTHERS and "p" in stack) or (start != ENDS_PARAGRAPH and self._may_end(name)):
                self._end_before(name)
        if len(stack) >= MAX_DEPTH or (is_formatting and self.formatting >= MAX_FORMATTING):
            self._owe([name])
            self.markup.truncated = True
            return False
        stack.append(name)
        self.html.append(tag)
        if is_formatting:
            self.formatting += 1
        may_hide = attributes and name in INLINE and ("none" in attributes or "hidden" in attributes)
        if may_hide and self.hidden_below is None and _HIDING.search(attributes[:500]):
            self.hidden_below = len(stack)
            return True
        return False

    def _may_end(self, name: str) -> bool:
        """Whether there is an open element that this start tag ends where nothing stands between."""
        ended, stops = IMPLIED_ENDS[name]
        stack = self.stack
        return bool(stack) and stack[-1] not in stops and not ended.isdisjoint(stack)

    def _end_before(self, name: str) -> None:
        """End what has no end tag before the start tag of ``name``."""
        if name in CLOSES_PARAGRAPH:
            self._end_paragraph()
        if name in IMPLIED_ENDS:
            self._end_implied(*IMPLIED_ENDS[name])

    def _is_left_out(self, name: str) -> bool:
        """Second roots, heads and bodies; and noscript, whose content people without scripts see."""
        if name == "noscript" or name in self.seen:
            return True
        self.seen.add(name)
        return False

    def _capped(self, name: str, attributes: str, tag: str) -> str:
        found = [match.end() for match in ATTRIBUTES.finditer(attributes)]
        if len(found) <= MAX_ATTRIBUTES:
            return tag
        self.markup.truncated = True
        return f"<{name}{attributes[: found[MAX_ATTRIBUTES - 1]]}>"

    def _end_paragraph(self) -> None:
        stack = self.stack
        for depth in range(len(stack) - 1, -1, -1):
            if stack[depth] == "p":
                self._close_down_to(depth)
                return
            if stack[depth] in SPECIAL:
                return

    def _end_implied(self, ended: frozenset[str], stops: frozenset[str]) -> None:
        stack = self.stack
        for depth in range(len(stack) - 1, -1, -1):
            if stack[depth] in ended:
                self._owe(stack[depth + 1 :])
                self._close_down_to(depth)
                return
            if stack[depth] in stops:
                return

    # End tags

    def _end_innermost(self, is_formatting: bool) -> None:
        self.stack.pop()
        if is_formatting:
            self.formatting -= 1
        if self.hidden_below is not None and len(self.stack) < self.hidden_below:
            self.hidden_below = None

    def _end_elsewhere(self, name: str) -> None:
        """An end tag that is not the innermost element's: close down to its element, or leave it out."""
        if name in self.owed:
            self.owed[name] -= 1
            if not self.owed[name]:
                del self.owed[name]
        elif name in self.stack:
            depth = len(self.stack) - 1 - self.stack[::-1].index(name)
            inside = self.stack[depth + 1 :]
            if name in SPECIAL:
                self._close_down_to(depth)
            elif name in FORMATTING or not any(inner in SPECIAL for inner in inside):
                self._owe(inside)
                self._close_down_to(depth)

    def _owe(self, names: list[str]) -> None:
        """Elements ended before their time: their own end tags, still to come, must not end another element."""
        for name in names:
            self.owed[name] = self.owed.get(name, 0) + 1

    def _close_down_to(self, depth: int) -> None:
        """Write the end tags of the elements from the innermost down to ``depth``, that one included."""
        closed = self.stack[depth:]
        del self.stack[depth:]
        self.formatting -= sum(name in FORMATTING for name in closed)
        if self.hidden_below is not None and len(self.stack) < self.hidden_below:
            self.hidden_below = None
        self.html.extend(f"</{name}>" for name in reversed(closed))

    # Elements whose content is taken out

    def _jump_over(self, name: str, attributes: str, end: int) -> int:
        if attributes.endswith("/") and name in ("svg", "math"):
            after = content_end = end
        else:
            content_end, after = self.contents.end(name, end)
        if name == "script":
            self._keep_script(attributes, self.source[end:content_end])
        elif name == "style":
            self.styles.append(self.source[end:content_end])
        elif name == "title" and not self.markup.title:
            self.markup.title = unescape(self.source[end : min(content_end, end + MAX_TITLE_CHARACTERS)]).strip()
        elif name == "template" and "shadowrootmode" in attributes:
            after = end
        if name in ("iframe", "svg") and len(attributes) < 5_000:
            self.start_tags[f"<{name}{attributes}>"] = None
            self.html.append(f"<{name}{attributes.rstrip('/')}></{name}>")
        return after

    def _keep_script(self, attributes: str, text: str) -> None:
        if self.script_characters + len(text) > MAX_SCRIPT_CHARACTERS or len(self.markup.scripts) >= 1_000:
            self.markup.truncated = True
            return
        self.script_characters += len(text)
        self.markup.scripts.append(Script(attributes, text))

    # The result

    def _finish(self) -> None:
        self.html.extend(f"</{name}>" for name in reversed(self.stack))
        markup = self.markup
        markup.html = "".join(self.html)
        markup.start_tags = "\n".join(self.start_tags)
        markup.comments = "\n".join(self.comments)[:MAX_COMMENT_CHARACTERS]
        markup.styles = "\n".join(self.styles)[:MAX_STYLE_CHARACTERS]
        markup.text = visible_text("".join(self.text))


def _without_tag(found: list[tuple[str, str, str, str, str]]) -> tuple[str, str]:
    """Take what ends in no ordinary tag off the list: the text it begins with, and what was left behind that."""
    words = rest = ""
    while found and not found[-1][3]:
        last = found.pop()
        words, rest = last[0] or words, last[1] or rest
    return words, rest


def visible_text(raw: str) -> str:
    """Text pieces as people see them: entities decoded, invisible characters gone, blanks folded, one block a line."""
    if "&" in raw:
        raw = unescape(raw)
    lines = [" ".join(line.split()) for line in remove_invisible(raw).split(BREAK)]
    return "\n".join([line for line in lines if line])[:MAX_TEXT_CHARACTERS]
