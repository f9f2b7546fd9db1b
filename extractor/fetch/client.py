"""One request to one URL: a reply within the bounds, or an error with a stable code."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from extractor.errors import Permanent
from extractor.fetch.failures import explain, explain_lookup, has_cause, timed_out
from extractor.fetch.memory import SMALL_BODY_BYTES, BodyMemory
from extractor.fetch.pace import Pace
from extractor.fetch.settings import FetchSettings
from extractor.models import TlsFacts
from extractor.network import AddressPolicy, GatedResolver, HostsFile, SystemLookup

REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: What aiohttp decodes. Anything else, and any list of them, would come through undecoded.
CONTENT_CODINGS = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})
MAX_REDIRECT_BODY = 16 * 1024
MAX_HEADER_CHARACTERS = 2_000
IDLE_CONNECTION_SECONDS = 5.0
#: OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT, which Python names from 3.12 on. We never renegotiate.
_LEGACY_SERVER_CONNECT = 0x4

#: How many bytes of a body to read, by status and content type; 0 reads none and closes the connection.
BodyRule = Callable[[int, str], int]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Reply:
    """What came back for one request. Header names are lower case, values one clean line of bounded length."""

    url: URL
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool  #: the body went on, or ended before it was whole
    ms: int
    protocol: str
    tls: TlsFacts | None = field(default=None, compare=False)
    location: str | None = None  #: as sent

    def without_body(self) -> Reply:
        """The same without its body, which may be large, for as long as only the rest is needed."""
        return replace(self, body=b"")

    @property
    def content_type(self) -> str:
        """The media type alone, lower case; empty where none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class _Response(aiohttp.ClientResponse):
    """Keeps the transport, which aiohttp lets go of as soon as a short body is whole."""

    transport: asyncio.Transport | None = None
    ssl_object: ssl.SSLObject | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        self.transport = connection.transport
        if self.transport is not None:
            self.ssl_object = self.transport.get_extra_info("ssl_object")
        return await super().start(connection)


class Fetcher:
    """One session for the process. No cookies, no proxies, no credentials, no unverified TLS.

    Every connection is made by the address policy's ``open_socket``.
    """

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        hosts = HostsFile(settings.hosts_file) if settings.hosts_file else None
        ports = hosts.ports if hosts and not settings.extra_ports else settings.extra_ports
        self.policy = AddressPolicy(settings.allow_networks, ports)
        self.resolver = GatedResolver(self.policy, settings.lookup or SystemLookup(hosts))
        self.memory = BodyMemory()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self.resolver,
            socket_factory=self.policy.open_socket,
            use_dns_cache=False,  # the resolver has its own
            limit=0,  # the number of scans at once is the caller's, and each scan makes two requests at most
            keepalive_timeout=IDLE_CONNECTION_SECONDS,
            ssl=self._settings.ssl_context or _verifying_context(self._settings.authorities_file),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            connector_owner=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            response_class=_Response,
            trust_env=False,
            auto_decompress=True,
            headers={
                "User-Agent": self._settings.user_agent,
                "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5",
                "Accept-Encoding": "gzip, deflate, br, zstd",
            },
            max_line_size=8_190,
            max_field_size=16_384,  # content security policies of honest sites go beyond eight thousand
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        await self.resolver.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one session.

        Raises:
            RuntimeError: outside the fetcher's context.
        """
        if self._session is None:
            raise RuntimeError("the fetcher is used outside its context")
        return self._session

    async def get(
        self,
        url: URL,
        *,
        pace: Pace,
        body_rule: BodyRule,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Reply:
        """Make one request and follow nothing; ``timeout_seconds`` is the settings' unless given.

        Raises:
            Transient, Permanent: with a stable code; the message has no text of the site and no address.
        """
        port = url.port or 443
        address = await self._address_of(str(url.host), port, pace)
        async with pace.request_to(address):
            seconds = min(timeout_seconds or self._settings.timeout_seconds, pace.remaining_seconds())
            if seconds <= 0:
                raise timed_out()
            started = time.monotonic()
            try:
                async with asyncio.timeout(seconds):
                    return await self._request(url, body_rule, headers or {}, started, pace)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise explain(error) from error

    async def _address_of(self, host: str, port: int, pace: Pace) -> str:
        """The address whose turn to wait for: the one that is tried first."""
        if known := self.resolver.known_endpoints(host, port):
            return known[0].address
        seconds = min(self._settings.timeout_seconds, pace.remaining_seconds())
        try:
            async with asyncio.timeout(seconds):
                return (await self.resolver.endpoints(host, port))[0].address
        except OSError as error:
            raise explain_lookup(error) from error

    async def _request(
        self, url: URL, body_rule: BodyRule, headers: Mapping[str, str], started: float, pace: Pace
    ) -> Reply:
        connect = min(self._settings.connect_seconds, self._settings.timeout_seconds)
        timeout = aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect)
        async with self.session.get(url, allow_redirects=False, timeout=timeout, headers=headers) as response:
            clean = clean_headers(response.headers)
            rule = MAX_REDIRECT_BODY if response.status in REDIRECTS else self._wanted(response, clean, body_rule)
            tls = None
            if isinstance(response, _Response) and response.transport is not None:
                pace.connections.add(response.transport)
                tls = _tls_facts(response.ssl_object)
            reader = _BodyReader(response, rule, self.memory)
            try:
                body, is_cut = await reader.read()
            except BaseException:
                self.memory.give(reader.room)
                raise
            version = response.version
            reply = Reply(
                url=url,
                status=response.status,
                headers=clean,
                body=body,
                is_cut=is_cut,
                ms=int((time.monotonic() - started) * 1000),
                protocol=f"HTTP/{version.major}.{version.minor}" if version else "HTTP",
                tls=tls,
                location=response.headers.get("Location") if response.status in REDIRECTS else None,
            )
            if reader.room:
                self.memory.keep_for(reply, reader.room)
            return reply

    def _wanted(self, response: aiohttp.ClientResponse, headers: Mapping[str, str], body_rule: BodyRule) -> int:
        coding = ",".join(response.headers.getall("Content-Encoding", ())).strip().lower()
        wanted = body_rule(response.status, headers.get("content-type", "").partition(";")[0].strip().lower())
        if wanted and coding not in CONTENT_CODINGS:
            raise Permanent("bad_encoding", "The site sends its pages in a coding that cannot be read.")
        return wanted


def _verifying_context(authorities: Path | None) -> ssl.SSLContext:
    """Certificates and names are verified; only servers too old for secure renegotiation are put up with."""
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    context.options |= _LEGACY_SERVER_CONNECT
    return context


class _BodyReader:
    """Reads one body up to a limit, taking room for it when it grows large."""

    def __init__(self, response: aiohttp.ClientResponse, limit: int, memory: BodyMemory) -> None:
        self._response = response
        self._limit = limit
        self._memory = memory
        self._parts: list[bytes] = []
        self._size = 0
        self.room = 0  #: taken of the memory, for the caller to give back

    async def read(self) -> tuple[bytes, bool]:
        """Up to ``limit`` decoded bytes, and whether there was more or the end is missing."""
        if self._limit == 0:
            self._response.close()
            return b"", True
        try:
            if await self._read_parts():
                return b"".join(self._parts), False
        except aiohttp.ClientPayloadError as error:
            # A wrong Content-Length or a missing last chunk: browsers show what came, so do we.
            if not self._size or has_cause(error, ContentEncodingError) or has_cause(error, OSError):
                raise
        self._response.close()  # not release: what is left must not be read into the next request
        return b"".join(self._parts)[: self._limit], True

    async def _read_parts(self) -> bool:
        """Whether the body came to its end within the limit."""
        async for part in self._response.content.iter_any():
            self._parts.append(part)
            self._size += len(part)
            if self._size > self._limit:
                return False
            if self._size > SMALL_BODY_BYTES and not self.room and not await self._take_room():
                return False
        return True

    async def _take_room(self) -> bool:
        wanted = self._limit - SMALL_BODY_BYTES
        if wanted > 0 and await self._memory.take(wanted):
            self.room = wanted
        return self.room > 0 or wanted <= 0


def clean_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Header values as one line of valid text each; of a repeated name the values joined by a comma and a line feed.

    Set-Cookie keeps each value apart by a line feed, because a comma is part of its dates.
    """
    clean: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()[:100]
        text = value[:MAX_HEADER_CHARACTERS] if value.isascii() else _as_text(value)[:MAX_HEADER_CHARACTERS]
        if not text.isprintable():
            text = "".join(c if c.isprintable() else " " for c in text)
        if key in clean:
            joined = clean[key] + ("\n" if key == "set-cookie" else ", ") + text
            text = joined[: 4 * MAX_HEADER_CHARACTERS]
        clean[key] = text
    return clean


def _as_text(value: str) -> str:
    """A header value that came as bytes of any kind, as valid text."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _tls_facts(ssl_object: ssl.SSLObject | None) -> TlsFacts | None:
    certificate: dict[str, Any] = (ssl_object.getpeercert() if ssl_object else None) or {}
    if not certificate:
        return None
    issuer = {key: value for group in certificate.get("issuer", ()) for key, value in group}
    name = issuer.get("organizationName") or issuer.get("commonName")
    expires_at = None
    if not_after := certificate.get("notAfter"):
        try:
            expires_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC)
        except (ValueError, OverflowError, OSError):
            expires_at = None
    return TlsFacts(issuer="".join(c for c in name if c.isprintable())[:200] if name else None, expires_at=expires_at)
