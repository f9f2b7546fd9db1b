# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""Names and domains that tell a mailbox from an example, and what a mailbox is for."""

from __future__ import annotations

import re
from typing import Final

FILE_ENDINGS: Final = frozenset(
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
MADE_UP_NAMES: Final = re.compile(
    r"example|exemple|ejemplo|esempio|exemplo|beispiel(?:domain)?|voorbeeld(?:bedrijf)?|muster(?:domain|firma|mann)"
    r"|doma(?:in|ine|in-?name)|dominio|domena|(?:my|some|test)domain|my(?:company|site|website)|(?:company|site|website)name"
    r"|your-?(?:domain|site|company)|your(?:domainname|website|companyname|business|email|mail|name)"
    r"|ihre-?domain|(?:deine|meine)domain|ihrefirma|votre-?domaine|votre(?:site|entreprise)|(?:tu|tuo|seu)dominio|jouwdomein"
    r"|twojadomena|place-?holder|someemail|email-?address|test|sample|xxxx?|xyz123|foo(?:bar)?|company\.tld|adresse|doe"
)
TRACKERS: Final = frozenset(
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
MAKERS: Final = frozenset(
    [
        "impallari@gmail.com",
        "team@latofonts.com",
        "micah@micahrich.com",
        "support@indiantypefoundry.com",
        "info@indiantypefoundry.com",
    ]
)
ALWAYS_MADE_UP: Final = re.compile(
    r"your[._-]?(?:e?-?mail|name|address|id|user|username|friend)?(?:address)?|(?:first|given)[._-]?name(?:[._-]?(?:last|sur|family)[._-]?name)?"
    r"|first[._-]?last|f?lastname|vorname(?:[._-]?(?:nachname|name))?|nachname|(?:max|maxi|erika|maria|m|e)[._-]?mustermann|muster(?:mann)?"
    r"|prenom(?:[._-]?nom)?|nom[._-]?prenom|votre[._-]?(?:nom|email|mail|adresse)|ihre?[._-]?(?:name|email|e-mail|mail|adresse)|deine?[._-]?(?:name|email|mail)"
    r"|nombre(?:[._-]?apellidos?)?|tu[._-]?(?:correo|email|nombre)|su[._-]?(?:correo|email)|nome(?:[._-]?cognome|[._-]?sobrenome)?|tuo[._-]?(?:nome|email|indirizzo)"
    r"|seu[._-]?(?:nome|e?-?mail)|jouw[._-]?(?:naam|email)|uw[._-]?(?:naam|email)|voornaam(?:[._-]?achternaam)?|imie(?:[._-]?nazwisko)?"
    r"|(?:john|jane|jon|joe)[._-]?(?:doe|smith|q[._-]?public|bloggs)|j[._-]?doe|(?:jean|marie)[._-]?dupont|mario[._-]?rossi|fulano|pepito|juan[._-]?perez|jan[._-]?kowalski"
    r"|some(?:one|body|name)|(?:www\.)?example|anon(?:ymous)?|exemple|ejemplo|beispiel|place-?holder|e?-?mail[._-]?address|username|user[._-]?name|x{2,}|abc(?:123|def)?|asdf|foo(?:bar)?|lorem(?:[._-]?ipsum)?"
    r"|no[._-]?one|me@me|address|adresse|correo[._-]?electronico",
    re.IGNORECASE,
)
#: Names that are made up only on domains that are not the site's own.
OFTEN_MADE_UP: Final = frozenset(
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
PROVIDERS_AS_EXAMPLE: Final = frozenset(
    ["email.com", "mail.com", "company.com", "website.com", "site.com", "address.com", "business.com", "site.org"]
)
FREE_MAIL: Final = frozenset(
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

ROLES: Final[tuple[tuple[int, frozenset[str]], ...]] = (
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
