"""Pages that are nothing but a frame around other pages of the site, as old sites have them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from yarl import URL

from extractor.errors import ExtractError
from extractor.fetch import Reply
from extractor.fetch.urls import checked_url
from extractor.models import PageFacts
from extractor.site.visible import visible_markup

MAX_FRAMES = 8
MAX_FRAME_PAGE_BYTES = 64 * 1024
_HIDDEN = ("noframes", "script", "style")
_TAG = re.compile(rb"<(i?frame)\b([^<>]{1,4000})>?", re.IGNORECASE)
_SOURCE = re.compile(
    rb"\ssrc\s{0,5}=\s{0,5}(?:\"([^\"<>]{1,2000})\"|'([^'<>]{1,2000})'|([^\s\"'<>]{1,2000}))", re.IGNORECASE
)


def frame_urls(reply: Reply, facts: PageFacts) -> list[URL]:
    """The pages in the frames of a frameset, or in the one inline frame of a page that links nothing itself."""
    if len(reply.body) > MAX_FRAME_PAGE_BYTES or _TAG.search(reply.body) is None:
        return []
    tags = list(_TAG.finditer(visible_markup(reply.body, _HIDDEN)))
    frames = [tag[2] for tag in tags if tag[1].lower() == b"frame"]
    if not frames and len(tags) == 1 and not facts.links:
        frames = [tags[0][2]]
    base = URL(facts.base_url) if facts.base_url else reply.url
    return list(_urls(frames, base))[:MAX_FRAMES]


def _urls(frames: list[bytes], base: URL) -> Iterator[URL]:
    for attributes in frames:
        if source := _SOURCE.search(attributes):
            text = (source[1] or source[2] or source[3]).decode("utf-8", "surrogateescape")
            try:
                yield checked_url(html.unescape(text), base=base)
            except ExtractError:
                continue
