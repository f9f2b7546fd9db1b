"""The one normaliser: what a person pastes in, the canonical host out.

Everything that takes a domain (API, CSV, command line, worker, redirects) comes through here, so that one name has one
spelling. An input on which URL parsers could disagree is refused, not interpreted.

Codes of AddressError, each stable:
    not_text, empty, too_long, control_character, space, backslash, percent, scheme, malformed_url, userinfo,
    email_address, port, ip_address, special_use_name, single_label, public_suffix, label_too_long, name_too_long,
    invalid_name, invalid_idn
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import idna
from publicsuffixlist import PublicSuffixList

from extractor.errors import AddressError

MAX_INPUT_CHARACTERS = 2_048
MAX_NAME_CHARACTERS = 253
MAX_LABEL_CHARACTERS = 63

#: Top-level names that are no part of the public DNS: RFC 6761 and its kin (alt, arpa, example, invalid, local,
#: localhost, onion, test), ICANN's reservations (internal; corp, home, mail) and what routers and companies use inside.
SPECIAL_USE_TOP_LEVELS = frozenset({
    *("alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"),
    *("corp", "home", "mail", "i2p", "exit"),
    *("dhcp", "domain", "intra", "intranet", "lan", "localdomain", "private", "router", "workgroup"),
})  # fmt: skip

#: Single names that every system resolves by itself; told apart from a mere missing ending.
LOCAL_NAMES = frozenset({
    *("localhost", "localhost4", "localhost6", "loopback", "broadcasthost"),
    *("ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-allnodes", "ip6-allrouters"),
})  # fmt: skip

SENTENCES = {
    "not_text": "Enter a domain name as text, for instance example.com.",
    "empty": "Enter a domain name, for instance example.com.",
    "too_long": "That is too long to be a domain name; enter only the name, for instance example.com.",
    "control_character": "There are invisible characters or line breaks in it; type the name by hand, one name a line.",
    "space": "A domain name has no spaces; enter one name, for instance example.com.",
    "backslash": "A domain name has no backslash; enter only the name, for instance example.com.",
    "percent": "A domain name has no percent sign; enter the name as it is spoken, for instance example.com.",
    "scheme": "Only http and https sites can be read; enter the name alone, for instance example.com.",
    "malformed_url": "The address cannot be read; enter the name alone, for instance example.com.",
    "userinfo": "Leave out the user name and password before the @; enter only the name, for instance example.com.",
    "email_address": "That is an e-mail address; enter only the part after the @.",
    "port": "Only the standard ports 80 and 443 are read; enter the name without a port, for instance example.com.",
    "ip_address": "That is an IP address; enter the name of the site, for instance example.com.",
    "special_use_name": "That name exists only inside a network; enter a public domain name, for instance example.com.",
    "single_label": "The ending is missing; enter the full name, for instance example.com.",
    "public_suffix": "Names are registered below that ending, it is no site itself; enter the full name below it.",
    "label_too_long": "A part between two dots is longer than 63 characters; check the spelling.",
    "name_too_long": "The name is longer than 253 characters; check the spelling.",
    "invalid_name": "A domain name has only letters, digits and inner hyphens between dots, for instance example.com.",
    "invalid_idn": "The name has characters that domain names cannot have; check the spelling.",
}

#: A scan asks for its few names again with every link and redirect.
CACHED_NAMES = 4_096
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?=//)", re.ASCII)
_END_OF_AUTHORITY = re.compile(r"[/?#]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_IPV6_SHAPE = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", re.ASCII)
_PORTS = frozenset({"", "80", "443"})
#: Cc control, Cf format (soft hyphen, zero width, bidi), Cs surrogate, Co private, Cn unassigned, Zl/Zp separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def refuse(code: str) -> AddressError:
    """The error for a code of this module, with its sentence."""
    return AddressError(code, SENTENCES[code])


def normalise_domain(text: str) -> str:
    """Return the canonical host: lower case, A-labels (IDNA 2008 by UTS 46), no scheme, port, path or leading ``www.``.

    What it returns is returned unchanged when put in again. ``www.`` stays where the rest would be a bare public
    suffix (www.com, www.gov.uk). German sharp s and Greek final sigma keep their own spelling (non-transitional).

    Raises:
        AddressError: the input is no public domain name; ``code`` is one of this module's, ``message`` helps.
    """
    name = _without_www(canonical_host(_host_of(text)))
    if _icann_suffixes().is_public(name):
        raise refuse("public_suffix")
    return name


@lru_cache(CACHED_NAMES)
def canonical_host(host: str) -> str:
    """Return a bare host in canonical spelling, ``www.`` and public suffixes kept: what every redirect has to pass.

    Raises:
        AddressError: it is no public domain name.
    """
    labels = [_canonical_label(label) for label in _mapped_labels(host)]
    _refuse_addresses(labels)
    _refuse_special_names(labels)
    name = ".".join(labels)
    if len(name) > MAX_NAME_CHARACTERS:
        raise refuse("name_too_long")
    return name


@lru_cache(CACHED_NAMES)
def registrable_domain(host: str) -> str:
    """The name that was registered (example.co.uk for shop.example.co.uk), private suffixes such as github.io honoured.

    The host itself where it has none.
    """
    return _all_suffixes().privatesuffix(host) or host


def is_same_site(host: str, other: str) -> bool:
    """Whether two hosts lie under the same registrable domain."""
    return host == other or registrable_domain(host) == registrable_domain(other)


def _host_of(text: str) -> str:
    """The host part as written, once everything is refused that parsers read differently."""
    if not isinstance(text, str):
        raise refuse("not_text")
    text = text.strip()
    if not text:
        raise refuse("empty")
    if len(text) > MAX_INPUT_CHARACTERS:
        raise refuse("too_long")
    if any(unicodedata.category(character) in _INVISIBLE for character in text):
        raise refuse("control_character")
    host = _without_port(_authority(text))
    if host.endswith("."):
        host = host[:-1]
    if not host:
        raise refuse("malformed_url" if "/" in text or ":" in text else "invalid_name")
    return host


def _authority(text: str) -> str:
    """What stands between the scheme and the path."""
    scheme = _SCHEME.match(text)
    if scheme:
        if scheme[1].lower() not in ("http", "https"):
            raise refuse("scheme")
        text = text[scheme.end() :]
    if text.startswith("//"):
        text = text[2:]
        if not text or text[0] in "/\\":
            raise refuse("malformed_url")
    authority = _END_OF_AUTHORITY.split(text, maxsplit=1)[0].strip()
    _refuse_confusing(authority, has_scheme=bool(scheme))
    return authority


def _refuse_confusing(authority: str, *, has_scheme: bool) -> None:
    if not authority:
        raise refuse("malformed_url")
    if "\\" in authority:
        raise refuse("backslash")
    if "@" in authority:
        bare = authority.removeprefix("mailto:")
        looks_like_mail = not has_scheme and ":" not in bare and bare.count("@") == 1
        raise refuse("email_address" if looks_like_mail else "userinfo")
    if "%" in authority:
        raise refuse("percent")
    if "[" in authority or "]" in authority or _IPV6_SHAPE.fullmatch(authority):
        raise refuse("ip_address")
    if any(character.isspace() for character in authority):
        raise refuse("space")


def _without_port(authority: str) -> str:
    host, colon, port = authority.partition(":")
    if not colon:
        return host
    if host.lower() in ("http", "https"):
        raise refuse("malformed_url")
    if "." not in host and not port[:1].isdigit() and port:
        raise refuse("scheme")
    if port not in _PORTS:
        raise refuse("port")
    return host


def _mapped_labels(host: str) -> list[str]:
    """The labels after UTS 46 mapping: lower case, full-width forms folded, ideographic dots as dots."""
    if len(host) > MAX_NAME_CHARACTERS:
        # Before IDNA, whose cost grows with the square of the length.
        raise refuse("label_too_long" if any(len(part) > 63 for part in host.split(".")) else "name_too_long")
    if not host.isascii():
        try:
            host = idna.uts46_remap(host, std3_rules=False, transitional=False)
        except (idna.IDNAError, UnicodeError):
            raise refuse("invalid_idn") from None
        host = host.removesuffix(".")
    return host.lower().split(".")


def _canonical_label(label: str) -> str:
    if label.isascii():
        if label.startswith("xn--"):
            return _checked_a_label(label)
        # Plain ASCII needs no IDNA check: real names have hyphens at the third and fourth place (r3---sn).
        if len(label) > MAX_LABEL_CHARACTERS:
            raise refuse("label_too_long")
        if not _LABEL.fullmatch(label):
            raise refuse("invalid_name")
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNAError as error:
        raise refuse("label_too_long" if "too long" in str(error).lower() else "invalid_idn") from None


def _checked_a_label(label: str) -> str:
    """An A-label that decodes, and whose decoded form encodes to the same again."""
    if len(label) > MAX_LABEL_CHARACTERS:
        raise refuse("label_too_long")
    try:
        if idna.alabel(idna.ulabel(label)).decode("ascii") != label:
            raise refuse("invalid_idn")
    except (idna.IDNAError, UnicodeError):
        raise refuse("invalid_idn") from None
    return label


def _refuse_addresses(labels: list[str]) -> None:
    """A numeric last label makes every resolver read the whole as an address: 127.1, 0x7f.1, 2130706433."""
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        raise refuse("ip_address")


def _refuse_special_names(labels: list[str]) -> None:
    if labels[-1] in SPECIAL_USE_TOP_LEVELS or (len(labels) == 1 and labels[0] in LOCAL_NAMES):
        raise refuse("special_use_name")
    if len(labels) == 1:
        raise refuse("single_label")


def _without_www(name: str) -> str:
    while name.startswith("www."):
        rest = name[4:]
        if "." not in rest or _icann_suffixes().is_public(rest):
            break
        name = rest
    return name


@cache
def _icann_suffixes() -> PublicSuffixList:
    # Unknown endings are names for DNS to decide about, not suffixes: new top levels appear every year.
    return PublicSuffixList(only_icann=True, accept_unknown=False)


@cache
def _all_suffixes() -> PublicSuffixList:
    return PublicSuffixList()
