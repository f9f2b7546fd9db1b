"""The sites of the benchmark in a process of their own, so that serving them is on nobody's bill.

    python -m tests.benchmarks.scan.serve

Prints the port, then serves five plain pages under any name until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import sys
from functools import lru_cache

from tests.support.sites.pages import plain_page

#: Pages of some 30 kB.
SECTIONS = 200
ROBOTS = b"User-agent: *\nDisallow: /private\n"


@lru_cache(maxsize=20_000)
def answer(host: str, path: str) -> bytes:
    """The whole answer."""
    if path == "/robots.txt":
        return _encode(200, ROBOTS, "text/plain")
    body = plain_page(host, path, sections=SECTIONS)
    return _encode(404, b"not found", "text/html") if body is None else _encode(200, body.encode(), "text/html")


def _encode(status: int, body: bytes, kind: str) -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


class Connection(asyncio.Protocol):
    """Answers each request as it comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.pending = b""

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            head, _, self.pending = self.pending.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            host = next((line[5:].strip() for line in lines if line.lower().startswith("host:")), "")
            self.transport.write(answer(host.partition(":")[0], lines[0].split(" ")[1]))  # type: ignore[attr-defined]


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
