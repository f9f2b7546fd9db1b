"""robots.txt as RFC 9309 has it: what this program may read, and how fast."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

from protego import Protego
from yarl import URL

from extractor.errors import ExtractError, Permanent, Transient
from extractor.fetch import Fetcher, Pace
from extractor.fetch.urls import checked_url, origin_of
from extractor.models import Robots

#: RFC 9309 section 2.5 asks for at least 500 KiB.
MAX_ROBOTS_BYTES = 500 * 1024
MAX_RULES = 2_000
MAX_LINE_CHARACTERS = 2_000
MAX_SITEMAPS = 50
MAX_REDIRECTS = 5
MAX_RETRY_AFTER_SECONDS = 86_400.0
#: The colon is often forgotten.
_FIELD = re.compile(r"\s*([A-Za-z][A-Za-z\-]{0,30}(?: agent| delay)?)\s*(?::|\s)\s*(.*)", re.IGNORECASE)
_COMMON_PRODUCTS = frozenset({"mozilla", "applewebkit", "chrome", "safari", "gecko", "khtml"})


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one origin's robots.txt says to us. The default is that of a site without one: everything is allowed."""

    token: str
    parsed: Protego | None = None
    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = field(default=())

    def allows(self, url: URL) -> bool:
        """Whether we may read this URL."""
        return self.parsed is None or bool(self.parsed.can_fetch(str(url), self.token))

    def facts(self, url: URL) -> Robots:
        """The part of the report about it."""
        return Robots(allowed=self.allows(url), crawl_delay=self.crawl_delay)


def product_token(user_agent: str) -> str:
    """The name that robots.txt files know us by: the first product of the User-Agent that is no browser's."""
    for product in re.findall(r"([A-Za-z][\w\-]*)/", user_agent):
        if product.lower() not in _COMMON_PRODUCTS:
            return str(product).lower()
    return "scrapersky"


async def fetch_robots(fetcher: Fetcher, home: URL, *, token: str, pace: Pace) -> RobotsRules:
    """Read the robots.txt that speaks for the origin of ``home``.

    No such file, any 4xx, or more than five redirects: everything is allowed. Only its first 500 KiB are read.

    Raises:
        Transient: ``robots_unreachable`` for a 5xx (nothing may be read until it is back), ``rate_limited`` for 429.
        Permanent, Transient: the origin itself could not be reached; codes as in Fetcher.get.
    """
    url = checked_url(f"{origin_of(home)}/robots.txt")
    for _ in range(MAX_REDIRECTS + 1):
        try:
            reply = await fetcher.get(url, pace=pace, body_rule=_robots_bytes)
        except Permanent as error:
            if error.code == "bad_encoding":
                return RobotsRules(token)
            raise
        if reply.location is not None:
            try:
                url = checked_url(reply.location, base=url)
            except Permanent:
                return RobotsRules(token)
            continue
        if reply.status == 429:
            raise rate_limited(reply.headers.get("retry-after"))
        if reply.status >= 500:
            after = retry_after_seconds(reply.headers.get("retry-after"))
            message = "The site's robots.txt answers with a server error."
            raise Transient("robots_unreachable", message, retry_after_seconds=after)
        if not 200 <= reply.status < 300:
            return RobotsRules(token)
        return parse_robots(reply.body, base=url, token=token)
    return RobotsRules(token)


def _robots_bytes(status: int, _content_type: str) -> int:
    return MAX_ROBOTS_BYTES if 200 <= status < 300 else 0


def rate_limited(retry_after: str | None) -> Transient:
    """The error for 429."""
    message = "The site asks for fewer requests (HTTP status 429)."
    return Transient("rate_limited", message, retry_after_seconds=retry_after_seconds(retry_after))


def retry_after_seconds(value: str | None) -> float | None:
    """A Retry-After header in seconds, up to a day; it may be a number or a date. None where it is neither."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:10]), MAX_RETRY_AFTER_SECONDS)
    try:
        seconds = (parsedate_to_datetime(value[:60]) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds > 0 else None


def parse_robots(body: bytes, *, base: URL, token: str) -> RobotsRules:
    """Parse what concerns us, in time linear in its size; a file that cannot be read has no rules."""
    text = body.decode("utf-8-sig", "replace")
    parsed = Protego.parse("\n".join(_relevant_lines(text, token)))
    delay = parsed.crawl_delay(token)
    sitemaps: dict[str, None] = {}
    for value in parsed.sitemaps:
        try:
            sitemaps[str(checked_url(urljoin(str(base), value)))] = None
        except (ExtractError, ValueError):
            continue
        if len(sitemaps) >= MAX_SITEMAPS:
            break
    usable = delay if delay is not None and math.isfinite(delay) and delay >= 0 else None
    return RobotsRules(token, parsed, usable, tuple(sitemaps))


def _relevant_lines(text: str, token: str) -> Iterator[str]:
    """The groups that speak to us or to everyone, and the sitemaps; other programs' groups are left out.

    The parser's cost is the number of agents times the number of rules: 500 KiB of both took it 34 s.
    """
    names_agents = is_ours = False
    rules = 0
    for line in text.splitlines():
        match = _FIELD.match(line[:MAX_LINE_CHARACTERS].partition("#")[0])
        if not match:
            continue
        name, value = match[1].lower().replace(" ", "-"), match[2].strip()
        if name in ("user-agent", "useragent"):
            agent = value.lower().partition("/")[0].strip() or "*"
            if not names_agents:
                is_ours = False
            names_agents = True
            if agent in ("*", token):
                is_ours = True
                yield f"user-agent: {agent}"
        elif name in ("sitemap", "sitemaps", "site-map"):
            yield f"sitemap: {value}"
        else:
            names_agents = False
            rules += is_ours
            if is_ours and rules <= MAX_RULES:
                yield f"{name}: {value}"
