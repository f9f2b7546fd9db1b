"""Redirects that stand in the markup instead of the headers, as old sites and simple hosts make them."""

from __future__ import annotations

import html
import re

from yarl import URL

from extractor.errors import Permanent
from extractor.fetch import Reply
from extractor.fetch.urls import checked_url
from extractor.site.visible import visible_markup

#: Where a refresh is looked for: heads of honest pages are smaller.
MAX_HEAD_BYTES = 32 * 1024
#: What a browser with scripts does not see as markup.
_HIDDEN = ("noscript", "script", "style", "textarea", "title")
_META = re.compile(rb"<meta\b([^<>]{1,2400})>?", re.IGNORECASE)
_IS_REFRESH = re.compile(rb"http-equiv\s{0,5}=\s{0,5}[\"']?\s{0,5}refresh\b", re.IGNORECASE)
#: At once or within three seconds; later it is a page that people are meant to read.
_TARGET = re.compile(
    rb"content\s{0,5}=\s{0,5}[\"']?\s{0,5}[0-3](?:\.\d{0,3})?\s{0,5}[;,]\s{0,5}(?:url\s{0,5}=\s{0,5})?"
    rb"['\"]?\s{0,5}([^<>\"'\s]{1,2000})",
    re.IGNORECASE,
)


def refresh_target(reply: Reply) -> URL | None:
    """Where a page sends its readers at once; None where it does not, or only reloads itself.

    Raises:
        Permanent: ``refused_address`` where it leads to an address that must not be reached.
    """
    head = reply.body[:MAX_HEAD_BYTES]
    if reply.status != 200 or b"refresh" not in head.lower():
        return None
    for tag in _META.finditer(visible_markup(head, _HIDDEN)):
        target = _TARGET.search(tag[1]) if _IS_REFRESH.search(tag[1]) else None
        if target is not None:
            return _url(target[1], reply.url)
    return None


def _url(target: bytes, page: URL) -> URL | None:
    text = html.unescape(target.decode("utf-8", "surrogateescape")).strip()
    try:
        url = checked_url(text, base=page)
    except Permanent as error:
        if error.code == "refused_address":
            raise
        return None  # browsers stay where they are, too
    return url if url != page else None
