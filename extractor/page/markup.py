"""Markup made harmless before a tree is built: one linear pass that bounds depth, nesting, attributes and size.

Parsers of the HTML Standard need quadratic time and memory for deep or misnested markup, in the original as in every
port. What comes out of here is balanced: every start tag kept has its end tag in the right place, at most MAX_DEPTH
deep, with at most MAX_FORMATTING open formatting elements, so that the tree builder has nothing left to repair.
The same pass takes out what is no document: scripts, styles, comments and vector images never reach the tree; their
text is handed over as it is. Tag boundaries follow the tokenizer of the HTML Standard (section 13.2.5) to the letter,
because a tag seen by the tree builder but not by this pass would be unbounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Final

from extractor.page.elements import (
    ENDS_OTHERS,
    ENDS_PARAGRAPH,
    FORMATTING,
    IMPLIED_ENDS,
    IS_FORMATTING,
    IS_HEAD,
    IS_INLINE,
    IS_RAW,
    IS_SPACED,
    IS_STRUCTURE,
    IS_VOID,
    KINDS,
    RAW,
    SPECIAL,
)
from extractor.page.text import remove_invisible

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
MAX_NESTED = 8  #: elements inside their own kind, for those that are jumped over

_BLANK = r"[\t\n\f\r ]"
_ATTRIBUTE = (
    r"(?:=[^\t\n\f\r />=]*+|[^\t\n\f\r />=]++)"
    rf"(?:{_BLANK}*+={_BLANK}*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+)?+"
)
#: A comment, a tag, or what the standard calls a bogus comment. Possessive throughout: no backtracking.
_TOKEN: Final = re.compile(
    r"<(?:!--(?:-?>|((?:[^-]++|-(?!-!?>))*+)(?:--!?>|\Z))"
    rf"|(/?)([A-Za-z][^\t\n\f\r />]*+)((?:[\t\n\f\r /]++|{_ATTRIBUTE})*+)(?:>|\Z)"
    r"|[!?][^>]*+(?:>|\Z)|/[^A-Za-z>][^>]*+(?:>|\Z)|/>)"
)
_ATTRIBUTES: Final = re.compile(_ATTRIBUTE)
_HIDING: Final = re.compile(r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|\bhidden\b", re.IGNORECASE)
_CAPITAL_ENDS: Final = tuple(f"</{letter}" for letter in sorted({name[0].upper() for name in RAW}))
_BREAK = "\x1e"


@dataclass(slots=True)
class Script:
    """A script element: its attributes as written and its text."""

    attributes: str
    text: str


@dataclass(slots=True)
class Markup:
    """A page after the pass."""

    html: str = ""  #: balanced markup for the tree builder
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
    if _BREAK in source:
        source = source.replace(_BREAK, " ")
    scan = _Scan(source)
    scan.run()
    markup = scan.markup
    markup.truncated = markup.truncated or truncated
    return markup


class _Scan:
    """The state of one pass. ``html`` is cut from the source lazily: only where something is left out or put in."""

    def __init__(self, source: str) -> None:
        self.source = source
        #: Without end tags in capitals a plain search is enough, many times faster than one without case.
        self.is_lower = not any(beginning in source for beginning in _CAPITAL_ENDS)
        self.markup = Markup()
        self.html: list[str] = []
        self.text: list[str] = []
        self.comments: list[str] = []
        self.styles: list[str] = []
        self.stack: list[str] = []
        self.formatting = 0
        self.owed: dict[str, int] = {}  #: end tags to come whose element was ended before, or never begun
        self.copied = 0  #: the source up to here is in html, or left out
        self.read = 0  #: the text up to here is in text, or left out
        self.script_characters = 0
        self.in_head = True
        self.seen: set[str] = set()
        self.hidden_below: int | None = None  #: depth at which an inline element that is not shown began
        self.ends_missing: set[str] = set()

    def run(self) -> None:
        position: int | None = 0
        while position is not None and position < len(self.source):
            position = self._run_from(position)
        if self.read < len(self.source) and position is None and self.hidden_below is None:
            self.text.append(self.source[self.read :])
        self._finish()

    def _run_from(self, position: int) -> int | None:
        """Read tokens until an element was jumped over: where to go on, None at the end."""
        source, stack, text = self.source, self.stack, self.text
        for match in _TOKEN.finditer(source, position):
            start, end = match.span()
            if start > self.read and self.hidden_below is None:
                text.append(source[self.read : start])
            self.read = end
            comment, closing, name, attributes = match.groups()
            if name is None:
                self._leave_out(start, end)
                self._keep_comment(comment)
                continue
            self.markup.tags += 1
            if self.markup.tags > MAX_TAGS:
                return self._stop(start)
            name = name.lower()
            kind = KINDS.get(name, 0)
            if not kind & IS_INLINE:
                text.append(_BREAK)
            elif kind & IS_SPACED:
                text.append(" ")
            if not closing:
                jump = self._start(name, kind, attributes, start, end)
                if jump is not None:
                    self.read = jump
                    return jump
            elif stack and stack[-1] == name and name not in self.owed:
                self._end_innermost(kind)
            else:
                self._end_elsewhere(name, start, end)
        return None

    def _stop(self, position: int) -> int:
        """Leave out everything from here."""
        self.markup.truncated = True
        self.source = self.source[:position]
        self.read = position
        return position

    # Text, comments and pieces

    def _leave_out(self, start: int, end: int, instead: str = "") -> None:
        if start > self.copied:
            self.html.append(self.source[self.copied : start])
        if instead:
            self.html.append(instead)
        self.copied = end

    def _keep_comment(self, comment: str | None) -> None:
        if comment:
            self.comments.append(comment[:2_000])

    # Start tags

    def _start(self, name: str, kind: int, attributes: str, start: int, end: int) -> int | None:
        """Handle a start tag: None, or where to go on after an element that was jumped over."""
        if self.in_head and not kind & IS_HEAD:
            self.in_head = False
        if kind & IS_RAW:
            return self._jump_over(name, attributes, start, end)
        if len(attributes) > 256:
            self._cap_attributes(name, attributes, start, end)
        if kind & (IS_VOID | IS_STRUCTURE):
            return self._structure(name, start, end) if kind & IS_STRUCTURE else None
        if kind & ENDS_PARAGRAPH:
            self._end_paragraph(start)
        if kind & ENDS_OTHERS:
            self._end_implied(*IMPLIED_ENDS[name], start)
        is_formatting = kind & IS_FORMATTING
        if len(self.stack) >= MAX_DEPTH or (is_formatting and self.formatting >= MAX_FORMATTING):
            self._leave_out(start, end)
            self.owed[name] = self.owed.get(name, 0) + 1
            self.markup.truncated = True
            return None
        self.stack.append(name)
        if is_formatting:
            self.formatting += 1
        may_hide = "none" in attributes or "hidden" in attributes
        if may_hide and kind & IS_INLINE and self.hidden_below is None and _HIDING.search(attributes[:500]):
            self.hidden_below = len(self.stack)
        return None

    def _structure(self, name: str, start: int, end: int) -> int | None:
        if name == "plaintext":
            return self._stop(start)
        if name == "noscript":
            # Its content is what people without scripts see, and where tag managers put their frame.
            self._leave_out(start, end)
            return None
        if name in self.seen:
            self._leave_out(start, end)
        self.seen.add(name)
        return None

    def _cap_attributes(self, name: str, attributes: str, start: int, end: int) -> None:
        found = [match.end() for match in _ATTRIBUTES.finditer(attributes)]
        if len(found) > MAX_ATTRIBUTES:
            self._leave_out(start, end, f"<{name}{attributes[: found[MAX_ATTRIBUTES - 1]]}>")
            self.markup.truncated = True

    def _end_paragraph(self, position: int) -> None:
        stack = self.stack
        for depth in range(len(stack) - 1, -1, -1):
            if stack[depth] == "p":
                self._close_down_to(depth, position)
                return
            if stack[depth] in SPECIAL:
                return

    def _end_implied(self, ended: frozenset[str], stops: frozenset[str], position: int) -> None:
        stack = self.stack
        for depth in range(len(stack) - 1, -1, -1):
            if stack[depth] in ended:
                self._owe(stack[depth + 1 :])
                self._close_down_to(depth, position)
                return
            if stack[depth] in stops:
                return

    # End tags

    def _end_innermost(self, kind: int) -> None:
        self.stack.pop()
        if kind & IS_FORMATTING:
            self.formatting -= 1
        if self.hidden_below is not None and len(self.stack) < self.hidden_below:
            self.hidden_below = None

    def _end_elsewhere(self, name: str, start: int, end: int) -> None:
        """An end tag that is not the innermost element's: close down to its element, or leave it out."""
        self._leave_out(start, end)
        if name in self.owed:
            self.owed[name] -= 1
            if not self.owed[name]:
                del self.owed[name]
        elif name in self.stack:
            depth = len(self.stack) - 1 - self.stack[::-1].index(name)
            inside = self.stack[depth + 1 :]
            if name in SPECIAL:
                self._close_down_to(depth, start)
            elif name in FORMATTING or not any(inner in SPECIAL for inner in inside):
                self._owe(inside)
                self._close_down_to(depth, start)

    def _owe(self, names: list[str]) -> None:
        """Elements ended before their time: their own end tags, still to come, must not end another element."""
        for name in names:
            self.owed[name] = self.owed.get(name, 0) + 1

    def _close_down_to(self, depth: int, position: int) -> None:
        """Write the end tags of the elements from the innermost down to ``depth``, that one included."""
        closed = self.stack[depth:]
        del self.stack[depth:]
        self.formatting -= sum(name in FORMATTING for name in closed)
        if self.hidden_below is not None and len(self.stack) < self.hidden_below:
            self.hidden_below = None
        if position > self.copied:
            self.html.append(self.source[self.copied : position])
            self.copied = position
        self.html.extend(f"</{name}>" for name in reversed(closed))

    # Elements whose content is taken out

    def _jump_over(self, name: str, attributes: str, start: int, end: int) -> int:
        if attributes.endswith("/") and name in ("svg", "math"):
            after = content_end = end
        else:
            content_end, after = self._element_end(name, end)
        if name == "script":
            self._keep_script(attributes, self.source[end:content_end])
        elif name == "style":
            self.styles.append(self.source[end:content_end])
        elif name == "title" and not self.markup.title:
            self.markup.title = unescape(self.source[end : min(content_end, end + MAX_TITLE_CHARACTERS)]).strip()
        elif name == "template" and "shadowrootmode" in attributes:
            after = end
        keep = name in ("iframe", "svg") and len(attributes) < 5_000
        self._leave_out(start, after, f"<{name}{attributes.rstrip('/')}></{name}>" if keep else "")
        return after

    def _keep_script(self, attributes: str, text: str) -> None:
        if self.script_characters + len(text) > MAX_SCRIPT_CHARACTERS or len(self.markup.scripts) >= 1_000:
            self.markup.truncated = True
            return
        self.script_characters += len(text)
        self.markup.scripts.append(Script(attributes, text))

    def _element_end(self, name: str, position: int) -> tuple[int, int]:
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
        if not self.is_lower:
            return _end_tag(name).search(self.source, position)
        position = self.source.find(f"</{name}", position)
        while position >= 0:
            found = _end_tag(name).match(self.source, position)
            if found:
                return found
            position = self.source.find(f"</{name}", position + 2)
        return None

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

    # The result

    def _finish(self) -> None:
        if len(self.source) > self.copied:
            self.html.append(self.source[self.copied :])
        self.html.extend(f"</{name}>" for name in reversed(self.stack))
        markup = self.markup
        markup.html = "".join(self.html)
        markup.comments = "\n".join(self.comments)[:MAX_COMMENT_CHARACTERS]
        markup.styles = "\n".join(self.styles)[:MAX_STYLE_CHARACTERS]
        markup.text = visible_text("".join(self.text))


_END_TAGS: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])[^>]*+(?:>|\Z)", re.IGNORECASE) for name in (*RAW, "noscript")
}


def _end_tag(name: str) -> re.Pattern[str]:
    return _END_TAGS[name]


def visible_text(raw: str) -> str:
    """Text pieces as people see them: entities decoded, invisible characters gone, blanks folded, one block a line."""
    if "&" in raw:
        raw = unescape(raw)
    lines = (" ".join(line.split()) for line in remove_invisible(raw).split(_BREAK))
    return "\n".join(line for line in lines if line)[:MAX_TEXT_CHARACTERS]
