# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""Smaller marks of a page: copyright year, cookie notice, privacy policy, measurement ids, feeds and sitemaps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from extractor.models import Link
from extractor.page.document import Document
from extractor.page.wordpress import asset_urls
from extractor.words import TAG_WORDS, TEXT_WORDS, Words

_COPYRIGHT = re.compile(
    r"(?:©|&copy;|\(c\)(?=\s{0,3}\d|\s{0,3}[A-Z])|copyright|copyleft|alle rechte vorbehalten|all rights reserved|tous droits réservés|todos los derechos reservados|tutti i diritti riservati)"
    r"[^\n]{0,80}?(?<!\d)((?:19[89]|20[0-4])\d)(?:\s{0,3}(?:[-–—/,&]|to|bis|à)\s{0,3}((?:19[89]|20[0-4])\d|\d\d(?!\d)))?(?!\d)"
    r"|(?<!\d)((?:19[89]|20[0-4])\d)(?:\s{0,3}[-–—]\s{0,3}((?:19[89]|20[0-4])\d))?[^\n\d]{0,40}?(?:©|\(c\)|all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados)",
    re.IGNORECASE,
)
#: Each begins with its letters: what is to stand before them is asked only where they are.
_MEASUREMENT: Final = (
    re.compile(r"UA-(?<![\w-]UA-)\d{4,10}-\d{1,4}(?![\w-])"),
    re.compile(r"G-(?<![\w-]G-)[A-Z0-9]{8,12}(?![\w-])"),
)
_TAG_MANAGER = re.compile(r"GTM-(?<![\w-]GTM-)[A-Z0-9]{4,9}(?![\w-])")
_SURROUNDINGS = re.compile(
    r"gtag|google-analytics|googletagmanager|_gaq|\bga\(|GoogleAnalyticsObject|analytics|gaProperty|measurement|tracking",
    re.IGNORECASE,
)

#: Consent managers by what they load or write. Categories and names are the business of the technologies' rules.
_CONSENT_ASSETS: Final = Words((
    "consent.cookiebot.com", "cdn.cookielaw.org", "cookie-cdn.cookiepro.com", "app.usercentrics.eu", "web.cmp.usercentrics.eu", "privacy-proxy.usercentrics",
    "cookieyes.com/", "cookie-law-info", "/complianz-gdpr", "/borlabs-cookie", "consent.trustarc.com", "cdn.iubenda.com", "sdk.privacy-center.org",
    "cmp.quantcast.com", "quantcast.mgr.consensu.org", "cmp.osano.com", "cookieconsent", "cookie-consent", "cookie-notice", "cookie_consent", "tarteaucitron",
    "klaro", "cookiefirst.com", "consentmanager.net", "cookie-script.com", "ccm19", "cookiehub", "cookiebanner", "cookie-banner", "cookieinformation.com",
    "real-cookie-banner", "axeptio", "termly.io", "gdpr-cookie", "cookiecontrol", "civiccomputing.com", "onetrust", "consentmo", "pandectes", "privacy-mgmt",
    "sourcepoint", "uc-cmp", "moove_gdpr", "eu-cookie-law", "cookiehint", "cookietractor", "cmpv2", "orejime", "devowl", "cookies-eu-banner", "fundingchoices",
))  # fmt: skip
_CONSENT_MARKUP = re.compile(
    r"(?<=[\s\"'])(?:id|class)=[\"'][^\"'<>]{0,200}?(?:cookie-?_?(?:banner|notice|consent|bar|law|popup|policy-popup|message|hint|info|modal|alert|overlay|disclaimer|dialog|wrapper|warning|container)"
    r"|cookies?-?eu|(?:gdpr|dsgvo|rgpd|consent)-?_?(?:banner|notice|bar|popup|modal|cookie|manager|overlay|dialog)|CybotCookiebot|onetrust-|cky-consent|cmplz-|BorlabsCookie|cc-window|cc_banner|usercentrics|iubenda-cs"
    r"|moove_gdpr|tarteaucitron|klaro|termsfeed|privacy-?banner|cookiebar|cookieconsent|cookienotice|cookie_?law|js-cookie-|eupopup)",
    re.IGNORECASE,
)
_CONSENT_TEXT = re.compile(
    r"(?:we|this (?:web)?site|our (?:web)?site) uses? cookies|we use (?:our own and third[- ]party )?cookies|wir (?:verwenden|nutzen|setzen) cookies|diese (?:web)?seite (?:verwendet|nutzt|benutzt) cookies"
    r"|(?:diese )?website (?:verwendet|nutzt|benutzt) cookies|ce site utilise des cookies|nous utilisons des cookies|utilizamos cookies|este sitio (?:web )?(?:utiliza|usa) cookies|utilizziamo (?:i )?cookie|questo sito (?:utilizza|usa) (?:i )?cookie"
    r"|(?:deze (?:web)?site|wij) (?:gebruikt|maken gebruik van|gebruiken) cookies|usamos cookies|este site utiliza cookies|używamy (?:plików )?cookies|ta strona używa|vi använder cookies|vi bruger cookies|vi bruker (?:informasjonskapsler|cookies)|käytämme evästeitä"
    r"|tento web používá (?:soubory )?cookies|accept (?:all )?cookies|alle cookies akzeptieren|tout accepter|aceptar (?:todas las )?cookies|accetta (?:tutti i )?cookie|cookies? akzeptieren|alle akzeptieren",
    re.IGNORECASE,
)
#: What links to a privacy policy are called, and what their addresses hold, in lower case.
_PRIVACY_WORDS: Final = Words(
    """privacy|data protection|datenschutz|politique de confidentialit|confidentialité|protection des données|données personnelles|privacidad|protección de datos|privacidade|proteção de dados
    |privacybeleid|gegevensbescherming|polityka prywatności|ochrona danych|rodo|integritetspolicy|personuppgifter|dataskydd|personvern|privatlivspolitik|persondata|databeskyttelse|tietosuoja|yksityisyy
    |ochrana osobních|ochrany osobn|zásady ochrany|ochrana súkromia|adatvédelm|adatkezel|confidențialitate|protecția datelor|gizlilik|kvkk|kişisel veri|политика конфиденциальности|персональн|конфіденційн|поверителност
    |απορρήτου|プライバシー|個人情報|隐私|隱私|个人信息|개인정보|פרטיות|الخصوصية|kebijakan privasi|bảo mật|politika privatnosti|zasebnost|privātuma|privatumo|privaatsus|persónuvernd|rgpd|gdpr|dsgvo""".replace(
        "\n    ", ""
    ).split("|")
)
_PRIVACY_PATHS: Final = Words(
    (
        "privacy",
        "datenschutz",
        "confidentialite",
        "donnees-personnelles",
        "privacidad",
        "privacidade",
        "proteccion-de-datos",
        "polityka-prywatnosci",
        "integritet",
        "personvern",
        "tietosuoja",
        "gdpr",
        "rgpd",
        "dsgvo",
        "ochrana-osob",
        "adatvedel",
        "privatliv",
        "gizlilik",
    )
)
_FEED_TYPES: Final = frozenset(
    ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
)


_COPYRIGHT_WORDS: Final = TEXT_WORDS.add(
    "©",
    "(c)",
    "copyright",
    "rights reserved",
    "rechte vorbehalten",
    "droits réservés",
    "derechos reservados",
    "diritti riservati",
)
_CONSENT_WORDS: Final = TAG_WORDS.add(
    "cookie", "consent", "gdpr", "dsgvo", "rgpd", "onetrust", "cky-", "cmplz-", "cc-window", "cc_banner", "usercentrics", "iubenda", "tarteaucitron",
    "klaro", "termsfeed", "privacy-banner", "eupopup", "cybot", "borlabs",
)  # fmt: skip


def read_copyright_year(document: Document) -> int | None:
    """The newest year next to a copyright sign; the end of a range counts."""
    years = []
    text = document.text
    for start in _places(document.text_places, _COPYRIGHT_WORDS, 50):
        for match in _COPYRIGHT.finditer(text[max(0, start - 60) : start + 120]):
            first, last = match[1] or match[3], match[2] or match[4]
            year = int(last if last and len(last) == 4 else f"{first[:2]}{last}" if last else first)
            years.append(max(year, int(first)))
    if not years and (line := document.meta_line("copyright", "dcterms.rights", "rights")):
        years = [int(year) for year in re.findall(r"(?<!\d)(?:19[89]|20[0-4])\d(?!\d)", line)]
    return max(years, default=None)


def _places(known: Mapping[str, list[int]], words: Iterable[str], limit: int) -> list[int]:
    """Where any of the words stands, up to ``limit`` places for each: the last ones, footers come last."""
    return [place for word in words for place in known.get(word, ())[-limit:]]


def has_cookie_notice(document: Document) -> bool:
    """A known consent manager, or markup or words that only a cookie notice has."""
    if _CONSENT_ASSETS.among("\n".join(asset_urls(document)).lower()):
        return True
    if not document.tag_words.isdisjoint(_CONSENT_WORDS) and _has_consent_markup(document.markup.html.lower()):
        return True
    text = document.lower_text
    for start in _places(document.text_places, _NOTICE_WORDS, 30):
        if _CONSENT_TEXT.search(text[max(0, start - 60) : start + 60]):
            return True
    return any(_CONSENT_CODE.search(script) for script in document.inline_scripts if _CODE_WORDS.among(script))


_NOTICE_WORDS: Final = TEXT_WORDS.add("cookie", "akzeptieren", "tout accepter", "evästeitä", "informasjonskapsler")
_CONSENT_NAMES: Final = Words(_CONSENT_WORDS)


def _has_consent_markup(html: str) -> bool:
    for start in _places(_CONSENT_NAMES.places_in(html), _CONSENT_WORDS, 40):
        tag = html.rfind("<", max(0, start - 300), start)
        if tag >= 0 and _CONSENT_MARKUP.search(html, tag, start + 60):
            return True
    return False


_CODE_WORDS: Final = Words(
    ["ookie", "_iub", "klaro", "Optanon", "tarteaucitron", "__tcfapi", "didomi", "usercentrics", "cmp"]
)
_CONSENT_CODE = re.compile(
    r"cookieconsent\.initialise|window\.cookieconsent|CookieConsent\.run|_iub\.csConfiguration|klaroConfig|OptanonWrapper|tarteaucitron\.init|cookieNotice|__tcfapi|didomiConfig|usercentrics|cmp_id|window\.__cmp"
)


def has_privacy_policy(links: list[Link]) -> bool:
    """A link whose words or address name a privacy policy; the one of an embedded captcha is not the site's."""
    own = [link for link in links if "google.com/" not in link.url]
    texts = "\n".join(link.text for link in own).lower()
    paths = "\n".join(link.url.partition("?")[0].split("/", 3)[-1] for link in own).lower()
    return bool(_PRIVACY_WORDS.among(texts) or _PRIVACY_PATHS.among(paths))


(_AMP,) = TAG_WORDS.add("amp-analytics")


def read_measurement_ids(document: Document) -> tuple[list[str], list[str]]:
    """Google Analytics ids (UA-, G-) and Tag Manager ids (GTM-), in order of appearance. Ads ids (AW-) are neither."""
    places = [*asset_urls(document)]
    for script in document.markup.scripts:
        places.append(script.attributes)
        if "GTM-" in script.text or (
            ("UA-" in script.text or "G-" in script.text) and _SURROUNDINGS.search(script.text)
        ):
            places.append(script.text)
    text = "\n".join(places)
    analytics = _measurement_ids(text)
    if _AMP in document.tag_words:
        analytics += _measurement_ids(document.markup.html)
    managers = dict.fromkeys(_TAG_MANAGER.findall(text))
    return list(dict.fromkeys(analytics))[:10], list(managers)[:10]


def _measurement_ids(text: str) -> list[str]:
    """In order of appearance."""
    found = sorted((match.start(), match[0]) for pattern in _MEASUREMENT for match in pattern.finditer(text))
    return [identifier for _, identifier in found]


def read_feed_urls(document: Document) -> list[str]:
    """Feeds the page announces; those of comments come last."""
    urls = {}
    for relations, attributes in document.link_elements:
        if ("alternate" in relations or "feed" in relations) and (
            attributes.get("type") or ""
        ).lower().strip() in _FEED_TYPES:
            url = document.absolute(attributes.get("href"))
            if url:
                urls[url] = "comments" in url
    return sorted(urls, key=lambda url: urls[url])[:20]


_SITEMAP = re.compile(r"sitemap[^/?#]{0,60}\.xml(?:\.gz)?$", re.IGNORECASE)


def read_sitemap_urls(document: Document, links: list[Link]) -> list[str]:
    """Sitemaps for machines that the page names."""
    urls = [
        document.absolute(attributes.get("href"))
        for relations, attributes in document.link_elements
        if "sitemap" in relations
    ]
    urls += [link.url for link in links if ".xml" in link.url.lower() and _SITEMAP.search(link.url)]
    return list(dict.fromkeys(url for url in urls if url))[:20]
