# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""Postal addresses of a page, each on one line: marked up, in address elements, or written as the country writes them."""

from __future__ import annotations

import itertools
import re
from typing import Final

from extractor.models import Found
from extractor.page.document import Document
from extractor.page.markup import bound_markup
from extractor.page.organization import postal_address
from extractor.page.regions import region_of_host
from extractor.page.structured import Node, types_of
from extractor.page.text import clean_line
from extractor.words import TAG_WORDS

MAX_ADDRESSES = 20
MAX_LINES = 4_000

_STREET_DE: Final = r"[A-ZÄÖÜ][\wäöüßéèÄÖÜ.'’-]{1,40}(?:[ -][\wäöüßéèÄÖÜ.'’-]{1,30}){0,5}"
#: Germany, Austria, Switzerland: street and number, then postal code and place.
_DACH_STREET = re.compile(
    rf"(?:^|(?<=[,|·•:–-] )|(?<=[,|·•:] ))({_STREET_DE}\s?\d{{1,4}}\s?(?:[a-zA-Z](?![\w]))?(?:\s?[-–/+]\s?\d{{1,4}}\s?[a-zA-Z]?)?)\s*[,|·•–-]?\s*$"
)
_DACH_PLACE = re.compile(
    r"^(?:(?:DE?|AT?|CH|A|FL|L)\s?[-–]\s?)?(\d{4,5})\s([A-ZÄÖÜ][\wäöüßéèÄÖÜ.()/’' -]{1,50}?)\s*(?:$|[,|·•–(]|\s-\s|(?=Tel|Fon|Fax|E-?Mail|Germany|Deutschland|Österreich|Schweiz))"
)
_STREET_WORD_DE = re.compile(
    r"(?:str(?:a(?:ß|ss)e|\.|aße)?|weg|gasse|platz|allee|ring|damm|ufer|hof|chaussee|steig|pfad|markt|berg|graben|wall|promenade|zeile|gässle|brücke|tor|park|feld|garten|winkel|kai|quai|rain|halde|steg|gürtel|lände|kamp|stieg|hang|siedlung|höhe|heide|twiete|redder|reihe|bogen|grund|anger|leite|aue|\b(?:rue|route|via|am|an|im|auf|zum|zur|in|unter|vor|hinter|bei|alte[rn]?|neue[rn]?|große[rn]?|kleine[rn]?))\b",
    re.IGNORECASE,
)
_DACH_LINE = re.compile(
    rf"(?:^|[,|·•:–]\s?)({_STREET_DE}\s\d{{1,4}}\s?(?:(?![DA]\s?[-–]\s?\d{{4}})[a-zA-Z](?!\w))?(?:\s?[-–/+]\s?\d{{1,4}}\s?[a-zA-Z]?)?)\s?[,|·•–-]\s?((?:(?:D|DE|A|AT|CH)\s?[-–]\s?)?\d{{4,5}}\s[A-ZÄÖÜ][\wäöüßéèÄÖÜ.-]{{1,40}}(?:[ -/](?:[A-ZÄÖÜ(]|am|an|im|der|ob|bei|in|a\.)[\wäöüßÄÖÜ.()-]{{0,30}}){{0,4}})"
)
#: The same behind other words of a line: "Acme GmbH Lübecker Straße 9 D-49124 Hagen". Only the street's own word is sure.
_DACH_TAIL = re.compile(
    r"(?<!\w)((?:[A-ZÄÖÜ][\wäöüß.'’-]{1,30}\s)?(?:[A-ZÄÖÜ][\wäöüß.'’-]{0,30})?(?:[Ss]tra(?:ß|ss)e|[Ss]tr\.|[Ww]eg|[Gg]asse|[Pp]latz|[Aa]llee|[Dd]amm|[Uu]fer)\s\d{1,4}\s?(?:(?![DA]\s?[-–]\s?\d{4})[a-zA-Z](?!\w))?)"
    r"(?:\s?[,|·•–-]\s?|\s{1,4})((?:(?:D|DE|A|AT|CH)\s?[-–]\s?)?\d{5}\s[A-ZÄÖÜ][\wäöüßÄÖÜ.-]{1,40}(?:\s(?:am|an der|im|ob der|bei)\s[A-ZÄÖÜ][\wäöüß]{1,30})?)"
)
#: United States: number and street, place, state and ZIP code.
_STATE = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
    "|Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine"
    "|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota"
    "|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming"
)
_US = re.compile(
    rf"(?:^|(?<=[\s:|•·,(]))((?:\d{{1,6}}[A-Z]?(?:-\d{{1,4}})?\s(?:[NSEW]\.?\s|North\s|South\s|East\s|West\s)?[A-Z0-9][\w.'’&#-]{{0,25}}(?:(?:,|\s[|•·])?\s#?[A-Z0-9][\w.'’&#/-]{{0,20}}){{0,8}}|P\.?\s?O\.?\sBox\s\d{{1,6}})"
    rf"(?:,\s?|\s?\n\s?|\s?[|•·]\s?|\s{{1,2}}))([A-Z][A-Za-z.'’-]{{1,25}}(?:\s[A-Z][A-Za-z.'’-]{{1,25}}){{0,3}}),?\s(?:\n\s?)?({_STATE})\.?,?\s{{1,2}}(\d{{5}}(?:-\d{{4}})?)(?!\d)"
)
_UK_STREET = re.compile(
    r"\b(?:Street|St|Road|Rd|Lane|Ln|Avenue|Ave|Drive|Dr|Close|Way|Place|Pl|Square|Sq|Court|Ct|Crescent|Terrace|Gardens|Grove|Hill|House|Park|Estate|Row|Mews|Walk|Wharf|Yard|Parade|Quay|Gate|Green|Building|Centre|Business Park|Works|Mill|Farm|Floor|Unit|Suite|High Street)\b",
)
#: France, Italy, Spain, Netherlands, Poland ...: a line with a street word and a number, then code and place.
_STREET_WORD_ROMANCE = (
    r"(?:rue|avenue|av\.|bd|boulevard|place|chemin|route|allée|allee|quai|impasse|cours|square|passage|zone|za|zi|via|viale|piazza|piazzale|corso|largo|vicolo|strada|località|calle|c/|avda\.?|avenida|plaza|paseo|carrer|carretera|ctra\.?"
    r"|polígono|poligono|ronda|travessa|rua|praça|praca|largo|ul\.|al\.|os\.|pl\.|ulica)"
)
_CODE_AND_PLACE = r"(?:[A-Z]{1,2}[-–]\s?)?(?:\d{2}-\d{3}|\d{4}-\d{3}|\d{5}|\d{4}\s?[A-Z]{2}|\d{4})\s(?:[A-ZÀ-Ý][\w'’À-ÿ.-]{1,40})(?:[ -](?:[A-ZÀ-Ý(][\w'’À-ÿ.()-]{0,30}|de|la|le|les|sur|en|di|del|della|du|lès|sous|aux|et|cedex)){0,5}"
_ROMANCE = re.compile(
    rf"(?:^|(?<=[,|·•:–-] )|(?<=\s))((?:\d{{1,4}}\s?(?:bis|ter|[A-Za-z])?,?\s)?{_STREET_WORD_ROMANCE}\s[^\n|•·:@]{{3,80}}?)(?:\s?[,|·•\n–-]\s?(?:\n\s?)?|\s)({_CODE_AND_PLACE})",
    re.IGNORECASE | re.MULTILINE,
)
_DUTCH = re.compile(
    r"(?:^|(?<=[,|·•:] ))([A-Z][\w'’.-]{2,40}(?:\s[\w'’.-]{1,30}){0,4}\s\d{1,5}\s?(?:[a-zA-Z](?!\w)|-\s?\d{1,4}|[-/]\s?[a-zA-Z0-9]{1,4})?)\s?[,|·•\n–-]\s?(?:\n\s?)?((?:NL[- ]?)?[1-9]\d{3}\s?[A-Z]{2}\s{1,2}(?:[A-Z'’][\w'’-]{1,30})(?:\s(?:[A-Z(][\w'’()-]{1,30}|aan|den|de|op|ter)){0,4})",
    re.MULTILINE,
)
_NUMBER_IN_TEXT = re.compile(r"\d")
_CONTACT_TAIL = re.compile(
    r"(?:^|[\s,|·•(])(?:tel(?:efon|éfono|éphone|\.|:)|tél|fon\b|phone|fax|mobil|e-?mail|email|mail:|web:|www\.|https?:|t:|t\.|p:|p\.\s|öffnungszeiten|opening hours|google maps|get directions|anfahrt|view map|ust|rea\b|p\.?\s?iva|cod\. ?fisc|c\.f\.|capitale|hrb|rcs|siret|тел|電話|تلفن|\+\d|[\w.+-]{1,60}@).*",
    re.IGNORECASE | re.DOTALL,
)


_ADDRESS_ELEMENTS: Final = (("", "address"), ("itemprop", "[itemprop=address]:not([itemscope])"))
TAG_WORDS.add("itemprop")


def read_addresses(document: Document, nodes: list[Node]) -> list[Found]:
    """Each address once; a later spelling that only repeats an earlier one is left out."""
    found: list[Found] = []
    for node in nodes:
        if "PostalAddress" in types_of(node) and (address := postal_address(node)):
            _add(found, address.text, "structured data PostalAddress", 0)
        elif isinstance(node.get("address"), str) and (address := postal_address(node["address"])):
            _add(found, address.text, "structured data address", 1)
    for element in document.elements(_ADDRESS_ELEMENTS, 30):
        if text := _address_element(element.inner_html or ""):
            _add(found, text, "address element", 2)
    for text in written_addresses(document.text, has_short_codes=_has_short_codes(document)):
        _add(found, text, "address in the text", 3)
    return found[:MAX_ADDRESSES]


_SHORT_CODES: Final = frozenset(
    ["AT", "CH", "LI", "LU", "DK", "NO", "BE", "NL", "HU", "SI", "BG", "LV", "AU", "NZ", "ZA", "PT"]
)
_SHORT_CODE_LANGUAGES: Final = ("de", "da", "nb", "no", "nl", "hu", "sl")


def _has_short_codes(document: Document) -> bool:
    """Whether postal codes of four digits are to be expected: anywhere else such a number is a year or a price."""
    region = region_of_host(document.host)
    root = document.tree.css_first("html")
    language = (root.attributes.get("lang") or "").lower() if root is not None else ""
    return region in _SHORT_CODES or (region is None and language.startswith(_SHORT_CODE_LANGUAGES))


_TOUCHING = re.compile(r"\s(?:(?:[A-Z]\s?)?\(|(?:Tel|Tél|Tlf|Fax)\.?)$")


def _add(found: list[Found], text: str, how: str, rank: int) -> None:
    text = clean_line(_TOUCHING.sub("", text.strip(" ,;|·•-–")), 300) or ""
    key = _key(text)
    if len(key) < 10 or any(key in _key(known.value) or _key(known.value) in key for known in found):
        return
    found.append(Found.model_construct(value=text, how=how, rank=rank))


def _key(text: str) -> str:
    text = (
        text.lower().replace("straße", "str").replace("strasse", "str").replace("str.", "str").replace("street", "st")
    )
    return re.sub(r"[\W_]+", "", text)


#: What templates put into address elements: the line of copyright, the server's signature.
_NO_ADDRESS = re.compile(
    r"©|\(c\)|copyright|rights reserved|rechte vorbehalten|server at .{1,80} port \d", re.IGNORECASE
)
_PHONE_AT_END = re.compile(r"[\s,|]{1,4}[+(]?\d[\d ().\-/]{7,20}\s*$")


def _address_element(html: str) -> str | None:
    """The lines of an address element that are an address: not the phone, the mail or the author's name."""
    text = bound_markup(html[:20_000]).text
    if _NO_ADDRESS.search(text):
        return None
    whole = _PHONE_AT_END.sub("", _CONTACT_TAIL.sub("", text)).strip()
    line = ", ".join(part.strip(" ,") for part in whole.split("\n") if part.strip(" ,"))
    has_number = len(re.findall(r"\d", line)) >= 3
    return line if has_number and 12 <= len(line) <= 250 and line.count(" ") >= 2 else None


#: What is looked for in the whole text names the digits: the class of all digits takes twice the time.
_PLACE_OF_CODE = re.compile(r"(?<=[0-9]{4}) [A-ZÄÖÜ]")
_DIGITS = re.compile(r"[0-9][0-9-]{3,9}")
_CODE = re.compile(r"\d{2}-\d{3}|\d{4}-\d{3}|\d{5}(?:-\d{4})?|\d{4}")
MAX_CODES = 400
_STATE_BEFORE = re.compile(r"(?:[A-Z]{2}|[A-Z][a-z]{3,12})\.?,?\s{1,2}\Z")
_PLACE_BEHIND = re.compile(r"\s?[A-ZÀ-Ý]")


def written_addresses(text: str, *, has_short_codes: bool = True) -> list[str]:
    """Addresses written as their country writes them, one line each. Every address has a code: only there is looked."""
    numbers = [match.span() for match in itertools.islice(_DIGITS.finditer(text), MAX_LINES)]
    codes = [span for span in numbers if _PLACE_OF_CODE.match(text, span[1])]
    found = _german(text, codes, has_short_codes) + _british(text) + _canadian(text)
    for start, end in numbers[:MAX_CODES]:
        is_american = end - start in (5, 10) and _STATE_BEFORE.search(text, max(0, start - 16), start)
        if not is_american and not _PLACE_BEHIND.match(text, end):
            continue
        if (
            not _CODE.fullmatch(text, start, end)
            or text[max(0, start - 1) : start].isdigit()
            or text[end : end + 1].isdigit()
        ):
            continue
        window = text[max(0, start - 160) : end + 90]
        american = _american(window, end - max(0, start - 160)) if is_american else []
        found += american or _romance(window, text[end : end + 4])
    return list(dict.fromkeys(found))[:MAX_ADDRESSES]


def _american(window: str, end_of_code: int) -> list[str]:
    if end_of_code < 15:
        return []
    matches = [match for match in _US.finditer(window) if match.end() >= end_of_code]
    return [
        f"{_street_and_city(window[match.start(1) : match.start(3)])}, {match[3]} {match[4]}" for match in matches[-1:]
    ]


_CANADIAN = re.compile(
    r"(?:^|(?<=[\s:|•·,(]))(\d{1,6}(?:-\d{1,5})?\s(?:[A-Z0-9][\w.'’#-]{0,25}(?:,\s?|\s?\n\s?|\s[|•·]\s|\s)){1,9})"
    r"(AB|BC|MB|NB|NL|NS|NT|ON|PE|QC|SK|YT),?\s{1,2}([ABCEGHJ-NPRSTVXY][0-9][A-Z]\s?[0-9][A-Z][0-9])(?!\w)"
)
_CANADIAN_CODE = re.compile(r"[A-Z],?\s{1,2}[A-Z][0-9][A-Z]\s?[0-9][A-Z][0-9](?!\w)")


def _canadian(text: str) -> list[str]:
    found = []
    for code in itertools.islice(_CANADIAN_CODE.finditer(text), MAX_ADDRESSES):
        window = text[max(0, code.start() - 120) : code.end()]
        if match := _CANADIAN.search(window):
            found.append(f"{_street_and_city(match[1])}, {match[2]} {match[3]}")
    return found


def _street_and_city(text: str) -> str:
    """What stands before the state: lines and commas divide it, so that New York stays one city."""
    text = _RESERVED.sub("", text)
    parts = [part.strip(" ,") for part in re.split(r"[,\n|•·]+", text) if part.strip(" ,")]
    # A telephone or a year in the line above begins with digits too.
    streets = [index for index, part in enumerate(parts) if _STREET_OR_BOX.match(part)] or [0]
    is_year = len(streets) > 1 and _YEAR.match(parts[streets[0]])
    return ", ".join(parts[streets[1] if is_year else streets[0] :])


_RESERVED = re.compile(r"^.{0,160}reserved\W{0,3}", re.IGNORECASE | re.DOTALL)
_YEAR = re.compile(r"(?:19|20)\d\d\s")
_STREET_OR_BOX = re.compile(r"\d{1,6}[A-Z]?(?:-\d{1,4})?\s.{0,40}?[A-Za-z]|P\.?\s?O\.?\sBox")


#: Street words in lower case; a window without any of them has no street of these languages.
_ROMANCE_WORDS = (
    *(
        "rue ",
        "avenue",
        "av. ",
        "bd ",
        "boulevard",
        "place ",
        "chemin",
        "route ",
        "allée",
        "allee ",
        "quai ",
        "impasse",
        "cours ",
        "square",
    ),
    *(
        "passage",
        "zone ",
        "za ",
        "zi ",
        "via ",
        "viale",
        "piazza",
        "corso",
        "largo",
        "vicolo",
        "strada",
        "località",
        "calle",
        "c/",
        "avda",
    ),
    *(
        "avenida",
        "plaza",
        "paseo",
        "carrer",
        "ctra",
        "polígono",
        "poligono",
        "ronda",
        "travessa",
        "rua ",
        "praça",
        "praca",
        "ul.",
        "al.",
        "os.",
    ),
    *("pl.", "ulica"),
)
_DUTCH_CODE = re.compile(r"\s?[A-Z]{2}\s")


def _romance(window: str, behind: str) -> list[str]:
    lowered = window.lower()
    patterns = [_ROMANCE] if any(word in lowered for word in _ROMANCE_WORDS) else []
    if _DUTCH_CODE.match(behind):
        patterns.append(_DUTCH)
    matches = (match for pattern in patterns for match in pattern.finditer(window))
    return [
        f"{_flat(match[1])}, {_flat(match[2])}"
        for match in matches
        if _NUMBER_IN_TEXT.search(match[1]) and not (match.re is _DUTCH and _DAY_OF_MONTH.search(match[1]))
    ]


def _flat(text: str) -> str:
    return ", ".join(part.strip(" ,|·•") for part in text.split("\n") if part.strip(" ,|·•"))


_DAY_OF_MONTH = re.compile(
    r"(?<![^\W\d_])(?<!\d\. )(?:jan(?:uary?)?|feb(?:ruary?)?|mar(?:ch)?|märz|apr(?:il)?|ma[yi]|june?|juni|july?|juli|aug(?:ust)?|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\.?\s\d{1,2}$",
    re.IGNORECASE,
)
_SURE_STREET_DE = re.compile(
    r"str(?:a(?:ß|ss)e|\.|aße)|(?:weg|gasse|platz|allee|damm|ufer|chaussee|promenade|gässle|brücke|vej|gade|väg)\b|\b(?:rue|via|route)\b",
    re.IGNORECASE,
)


def _is_german_street(street: str, code: str, has_short_codes: bool) -> bool:
    if _DAY_OF_MONTH.search(street):
        return False
    is_year = len(code) == 4 and 1950 <= int(code) <= 2035
    return len(code) == 5 or (has_short_codes and not is_year) or _SURE_STREET_DE.search(street) is not None


#: The end of a company's name before its street.
_LEGAL_FORM = re.compile(r"^.{0,120}?(?<![^\W\d_])(?:GmbH|mbH|AG|KG|KGaA|e\.\s?V\.|eG|UG|OHG|GbR|SE)\s+(?=[A-ZÄÖÜ])")
_CODE_OF_PLACE = re.compile(r"\d{4,5}")


def _german(text: str, codes: list[tuple[int, int]], has_short_codes: bool) -> list[str]:
    """A code with a place: behind the street in its line, or in the line below it."""
    found = []
    end = -1
    for begun, behind in codes:
        if begun < end:
            continue  # in a line that was read
        start, end = text.rfind("\n", 0, begun) + 1, text.find("\n", behind)
        end = end if end >= 0 else len(text)
        line = text[start:end]
        if len(line) > 300:
            continue
        for match in _DACH_LINE.finditer(line):
            digits = _CODE_OF_PLACE.search(match[2])
            if digits and _STREET_WORD_DE.search(match[1]) and _is_german_street(match[1], digits[0], has_short_codes):
                found.append(f"{_LEGAL_FORM.sub('', match[1])}, {match[2]}")
        if not _DACH_LINE.search(line):
            found += [f"{_LEGAL_FORM.sub('', match[1])}, {match[2]}" for match in _DACH_TAIL.finditer(line)]
        place = _DACH_PLACE.match(line) if start else None
        street = _DACH_STREET.search(_line_before(text, start)) if place else None
        if place and street and _is_german_street(street[1], place[1], has_short_codes):
            found.append(f"{street[1]}, {place[1]} {place[2].strip()}")
    return found


def _line_before(text: str, start: int) -> str:
    """The line that ends before ``start``, empty where it is too long for a street alone."""
    begun = text.rfind("\n", max(0, start - 122), start - 1) + 1
    return text[begun : start - 1] if begun or start <= 121 else ""


_BEHIND_BLANK_OF_UK_CODE = re.compile(r" [0-9][A-Z]")
_UK_CODE = re.compile(r"[A-PR-UWYZ][A-HK-Y]?\d[\dA-HJKMNPR-Y]? \d[ABD-HJLNP-UW-Z]{2}(?![A-Za-z0-9])")


def _british(text: str) -> list[str]:
    found = []
    for match in _UK_CODE.finditer(text) if _BEHIND_BLANK_OF_UK_CODE.search(text) else ():
        if text[max(0, match.start() - 1) : match.start()].isalnum():
            continue
        before = text[max(0, match.start() - 160) : match.start()]
        lines = [part.strip(" ,") for part in before.split("\n")][-5:]
        parts = [part.rpartition(": ")[2] for line in lines for part in line.split(", ") if part]
        start = next(
            (
                index
                for index, part in enumerate(parts)
                if _UK_STREET.search(part) or re.match(r"\d{1,4}[A-Za-z]?\s[A-Z]", part)
            ),
            None,
        )
        if start is None or len(parts) - start > 7 or any(len(part) > 50 for part in parts[start:]):
            continue
        first = re.sub(r"^.{0,80}?(?:\bat|address|office|:)\s(?=[A-Z0-9])", "", parts[start], flags=re.IGNORECASE)
        found.append(", ".join([first, *parts[start + 1 :], match[0]]))
    return found
