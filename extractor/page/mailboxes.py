# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""What is an e-mail address of somebody, and which one to write to first."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

import idna
from publicsuffixlist import PublicSuffixList

from extractor.page.document import registrable

_LOCAL = re.compile(r"[a-z0-9_](?:[a-z0-9!#$%&'*+/=?^_`{|}~-]|\.(?!\.))*", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: JSON and URL escapes of < > " ' and blank, glued to the front where a script was read as text.
_GLUED = re.compile(r"^(?:u00[0-9a-f]{2}|\\?u00[0-9a-f]{2}|x3[ce]|3d|%20|%3e|20(?=[a-z]))+", re.IGNORECASE)
_HEX_KEY = re.compile(r"(?:[0-9a-f]{16,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})", re.IGNORECASE)
#: An ending that runs into the next word where two elements touch: comTel, de030.
_RUN_ON = re.compile(r"([a-z]{2,12})(?=[A-Z0-9])")
_FILE_ENDINGS: Final = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "avif",
        "ico",
        "bmp",
        "css",
        "js",
        "mjs",
        "map",
        "json",
        "xml",
        "html",
        "htm",
        "php",
        "aspx",
        "pdf",
        "woff",
        "woff2",
        "ttf",
        "eot",
        "mp4",
        "webm",
        "mp3",
        "scss",
        "less",
        "ts",
        "tsx",
        "jsx",
        "vue",
        "min",
        "bundle",
        "local",
        "localhost",
        "internal",
        "lan",
        "example",
        "invalid",
        "test",
    ]
)

#: Domains that stand for "your domain" in examples, by registrable name without its suffix.
_PLACEHOLDER_NAMES: Final = frozenset(
    [
        "example",
        "exemple",
        "ejemplo",
        "esempio",
        "exemplo",
        "beispiel",
        "voorbeeld",
        "beispieldomain",
        "musterdomain",
        "musterfirma",
        "mustermann",
        "domain",
        "domaine",
        "dominio",
        "yourdomain",
        "your-domain",
        "yourdomainname",
        "mydomain",
        "somedomain",
        "domainname",
        "yoursite",
        "your-site",
        "yourwebsite",
        "yourcompany",
        "your-company",
        "yourcompanyname",
        "yourbusiness",
        "youremail",
        "yourmail",
        "mycompany",
        "companyname",
        "ihredomain",
        "ihre-domain",
        "deinedomain",
        "meinedomain",
        "ihrefirma",
        "tudominio",
        "votredomaine",
        "votresite",
        "votre-domaine",
        "votreentreprise",
        "tuodominio",
        "seudominio",
        "jouwdomein",
        "mysite",
        "mywebsite",
        "websitename",
        "sitename",
        "placeholder",
        "testdomain",
        "someemail",
        "emailaddress",
        "email-address",
        "domain-name",
        "test",
        "sample",
        "xxx",
        "xxxx",
        "xyz123",
        "foo",
        "foobar",
        "yourname",
        "company.tld",
        "adresse",
        "voorbeeldbedrijf",
        "twojadomena",
        "doe",
        "domena",
    ]
)
_TRACKERS: Final = frozenset(
    [
        "sentry.io",
        "wixpress.com",
        "sentry-cdn.com",
        "bugsnag.com",
        "rollbar.com",
        "raygun.com",
        "raygun.io",
        "honeybadger.io",
        "sentry.wixpress.com",
        "ingest.sentry.io",
        "getsentry.com",
        "datadoghq.com",
        "logrocket.com",
    ]
)
#: Addresses of the makers of themes, fonts and libraries that stand in their licence headers.
_MAKERS: Final = frozenset(
    [
        "impallari@gmail.com",
        "team@latofonts.com",
        "micah@micahrich.com",
        "support@indiantypefoundry.com",
        "info@indiantypefoundry.com",
    ]
)
_ALWAYS_PLACEHOLDER: Final = re.compile(
    r"your[._-]?(?:e?-?mail|name|address|id|user|username)?(?:address)?|(?:first|given)[._-]?name(?:[._-]?(?:last|sur|family)[._-]?name)?"
    r"|first[._-]?last|f?lastname|vorname(?:[._-]?(?:nachname|name))?|nachname|(?:max|maxi|erika|maria|m|e)[._-]?mustermann|muster(?:mann)?"
    r"|prenom(?:[._-]?nom)?|nom[._-]?prenom|votre[._-]?(?:nom|email|mail|adresse)|ihre?[._-]?(?:name|email|e-mail|mail|adresse)|deine?[._-]?(?:name|email|mail)"
    r"|nombre(?:[._-]?apellidos?)?|tu[._-]?(?:correo|email|nombre)|su[._-]?(?:correo|email)|nome(?:[._-]?cognome|[._-]?sobrenome)?|tuo[._-]?(?:nome|email|indirizzo)"
    r"|seu[._-]?(?:nome|e?-?mail)|jouw[._-]?(?:naam|email)|uw[._-]?(?:naam|email)|voornaam(?:[._-]?achternaam)?|imie(?:[._-]?nazwisko)?"
    r"|(?:john|jane|jon|joe)[._-]?(?:doe|smith|q[._-]?public|bloggs)|j[._-]?doe|(?:jean|marie)[._-]?dupont|mario[._-]?rossi|fulano|pepito|juan[._-]?perez|jan[._-]?kowalski"
    r"|some(?:one|body|name)|example|exemple|ejemplo|beispiel|placeholder|e?-?mail[._-]?address|username|user[._-]?name|x{2,}|abc(?:123|def)?|asdf|foo(?:bar)?|lorem(?:[._-]?ipsum)?"
    r"|no[._-]?one|me@me|address|adresse|correo[._-]?electronico",
    re.IGNORECASE,
)
#: Names that are placeholders only on domains that are not the site's own.
_OFTEN_PLACEHOLDER: Final = frozenset(
    [
        "name",
        "user",
        "you",
        "email",
        "e-mail",
        "mail",
        "me",
        "test",
        "you.name",
        "emailid",
        "myemail",
        "my-email",
        "myname",
        "mymail",
        "mail.address",
        "someemail",
        "john",
        "jane",
        "client",
        "customer",
        "recipient",
        "friend",
        "demo",
        "email1",
        "user1",
        "test1",
        "adresse",
        "correo",
        "courriel",
    ]
)
_PROVIDERS_AS_EXAMPLE: Final = frozenset(
    ["email.com", "mail.com", "company.com", "website.com", "site.com", "address.com", "business.com", "site.org"]
)
_FREE_MAIL: Final = frozenset(
    [
        "gmail",
        "googlemail",
        "yahoo",
        "ymail",
        "hotmail",
        "outlook",
        "live",
        "msn",
        "icloud",
        "me",
        "mac",
        "aol",
        "gmx",
        "web",
        "t-online",
        "freenet",
        "arcor",
        "proton",
        "protonmail",
        "pm",
        "mail",
        "yandex",
        "inbox",
        "bk",
        "list",
        "rambler",
        "zoho",
        "fastmail",
        "tutanota",
        "posteo",
        "mailbox",
        "orange",
        "wanadoo",
        "free",
        "laposte",
        "sfr",
        "bbox",
        "libero",
        "virgilio",
        "alice",
        "tiscali",
        "tin",
        "terra",
        "uol",
        "bol",
        "ig",
        "hetnet",
        "ziggo",
        "kpnmail",
        "planet",
        "telenet",
        "skynet",
        "bluewin",
        "hispeed",
        "sunrise",
        "chello",
        "aon",
        "o2",
        "wp",
        "onet",
        "interia",
        "op",
        "seznam",
        "centrum",
        "post",
        "btinternet",
        "btconnect",
        "sky",
        "talktalk",
        "comcast",
        "verizon",
        "att",
        "sbcglobal",
        "bellsouth",
        "cox",
        "charter",
        "shaw",
        "rogers",
        "sympatico",
        "telus",
        "bigpond",
        "optusnet",
        "iinet",
        "xtra",
        "qq",
        "163",
        "126",
        "sina",
        "naver",
        "daum",
        "hanmail",
        "rediffmail",
    ]
)

_ROLES: Final[tuple[tuple[int, frozenset[str]], ...]] = (
    (0, frozenset(
        ["info", "contact", "kontakt", "hello", "hi", "hallo", "office", "contacto", "contato", "contatto", "contatti", "contacts", "mail", "email", "post", "bonjour", "ciao", "hola", "ola", "welcome", "buero", "büro", "sekretariat", "zentrale", "reception", "rezeption", "secretariat", "secretaria", "segreteria", "bureau", "accueil", "empfang", "enquiries", "enquiry", "inquiries", "inquiry", "ask", "general", "team", "anfrage", "anfragen", "informacion", "informacoes", "informazioni", "informatie", "biuro", "kancelaria", "sekretariat", "iroda", "yhteydenotto", "firmapost", "postmaster-info", "correo", "kontor", "kundservice", "kundeservice"]
    )),
    (1, frozenset(
        ["sales", "vertrieb", "verkauf", "ventas", "vendas", "vendite", "commercial", "comercial", "commerciale", "order", "orders", "bestellung", "shop", "store", "bookings", "booking", "reservations", "reservation", "reservierung", "reservas", "prenotazioni", "events", "service", "services", "kundenservice", "customerservice", "customercare", "customer", "support", "help", "helpdesk", "hilfe", "care", "concierge", "admin", "administration", "management", "marketing", "business", "partner", "partners"]
    )),
    (3, frozenset(
        ["press", "presse", "prensa", "stampa", "media", "jobs", "job", "career", "careers", "karriere", "bewerbung", "recruiting", "recruitment", "hr", "personal", "rrhh", "lavoro", "empleo", "billing", "accounts", "accounting", "buchhaltung", "rechnung", "rechnungen", "invoice", "invoices", "invoicing", "finance", "facturation", "facturacion", "investor", "investors", "ir", "it", "tech", "technik", "webmaster", "hostmaster", "web", "newsletter", "news", "redaktion", "editor"]
    )),
    (5, frozenset(
        ["privacy", "datenschutz", "dataprotection", "data-protection", "dpo", "dsb", "gdpr", "dsgvo", "rgpd", "privacidad", "privacidade", "legal", "compliance", "abuse", "postmaster", "security", "spam", "dmarc", "unsubscribe", "copyright", "dmca", "datenschutzbeauftragter", "datenschutzbeauftragte", "protecciondedatos", "lopd", "delegue.protection.donnees", "cnil", "dpd"]
    )),
    (6, frozenset(("noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "bounce", "bounces", "mailer-daemon", "nepasrepondre"))),
)  # fmt: skip


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True, accept_unknown=False)


@lru_cache(maxsize=4_096)
def has_public_suffix(host: str) -> bool:
    """Whether a host lies below an ending of the public DNS, and is no such ending itself."""
    return _suffixes().publicsuffix(host) not in (None, host)


def mailbox(local: str, domain: str, site: str) -> str | None:
    """The address in its stored spelling (lower case, domain as A-labels), None where nobody reads it.

    ``site`` is the registrable domain of the page: endings outside the public DNS and names that serve as examples
    elsewhere are taken for real there.
    """
    local = _GLUED.sub("", local.strip().strip("'\"`").lstrip(".-+/=*~|&#!?$%{}^")).rstrip(".-")
    host = canonical_mail_host(domain, site)
    if not host or not local or len(local) > 64 or not _LOCAL.fullmatch(local):
        return None
    local = local.lower()
    if local == "git" or _HEX_KEY.fullmatch(local) or is_placeholder(local, host, site) or f"{local}@{host}" in _MAKERS:
        return None
    return f"{local}@{host}"


def canonical_mail_host(domain: str, site: str) -> str | None:
    """The mail domain with what runs on behind it cut off; None where no such domain can exist."""
    domain = domain.strip().strip(".-_").rstrip("'\"")
    if len(domain) > 253 or "." not in domain:
        return None
    host = _ascii_host(domain)
    if host and not _is_real(host, site):
        head, _, ending = domain.rpartition(".")
        run_on = _RUN_ON.match(ending)
        host = _ascii_host(f"{head}.{run_on[1]}") if run_on else None
    if not host or not _is_real(host, site) or registrable(host) in _TRACKERS or ".ingest." in f".{host}":
        return None
    return host


def _ascii_host(domain: str) -> str | None:
    if not domain.isascii():
        try:
            domain = idna.encode(domain[:253], uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    host = domain.lower()
    labels = host.split(".")
    return host if all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit() else None


def _is_real(host: str, site: str) -> bool:
    if site and (host == site or host.endswith("." + site)):
        return True
    return host.rpartition(".")[2] not in _FILE_ENDINGS and has_public_suffix(host)


def is_placeholder(local: str, host: str, site: str) -> bool:
    """Whether an address is only an example of one."""
    own = bool(site) and (host == site or host.endswith("." + site))
    if _ALWAYS_PLACEHOLDER.fullmatch(local):
        return True
    name = registrable(host)
    label = name.partition(".")[0]
    if not own and label in _PLACEHOLDER_NAMES:
        return True
    if local in _OFTEN_PLACEHOLDER and not own:
        return (
            name in _PROVIDERS_AS_EXAMPLE
            or label in _FREE_MAIL
            or local not in ("mail", "email", "e-mail", "me", "john", "jane")
        )
    return not own and name in _PROVIDERS_AS_EXAMPLE and local in ("info", "contact", "hello", "admin")


def order(address: str, site: str) -> tuple[int, int]:
    """The smaller, the sooner to write to: the site's own domain, then whose use is to be written to."""
    local, _, host = address.partition("@")
    role = role_rank(local)
    if site and registrable(host) == site:
        nearness = 0
    elif is_free_mail(host):
        nearness = 1
    else:
        nearness = 2 if _resembles(host, site) else 3
        nearness = 0 if nearness == 2 else 3
    return (4 if role >= 6 else nearness, role)


def role_rank(local: str) -> int:
    """0 for an address made to be written to, 2 for a person's or an unknown one, up to 6 for one nobody reads."""
    for rank, names in _ROLES:
        if local in names:
            return rank
    head = re.split(r"[._+-]", local, maxsplit=1)[0]
    for rank, names in _ROLES:
        if head in names:
            return rank
    return 2


def is_free_mail(host: str) -> bool:
    """Whether a domain is a provider's, where anyone may have an address."""
    return registrable(host).partition(".")[0] in _FREE_MAIL


def _resembles(host: str, site: str) -> bool:
    """acme.de for acme.com: the same name under another ending."""
    return bool(site) and registrable(host).partition(".")[0] == site.partition(".")[0]
