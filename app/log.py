"""Logs: one event, one line, as text or JSON; what a site says can neither break a line nor colour a terminal."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from app.settings import Settings

Event = MutableMapping[str, Any]

#: C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of text.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MAX_VALUE_CHARACTERS = 2_000
SECRET_WORDS = re.compile(
    r"password|secret|token(?!_id)|api_?key|authorization|dsn|conninfo|database_url", re.IGNORECASE
)
#: A password in a connection string, should one reach a message of a library.
PASSWORD_IN_URL = re.compile(r"(://[^\s:/@]{0,200}:)[^\s@]{1,500}@")
PASSWORD_IN_CONNINFO = re.compile(r"(password\s*=\s*)('[^']{0,500}'|\S{1,500})", re.IGNORECASE)
KEY_IN_QUERY = re.compile(r"((?:api_?key|token|access_token)=)[^&\s]{1,500}", re.IGNORECASE)

# claim_token is a fencing token: a number that is no secret.
PUBLIC_NAMES = frozenset({"claim_token"})


def configure(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send structlog's events and those of every library's logger to ``stream`` (default: stderr), in one format."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _format_exception,
        clean,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer = structlog.processors.JSONRenderer(default=str) if settings.log_format == "json" else render_text
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Requests are logged by the application with what was decided about them; connection churn is noise.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def clean(_logger: object, _method: str, event: Event) -> Event:
    """Escape what cannot be printed on one line, shorten what is long, and leave out what is secret."""
    for key, value in event.items():
        if key.startswith("_"):
            continue
        if SECRET_WORDS.search(key) and key not in PUBLIC_NAMES:
            event[key] = "..."
        elif isinstance(value, str):
            event[key] = one_line(value)
        elif value is not None and not isinstance(value, (int, float, bool)):
            event[key] = one_line(str(value))
    return event


def one_line(text: str) -> str:
    """``text`` with unprintable characters escaped, passwords and keys taken out, cut at 2,000 characters."""
    text = PASSWORD_IN_URL.sub(r"\1...@", text)
    text = PASSWORD_IN_CONNINFO.sub(r"\1...", text)
    text = KEY_IN_QUERY.sub(r"\1...", text)
    text = UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "..."


def render_text(_logger: object, _method: str, event: Event) -> str:
    """``2026-01-31T12:00:00Z info     domain_queue job_completed domain=example.com ...``"""
    stamp, level = event.pop("timestamp", ""), event.pop("level", "info")
    logger, name = event.pop("logger", ""), event.pop("event", "")
    fields = " ".join(f"{key}={_quoted(value)}" for key, value in event.items() if value is not None)
    return f"{stamp} {level:<8} {logger} {name} {fields}".rstrip()


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def _format_exception(logger: object, method: str, event: Event) -> Event:
    """A traceback becomes a field of its event, so that it stays on the event's line."""
    return structlog.processors.format_exc_info(logger, method, event)
