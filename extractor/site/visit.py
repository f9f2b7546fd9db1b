"""What is known of a site while it is read, and the requests made to it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from yarl import URL

from extractor.address import is_same_site
from extractor.errors import Permanent, Transient
from extractor.fetch import Fetcher, FetchSettings, Pace, Reply
from extractor.fetch.cookies import ChainCookies
from extractor.fetch.failures import timed_out
from extractor.fetch.urls import BAD_REDIRECT, checked_url, origin_of
from extractor.ladder import Ladder, Spending, as_page_of
from extractor.models import PageFacts, PageRead, SiteReport
from extractor.robots import RobotsRules, fetch_robots, product_token
from extractor.sandbox import PageLost, PageReader, SandboxUnavailable
from extractor.site.refresh import refresh_target

#: Bytes of a page that is no success: enough to tell a block page from a missing one.
MAX_ERROR_BYTES = 256 * 1024
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", ""})
#: How files begin that servers send as text/html by mistake: PNG, JPEG, GIF, PDF, ZIP, gzip, WebP and others of RIFF.
_FILE_MARKS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF-", b"PK\x03\x04", b"\x1f\x8b", b"RIFF")
#: Of no use to come back at once: somebody has to look at the machine.
READER_RETRY_SECONDS = 60.0
READER_UNAVAILABLE_CODE = "reader_unavailable"
READER_UNAVAILABLE = (
    "This machine cannot start the processes that read pages, or they die at once. Whoever runs it: look at the"
    " worker's log and its limits of memory, processes and open files, and run `scrapersky doctor`."
)
ROBOTS_DISALLOWED = "The site's robots.txt does not allow this program to read it."

Progress = Callable[[float, str], None]
Validators = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Previous:
    """What the last scan of the same domain left: its report, and its validators by URL."""

    report: SiteReport
    validators: Validators


@dataclass(frozen=True, slots=True)
class Scan:
    """A finished scan: the report, and what makes the next one cheap."""

    report: SiteReport
    validators: Validators = field(default_factory=dict)
    is_unchanged: bool = False  #: every page answered 304; the report is the previous one, confirmed


@dataclass(frozen=True, slots=True)
class Tools:
    """What all scans of a process share."""

    settings: FetchSettings
    fetcher: Fetcher
    reader: PageReader
    ladder: Ladder


def is_html(reply: Reply) -> bool:
    """Whether the answer may be a page, by its content type and by how it begins."""
    return reply.content_type in HTML_TYPES and not reply.body.startswith(_FILE_MARKS)


class Visit:
    """One scan's requests to one site: paced, within robots.txt, each hop checked."""

    def __init__(self, tools: Tools, *, pace: Pace, progress: Progress) -> None:
        settings = tools.settings
        self.pace = pace
        self.spending = Spending()
        self.ladder = tools.ladder
        self.settings = settings
        self.pages: list[PageRead] = []
        self.facts: list[PageFacts] = []
        self.validators: Validators = {}
        self._fetcher = tools.fetcher
        self._reader = tools.reader
        self._bodies: set[bytes] = set()
        self._token = product_token(settings.user_agent)
        self._robots: dict[str, RobotsRules] = {}
        self._progress = progress
        self._fraction = 0.0

    def report_progress(self, fraction: float, step: str) -> None:
        """Tell the caller where the scan is; never goes backwards."""
        self._fraction = max(self._fraction, min(fraction, 1.0))
        self._progress(self._fraction, step)

    async def robots_for(self, url: URL) -> RobotsRules:
        """The rules of the URL's origin, read once a scan."""
        origin = origin_of(url)
        if origin not in self._robots:
            self._robots[origin] = await fetch_robots(self._fetcher, url, token=self._token, pace=self.pace)
            self._heed_delay(self._robots[origin])
        return self._robots[origin]

    def _heed_delay(self, rules: RobotsRules) -> None:
        if self.settings.respect_robots and rules.crawl_delay:
            self.pace.delay_seconds = max(self.pace.delay_seconds, rules.crawl_delay)

    async def may_read(self, url: URL) -> bool:
        """Whether robots.txt lets us; always, where the operator decided so."""
        rules = await self.robots_for(url)
        return rules.allows(url) or not self.settings.respect_robots

    async def fetch_page(self, url: URL) -> Reply:
        """Request a further page of the site, by the way that the home page came.

        Raises:
            Permanent, Transient: as ``follow``; ``out_of_credits`` where the paid way is used up.
        """
        if self.spending.tier is None:
            return await self.follow(url, stay_on_site=True)
        if not await self.may_read(url):
            raise Permanent("robots_disallowed", ROBOTS_DISALLOWED)
        await self._begin_page()
        reply = await self.ladder.fetch_again(url, self.spending, max_bytes=self.settings.max_bytes)
        if reply is None:
            raise Permanent("out_of_credits", "The credits for this scan are used up.")
        return as_page_of(reply, url)

    async def follow(
        self, url: URL, *, stay_on_site: bool, validators: Validators | None = None, trail: list[URL] | None = None
    ) -> Reply:
        """Request a page and follow its redirects, checking scheme, host, port and robots.txt at every hop.

        A redirect may stand in the headers or in the markup; both count, so a circle of either kind has an end.
        ``validators`` make the request for any address they name conditional. Each address that answers is put
        on the ``trail``, so that a caller sees how far it came.

        Raises:
            Permanent: ``too_many_redirects``, ``bad_redirect``, ``refused_address``, ``robots_disallowed``, or
                ``left_the_site`` where ``stay_on_site`` and it redirects to another site; and what Fetcher.get raises.
        """
        await self._begin_page()
        start = url
        cookies = ChainCookies()
        for _ in range(self.settings.max_redirects + 1):
            if not await self.may_read(url):
                raise Permanent("robots_disallowed", ROBOTS_DISALLOWED)
            sent = conditional_headers((validators or {}).get(str(url), {}))
            sent |= cookies.headers_for(url.host)
            reply = await self._fetcher.get(url, pace=self.pace, body_rule=self._page_bytes, headers=sent)
            if trail is not None:
                trail.append(url)
            target = refresh_target(reply) if reply.location is None else checked_url(reply.location, base=url)
            if target is None:
                return reply
            cookies.remember(reply)
            url = target
            if stay_on_site and not is_same_site(str(url.host), str(start.host)):
                raise Permanent("left_the_site", BAD_REDIRECT)
        raise Permanent("too_many_redirects", "The site redirects in a circle, or too often.")

    async def _begin_page(self) -> None:
        """Honour the crawl-delay, however long it is.

        Raises:
            Transient: ``timed_out``, the scan ends before it has passed.
        """
        if not await self.pace.begin_page():
            raise timed_out()

    def _page_bytes(self, status: int, content_type: str) -> int:
        if content_type not in HTML_TYPES:
            return 0
        return self.settings.max_bytes if 200 <= status < 300 else MAX_ERROR_BYTES

    async def fetch_small(self, url: URL, limit: int) -> Reply:
        """Request one resource that is no page, at most ``limit`` bytes of it, following nothing."""
        await self._begin_page()
        return await self._fetcher.get(
            url, pace=self.pace, body_rule=lambda status, _: limit if 200 <= status < 300 else 0
        )

    async def read(self, reply: Reply) -> PageFacts:
        """What the page says; not noted yet.

        Raises:
            Transient: ``page_too_costly``; a loaded machine may be the reason, so another try may succeed.
                ``reader_unavailable``; no page of any site can be read here now.
        """
        with self.pace.paused():
            try:
                return await self._reader.read_page(
                    reply.body, url=str(reply.url), status=reply.status, headers=reply.headers
                )
            except PageLost:
                raise Transient("page_too_costly", "A page of the site costs too much to read.") from None
            except SandboxUnavailable as error:
                raise Transient(
                    READER_UNAVAILABLE_CODE, READER_UNAVAILABLE, retry_after_seconds=READER_RETRY_SECONDS
                ) from error

    def note(self, reply: Reply, facts: PageFacts | None) -> bool:
        """Put a page into the report: its line always, what it says only where it is a real page of the site.

        Whether it was one. A page that repeats another's body word for word is none: some sites answer so to anything.
        """
        is_real = facts is not None and facts.is_html and facts.blocked is None and not facts.soft_404
        is_real = is_real and 200 <= reply.status < 300
        digest = hashlib.blake2b(reply.body, digest_size=16).digest()
        is_real = is_real and digest not in self._bodies
        self._bodies.add(digest)
        title = facts.titles[0].value if facts is not None and is_real and facts.titles else None
        self.pages.append(
            PageRead(url=str(reply.url), status=reply.status, title=title, bytes=len(reply.body), ms=reply.ms)
        )
        if facts is not None and is_real:
            self.facts.append(facts)
            kept = {
                key: reply.headers[name]
                for key, name in (("etag", "etag"), ("last_modified", "last-modified"))
                if name in reply.headers
            }
            if kept and not reply.is_cut and self.spending.tier is None:
                self.validators[str(reply.url)] = kept
        return is_real

    def note_failure(self, url: URL, started: float) -> None:
        """Put a page into the report that gave no answer."""
        self.pages.append(PageRead(url=str(url), status=None, bytes=0, ms=int((time.monotonic() - started) * 1000)))


def conditional_headers(validators: Mapping[str, str]) -> dict[str, str]:
    """The request headers that ask for a page only if it changed."""
    names = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}
    return {names[key]: value for key, value in validators.items() if key in names and value.isprintable()}
