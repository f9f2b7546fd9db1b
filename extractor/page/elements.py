"""What the pass over the markup has to know of HTML's elements, as sets and as flags."""

from __future__ import annotations

from typing import Final

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
#: What the pass has to know of an element, in one look-up: flags by name.
(
    IS_INLINE,
    IS_SPACED,
    IS_RAW,
    IS_VOID,
    IS_STRUCTURE,
    ENDS_PARAGRAPH,
    ENDS_OTHERS,
    IS_FORMATTING,
    IS_WRITTEN_OTHERWISE,
) = (1 << bit for bit in range(9))


class _Kinds(dict[str, int]):
    """Flags by name; a name that is not in lower case has those of the one that is, and one more."""

    def __missing__(self, name: str) -> int:
        return self.get(name.lower(), 0) | IS_WRITTEN_OTHERWISE


KINDS: Final = _Kinds()
for _flag, _names in (
    (IS_INLINE, INLINE),
    (IS_SPACED, SPACED),
    (IS_RAW, RAW),
    (IS_VOID, VOID),
    (IS_STRUCTURE, ("html", "head", "body", "noscript", "plaintext")),
    (ENDS_PARAGRAPH, CLOSES_PARAGRAPH),
    (ENDS_OTHERS, IMPLIED_ENDS),
    (IS_FORMATTING, FORMATTING),
):
    for _name in _names:
        KINDS[_name] = KINDS.get(_name, 0) | _flag
