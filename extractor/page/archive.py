"""Pages kept by the Wayback Machine, read as the pages they were: it turns every address into one of its own."""

from __future__ import annotations

import re

#: What the archive puts before an address of a page it keeps: .../web/20210916140120im_/https://acme.com/a.png.
_PREFIX = re.compile(
    r"(?:(?:https?:)?(?://|\\/\\/)web\.archive\.org)?\\?/web\\?/\d{4,14}(?:[a-z]{2}_)?\\?/(?=https?:|mailto:|tel:)"
)
_TOOLBAR, _TOOLBAR_END = "<!-- BEGIN WAYBACK TOOLBAR INSERT -->", "<!-- END WAYBACK TOOLBAR INSERT -->"
_MARKS = (_TOOLBAR, "/_static/js/bundle-playback.js", "JAVASCRIPT APPENDED BY WAYBACK MACHINE")


def as_it_was(text: str, url: str) -> tuple[str, str]:
    """The markup and the address of a page before the archive changed both; every other page as it is."""
    if "/web/" not in text or not any(mark in text for mark in _MARKS):
        return text, url
    before, _, behind = text.partition(_TOOLBAR)
    _, end, rest = behind.partition(_TOOLBAR_END)
    return _PREFIX.sub("", before + rest if end else text), _PREFIX.sub("", url)
