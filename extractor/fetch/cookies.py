"""The cookies of one chain of redirects: some sites set one and send the reader back to see whether it comes along.

They live as long as the chain and go to the host that set them, nowhere else.
"""

from __future__ import annotations

import re

from extractor.fetch.client import Reply

MAX_COOKIES = 20
MAX_COOKIE_CHARACTERS = 1_000
_PAIR = re.compile(r"\s{0,5}([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100})=([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*)")


class ChainCookies:
    """What the replies of a chain set, by host."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[str, str]] = {}

    def remember(self, reply: Reply) -> None:
        """Take in what a redirect sets. Attributes are not looked at: nothing lives beyond the chain."""
        for line in reply.headers.get("set-cookie", "").split("\n"):
            match = _PAIR.match(line)
            if match and len(match[0]) <= MAX_COOKIE_CHARACTERS:
                cookies = self._by_host.setdefault(str(reply.url.host), {})
                if match[1] in cookies or len(cookies) < MAX_COOKIES:
                    cookies[match[1]] = match[2]

    def headers_for(self, host: str | None) -> dict[str, str]:
        """The request header for a host, if it set any."""
        cookies = self._by_host.get(str(host))
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
