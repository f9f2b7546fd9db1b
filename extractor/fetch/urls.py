"""URLs as they are followed: one parser decides and requests, so that there is nothing to confuse."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

from yarl import URL

from extractor.address import canonical_host
from extractor.errors import AddressError, Permanent

MAX_URL_CHARACTERS = 2_048
_DEFAULT_PORTS = {"http": 80, "https": 443}

BAD_REDIRECT = "The site redirects to an address that cannot be followed."
REFUSED_ADDRESS = "The domain does not lead to a public address."


def checked_url(text: str, *, base: URL | None = None) -> URL:
    """Return an absolute http(s) URL of a public name on port 80 or 443, without fragment and userinfo.

    Raises:
        Permanent: ``bad_redirect`` where it cannot be read or has another scheme, ``refused_address`` where it leads
            to an address, an inner name or another port.
    """
    text = _clean(text)
    try:
        url = URL(text) if base is None else base.join(URL(text))
        host = url.host
        port = url.explicit_port
    except (ValueError, TypeError):
        raise Permanent("bad_redirect", BAD_REDIRECT) from None
    if url.scheme not in _DEFAULT_PORTS or not host or url.user is not None or url.password is not None:
        raise Permanent("bad_redirect", BAD_REDIRECT)
    if port not in (None, 80, 443):
        raise Permanent("refused_address", REFUSED_ADDRESS)
    try:
        host = canonical_host(host.rstrip("."))
    except AddressError:
        raise Permanent("refused_address", REFUSED_ADDRESS) from None
    return _rebuilt(url, host, port)


def _clean(text: str) -> str:
    """Percent-encode what is not ASCII, as bytes, whatever they are; refuse what parsers read differently."""
    text = text.strip(" \t\r\n")
    if len(text) > MAX_URL_CHARACTERS or _has_control_character(text):
        raise Permanent("bad_redirect", BAD_REDIRECT)
    before_query = text.partition("?")[0]
    if "\\" in before_query:
        raise Permanent("bad_redirect", BAD_REDIRECT)
    scheme, colon, rest = text.partition("://")
    if colon:
        authority, slash, tail = rest.partition("/")
        return f"{scheme}://{authority}{slash}{_ascii(tail)}"
    return text if text.startswith("//") else _ascii(text)


def _has_control_character(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(c) == "Cc" for c in text)


def _ascii(text: str) -> str:
    return text if text.isascii() else quote(text.encode("utf-8", "surrogateescape"), safe="!#$%&'()*+,/:;=?@[]~")


def _rebuilt(url: URL, host: str, port: int | None) -> URL:
    authority = host if port in (None, _DEFAULT_PORTS[url.scheme]) else f"{host}:{port}"
    query = f"?{url.raw_query_string}" if url.raw_query_string else ""
    try:
        return URL(f"{url.scheme}://{authority}{url.raw_path or '/'}{query}", encoded=True)
    except ValueError:
        raise Permanent("bad_redirect", BAD_REDIRECT) from None


def origin_of(url: URL) -> str:
    """Scheme and authority: what one robots.txt speaks for."""
    return f"{url.scheme}://{url.raw_authority}"
