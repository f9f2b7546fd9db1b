# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""The countries a page's local telephone numbers may belong to, most likely first."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import phonenumbers

from extractor.page.document import Document
from extractor.page.structured import Node, text_of
from extractor.words import Words

#: Country endings that are sold as words: they say nothing about the country.
_WORD_ENDINGS: Final = frozenset(
    [
        "io",
        "ai",
        "co",
        "me",
        "tv",
        "cc",
        "fm",
        "gg",
        "so",
        "sh",
        "ly",
        "to",
        "ac",
        "bz",
        "ws",
        "nu",
        "la",
        "vc",
        "am",
        "im",
        "is",
        "st",
        "gl",
        "pw",
        "tk",
        "ml",
        "ga",
        "cf",
        "gq",
        "su",
        "eu",
        "app",
        "dev",
    ]
)
_AMERICAN_ENDINGS: Final = frozenset(["edu", "gov", "mil"])
_ENDING_REGIONS: Final = {"uk": "GB", "el": "GR"}
_LANGUAGE_REGIONS: Final = {
    "de": "DE", "fr": "FR", "it": "IT", "es": "ES", "nl": "NL", "pl": "PL", "sv": "SE", "da": "DK", "nb": "NO", "no": "NO", "nn": "NO",
    "fi": "FI", "cs": "CZ", "sk": "SK", "hu": "HU", "ro": "RO", "ja": "JP", "ko": "KR", "tr": "TR", "el": "GR", "he": "IL", "pt": "PT",
    "ru": "RU", "uk": "UA", "vi": "VN", "th": "TH", "id": "ID", "zh": "CN", "bg": "BG", "hr": "HR", "sl": "SI", "sr": "RS", "et": "EE",
    "lv": "LV", "lt": "LT", "is": "IS", "ka": "GE", "hy": "AM", "ms": "MY", "ca": "ES", "eu": "ES", "gl": "ES",
}  # fmt: skip
_COUNTRY_NAMES: Final = {
    "germany": "DE", "deutschland": "DE", "austria": "AT", "österreich": "AT", "switzerland": "CH", "schweiz": "CH", "suisse": "CH",
    "svizzera": "CH", "france": "FR", "italy": "IT", "italia": "IT", "spain": "ES", "españa": "ES", "portugal": "PT", "netherlands": "NL",
    "nederland": "NL", "belgium": "BE", "belgië": "BE", "belgique": "BE", "united kingdom": "GB", "uk": "GB", "england": "GB",
    "scotland": "GB", "wales": "GB", "great britain": "GB", "ireland": "IE", "united states": "US", "united states of america": "US",
    "usa": "US", "u.s.a.": "US", "canada": "CA", "australia": "AU", "new zealand": "NZ", "south africa": "ZA", "india": "IN", "brazil": "BR",
    "brasil": "BR", "mexico": "MX", "méxico": "MX", "argentina": "AR", "chile": "CL", "colombia": "CO", "peru": "PE", "perú": "PE",
    "poland": "PL", "polska": "PL", "sweden": "SE", "sverige": "SE", "denmark": "DK", "danmark": "DK", "norway": "NO", "norge": "NO",
    "finland": "FI", "suomi": "FI", "czech republic": "CZ", "czechia": "CZ", "česko": "CZ", "slovakia": "SK", "hungary": "HU",
    "magyarország": "HU", "romania": "RO", "românia": "RO", "greece": "GR", "turkey": "TR", "türkiye": "TR", "japan": "JP", "日本": "JP",
    "singapore": "SG", "hong kong": "HK", "israel": "IL", "luxembourg": "LU", "liechtenstein": "LI",
}  # fmt: skip

#: Marks of a country's addresses in the text: a state with a ZIP code, a postcode, a state with four digits.
_ADDRESS_MARKS: Final = (
    ("US", re.compile(r"[A-Z]{2}\.?,?\s{1,2}\d{5}(?:-\d{4})?(?!\d)"), frozenset(
        ["AL", "AK", "AZ", "AR", "CA", "CO", "CT", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "DC"]
    )),
    ("CA", re.compile(r"[A-Z]{2}\s{0,2},?\s{0,2}[ABCEGHJ-NPRSTVXY]\d[A-Z]\s?\d[A-Z]\d(?!\w)"), frozenset(["AB", "BC", "MB", "NB", "NL", "NS", "ON", "PE", "QC", "SK", "YT"])),
    ("GB", re.compile(r"[A-Z]{1,2}\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}(?!\w)"), None),
    ("AU", re.compile(r"(?:NSW|VIC|QLD|TAS|ACT)\s{1,2}\d{4}(?!\d)"), None),
    ("IE", re.compile(r"[AC-FHKNPRTV-Y]\d[\dW]\s[\dAC-FHKNPRTV-Y]{4}(?!\w)"), None),
)  # fmt: skip
_CODES_WITH_LETTERS: Final = frozenset(("CA", "GB", "IE"))
_LETTER_AND_DIGIT = re.compile(r"[A-Z]\d")
#: A code in brackets or before a dash or dot; a toll-free number in full. Both begin with what is found fast.
_NORTH_AMERICAN: Final = (
    re.compile(r"[(\d](?:(?<=\()\d{3}\)\s?|(?<=\d)\d\d[-.])\d{3}[-.]\d{4}(?!\d)"),
    re.compile(r"1(?<!\d1)[-. ]8(?:00|33|44|55|66|77|88)[-. ]\d{3}[-. ]\d{4}(?!\d)"),
)
#: What only the businesses of one country have to state: where one of the words is, the pattern is looked for.
_REGISTERS: Final = (
    ("DE", ("HRB ", "USt", "Handelsregister", "Amtsgericht"), re.compile(r"\b(?:HRB \d|USt-?Id|Handelsregister|Amtsgericht)")),
    ("AT", ("Firmenbuch", "ATU"), re.compile(r"\bFirmenbuch|\bATU\d{8}")),
    ("CH", ("CHE-",), re.compile(r"\bCHE-\d{3}\.\d{3}")),
    ("FR", ("SIRET", "SIREN", "RCS"), re.compile(r"\b(?:SIRET|SIREN|RCS)\b.{0,20}\d{3}")),
    ("IT", ("IVA", "P.I.", "P. I.", "PI.", "P I."), re.compile(r"\bP\.? ?I(?:VA\b|\.)|\bPartita IVA\b")),
    ("NL", ("kvk", "KvK", "KVK", "K.v.K", "k.v.k", "K.V.K"), re.compile(r"\bK\.?v\.?K\.?\b.{0,20}\d{6}", re.IGNORECASE)),
    ("GB", ("egistered in England", "VAT "), re.compile(r"[Rr]egistered in England|\bVAT .{0,20}\bGB ?\d{3}")),
    ("BR", ("CNPJ",), re.compile(r"\bCNPJ\b")), ("AU", ("ABN",), re.compile(r"\bABN:? ?\d\d ")),
    ("PL", ("REGON", "KRS"), re.compile(r"\b(?:REGON|KRS)\b")), ("RU", ("ОГРН",), re.compile(r"\bОГРН")),
    ("DK", ("CVR",), re.compile(r"\bCVR\b.{0,10}\d{8}")),
)  # fmt: skip
_REGISTER_WORDS: Final = Words(word for _, words, _ in _REGISTERS for word in words)
#: Signs of money that one country writes; a shop that takes several shows each of them once.
_CURRENCIES: Final = (
    ("£", "GB"),
    ("грн", "UA"),
    ("₴", "UA"),
    ("zł", "PL"),
    ("Kč", "CZ"),
    ("₹", "IN"),
    ("R$", "BR"),
    ("руб", "RU"),
    ("₽", "RU"),
)
_PRICES = 3
_LANGUAGE_REGION = re.compile(r"[a-z]{2,3}(?:-[A-Za-z]{4})?-([A-Z]{2})$")
MAX_REGIONS = 4


def likely_regions(
    document: Document, languages: Iterable[str], nodes: list[Node], calling_codes: Iterable[int]
) -> list[str]:
    """ISO 3166 codes, most likely first. ``calling_codes`` are those of numbers the page writes in full."""
    weights: Counter[str] = Counter()
    for region, weight in _declared(document, list(languages), nodes):
        weights[region] += weight
    for code, count in Counter(calling_codes).items():
        weights[phonenumbers.region_code_for_country_code(code)] += 25 + min(count, 5)
    # A country ending weighs more than any address: where there is one the text need not be searched.
    is_open = region_of_host(document.host) is None
    for found in _regions_of_text(document.text) if is_open else ():
        weights.update(found)
    if is_open and not weights.keys() & {"US", "CA"} and any(mark.search(document.text) for mark in _NORTH_AMERICAN):
        weights["US"] += 8
    regions = [region for region, _ in weights.most_common() if region in phonenumbers.SUPPORTED_REGIONS]
    return regions[:MAX_REGIONS]


@lru_cache(maxsize=1)
def _regions_of_text(text: str) -> list[dict[str, int]]:
    """What the text says of countries, with its weight; read once for all that ask of one page."""
    return [
        dict.fromkeys(_regions_of_addresses(text), 20),
        dict.fromkeys(_regions_of_registers(text), 15),
        {region: 9 for sign, region in _CURRENCIES if text.count(sign) >= _PRICES},
    ]


def _declared(document: Document, languages: list[str], nodes: list[Node]) -> Iterable[tuple[str, int]]:
    if region := region_of_host(document.host):
        yield region, 40
    for country in _countries(nodes):
        yield country, 35
        break
    for language in languages[:2]:
        if found := _LANGUAGE_REGION.match(language):
            yield found[1], 15
        if region := _LANGUAGE_REGIONS.get(language.partition("-")[0]):
            yield region, 10 if "-" not in language else 4


def _regions_of_addresses(text: str) -> Iterable[str]:
    has_letters_in_code = _LETTER_AND_DIGIT.search(text) is not None
    for region, mark, states in _ADDRESS_MARKS:
        if region in _CODES_WITH_LETTERS and not has_letters_in_code:
            continue
        for match in itertools.islice(mark.finditer(text), 200):
            is_word_before = text[max(0, match.start() - 1) : match.start()].isalnum()
            if not is_word_before and (states is None or match[0][:2] in states):
                yield region
                break


def _regions_of_registers(text: str) -> Iterable[str]:
    written = _REGISTER_WORDS.among(text)
    return [region for region, words, mark in _REGISTERS if not written.isdisjoint(words) and mark.search(text)]


def region_of_host(host: str) -> str | None:
    """The country of a host's ending, None for generic endings and for those sold as words."""
    ending = host.rpartition(".")[2]
    if ending in _AMERICAN_ENDINGS:
        return "US"
    if len(ending) != 2 or ending in _WORD_ENDINGS:
        return None
    return _ENDING_REGIONS.get(ending, ending.upper())


def region_of_country(name: str) -> str | None:
    """The ISO 3166 code of a country as sites write it."""
    name = name.strip()
    if len(name) == 2 and name.isalpha():
        return {"UK": "GB"}.get(name.upper(), name.upper())
    return _COUNTRY_NAMES.get(name.lower())


def _countries(nodes: list[Node]) -> Iterable[str]:
    for node in nodes:
        if "addressCountry" in node:
            country = text_of(node["addressCountry"])
            if country and (region := region_of_country(country.rpartition("/")[2])):
                yield region
