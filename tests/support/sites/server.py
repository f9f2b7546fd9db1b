"""A web server for fixture sites: plain sockets, so that a site may answer with anything at all.

Sites have public-looking names; a hosts file leads those names to this server's ports. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import trustme

#: Nothing listens there.
CLOSED_PORT = 1
REASONS = {200: "OK", 301: "Moved", 302: "Found", 304: "Not Modified", 403: "Forbidden", 404: "Not Found"}


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    method: str
    host: str
    path: str  #: with its query
    headers: Mapping[str, str]  #: names in lower case
    is_tls: bool


@dataclass
class Answer:
    """A well-behaved answer; its length is added when it is sent."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


#: Answers a request, or writes what it likes to the stream itself and returns None: then the connection is closed.
Site = Callable[[Request, asyncio.StreamWriter], Awaitable[Answer | None] | Answer | None]


@dataclass
class Fixture:
    """A site under one or more names (patterns with ``*``), and what its ports do."""

    names: tuple[str, ...]
    site: Site
    https: bool = False  #: otherwise nothing listens on 443
    http: bool = True
    certificate: str = "valid"  #: or "untrusted", "expired", "other-name"


class SiteServer:
    """Serves fixtures over http and https on 127.0.0.1, and counts what is asked of each host."""

    def __init__(self, fixtures: list[Fixture], raw_hosts: Mapping[str, str] | None = None) -> None:
        self.fixtures = fixtures
        self.requests: dict[str, list[Request]] = defaultdict(list)
        self.open_connections = 0
        self.peak_connections: dict[str, int] = defaultdict(int)
        self.http_port = 0
        self.https_port = 0
        self._raw_hosts = dict(raw_hosts or {})
        self._busy: dict[str, int] = defaultdict(int)
        self._authority = trustme.CA()
        self._stranger = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> SiteServer:
        http = await asyncio.start_server(self.accept, "127.0.0.1", 0, backlog=1024)
        self.http_port = http.sockets[0].getsockname()[1]
        front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("any-fixture.com").configure_cert(front)
        front.sni_callback = self._choose_certificate
        https = await asyncio.start_server(self.accept, "127.0.0.1", 0, backlog=1024, ssl=front)
        self.https_port = https.sockets[0].getsockname()[1]
        self._servers = [http, https]
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def add_port(self, server: asyncio.Server) -> int:
        """Take over a raw server; its port."""
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def route(self, name: str, address: str) -> None:
        """Lead a name elsewhere: ``nxdomain``, ``servfail`` or ``address:port:port``."""
        self._raw_hosts[name] = address

    def hosts_text(self) -> str:
        """The hosts file that leads every fixture's names here."""
        lines = [f"{address} {name}" for name, address in self._raw_hosts.items()]
        for fixture in self.fixtures:
            http = self.http_port if fixture.http else CLOSED_PORT
            https = self.https_port if fixture.https else CLOSED_PORT
            lines.append(f"127.0.0.1:{http}:{https} {' '.join(fixture.names)}")
        return "\n".join(lines) + "\n"

    def client_context(self) -> ssl.SSLContext:
        """Trusts the certificates of these sites alone."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def write_authority(self, path: Path) -> None:
        self._authority.cert_pem.write_to_path(str(path))

    def fixture_of(self, host: str) -> Fixture | None:
        return next((f for f in self.fixtures if any(fnmatchcase(host, name) for name in f.names)), None)

    def _choose_certificate(self, socket: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        name = name or "any-fixture.com"
        if name not in self._contexts:
            fixture = self.fixture_of(name)
            kind = fixture.certificate if fixture else "valid"
            authority = self._stranger if kind == "untrusted" else self._authority
            expires = datetime.now(UTC) + timedelta(days=-1 if kind == "expired" else 90)
            issued = authority.issue_cert("other-fixture.com" if kind == "other-name" else name, not_after=expires)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            issued.configure_cert(context)
            self._contexts[name] = context
        socket.context = self._contexts[name]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; for further listeners of a test's own."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.open_connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, asyncio.CancelledError):
            pass  # the client went away, or the server is stopped: both are ends, not errors
        finally:
            self.open_connections -= 1
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        host = headers.get("host", "").partition(":")[0]
        is_tls = writer.get_extra_info("ssl_object") is not None
        request = Request(method, host, path, headers, is_tls)
        self.requests[host].append(request)
        fixture = self.fixture_of(host)
        self._busy[host] += 1
        self.peak_connections[host] = max(self.peak_connections[host], self._busy[host])
        try:
            answer = fixture.site(request, writer) if fixture else Answer("no such site", 404)
            if isinstance(answer, Awaitable):
                answer = await answer
        finally:
            self._busy[host] -= 1
        if answer is None:
            return False
        writer.write(answer.encode())
        await writer.drain()
        return headers.get("connection", "").lower() != "close"


@dataclass(frozen=True)
class Running:
    """Fixture sites that run in a thread, and what a program needs in order to read them."""

    server: SiteServer
    hosts_file: Path
    environment: dict[str, str]


@asynccontextmanager
async def site_server(fixtures: list[Fixture]) -> AsyncIterator[SiteServer]:
    """The fixtures, served from the running event loop."""
    async with SiteServer(fixtures) as server:
        yield server


@contextmanager
def running_sites(make: Callable[[], Awaitable[SiteServer]] | None = None) -> Iterator[Running]:
    """Every fixture site in a thread of its own; ``environment`` is what ``scrapersky`` needs to read them."""
    from tests.support.sites.catalogue import start_catalogue

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fixture sites", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_start(make or start_catalogue), loop).result(30)
    try:
        with tempfile.TemporaryDirectory(prefix="scrapersky-sites-") as folder:
            hosts_file = Path(folder) / "hosts"
            hosts_file.write_text(server.hosts_text(), encoding="utf-8")
            server.write_authority(Path(folder) / "authority.pem")
            environment = {
                "FETCH_HOSTS_FILE": str(hosts_file),
                "FETCH_ALLOW_NETWORKS": "127.0.0.0/8",
                "SSL_CERT_FILE": str(Path(folder) / "authority.pem"),
            }
            yield Running(server, hosts_file, environment)
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _start(make: Callable[[], Awaitable[SiteServer]]) -> SiteServer:
    return await make()
