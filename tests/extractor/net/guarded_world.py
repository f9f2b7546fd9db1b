"""A network of its own in which the production guard runs with no hole in it; started by test_guard.

    unshare -n -m python -m tests.extractor.net.guarded_world

There are public-looking addresses on the loopback device with sites on ports 80 and 443, a name server, and canaries on
every address that may not be reached. Nothing outside exists, so nothing can get out. Prints one JSON document.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path

import trustme

from extractor.errors import ExtractError
from extractor.site import FetchSettings, Scanner

PUBLIC = ("93.184.216.34", "2606:4700:4700::1111")
FORBIDDEN = (
    "127.0.0.1",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.0.1",
    "192.0.0.192",
    "198.18.0.1",
    "168.63.129.16",
    "203.0.113.7",
    "::1",
    "fd00::1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "fec0::1",
    "2001:db8::1",
)
#: Answers by name; a name listed with several answers gives another one each time it is asked for.
ZONE: dict[str, list[list[str]]] = {
    "good.com": [[PUBLIC[0]]],
    "six.com": [[PUBLIC[1]]],
    "both.com": [[*PUBLIC]],
    "mixed.com": [["127.0.0.1", PUBLIC[0], "::1", "169.254.169.254"]],
    "rebinding.com": [[PUBLIC[0]], ["127.0.0.1"]],
    "to-inner-name.com": [[PUBLIC[0]]],
    "to-literal.com": [[PUBLIC[0]]],
    "to-metadata.com": [[PUBLIC[0]]],
    "to-mapped.com": [[PUBLIC[0]]],
    "links-inside.com": [[PUBLIC[0]]],
    "robots-inside.com": [[PUBLIC[0]]],
    "inner.com": [["10.0.0.1"]],
    "mapped.com": [["::ffff:127.0.0.1"]],
    **{f"forbidden-{n}.com": [[address]] for n, address in enumerate(FORBIDDEN)},
}
REDIRECTS = {
    "to-inner-name.com": "http://inner.com/",
    "to-literal.com": "http://127.0.0.1/",
    "to-metadata.com": "http://169.254.169.254/latest/meta-data/",
    "to-mapped.com": "http://[::ffff:127.0.0.1]/",
}


class World:
    """What was asked of whom."""

    def __init__(self) -> None:
        self.served: list[str] = []
        self.canaries: list[str] = []
        self.questions: dict[str, int] = {}

    async def site(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ")[1]
        host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
        self.served.append(f"{host}{path}")
        location = REDIRECTS.get(host)
        if host == "robots-inside.com" and path == "/robots.txt":
            location = "http://10.0.0.1/robots.txt"
        links = "".join(
            f'<a href="http://{target}/contact">Contact</a>' for target in ("inner.com", "127.0.0.1", "[::1]")
        )
        body = f"<title>{host}</title>{links}<a href='/contact'>Contact</a>".encode()
        first = (
            f"HTTP/1.1 302 Found\r\nLocation: {location}" if location else "HTTP/1.1 200 OK\r\nContent-Type: text/html"
        )
        writer.write(f"{first}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def canary(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.canaries.append(str(writer.get_extra_info("sockname")[:2]))
        writer.close()


class NameServer(asyncio.DatagramProtocol):
    """Just enough of DNS: one question, A and AAAA answers with no time to live."""

    def __init__(self, world: World) -> None:
        self.world = world

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        labels, position = [], 12
        while data[position]:
            labels.append(data[position + 1 : position + 1 + data[position]].decode().lower())
            position += 1 + data[position]
        question = data[12 : position + 5]
        kind = struct.unpack("!H", data[position + 1 : position + 3])[0]
        answers = ZONE.get(".".join(labels))
        records = [] if answers is None else self._records(".".join(labels), answers, kind)
        flags = 0x8183 if answers is None else 0x8180
        reply = data[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question
        for record in records:
            reply += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(record)) + record
        self.transport.sendto(reply, address)  # type: ignore[attr-defined]

    def _records(self, name: str, answers: list[list[str]], kind: int) -> list[bytes]:
        asked = self.world.questions.get(f"{name} {kind}", 0)
        self.world.questions[f"{name} {kind}"] = asked + 1
        found = [ip_address(text) for text in answers[min(asked, len(answers) - 1)]]
        return [address.packed for address in found if address.version == {1: 4, 28: 6}.get(kind)]


def prepare() -> None:
    """The device, the addresses and the name server's place, inside this process's own namespaces."""
    run = lambda *command: subprocess.run(command, check=True)  # noqa: E731
    run("mount", "--make-rprivate", "/")
    run("ip", "link", "set", "lo", "up")
    for address in (*PUBLIC, *FORBIDDEN):
        if address not in ("127.0.0.1", "::1"):
            bits = 128 if ":" in address else 32
            run("ip", "addr", "add", f"{address}/{bits}", "dev", "lo", *(["nodad"] if bits == 128 else []))
    folder = Path(tempfile.mkdtemp())
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")):
        (folder / name).write_text(text)
        run("mount", "--bind", str(folder / name), f"/etc/{name}")


async def serve(world: World, authority: trustme.CA) -> None:
    """The public sites, the canaries and the name server."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*ZONE).configure_cert(context)
    for address in PUBLIC:
        await asyncio.start_server(world.site, address, 80)
        await asyncio.start_server(world.site, address, 443, ssl=context)
    for address in FORBIDDEN:
        for port in (80, 443):
            await asyncio.start_server(world.canary, address, port)
    for port in (22, 8080):
        await asyncio.start_server(world.canary, PUBLIC[0], port)
    await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(world), local_addr=("127.0.0.1", 53), family=socket.AF_INET
    )


async def main() -> None:
    prepare()
    world = World()
    authority = trustme.CA()
    await serve(world, authority)
    import ssl

    context = ssl.create_default_context()
    authority.configure_trust(context)
    outcomes: dict[str, str] = {}
    messages: set[str] = set()
    async with Scanner(FetchSettings(ssl_context=context, timeout_seconds=5, sandbox_processes=1)) as scanner:
        for name in ZONE:
            try:
                report = (await scanner.scan(name, max_pages=2)).report
                outcomes[name] = f"report {report.final_url}"
            except ExtractError as error:
                outcomes[name] = error.code
                messages.add(error.message)
        scanner.forget_names()
        try:
            await scanner.scan("rebinding.com", max_pages=1)
            outcomes["rebinding.com again"] = "report"
        except ExtractError as error:
            outcomes["rebinding.com again"] = error.code
    hits, world.canaries = world.canaries, []
    # The canaries do sing: without the guard they are reached.
    _, writer = await asyncio.open_connection("169.254.169.254", 80)
    writer.close()
    await asyncio.sleep(0.05)
    document = {"outcomes": outcomes, "hits": hits, "sings": world.canaries, "served": world.served}
    json.dump({**document, "messages": sorted(messages)}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
