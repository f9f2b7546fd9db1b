"""What is an e-mail address of somebody, and which one to write to first."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import idna
from publicsuffixlist import PublicSuffixList

from extractor.page.document import registrable
from extractor.page.mailbox_words import (
    ALWAYS_MADE_UP,
    FILE_ENDINGS,
    FREE_MAIL,
    MADE_UP_NAMES,
    MAKERS,
    OFTEN_MADE_UP,
    PROVIDERS_AS_EXAMPLE,
    ROLES,
    TRACKERS,
)

_LOCAL = re.compile(r"[a-z0-9_](?:[a-z0-9!#$%&'*+/=?^_`{|}~-]|\.(?!\.))*", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: JSON and URL escapes of < > " ' and blank, glued to the front where a script was read as text.
_GLUED = re.compile(r"^(?:u00[0-9a-f]{2}|\\?u00[0-9a-f]{2}|x3[ce]|3d|%20|%3e|20(?=[a-z]))+", re.IGNORECASE)
_HEX_KEY = re.compile(r"(?:[0-9a-f]{16,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})", re.IGNORECASE)
#: An ending that runs into the next word where two elements touch: comTel, de030.
_RUN_ON = re.compile(r"([a-z]{2,12})(?=[A-Z0-9])")


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
    if not host or not local or len(local) > 64 or "*" in local or not _LOCAL.fullmatch(local):
        return None
    local = local.lower()
    if local == "git" or _HEX_KEY.fullmatch(local) or is_made_up(local, host, site) or f"{local}@{host}" in MAKERS:
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
    if not host or not _is_real(host, site) or registrable(host) in TRACKERS or ".ingest." in f".{host}":
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
    return host.rpartition(".")[2] not in FILE_ENDINGS and has_public_suffix(host)


def is_made_up(local: str, host: str, site: str) -> bool:
    """Whether an address is only an example of one."""
    own = bool(site) and (host == site or host.endswith("." + site))
    if ALWAYS_MADE_UP.fullmatch(local):
        return True
    name = registrable(host)
    label = name.partition(".")[0]
    if not own and MADE_UP_NAMES.fullmatch(label):
        return True
    if local in OFTEN_MADE_UP and not own:
        return (
            name in PROVIDERS_AS_EXAMPLE
            or label in FREE_MAIL
            or local not in ("mail", "email", "e-mail", "me", "john", "jane")
        )
    return not own and name in PROVIDERS_AS_EXAMPLE and local in ("info", "contact", "hello", "admin")


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
    for rank, names in ROLES:
        if local in names:
            return rank
    head = re.split(r"[._+-]", local, maxsplit=1)[0]
    for rank, names in ROLES:
        if head in names:
            return rank
    return 2


def is_free_mail(host: str) -> bool:
    """Whether a domain is a provider's, where anyone may have an address."""
    return registrable(host).partition(".")[0] in FREE_MAIL


def _resembles(host: str, site: str) -> bool:
    """acme.de for acme.com: the same name under another ending."""
    return bool(site) and registrable(host).partition(".")[0] == site.partition(".")[0]
