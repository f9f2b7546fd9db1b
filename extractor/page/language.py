"""Language tags: BCP 47 in its usual spelling, and a guess from the text where a page declares none."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

_TAG = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{4}))?(?:[-_]([a-z]{2}|\d{3}))?(?=$|[-_.@,;\s])", re.IGNORECASE)
_NAMES: Final = {
    "english": "en", "german": "de", "deutsch": "de", "french": "fr", "français": "fr", "francais": "fr",
    "spanish": "es", "español": "es", "espanol": "es", "italian": "it", "italiano": "it", "dutch": "nl",
    "nederlands": "nl", "portuguese": "pt", "português": "pt", "russian": "ru", "polish": "pl", "polski": "pl",
    "japanese": "ja", "chinese": "zh", "turkish": "tr", "swedish": "sv", "svenska": "sv", "danish": "da",
    "dansk": "da", "czech": "cs", "hungarian": "hu", "magyar": "hu", "greek": "el", "norwegian": "no",
}  # fmt: skip
_NO_LANGUAGE = frozenset(("und", "mul", "zxx", "xx", "xxx", "zz", "x"))
#: Tags people write for languages whose code is another: country codes and old codes.
_MEANT: Final = {
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "jp": "ja",
    "cz": "cs",
    "dk": "da",
    "gr": "el",
    "ua": "uk",
    "cn": "zh",
}

#: The commonest short words, chosen to be rare in the other languages of the table.
_WORDS: Final[dict[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and of to is for with you your our are this that we from by have can about",
        "de": "und der die das ist nicht mit für wir sie auf ein eine von zu den im unsere ihre bei uns auch",
        "fr": "le la les des et vous nous est pour une dans sur avec notre votre par du au qui plus",
        "es": "el los las y del para con una que por nuestro nuestra su más como sobre usted nosotros está",
        "it": "il di e che per con una della del sono nostro nostra gli nel dei più anche alla è",
        "pt": "o os as e do da para com uma não você nossa nosso em por mais dos das são",
        "nl": "de het een van en voor met wij zijn niet op ons onze je bij uw ook naar te",
        "pl": "i w z na do się jest nie oraz dla nasz nasza o od po które że przez",
        "sv": "och att det som för är med vi på av den till har du oss våra inte",
        "da": "og at det er til for med vi på af den har du ikke os vores som en",
        "no": "og det er til for med vi på av den har du ikke oss våre som en å",
        "fi": "ja on ei se että sekä myös tai mukaan meidän ovat kanssa",
        "cs": "a v na je se pro s z že do jsme naše nebo jsou také",
        "sk": "a v na je sa s z že do pre sú alebo nie aj ako pri všetky naša ktoré",
        "sl": "je na za se ki iz ter pri lahko naše kot tudi smo bo vse",
        "lt": "ir kad yra su iš į per apie mūsų jūsų tai kaip bei už arba",
        "lv": "un ir ar par no uz kas lai vai mūsu jūsu pēc tikai visi",
        "et": "ja on ei see et kui ka meie teie või ning oma siis kõik",
        "ca": "i el la els les amb per una que del dels més són als seva nostra",
        "hu": "és a az hogy nem is egy van meg vagy mint csak",
        "ro": "și si de la cu pentru în este din care sunt noastre nostru mai",
        "tr": "ve bir için ile bu da de olarak en çok daha olan",
        "hr": "i u na je za se od s su što kao naše",
        "id": "dan yang untuk dengan di dari ini kami pada anda adalah",
        "vi": "và của cho các với là được trong có không những chúng",
    }.items()
}
_SCRIPTS: Final = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ka", re.compile("[\u10a0-\u10ff]")),
    ("hy", re.compile("[\u0530-\u058f]")),
    ("fa", re.compile("[\u067e\u0686\u0698\u06af]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("sr", re.compile("[ђјљњћџ]")),
    ("kk", re.compile("[әғқңөұү]")),
    ("be", re.compile("ў")),
    ("uk", re.compile("[іїєґ]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
)
#: Languages that are told by a few letters of their own; the share of them in a text.
_RARE_LETTERS: Final = {"ja": 0.02, "uk": 0.02, "fa": 0.01, "sr": 0.02, "kk": 0.02, "be": 0.005}
_CZECH, _SLOVAK = re.compile("[řůěŘŮĚ]"), re.compile("[ľĺŕôäĽĹŔÔÄ]")
_WORD = re.compile(r"[^\W\d_]+")
_SAMPLE_CHARACTERS = 6_000
_MIN_WORDS = 8


def language_tag(value: str | None) -> str | None:
    """A declared language in BCP 47 spelling (de, pt-BR, zh-Hant-TW), None where it names no language."""
    if not value:
        return None
    value = value.strip().strip("\"'")
    if name := _NAMES.get(value.lower()):
        return name
    found = _TAG.match(value)
    if not found:
        return None
    language, script, region = found[1].lower(), found[2], found[3]
    if language in _NO_LANGUAGE or value.lower().startswith("x-"):
        return None
    language = _MEANT.get(language, language) if not region else language
    return "-".join(part for part in (language, script and script.title(), region and region.upper()) if part)


def language_of_text(text: str) -> str | None:
    """The language a text is clearly written in, None for short or mixed texts."""
    sample = text[:_SAMPLE_CHARACTERS]
    if not sample.isascii() and (language := _language_of_script(sample)):
        return language
    words = [word.lower() for word in _WORD.findall(sample)]
    if len(words) < _MIN_WORDS * 2:
        return None
    often = Counter(words)
    counts = sorted(
        ((sum(often[word] for word in known & often.keys()), language) for language, known in _WORDS.items()),
        reverse=True,
    )
    if {counts[0][1], counts[1][1]} == {"cs", "sk"}:
        other = "sk" if len(_CZECH.findall(sample)) > len(_SLOVAK.findall(sample)) else "cs"
        counts = [count for count in counts if count[1] != other]
    (best, language), (second, _) = counts[:2]
    is_prose = best >= max(_MIN_WORDS // 2, len(words) // 12) and best > second * 1.2
    # A shop is mostly names of goods: fewer small words will do where hardly any is of another language.
    is_labels = best >= max(_MIN_WORDS, len(words) // 40) and best > second * 2
    return language if is_prose or is_labels else None


def _is_bulgarian(sample: str) -> bool:
    """Bulgarian uses the hard sign as a vowel, and none of the letters for the Russian ones."""
    return sample.count("ъ") >= 5 and not any(letter in sample for letter in "ыэёЫЭЁ")


def _language_of_script(sample: str) -> str | None:
    letters = sum(character.isalpha() for character in sample)
    for language, script in _SCRIPTS:
        count = len(script.findall(sample))
        threshold = _RARE_LETTERS.get(language, 0.3)
        if count >= 8 and count > letters * threshold:
            return "bg" if language == "ru" and _is_bulgarian(sample) else language
    return None
