"""The pages after the home page: the likely contact pages first, two at a time."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import Iterable, Sequence

from yarl import URL

from extractor.crawl import CONTACT_VALUE, FRAME_VALUE, Frontier, common_paths, page_key
from extractor.errors import ExtractError, Permanent, Transient
from extractor.fetch import Reply
from extractor.fetch.pace import REQUESTS_AT_ONCE
from extractor.fetch.urls import checked_url
from extractor.models import PageFacts
from extractor.site.frames import frame_urls
from extractor.site.visit import READER_UNAVAILABLE_CODE, Visit, is_html

#: Requests that brought no page, after which the rest is left alone.
MAX_FAILED_PAGES = 5
MAX_GUESSES = 3
MAX_SITEMAP_BYTES = 512 * 1024
MAX_SITEMAP_URLS = 1_000
_LOC = re.compile(rb"<loc>\s{0,20}(?:<!\[CDATA\[)?\s{0,20}(https?://[^\s<\]]{1,2000})")


class Crawl:
    """Reads up to ``max_pages`` pages of the site, the home page counted."""

    def __init__(
        self, visit: Visit, home: Reply, home_facts: PageFacts, frames: Sequence[URL] = (), *, max_pages: int
    ) -> None:
        self._visit = visit
        self._home = home.url
        self._max_pages = max_pages
        self._frontier = Frontier(home.url)
        self._frontier.add_links(home_facts.links)
        self._frontier.add_frames(frames)
        home_facts.links.clear()  # five hundred of them for each page of each scan would add up
        self._read = 1
        self._started = 0
        self._failed = 0
        self._stopped_by: Transient | None = None  #: no page can be read here, this site's or another's
        self._guesses: list[URL] = []  #: usual places of a contact page, tried while no link leads to one
        self._guessed: set[URL] = set()
        self.sitemap_urls: list[str] = []

    async def run(self, sitemap_urls: Iterable[str]) -> None:
        """Read the pages. A page that fails is noted and left; the scan's deadline ends the crawl, not the scan.

        Raises:
            Transient: ``reader_unavailable``; what was read so far is no report of the site.
        """
        self.sitemap_urls = list(dict.fromkeys(sitemap_urls))
        if self._max_pages <= 1:
            return
        await self._read_pages(least_value=FRAME_VALUE)
        has_time = self._visit.pace.pages_left() > self._max_pages + MAX_GUESSES  # else links are the better bet
        is_short = len(self._frontier) < self._max_pages - 1 or self._frontier.best_value() < CONTACT_VALUE
        if is_short and (has_time or not self._frontier):
            await self._read_sitemap()
        if self._frontier.best_value() < CONTACT_VALUE and (has_time or not self._frontier):
            self._guesses = [self._home.join(URL(path)) for path in common_paths(self._home)[:MAX_GUESSES]]
        await self._read_pages()

    async def _read_pages(self, *, least_value: float = 0.0) -> None:
        """Read on, two at a time, while there is a page of at least that value."""
        if self._frontier.best_value() < least_value:
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(min(REQUESTS_AT_ONCE, self._max_pages - 1)):
                group.create_task(self._keep_reading(least_value))
        if self._stopped_by is not None:
            raise self._stopped_by

    async def _keep_reading(self, least_value: float) -> None:
        while self._frontier.best_value() >= least_value and self._may_read_another():
            url = self._next()
            if url is None:
                return
            self._started += 1
            fraction = 0.2 + 0.75 * min(1.0, self._read / self._max_pages)
            self._visit.report_progress(fraction, f"reading {_shown_path(url)}")
            try:
                was_read = await self._read_one(url)
            finally:
                self._started -= 1
            self._read += was_read
            self._failed += not was_read

    def _may_read_another(self) -> bool:
        """Whether the crawl goes on; a crawl-delay may leave time for fewer pages than were asked for."""
        if self._stopped_by is not None or self._visit.pace.pages_left() == 0:
            return False
        return self._read + self._started < self._max_pages and self._failed < MAX_FAILED_PAGES

    def _next(self) -> URL | None:
        if self._guesses and self._frontier.best_value() < CONTACT_VALUE:
            guess = self._guesses.pop(0)
            self._guessed.add(guess)
            return guess if self._frontier.mark_seen(guess) else self._next()
        return self._frontier.take()

    async def _read_one(self, url: URL) -> bool:
        """Whether a real page came of it."""
        started = time.monotonic()
        try:
            reply = await self._visit.fetch_page(url)
        except Permanent as error:
            if error.code != "robots_disallowed":
                self._visit.note_failure(url, started)
            return False
        except ExtractError:
            self._visit.note_failure(url, started)
            return False
        # /contact that becomes /contact/, or http that becomes https, is the page that was asked for.
        is_elsewhere = page_key(str(reply.url)) != page_key(str(url))
        if is_elsewhere and not self._frontier.mark_seen(reply.url):
            return False  # it redirects to a page that was read already
        if not 200 <= reply.status < 300 or not is_html(reply):
            self._visit.note(reply, None)
            return False
        try:
            facts = await self._visit.read(reply)
        except Transient as error:
            if error.code == READER_UNAVAILABLE_CODE:
                self._stopped_by = error
            self._visit.note(reply, None)
            return False
        if not self._visit.note(reply, facts):
            return False
        if url in self._guessed:
            self._guesses.clear()
        self._frontier.add_frames(frame_urls(reply, facts))
        if self._frontier.count_above(CONTACT_VALUE) < self._max_pages - self._read:
            self._frontier.add_links(facts.links)
        facts.links.clear()
        return True

    async def _read_sitemap(self) -> None:
        """Take in one sitemap, or the first part of an index; none declared: the usual place is asked."""
        candidates = [*self.sitemap_urls[:1]] or [str(self._home.join(URL("/sitemap.xml")))]
        self._visit.report_progress(0.2, "reading the sitemap")
        body = await self._sitemap(candidates[0])
        if not self.sitemap_urls and body and (b"<urlset" in body or b"<sitemapindex" in body):
            self.sitemap_urls = candidates
        if b"<sitemapindex" in body[:4096]:
            parts = [match.decode("ascii", "replace") for match in _LOC.findall(body)]
            pages = [part for part in parts if "page" in part] or parts
            body = await self._sitemap(pages[0]) if pages else b""
        urls = [match.decode("utf-8", "replace").replace("&amp;", "&") for match in _LOC.findall(body)]
        self._frontier.add_urls(urls[:MAX_SITEMAP_URLS])

    async def _sitemap(self, address: str) -> bytes:
        try:
            url = checked_url(address)
            if not await self._visit.may_read(url):
                return b""
            reply = await self._visit.fetch_small(url, MAX_SITEMAP_BYTES)
        except ExtractError:
            return b""
        if reply.body[:2] == b"\x1f\x8b":
            try:
                return zlib.decompressobj(31).decompress(reply.body, 4 * MAX_SITEMAP_BYTES)
            except zlib.error:
                return b""
        return reply.body


def _shown_path(url: URL) -> str:
    """The path as it may be shown: one line of ASCII, short."""
    path = url.raw_path
    return path if len(path) <= 80 else f"{path[:79]}…"
