"""The sign-in of the pages: a token in a cookie that scripts cannot read, and the proof against forged requests.

Nothing is kept on the server: a session is valid as long as its token, and ends with it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.access.tokens import hash_token

COOKIE = "scrapersky_session"
COOKIE_SECONDS = 30 * 24 * 3600
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def csrf_token(secret: str) -> str:
    """What a page of this session has to send along with every change; worthless without the cookie."""
    return hmac.new(hash_token(secret), b"scrapersky csrf", hashlib.sha256).hexdigest()


def is_csrf_token(secret: str, given: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(csrf_token(secret).encode(), given.encode("utf-8", "surrogatepass"))


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site makes this request.

    Fetch metadata first, which every current browser sends; then Origin, which older ones send with changes.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def is_loopback_host(host_header: str) -> bool:
    """Whether the name that was asked for is this machine's own: a foreign name that leads here is an attack."""
    try:
        name = urlsplit(f"//{host_header}").hostname
    except ValueError:
        return False
    return name in LOOPBACK_NAMES
