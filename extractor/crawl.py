"""Which pages of a site to read first: those that say who is behind it and how to reach them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from urllib.parse import unquote

from yarl import URL

from extractor.address import is_same_site
from extractor.errors import Permanent
from extractor.fetch.urls import checked_url
from extractor.models import Link

#: What a page's address or link text says, and what reading it is worth. Without accents; a word stands for its
#: beginning where it ends in ``*``. Chinese, Japanese and Korean words match anywhere.
WORDS: dict[int, str] = {
    100: (
        "contact* kontakt* contacto contatti contato contatto contactez contacteer kapcsolat* kontakty yhteystiedot"
        " iletisim bize-ulasin contactar contactenos contactanos επικοινωνια контакт* связаться get-in-touch"
        " reach-us write-us napiste-nam ota-yhteytta neem-contact-op kontaktieren ansprechpartner"
        " お問い合わせ 問い合わせ 联系我们 聯絡我們 联系 聯絡 문의 연락처 오시는"
    ),
    95: (
        "impressum imprint colophon kolofon mentions-legales mentions_legales aviso-legal note-legali"
        " legal-notice legal-information impressum-datenschutz 特定商取引法 会社概要 公司简介 회사소개 υπεύθυνος"
        " udaje-o-spolecnosti mentiuni-legale"
    ),
    80: (
        "about* ueber-uns uber-uns uberuns ueberuns om-oss om-os om-meg tietoa quienes-somos quem-somos sobre*"
        " qui-sommes-nous a-propos apropos chi-siamo over-ons over-mij o-nas o-spolecnosti o-firme hakkimizda kurumsal"
        " rolunk despre* sobre-nos o-nama om-foretaget yritys virksomhed unternehmen entreprise empresa azienda bedrijf"
        " firma spolecnost ceg company* corporate who-we-are our-story impresszum о-нас о-компании компания"
        " σχετικα ποιοι-ειμαστε 私たち 企業情報 会社案内 关于我们 關於我們 关于 소개"
    ),
    65: (
        "team unser-team our-team equipe equipo squadra mitarbeiter medarbejdere medarbetare ansatte henkilosto"
        " staff people leadership management direction direktion vorstand zespol tym kadro ekip echipa csapat"
        " команда スタッフ 团队 팀"
    ),
    60: (
        "location* standort* locaties vestigingen filialen sedi sucursales agences lokalizacje pobocky lokationer"
        " kontor* toimipisteet subeler puntos-de-venta store-locator stores branches office* anfahrt directions"
        " find-us acces dove-siamo donde-estamos telephely адрес* офисы アクセス 店舗 门店 지점 오시는길"
    ),
    45: "support help hilfe ayuda aide aiuto kundenservice klantenservice customer-service service-client pomoc faq",
    40: "legal terms agb cgv cgu conditions voorwaarden condizioni podminky regulamin vilkar ehdot",
    35: (
        "privacy* datenschutz* privacidad confidentialite riservatezza rgpd gdpr ochrana-osobnich-udaju prywatnosc"
        " polityka-prywatnosci integritetspolicy personvern privatliv tietosuoja gizlilik adatvedelem"
        " confidentialitate конфиденциальность απορρητο プライバシー 隐私 개인정보"
    ),
    20: "service* leistungen servicios services servizi diensten uslugi produkte products angebot referenzen",
    15: "press presse media news newsroom career* karriere jobs blog",
}
_SEPARATORS = re.compile(r"[\s/_\-.,:;|&+()\[\]!?»›→…'\"]+")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "ı": "i", "æ": "ae", "đ": "d", "œ": "oe", "þ": "th"})


def folded(text: str) -> str:
    """Lower case, without accents, words joined by one hyphen: 'Über uns' and 'ueber_uns' compare with the lists."""
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(c for c in text if not unicodedata.combining(c))
    return _SEPARATORS.sub("-", text).strip("-")


#: Phrases by their first word, prefixes by their first three letters: most links have no word of the lists at all.
_PHRASES: dict[str, list[tuple[str, int]]] = {}
_PREFIXES: dict[str, list[tuple[str, int]]] = {}
_ANYWHERE: list[tuple[str, int]] = []
for _value, _words in WORDS.items():
    for _word in _words.split():
        _key = folded(_word.removesuffix("*"))
        if _word[0] > "\u2fff":
            _ANYWHERE.append((_key, _value))
        elif _word.endswith("*"):
            _PREFIXES.setdefault(_key[:3], []).append((_key, _value))
        else:
            _PHRASES.setdefault(_key.partition("-")[0], []).append((_key, _value))

#: Tried once each where no link leads to a contact page, most likely first.
COMMON_PATHS = ("/contact", "/kontakt", "/contact-us", "/impressum", "/about")
GERMAN_PATHS = ("/impressum", "/kontakt", "/kontakt.html", "/impressum.html")
_PATHS_BY_ENDING = {
    "de": GERMAN_PATHS,
    "at": GERMAN_PATHS,
    "ch": ("/kontakt", "/contact", "/impressum"),
    "fr": ("/contact", "/mentions-legales", "/nous-contacter"),
    "es": ("/contacto", "/aviso-legal"),
    "it": ("/contatti", "/chi-siamo"),
    "nl": ("/contact", "/over-ons"),
    "pl": ("/kontakt", "/o-nas"),
    "cz": ("/kontakt", "/kontakty"),
    "se": ("/kontakt", "/om-oss"),
    "no": ("/kontakt", "/om-oss"),
    "dk": ("/kontakt", "/om-os"),
    "fi": ("/yhteystiedot",),
    "pt": ("/contactos", "/contacto"),
    "br": ("/contato", "/sobre"),
    "hu": ("/kapcsolat", "/impresszum"),
    "tr": ("/iletisim",),
    "ro": ("/contact",),
}

_PLACE_BONUS = {"footer": 8, "nav": 6, "header": 6, "main": 0, "head": -20}
#: Parts of a path or query, in lower case, behind which nothing is told about the site, or something happens to it.
_NEVER = (
    *("login", "log-in", "logout", "log-out", "signin", "sign-in", "signup", "sign-up", "signout", "sign-out"),
    *("register", "abmelden", "anmelden", "cart", "warenkorb", "basket", "checkout", "kasse", "panier", "wishlist"),
    *("add-to", "wp-admin", "wp-json", "xmlrpc", "/cdn-cgi/", "/tag/", "/author/", "mein-konto", "my-account"),
    *("unsubscribe", "delete"),
)
_NEVER_STEP = re.compile(r"/(?:feed|rss|account|print|share|search|calendar)\b")
_FILES = (
    "pdf jpg jpeg png gif webp avif svg ico bmp tif tiff mp3 mp4 m4a m4v avi mov webm ogg wav zip rar 7z gz tgz tar exe"
    " dmg apk doc docx xls xlsx ppt pptx odt ods csv txt xml rss atom json js css woff woff2 ttf eot ics vcf"
)
_FILE_ENDINGS = frozenset(_FILES.split())
_PAGE_ENDINGS = frozenset(("html", "htm", "php", "asp", "aspx", "jsp"))
_INDEX_ENDINGS = tuple(f"/{name}.{ending}" for name in ("index", "default") for ending in ("html", "htm", "php", "asp"))
MAX_LINKS_LOOKED_AT = 3_000
MAX_WORDS = 12
MAX_NAME_WORDS = 5
MAX_TEXT_CHARACTERS = 60
#: Below this a page is read only to fill up max_pages.
CONTACT_VALUE = 60
#: Above any word's.
FRAME_VALUE = 1_000


def word_value(text: str) -> int:
    """The highest value of any word or phrase in a folded text; 0 where it has none."""
    best = 0
    words = text.split("-", MAX_WORDS)
    for number, word in enumerate(words[:MAX_WORDS]):
        phrases, prefixes = _PHRASES.get(word), _PREFIXES.get(word[:3])
        if phrases is None and prefixes is None:
            continue
        rest = "-".join(words[number:])
        for phrase, value in phrases or ():
            if value > best and (rest == phrase or rest.startswith(f"{phrase}-")):
                best = value
        for prefix, value in prefixes or ():
            if value > best and rest.startswith(prefix):
                best = value
    if not text.isascii():
        best = max(best, max((value for word, value in _ANYWHERE if word in text), default=0))
    return best


def link_value(url: str, text: str, place: str) -> float:
    """How likely the page behind an absolute URL has the contacts; below zero it is never read."""
    rest = split_url(url)[1]
    path, _, query = rest.partition("?")
    name, dot, ending = path.rpartition(".")
    if _is_never_read(rest.lower()) or (dot and ending.lower() in _FILE_ENDINGS):
        return -1.0
    if not dot or ending.lower() not in _PAGE_ENDINGS:
        name = path
    in_path = _page_value(folded(unquote(name) if "%" in name else name))
    in_text = _page_value(folded(text)) if len(text) <= MAX_TEXT_CHARACTERS else 0
    value = max(in_path, in_text) + (5 if in_path and in_text else 0)
    # A long path that mentions the word is an article about it.
    value -= 6 * path.strip("/").count("/") + (12 if len(path) > 60 else 0)
    if query:
        value -= 10
    return max(0.0, value + _PLACE_BONUS.get(place, 0))


def _is_never_read(rest: str) -> bool:
    """Whether path and query, never the host, whose name may be anything, say that this is no page to read."""
    return any(word in rest for word in _NEVER) or _NEVER_STEP.search(rest) is not None


def _page_value(text: str) -> int:
    """The value of a text's words, halved where they stand in a sentence: 'over ons' and 'over 100 shops with ...'."""
    value = word_value(text)
    return value if text.count("-") < MAX_NAME_WORDS else value // 2


def split_url(url: str) -> tuple[str, str]:
    """Host (with a port, if any) and path with query of an absolute URL, without parsing the rest."""
    host, slash, rest = url.partition("://")[2].partition("/")
    if not slash and "?" in host:
        host, _, query = host.partition("?")
        return host, f"/?{query}"
    return host, f"/{rest}"


def page_key(url: str) -> str:
    """One spelling for addresses of the same page: scheme, leading www., index files and a final slash do not count."""
    host, rest = split_url(url)
    path, _, query = rest.partition("#")[0].partition("?")
    if path.endswith(_INDEX_ENDINGS):
        path = path[: path.rindex("/")]
    return f"{host.lower().removeprefix('www.')}{path.rstrip('/')}{'?' if query else ''}{query}"


class Frontier:
    """The pages of one site still to read, best first; each page once."""

    def __init__(self, home: URL) -> None:
        self._host = str(home.host)
        self._is_ours: dict[str, bool] = {}
        self._seen = {page_key(str(home))}
        self._waiting: dict[str, tuple[float, int, str]] = {}
        self._count = 0

    def add_links(self, links: Iterable[Link]) -> None:
        """Take in the links of a page that lead to the same site; absolute, as a page's facts have them."""
        for link in islice(links, MAX_LINKS_LOOKED_AT):
            self._add(link.url, text=link.text, place=link.place)

    def add_frames(self, urls: Iterable[URL]) -> None:
        """Take in the pages in a page's frames: they are what its readers see, so they come before everything."""
        for url in urls:
            if is_same_site(str(url.host), self._host) and (key := page_key(str(url))) not in self._seen:
                self._count += 1
                self._waiting[key] = (FRAME_VALUE, self._count, str(url))

    def add_urls(self, urls: Iterable[str]) -> None:
        """Take in addresses without a text, from a sitemap; worth a little less than a link of the same name."""
        for url in islice(urls, MAX_LINKS_LOOKED_AT):
            self._add(url, text="", place="main")

    def _add(self, url: str, *, text: str, place: str) -> None:
        host = split_url(url)[0]
        is_ours = self._is_ours.get(host)
        if is_ours is None:
            is_ours = self._is_ours[host] = is_same_site(host.lower().partition(":")[0], self._host)
        if not is_ours:
            return
        key = page_key(url)
        if key in self._seen:
            return
        value = link_value(url, text, place)
        known = self._waiting.get(key)
        if value >= 0 and (known is None or known[0] < value):
            self._count += 1
            self._waiting[key] = (value, known[1] if known else self._count, url)

    def mark_seen(self, url: URL) -> bool:
        """Note that a page was read under this address; False where it was before."""
        key = page_key(str(url))
        is_new = key not in self._seen
        self._seen.add(key)
        self._waiting.pop(key, None)
        return is_new

    def take(self) -> URL | None:
        """The best page still to read, in order of appearance among equals; None where there is none."""
        while self._waiting:
            key = min(self._waiting, key=lambda k: (-self._waiting[k][0], self._waiting[k][1]))
            address = self._waiting.pop(key)[2]
            self._seen.add(key)
            try:
                return checked_url(address)
            except Permanent:
                continue
        return None

    def best_value(self) -> float:
        """The value of what take() would give; 0 where there is nothing."""
        return max((value for value, _, _ in self._waiting.values()), default=0.0)

    def count_above(self, value: float) -> int:
        """How many pages of at least this value wait."""
        return sum(waiting[0] >= value for waiting in self._waiting.values())

    def __len__(self) -> int:
        return len(self._waiting)


def common_paths(home: URL) -> Sequence[str]:
    """Where contact pages usually are, for a site whose home page links none."""
    return _PATHS_BY_ENDING.get(str(home.host).rpartition(".")[2], COMMON_PATHS)
