"""The pictures of a site under our own address: fetched through the gate, judged by their bytes, kept for a while.

A page of ours loads nothing from elsewhere, so that no site learns who looks at its result. The picture comes through
this process instead, which keeps what it fetched, and for a shorter time that there was nothing to fetch.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

import structlog
from yarl import URL

from app.fetching import fetch_settings
from app.settings import Settings
from extractor.errors import ExtractError, Permanent, Transient
from extractor.fetch import Fetcher, Pace, Reply
from extractor.fetch.urls import checked_url

log = structlog.get_logger("app.api")

MAX_IMAGE_BYTES = 512 * 1024
#: For one picture: waiting for its turn, looking up names, every redirect, the last byte.
IMAGE_SECONDS = 8.0
CONNECT_SECONDS = 3.0
MAX_REDIRECTS = 3
FETCHES_AT_ONCE = 16

CACHE_BYTES = 16 * 1024 * 1024
CACHE_ENTRIES = 1_000
FRESH_SECONDS = 3_600.0
#: How long a site that gave no picture is left alone.
MISSING_SECONDS = 60.0

SVG_TYPE = "image/svg+xml"
ACCEPT = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture whose type was read from its bytes."""

    body: bytes
    content_type: str

    @property
    def etag(self) -> str:
        """Quoted, as a header has it."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def image_type(body: bytes) -> str | None:
    """The media type that the bytes are of; None where they are no picture that the pages show.

    What the site calls it does not count: a browser that is told a type must never be handed a document instead.
    """
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    if body.startswith(b"\x00\x00\x01\x00") and 0 < int.from_bytes(body[4:6], "little") <= 256:
        return "image/x-icon"
    if body[4:8] == b"ftyp" and body[8:12] in (b"avif", b"avis"):
        return "image/avif"
    return SVG_TYPE if _is_svg(body) else None


_SVG_ELEMENT = re.compile(rb"<(?:svg:)?svg[\s>/]")
_PROLOGUE = {b"<?": b"?>", b"<!--": b"-->", b"<!DOCTYPE": b">", b"<!doctype": b">"}


def _is_svg(body: bytes) -> bool:
    """An SVG document as browsers take it; one that declares entities, which may grow without bound, is none."""
    rest = body[:16_384].removeprefix(b"\xef\xbb\xbf").lstrip()
    while (start := next((start for start in _PROLOGUE if rest.startswith(start)), None)) is not None:
        _, _, rest = rest.partition(_PROLOGUE[start])
        rest = rest.lstrip()
    return _SVG_ELEMENT.match(rest) is not None and b"<!ENTITY" not in body


class ImageCache:
    """Pictures, and that there is none, the least used forgotten first. The clock is an argument for the tests."""

    def __init__(self, max_bytes: int = CACHE_BYTES, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[tuple[UUID, str], tuple[float, Image | None]] = OrderedDict()
        self.size = 0  #: bytes of the pictures that are kept

    def get(self, key: tuple[UUID, str]) -> tuple[bool, Image | None]:
        """Whether something is known, and the picture if there is one."""
        until, image = self._entries.get(key, (0.0, None))
        if until <= self._clock():
            self._drop(key)
            return False, None
        self._entries.move_to_end(key)
        return True, image

    def put(self, key: tuple[UUID, str], image: Image | None) -> None:
        """Keep a picture, or that there is none."""
        self._drop(key)
        seconds = FRESH_SECONDS if image is not None else MISSING_SECONDS
        self._entries[key] = (self._clock() + seconds, image)
        self.size += len(image.body) if image is not None else 0
        while self._entries and (self.size > self._max_bytes or len(self._entries) > CACHE_ENTRIES):
            self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[UUID, str]) -> None:
        _, image = self._entries.pop(key, (0.0, None))
        self.size -= len(image.body) if image is not None else 0


class SiteImages:
    """Fetches and keeps pictures. An async context manager: nothing is fetched outside it."""

    def __init__(self, settings: Settings) -> None:
        seconds = min(IMAGE_SECONDS, settings.fetch_timeout_seconds)
        self._seconds = seconds
        self._fetcher = Fetcher(
            replace(fetch_settings(settings), timeout_seconds=seconds, connect_seconds=min(CONNECT_SECONDS, seconds))
        )
        self._cache = ImageCache()
        self._turns = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._fetching: dict[tuple[UUID, str], asyncio.Task[Image | None]] = {}

    async def __aenter__(self) -> Self:
        await self._fetcher.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._fetching.values():
            task.cancel()
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)
        await self._fetcher.__aexit__(*exc_info)

    async def get(self, tenant_id: UUID, url: str) -> Image | None:
        """The picture at an address that a scan of this tenant found; None where the site does not give one.

        What is kept is kept for each tenant alone, so that no answer's haste tells what another tenant looked at.
        """
        key = (tenant_id, url)
        is_known, image = self._cache.get(key)
        if is_known:
            return image
        task = self._fetching.get(key)
        if task is None:
            task = self._fetching[key] = asyncio.create_task(self._fetch_and_keep(key))
        # Shielded: a reader who leaves must not take the picture from those who still wait for it.
        return await asyncio.shield(task)

    async def _fetch_and_keep(self, key: tuple[UUID, str]) -> Image | None:
        try:
            image = await self._fetch(key[1])
            self._cache.put(key, image)
            return image
        finally:
            self._fetching.pop(key, None)

    async def _fetch(self, url: str) -> Image | None:
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                body = await self._body(checked_url(url))
        except (ExtractError, TimeoutError) as error:
            # One answer for all of it: telling refused from closed would map the network behind the gate.
            log.debug("image_unavailable", code=getattr(error, "code", "timed_out"))
            return None
        content_type = image_type(body)
        return Image(body, content_type) if content_type is not None else None

    async def _body(self, url: URL) -> bytes:
        pace = Pace(self._seconds)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                reply = await self._fetcher.get(url, pace=pace, body_rule=_wanted_bytes, headers={"Accept": ACCEPT})
                if reply.location is None:
                    return _whole_body(reply)
                url = checked_url(reply.location, base=url)
        finally:
            await pace.finish()
        raise Permanent("too_many_redirects", "The site redirects too often.")


def _wanted_bytes(status: int, _: str) -> int:
    return MAX_IMAGE_BYTES if status == 200 else 0


def _whole_body(reply: Reply) -> bytes:
    if reply.status != 200 or reply.is_cut or not reply.body:
        raise Transient("no_image", "The site does not give this picture, or it is too large.")
    return reply.body
