"""Around every request: a bound on its body, the security headers, one log line and its measures."""

from __future__ import annotations

import time
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import ErrorBody, answer

log = structlog.get_logger("app.api")

#: Nothing inline, nothing from elsewhere, no frame around it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: browsers then send "Origin: null" with the pages' own forms too.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ADDED_HEADERS = [
    *((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
    (b"cache-control", b"no-store"),
]


class SecurityHeaders:
    """Adds the headers that a response has not set itself; what is not static is not to be stored."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                own = {name.lower() for name, _ in headers}
                headers += [(name, value) for name, value in ADDED_HEADERS if name not in own]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """Answers 413 as soon as more than the allowed bytes are announced or have arrived."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._announced(scope) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                # The one kind of error that comes unchanged through whoever reads the body.
                raise HTTPException(413)
            return message

        return counted

    def _announced(self, scope: Scope) -> int:
        values = [value for name, value in scope["headers"] if name == b"content-length"]
        return int(values[0]) if values and values[0].isdigit() else 0

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"The body is larger than {self._max_bytes} bytes."
        response = answer(413, ErrorBody(code="too_large", message=message), {"Connection": "close"})
        await response(scope, receive, send)


class Measures:
    """What is counted of the requests, in a registry of the application's own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "scrapersky_http_requests",
            "Requests by route and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "scrapersky_http_request_seconds",
            "Time to the first byte of the answer, by route.",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30),
            registry=registry,
        )
        self.open = Gauge("scrapersky_http_requests_open", "Requests being answered.", registry=registry)


class RequestLog:
    """One line and one measure for each request; never a query string, a header or a body."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        seen: dict[str, Any] = {"status": 500, "seconds": None}

        async def noted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                seen["seconds"] = time.perf_counter() - started
            await send(message)

        self._measures.open.inc()
        try:
            await self._app(scope, receive, noted_send)
        finally:
            self._measures.open.dec()
            self._note(scope, seen["status"], seen["seconds"] or time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = template_of(scope)
        self._measures.requests.labels(scope["method"], path, str(status)).inc()
        self._measures.seconds.labels(path).observe(seconds)
        write = log.warning if status >= 500 else log.debug
        write("request_answered", method=scope["method"], route=path, status=status, ms=round(seconds * 1000, 1))


def template_of(scope: Scope) -> str:
    """The address with its parameters' names for their values, so that ids make no new series."""
    if scope["path"].startswith("/static/"):
        return "/static"
    if scope.get("route") is None:
        return "unmatched"
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(names.get(part, part) for part in scope["path"].split("/"))
