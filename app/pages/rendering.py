"""Templates: every value is escaped, and what is no web address never becomes a link."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
import phonenumbers
from fastapi import Request
from starlette.responses import HTMLResponse

from app.access.sessions import COOKIE, CSRF_FIELD, csrf_token
from app.pages.wording import STATUS_WORDS

TEMPLATES = Path(__file__).parent / "templates"
MAX_JSON_CHARACTERS = 200_000


def safe_url(value: object) -> str | None:
    """The value if it is an http(s) address, else None: a site may put anything where an address belongs."""
    if not isinstance(value, str) or not value.lower().startswith(("http://", "https://")):
        return None
    return value


def host_and_path(value: object) -> str:
    """An address without its scheme, as people write it."""
    try:
        parts = urlsplit(str(value))
    except ValueError:
        return str(value)
    path = parts.path.rstrip("/")
    return f"{parts.netloc}{path}" + (f"?{parts.query}" if parts.query else "") or str(value)


def path_of(value: object) -> str:
    """The path of an address, / for the home page."""
    try:
        parts = urlsplit(str(value))
    except ValueError:
        return str(value)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def phone(value: object) -> str:
    """An E.164 number as it is written in its country, with the country's code; other text as it is."""
    try:
        number = phonenumbers.parse(str(value), None)
    except phonenumbers.NumberParseException:
        return str(value)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def phone_country(value: object) -> str | None:
    """The two letters of a number's country; None where it cannot be told."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(str(value), None))
    except phonenumbers.NumberParseException:
        return None
    return region if region and region != "001" else None


def version_of(value: object) -> str:
    """A few letters that change with the value: in an address, they outdate what a browser kept of it."""
    return hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def moment(value: datetime | str | None) -> str:
    """A time for people, in UTC; scripts show it in the reader's own zone."""
    if value is None:
        return ""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        return str(value)
    return at.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC")


def iso(value: datetime | str | None) -> str:
    """A time for machines."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value or ""


def duration(seconds: float | timedelta | None) -> str:
    """A span in its two largest units: 3 s, 2 min 5 s, 1 h 4 min."""
    if seconds is None:
        return ""
    total = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    parts = []
    for name, size in units:
        count, total = divmod(total, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def file_size(count: float | None) -> str:
    """Bytes in the unit that people read."""
    value = float(count or 0)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def pretty_json(value: object) -> str:
    """Indented JSON, cut where it is too long for a page."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= MAX_JSON_CHARACTERS else text[:MAX_JSON_CHARACTERS] + "\n... (cut; see the API)"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "safe_url": safe_url,
        "host_and_path": host_and_path,
        "path_of": path_of,
        "phone": phone,
        "phone_country": phone_country,
        "version_of": version_of,
        "moment": moment,
        "iso": iso,
        "duration": duration,
        "file_size": file_size,
        "pretty_json": pretty_json,
        "query": lambda values: urlencode({key: value for key, value in values.items() if value}),
    }
    environment.globals |= {"status_words": STATUS_WORDS, "csrf_field": CSRF_FIELD}
    return environment


ENVIRONMENT = _environment()


def render(
    request: Request, name: str, values: dict[str, Any] | None = None, *, status_code: int = 200
) -> HTMLResponse:
    """A page. The proof against forged requests is in it where somebody is signed in."""
    secret = request.cookies.get(COOKIE)
    identity = getattr(request.state, "identity", None)
    shared = {
        "identity": identity,
        "is_signed_in": secret is not None and identity is not None and identity.token_id is not None,
        "csrf": csrf_token(secret) if secret else "",
        "path": request.url.path,
        "version": request.app.version,
    }
    html = ENVIRONMENT.get_template(name).render(shared | (values or {}))
    headers = {"Vary": "Cookie"}
    return HTMLResponse(html, status_code=status_code, headers=headers)
