"""Cursors of lists whose order may be chosen: the last row's key and number, for the order that they are of."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime

from app.api.errors import ApiError

BIGINT_END = 2**63


def write_cursor(order: str, key: object, number: int) -> str:
    """The cursor behind a row."""
    text = key.isoformat() if isinstance(key, datetime) else key
    return (
        base64.urlsafe_b64encode(json.dumps([order, text, number], separators=(",", ":")).encode()).decode().rstrip("=")
    )


def read_cursor(cursor: str, order: str, is_key: Callable[[object], bool]) -> tuple[object, int]:
    """Key and number of the row that the cursor is behind.

    Raises:
        ApiError: 422, it is not one of this order, or its key is none.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        known_order, key, number = json.loads(text)
        is_good = known_order == order and type(number) is int and abs(number) < BIGINT_END and is_key(key)
    except (ValueError, TypeError, RecursionError):
        is_good = False
    if not is_good:
        raise ApiError(422, "invalid_cursor", "The cursor is not one of this list and order.")
    return key, number


def is_text(key: object) -> bool:
    """A key that Postgres takes as text."""
    return isinstance(key, str) and key.isprintable()


def is_moment(key: object) -> bool:
    """A key that Postgres takes as a time; those without one are put at the end of time."""
    try:
        return isinstance(key, str) and (key in ("infinity", "-infinity") or datetime.fromisoformat(key) is not None)
    except ValueError:
        return False
