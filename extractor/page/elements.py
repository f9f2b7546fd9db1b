"""What the pass over the markup has to know of HTML's elements, as sets and as flags."""

from __future__ import annotations

from typing import Final, NamedTuple

VOID = frozenset(
    [
        "area",
        "base",
        "basefont",
        "bgsound",
        "br",
        "col",
        "embed",
        "frame",
        "frameset",
        "hr",
        "image",
        "img",
        "input",
        "keygen",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
#: Elements whose content is no markup, and elements whose content says nothing here. Their content is taken out.
RAW = frozenset(
    [
        "script",
        "style",
        "textarea",
        "title",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "svg",
        "math",
        "template",
        "select",
        "datalist",
    ]
)
FORMATTING = frozenset(
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"]
)
INLINE = FORMATTING | frozenset(
    [
        "abbr",
        "acronym",
        "bdi",
        "bdo",
        "cite",
        "data",
        "del",
        "dfn",
        "ins",
        "kbd",
        "label",
        "mark",
        "q",
        "rp",
        "rt",
        "ruby",
        "samp",
        "span",
        "sub",
        "sup",
        "time",
        "var",
        "wbr",
        "img",
        "picture",
        "source",
        "font",
        "slot",
    ]
)
#: Inline elements that are laid out side by side often enough for their texts to need a blank in between.
SPACED = frozenset(["a", "button", "input", "label", "image", "img", "iframe", "object", "video", "audio", "svg"])
#: End tags of these close everything inside them; other end tags stop at one of these (HTML Standard: "special").
SPECIAL = frozenset(
    [
        "address",
        "applet",
        "article",
        "aside",
        "blockquote",
        "body",
        "button",
        "caption",
        "center",
        "colgroup",
        "dd",
        "details",
        "dialog",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hgroup",
        "html",
        "legend",
        "li",
        "listing",
        "main",
        "marquee",
        "menu",
        "nav",
        "object",
        "ol",
        "p",
        "pre",
        "search",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
CLOSES_PARAGRAPH = SPECIAL - frozenset(
    [
        "applet",
        "button",
        "caption",
        "colgroup",
        "legend",
        "marquee",
        "object",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
    ]
)
#: Start tag: (the open elements it ends, the elements the search stops at).
IMPLIED_ENDS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "li": (frozenset({"li"}), frozenset(["ul", "ol", "menu", "dir", "table", "td", "th"])),
    "dt": (frozenset({"dt", "dd"}), frozenset(["dl", "table", "td", "th"])),
    "dd": (frozenset({"dt", "dd"}), frozenset(["dl", "table", "td", "th"])),
    "tr": (frozenset({"tr", "caption", "colgroup"}), frozenset({"table"})),
    "td": (frozenset({"td", "th"}), frozenset({"table", "tr"})),
    "th": (frozenset({"td", "th"}), frozenset({"table", "tr"})),
    **dict.fromkeys(
        ("tbody", "thead", "tfoot"),
        (frozenset(["tbody", "thead", "tfoot", "caption", "colgroup"]), frozenset({"table"})),
    ),
    "button": (frozenset({"button"}), frozenset()),
    "a": (frozenset({"a"}), frozenset({"table", "td", "th"})),
    "nobr": (frozenset({"nobr"}), frozenset({"table", "td", "th"})),
}
#: What the start tag of an element does; in this order, so that one comparison tells which need no end tag.
OPENS, IS_VOID, IS_STRUCTURE, ENDS_PARAGRAPH, ENDS_OTHERS, ENDS_BOTH, IS_RAW = range(7)
STRUCTURE = frozenset(("html", "head", "body", "noscript", "plaintext"))
BREAK = "\x1e"  #: between the lines of a text in the making


class Kind(NamedTuple):
    """What the pass has to know of an element, in one look-up."""

    name: str  #: in lower case
    separator: str  #: what its tags are in the text: BREAK, a blank or nothing
    start: int  #: what its start tag does
    is_formatting: bool


def _kind(name: str) -> Kind:
    separator = BREAK if name not in INLINE else " " if name in SPACED else ""
    start = ENDS_PARAGRAPH if name in CLOSES_PARAGRAPH else OPENS
    if name in IMPLIED_ENDS:
        start = ENDS_BOTH if start else ENDS_OTHERS
    for names, what in ((VOID, IS_VOID), (STRUCTURE, IS_STRUCTURE), (RAW, IS_RAW)):
        start = what if name in names else start
    return Kind(name, separator, start, name in FORMATTING)


class _Kinds(dict[str, Kind]):
    """Kinds by name, in whatever case it is written; names that are not known are not kept."""

    def __missing__(self, name: str) -> Kind:
        lowered = name.lower()
        return self[lowered] if lowered in self else _kind(lowered)


KINDS: Final = _Kinds(
    (name, _kind(name)) for name in (*VOID, *RAW, *INLINE, *SPACED, *SPECIAL, *IMPLIED_ENDS, *STRUCTURE)
)
