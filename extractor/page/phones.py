# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""The telephone numbers of a page as E.164, from where they are certain to where they only look like it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneNumberType

from extractor.models import Found
from extractor.page import phone_words
from extractor.page.document import Document
from extractor.page.regions import likely_regions, region_of_country
from extractor.page.structured import Node, text_of, texts_of
from extractor.page.text import lower_text, remove_invisible
from extractor.words import TAG_WORDS

MAX_PHONES = 40
MAX_CANDIDATES = 300
MAX_NUMBER_CHARACTERS = 60

#: A run that a number can stand in; what may stand around it is checked afterwards, because a run is found faster so.
#: The digits are named, because the class of all digits takes twice the time.
_DIGITS = "0-9٠-٩۰-۹०-९০-৯੦-੯૦-૯๐-๙０-９"
_RUN = re.compile(rf"[+(＋\[{_DIGITS}][{_DIGITS} \t\n\xa0().\[\]/\-‐-―−·•]{{5,60}}")
_NUMBER = re.compile(r"(?:\+|\(\+?|＋)?\s?[(\[]?\d(?:[\s().\[\]/\-‐-―−·•]{0,3}\d){5,17}")
_NOT_BEFORE = re.compile(r"[\w.,/:=#@$€£¥%*&-]\Z")
_RUN_ON_BEFORE = re.compile(r"[A-Za-zÀ-ÿ:.]\Z")
_NOT_BEHIND = re.compile(r"[\w@%$€£]|[.,]\d")
_TOLL_FREE_WORD = re.compile(r"8(?:00|33|44|55|66|77|88)\)?[-. ][A-Z0-9]{3,7}(?:-?[A-Z0-9]{2,5}){0,2}(?![\w-])")
_BEFORE_TOLL_FREE = re.compile(r"(?:(?:^|[^\w-])(?:1[-. ])?|[^\w-])\(?\Z")
_CALL_LINK = re.compile(r"(?:tel|callto|phone)\s?:(?://)?", re.IGNORECASE)
_WHATSAPP = re.compile(
    r"(?:wa\.me/|(?:api|web|chat)\.whatsapp\.com/send/?\?(?:[^#]{0,200}&)?phone=)\+?(\d{8,15})(?!\d)", re.IGNORECASE
)
_WHATSAPP_HOSTS: Final = TAG_WORDS.add("wa.me/", "whatsapp.com/")

_TRUNK = re.compile(r"[(\[]\s?0\s?[)\]]")
_EXTENSION = re.compile(
    r"\s{0,3}(?:;?\s?ext(?:n|ension)?\.?|x|durchwahl|poste|int(?:erno)?\.?|#)\s{0,3}[:.=]?\s{0,3}\d{1,6}\s*$",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"(?<=\d)\s?/\s?-?\d{1,2}$")
_NO_PHONE_TYPES: Final = frozenset((PhoneNumberType.PAGER, PhoneNumberType.VOICEMAIL, PhoneNumberType.UNKNOWN))


@dataclass(slots=True)
class Candidate:
    """A run of digits and what stands before it."""

    text: str
    before: str
    labelled: bool
    fax: bool


def read_phones(document: Document, nodes: list[Node], languages: list[str]) -> list[Found]:
    """Each number once, the most trusted rule first; numbers that are only a fax are left out."""
    links = list(_linked(document))
    structured = [(text, node) for node in nodes for text in texts_of(node.get("telephone"))]
    candidates = list(text_candidates(document.text))
    written = [*links, *(text for text, _ in structured), *(candidate.text for candidate in candidates)]
    regions = likely_regions(document, languages, nodes, _calling_codes(written))
    found: dict[str, Found] = {}
    faxes = {number for node in nodes for text in texts_of(node.get("faxNumber")) if (number := e164(text, regions))}
    for text in links:
        _add(found, e164(text, regions), "tel: link", 0)
    for text, node in structured:
        _add(found, e164(text, _own_regions(node, regions)), "structured data telephone", 1)
    for number in _whatsapp(document):
        _add(found, number, "WhatsApp link", 3)
    voices = _read_text(candidates, regions, found, faxes)
    for number in faxes - voices:
        found.pop(number, None)
    return sorted(found.values(), key=lambda value: value.rank)[:MAX_PHONES]


def _own_regions(node: Node, regions: list[str]) -> list[str]:
    """The country of the node's own address before those of the page."""
    address = node.get("address")
    address = address[0] if isinstance(address, list) and address else address
    country = text_of(address.get("addressCountry")) if isinstance(address, dict) else None
    region = region_of_country(country.rpartition("/")[2]) if country else None
    return [region, *regions] if region else regions


def _read_text(candidates: list[Candidate], regions: list[str], found: dict[str, Found], faxes: set[str]) -> set[str]:
    """Add the numbers of the text, collect the faxes; returns the numbers that the text calls a telephone."""
    voices = set()
    for candidate in candidates:
        number = number_in_text(candidate, regions)
        if number is None:
            continue
        if candidate.fax:
            faxes.add(number)
            continue
        if candidate.labelled:
            voices.add(number)
        _add(
            found,
            number,
            "labelled in the text" if candidate.labelled else "number in the text",
            2 if candidate.labelled else 4,
        )
    return voices


def _add(found: dict[str, Found], number: str | None, how: str, rank: int) -> None:
    if number and number not in found and len(found) < MAX_PHONES:
        found[number] = Found.model_construct(value=number, how=how, rank=rank)


# Where numbers stand


def _linked(document: Document) -> Iterator[str]:
    for anchor in document.contact_anchors:
        scheme = _CALL_LINK.match(anchor.href)
        if scheme:
            yield unquote(anchor.href[scheme.end() :])[: MAX_NUMBER_CHARACTERS * 2]


def _whatsapp(document: Document) -> Iterator[str]:
    for anchor in () if document.tag_words.isdisjoint(_WHATSAPP_HOSTS) else document.anchors:
        if "wa.me/" in anchor.href or "whatsapp.com/" in anchor.href:
            match = _WHATSAPP.search(unquote(anchor.href[:500]))
            if match and (number := e164("+" + match[1], [])):
                yield number


def text_candidates(text: str) -> Iterator[Candidate]:
    """The runs of digits in a text that could be telephone numbers, each with its label."""
    seen: set[tuple[str, bool]] = set()
    for start, number in _runs(text):
        before, label = _label(text, start)
        is_plain = not _may_be_unlabelled(number)
        if is_plain and not _LETTER.search(label):
            continue
        candidate = _candidate(number, before, label)
        if candidate is None or (is_plain and not candidate.labelled):
            continue
        if _NOT_BEFORE.search(text, max(0, start - 1), start) and not (
            _RUN_ON_BEFORE.search(before) and candidate.labelled
        ):
            continue
        if (candidate.text, candidate.fax) not in seen:
            seen.add((candidate.text, candidate.fax))
            yield candidate
            if len(seen) >= MAX_CANDIDATES:
                break
    if "8" in text:
        yield from _words_as_numbers(text)


_LETTER = re.compile(r"[^\W\d_]|[☎📞📱✆🕿📠🖷]")


def _may_be_unlabelled(number: str) -> bool:
    """Whether a run of digits is grouped as numbers are; anything else needs a word that calls it a number."""
    if number.lstrip("( ")[:1] in "+＋" or number.lstrip("( ").startswith("00"):
        return True
    groups = _GROUP.findall(number)
    return 2 <= len(groups) <= 6 and 7 <= sum(map(len, groups)) <= 13 and not _PRICE_LIKE.fullmatch(number)


def _runs(text: str) -> Iterator[tuple[int, str]]:
    """Where a number begins, and its text: within one line, with nothing behind it that makes it something else."""
    known: dict[str, list[tuple[int, str]]] = {}  # prices, years and hours stand on a page many times
    for run in _RUN.finditer(text):
        written = run[0]
        numbers = known.get(written)
        if numbers is None:
            numbers = known[written] = list(_numbers(written))
        for begun, number in numbers:
            start = run.start() + begun
            if not _NOT_BEHIND.match(text, start + len(number)):
                yield start, number


def _numbers(run: str) -> Iterator[tuple[int, str]]:
    """The numbers in a run that are no dates, and where each begins."""
    for start, line in _pieces(run) if _NUMBER.search(run) else ():
        for match in _NUMBER.finditer(line):
            number = match[0].lstrip()
            if not phone_words.DATE.search(number):
                yield start + match.end() - len(number), number


_BETWEEN = re.compile(r"\n|\s?[/–|·•]\s?|\s-\s|(?<=\d{4})\s(?=\(0?\d)")


def _pieces(run: str) -> Iterator[tuple[int, str]]:
    """A run cut at line ends, and between two numbers that a stroke or a bracket divides: 020 79460018 / 0800 1234567."""
    begun = 0
    for match in _BETWEEN.finditer(run):
        before, after = run[begun : match.start()], run[match.end() :]
        is_code_before_number = match[0].isspace() and "\n" not in match[0] and before.lstrip()[:1] not in ("+", "(")
        # "0221/123456 / 0171/1234567": a stroke with blanks divides numbers, one without may divide area and number.
        is_wide = len(match[0]) == 3
        behind = after.partition("\n")[0] if is_wide else _BETWEEN.split(after, maxsplit=1)[0]
        is_between = _digits(before) >= 7 and _digits(behind) >= 7
        if match[0] == "\n" or is_between or (is_code_before_number and not before.startswith("00")):
            yield begun, before
            begun = match.end()
    yield begun, run[begun:]


def _digits(text: str) -> int:
    return len(_NO_DIGIT.sub("", text))


_NO_DIGIT = re.compile(r"\D+")


def _words_as_numbers(text: str) -> Iterator[Candidate]:
    """1-800-FLOWERS"""
    for match in _TOLL_FREE_WORD.finditer(text):
        start = match.start()
        if re.search("[A-Z]{3}", match[0]) and _BEFORE_TOLL_FREE.search(text, max(0, start - 4), start):
            word = phonenumbers.convert_alpha_characters_in_number(match[0])
            yield Candidate(text=f"+1 {word}", before="", labelled=True, fax=False)


def _candidate(number: str, before: str, label: str) -> Candidate | None:
    if phone_words.TIME_RANGE.match(number.strip()) or (before and phone_words.OTHER_LABEL.search(lower_text(before))):
        return None
    lowered = lower_text(label)
    fax, phone = _last(phone_words.FAX_LABEL, lowered), _last(phone_words.PHONE_LABEL, lowered)
    if phone < 0 and phone_words.SHORT_PHONE_LABEL.search(label[-4:]):
        phone = len(label)
    if fax < 0 and label.rstrip().endswith("F") and phone_words.FAX_AFTER_PHONE.search(before):
        fax = len(label) + 1
    # "Tel/Fax: 123": both words side by side name one number.
    is_fax = fax > phone and not (phone >= 0 and fax - phone < 14 and _SIDE_BY_SIDE.search(label[phone:fax]))
    return Candidate(text=number.strip(), before=before, labelled=phone >= 0 or fax >= 0, fax=is_fax)


_SIDE_BY_SIDE = re.compile(r"[/&+]|\bund\b|\band\b|\by\b|\be\b|\bet\b")


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((match.start() for match in pattern.finditer(text)), default=-1)


_PREVIOUS_NUMBER = re.compile(r"\d[\d\s().\-/]{5,}\d")
#: Between two numbers that share a label: "Tel. 224 123 456, 602 123 456".
_ALSO = re.compile(r"\s{0,3}(?:[,;/|•·]|oder|or|ou|und|and|et|y|e|o|lub|nebo|\s)\s{0,3}[(+]{0,2}", re.IGNORECASE)


def _label(text: str, start: int) -> tuple[str, str]:
    """What stands before a number: the rest of its line, and what may be its label (a short line before it)."""
    line_start = text.rfind("\n", max(0, start - 80), start) + 1 or max(0, start - 80)
    before = text[line_start:start]
    label = before
    if len(before.strip(" :|.-–(")) <= 1 and line_start:
        previous = text[max(0, line_start - 60) : line_start - 1].rpartition("\n")[2]
        if len(previous) <= 30:
            label = f"{previous} {before}"
            before = label
    numbers = list(_PREVIOUS_NUMBER.finditer(label))
    if numbers and not _ALSO.fullmatch(label[numbers[-1].end() :]):
        label = label[numbers[-1].end() :]
    return before[-36:], label[-45:]


# Reading a number


def _calling_codes(texts: list[str]) -> Iterator[int]:
    for text in texts:
        if text.lstrip(" (").startswith(("+", "00")):
            number = _parsed(_prepared(text), None)
            if number is not None and number.country_code:
                yield number.country_code


def _prepared(text: str) -> str:
    """The number without what phonenumbers would trip over: a trunk zero in brackets, an extension, 00 for +."""
    text = remove_invisible(text.replace("\u00a0", " ").replace("＋", "+")).strip()[: MAX_NUMBER_CHARACTERS * 2]
    text = _EXTENSION.sub("", text.partition(";")[0].partition("?")[0])[:MAX_NUMBER_CHARACTERS]
    international = text.lstrip("( ").startswith(("+", "00"))
    if international:
        text = _TRUNK.sub(" ", text)
        text = text.lstrip("( ")
    if re.match(r"00\s?[1-9]", text):
        text = "+" + text[2:].lstrip()
    return text


@lru_cache(maxsize=8_192)
def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The valid number a text spells, None otherwise. Remembered: a site repeats its number on every page."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    # A type is known exactly for valid numbers; asking for both would match every pattern twice.
    return None if phonenumbers.number_type(number) in _NO_PHONE_TYPES else number


def e164(text: str, regions: list[str]) -> str | None:
    """A number that is known to be one, in E.164; the first region in which it is valid decides where it has no code."""
    text = _prepared(text)
    if sum(character.isdigit() for character in text) < 5:
        return None
    number = _first_valid(text, regions)
    if number is None and not text.startswith("+") and len(re.sub(r"\D", "", text)) >= 10:
        # tel:4930123456: the plus was forgotten.
        number = _parsed("+" + re.sub(r"\D", "", text), None)
    if number is None or _is_invented(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _first_valid(text: str, regions: list[str]) -> phonenumbers.PhoneNumber | None:
    if text.startswith("+"):
        return _parsed(text, None)
    for region in regions:
        number = _parsed(text, region)
        if number is not None:
            return number
    return None


def number_in_text(candidate: Candidate, regions: list[str]) -> str | None:
    """The number a run of digits in a text stands for, if it looks like one or is called one."""
    text = _prepared(candidate.text)
    text = text.lstrip("( ") if ")" not in text else text
    shorter = _ALTERNATIVE.sub("", text)
    if shorter != text and ("/" in shorter or re.search(r"\d\s\d", shorter)) and len(re.sub(r"\D", "", shorter)) >= 7:
        text = shorter
    if text.startswith("+"):
        number = _parsed(text, None)
    elif candidate.labelled or candidate.fax:
        number = _first_valid(text, regions[:2])
    else:
        number = next((found for region in regions[:2] if (found := _unlabelled(text, region))), None)
    if number is None or _is_invented(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_GROUP = re.compile(r"\d+")
_BARE = re.compile(r"\d+")
_PRICE_LIKE = re.compile(r"[1-9]\d{0,2}(?:[. ]\d{3})+")


def _unlabelled(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    """A number that nothing announces has to be written as the country writes its numbers."""
    groups = _GROUP.findall(text)
    if len(groups) < 2 or len(groups) > 6 or _PRICE_LIKE.fullmatch(text) or _is_series(groups):
        return None
    number = _parsed(text, region)
    if number is None:
        return None
    if region in ("US", "CA"):
        return number if _AMERICAN.fullmatch(text) else None
    if text.lstrip("([ ").startswith("0") and (_national_prefix(region) == "0" or region == "IT"):
        return number
    national = _GROUP.findall(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL))
    if national[0] == _national_prefix(region) and groups[0] != national[0]:
        national = national[1:]
    return number if national == groups and len("".join(groups)) >= 8 else None


def _is_series(groups: list[str]) -> bool:
    """Whether the groups only count up: sizes, years or pages, "36 / 37 / 38 / 39"."""
    numbers = [int(group) for group in groups]
    return len(groups) >= 4 and all(0 < after - before <= 9 for before, after in itertools.pairwise(numbers))


_AMERICAN = re.compile(r"(?:1[-. ])?(?:\(\d{3}\)\s?[-.]?\s?|\d{3}[-. /–])\d{3}[-. –]\d{4}")


@lru_cache(maxsize=256)
def _national_prefix(region: str) -> str:
    """What people dial before a number inside the country: 0 in most of Europe, nothing in Spain or Denmark."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return str(metadata.national_prefix or "") if metadata else ""


def _is_invented(number: phonenumbers.PhoneNumber) -> bool:
    """Numbers of examples: area code 555, all digits alike, 123456789."""
    national = str(number.national_number)
    if number.country_code == 1 and len(national) == 10 and national[:3] == "555":
        return True
    return len(set(national)) == 1 or national in (
        "123456789",
        "1234567890",
        "1234567",
        "12345678",
        "9876543210",
        "987654321",
    )
