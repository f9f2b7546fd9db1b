"""Whatever bytes a server sends, a request ends as a reply within its bounds or as an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from extractor.errors import Permanent, Transient
from extractor.fetch import Fetcher, FetchSettings, Pace, Reply
from extractor.network import Endpoint

MAX_BYTES = 50_000
FRAGMENTS = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.0 200",
    b"HTTP/1.1 302 Found",
    b"HTTP/1.1 100 Continue",
    b"HTTP/9.9 007 x",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"Content-Type: text/html",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br",
    b"Content-Encoding: zstd, gzip",
    b"Location: /",
    b"Location: //",
    b"Location: \xff",
    b"Set-Cookie: a",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"ffffffffffff\r\n",
    b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd",
    b": ",
    b"X" * 300,
    b"\x00",
    b"<html><title>t</title>",
    b" ",
]


class Loopback:
    def __init__(self, port: int) -> None:
        self.port = port

    async def lookup(self, name: str, port: int) -> Sequence[Endpoint]:
        return [Endpoint("127.0.0.1", self.port)]


class Bench:
    """A server that sends what it is told and closes, and a fetcher that asks it."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.data = b""
        self.runner.run(self._start())

    async def _start(self) -> None:
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        allowed = (ip_network("127.0.0.0/8"),)
        options = FetchSettings(
            allow_networks=allowed, lookup=Loopback(port), extra_ports=frozenset({port}), timeout_seconds=5
        )
        self.fetcher = await Fetcher(options).__aenter__()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.data)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def ask(self, data: bytes) -> Reply | Permanent | Transient:
        self.data = data
        return self.runner.run(self._ask())

    async def _ask(self) -> Reply | Permanent | Transient:
        pace = Pace(5)
        try:
            return await self.fetcher.get(URL("http://example.com/"), pace=pace, body_rule=lambda *_: MAX_BYTES)
        except (Permanent, Transient) as error:
            return error
        finally:
            await pace.finish()

    async def _stop(self) -> None:
        self.server.close()
        await self.fetcher.__aexit__()

    def close(self) -> None:
        self.runner.run(self._stop())
        self.runner.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=40), max_size=14).map(b"".join))
def test_any_bytes_end_as_a_reply_or_as_an_error(bench: Bench, data: bytes) -> None:
    outcome = bench.ask(b"HTTP/1.1 200 OK\r\n" + data if len(data) % 2 else data)

    if isinstance(outcome, Reply):
        assert len(outcome.body) <= MAX_BYTES
        assert all(value.replace("\n", "").isprintable() for value in outcome.headers.values())
    else:
        assert outcome.message.isprintable()
        assert outcome.code.isidentifier()
