"""Bytes to text as browsers do it: byte order mark, header, meta element, then detection.

Source: WHATWG Encoding Standard (label table) and HTML Standard, "determining the character encoding". Only encodings
of that table can be reached: Python's own codecs (punycode, unicode_escape, utf_7, idna ...) cannot be named by a page.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

#: WHATWG encoding name: (Python codec, labels other than the name itself).
_ENCODINGS: Final[dict[str, tuple[str, str]]] = {
    "utf-8": ("utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8"),
    "ibm866": ("cp866", "866 cp866 csibm866"),
    "iso-8859-2": (
        "iso8859-2",
        "csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    ),
    "iso-8859-3": ("iso8859-3", "csisolatin3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3"),
    "iso-8859-4": ("iso8859-4", "csisolatin4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4"),
    "iso-8859-5": (
        "iso8859-5",
        "csisolatincyrillic cyrillic iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    ),
    "iso-8859-6": (
        "iso8859-6",
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6-e iso-8859-6-i iso-ir-127"
        " iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    ),
    "iso-8859-7": (
        "iso8859-7",
        "csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987"
        " sun_eu_greek",
    ),
    "iso-8859-8": (
        "iso8859-8",
        "csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988"
        " visual csiso88598i iso-8859-8-i logical",
    ),
    "iso-8859-10": ("iso8859-10", "csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6"),
    "iso-8859-13": ("iso8859-13", "iso8859-13 iso885913"),
    "iso-8859-14": ("iso8859-14", "iso8859-14 iso885914"),
    "iso-8859-15": ("iso8859-15", "csisolatin9 iso8859-15 iso885915 iso_8859-15 l9"),
    "iso-8859-16": ("iso8859-16", ""),
    "koi8-r": ("koi8-r", "cskoi8r koi koi8 koi8_r"),
    "koi8-u": ("koi8-u", "koi8-ru"),
    "macintosh": ("mac-roman", "csmacintosh mac x-mac-roman"),
    "windows-874": ("cp874", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"),
    "windows-1250": ("cp1250", "cp1250 x-cp1250"),
    "windows-1251": ("cp1251", "cp1251 x-cp1251"),
    "windows-1252": (
        "cp1252",
        "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1"
        " iso_8859-1:1987 l1 latin1 us-ascii x-cp1252",
    ),
    "windows-1253": ("cp1253", "cp1253 x-cp1253"),
    "windows-1254": (
        "cp1254",
        "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 x-cp1254",
    ),
    "windows-1255": ("cp1255", "cp1255 x-cp1255"),
    "windows-1256": ("cp1256", "cp1256 x-cp1256"),
    "windows-1257": ("cp1257", "cp1257 x-cp1257"),
    "windows-1258": ("cp1258", "cp1258 x-cp1258"),
    "x-mac-cyrillic": ("mac-cyrillic", "x-mac-ukrainian"),
    "gbk": (
        "gb18030",
        "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk",
    ),
    "gb18030": ("gb18030", ""),
    "big5": ("big5hkscs", "big5-hkscs cn-big5 csbig5 x-x-big5"),
    "euc-jp": ("euc-jp", "cseucpkdfmtjapanese x-euc-jp"),
    "iso-2022-jp": ("iso2022-jp", "csiso2022jp"),
    "shift_jis": ("cp932", "csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis"),
    "euc-kr": (
        "cp949",
        "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949",
    ),
    "utf-16be": ("utf-16-be", "unicodefffe"),
    "utf-16le": (
        "utf-16-le",
        "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16",
    ),
}
_NAME_BY_LABEL: Final[dict[str, str]] = {
    label: name for name, (_, labels) in _ENCODINGS.items() for label in (name, *labels.split())
} | {"x-user-defined": "windows-1252"}

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_BE, "utf-16be"), (codecs.BOM_UTF16_LE, "utf-16le"))
_HEADER_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([^\s\"';,]{1,40})", re.IGNORECASE)
#: One pass over the first bytes; ``charset`` anywhere inside a meta tag covers both spellings of the element.
_META = re.compile(rb"<meta[\s/][^>]{0,400}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([^\s\"'/>;]{1,40})", re.IGNORECASE)
_XML = re.compile(rb"\s{0,20}<\?xml[^>]{0,100}?encoding\s{0,9}=\s{0,9}[\"']([^\"']{1,40})")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_META_BYTES = 4_096
_DETECTION_BYTES = 16_384
#: What detection may answer: the encodings that undeclared pages are really written in.
_LIKELY = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
]


def decode(body: bytes, content_type: str = "") -> tuple[str, str]:
    """The text of a page and the WHATWG name of its encoding; wrong bytes become U+FFFD, nothing raises.

    A body that is valid UTF-8 beyond ASCII is read as such against another declared encoding: text written in one is
    valid UTF-8 only by a freak, whereas servers that declare iso-8859-1 for every file, and pages saved as UTF-8 under
    their old meta element, are common. Of the encodings of East Asia a few words may be such a freak, a page never is.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], name), name
    text = _as_utf8(body)
    declared = _declared(body, content_type)
    if text is not None and not (declared and declared.startswith(("utf-16", "iso-2022"))):
        if text.isascii() and declared:
            return text, declared
        if declared in (None, "utf-8") or _is_single_byte(declared) or _has_beyond_ascii(text, _MORE_THAN_CHANCE):
            return text, "utf-8"
    name = declared or _detected(body)
    if name == "utf-8" and text is None:
        # The header says UTF-8 and the bytes are not: the page itself may know better.
        meta = _meta_encoding(body)
        name = meta if meta not in (None, "utf-8") else name
    return _decoded(body, name), name


def encoding_name(label: str) -> str | None:
    """The WHATWG name for a label, None for an unknown one."""
    return _NAME_BY_LABEL.get(label.strip("\t\n\f\r ").lower())


def _declared(body: bytes, content_type: str) -> str | None:
    found = _HEADER_CHARSET.search(content_type)
    if found and (name := encoding_name(found[1])):
        return name
    return _meta_encoding(body)


def _meta_encoding(body: bytes) -> str | None:
    head = _COMMENT.sub(b"", body[:_META_BYTES])
    found = _META.search(head) or _XML.match(head)
    name = encoding_name(found[1].decode("ascii", "replace")) if found else None
    # A meta element that could be read is no UTF-16 (HTML Standard, prescan).
    return "utf-8" if name and name.startswith("utf-16") else name


def _as_utf8(body: bytes) -> str | None:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        # A body cut at the byte cap may end inside a character.
        if error.start >= len(body) - 3:
            return body[: error.start].decode("utf-8")
        return None


def _decoded(body: bytes, name: str) -> str:
    return body.decode(_ENCODINGS[name][0], "replace")


def _is_single_byte(name: str | None) -> bool:
    return name is not None and name.startswith(("windows-", "iso-8859", "koi8", "ibm866", "macintosh", "x-mac"))


#: Characters beyond ASCII: each of them would have to be a freak.
_MORE_THAN_CHANCE = 12


def _has_beyond_ascii(text: str, count: int) -> bool:
    return len(text.encode("ascii", "ignore")) + count <= len(text)


def _detected(body: bytes) -> str:
    """The likely encoding of undeclared bytes that are no UTF-8; windows-1252 where nothing speaks for another."""
    from charset_normalizer import from_bytes  # 40 ms to import, needed for one page in thousands

    first = next((index for index, byte in enumerate(body[:2_000_000]) if byte > 127), 0)
    sample = body[max(0, first - 1_000) :][:_DETECTION_BYTES]
    best = from_bytes(sample, steps=5, chunk_size=512, cp_isolation=_LIKELY, preemptive_behaviour=False).best()
    return (encoding_name(best.encoding.replace("_", "-")) if best else None) or _alias(best) or "windows-1252"


def _alias(best: object) -> str | None:
    codec = str(getattr(best, "encoding", "")).replace("_", "-")
    return next((name for name, (python, _) in _ENCODINGS.items() if python == codec), None)
