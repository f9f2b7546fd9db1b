"""The production guard, with no hole in it: no network is allowed, no name is injected."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from extractor.errors import ExtractError
from extractor.fetch import Fetcher
from extractor.network import Endpoint, RefusedAddress
from extractor.site import FetchSettings, Scanner
from tests.extractor.net.guarded_world import FORBIDDEN, PUBLIC, REDIRECTS, ZONE

ROOT = Path(__file__).parents[3]


def can_make_a_network() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode == 0


def run_guarded_world() -> dict[str, Any]:
    """What came of it in a network of its own; that needs root, and the namespaces of Linux."""
    command = ["unshare", "-n", "-m", sys.executable, "-m", "tests.extractor.net.guarded_world"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.root
@pytest.mark.skipif(not can_make_a_network(), reason="no root, so no network namespace: the next test always runs")
def test_in_a_network_of_its_own_no_forbidden_address_is_connected_to(subtests: pytest.Subtests) -> None:
    world = run_guarded_world()
    outcomes = world["outcomes"]

    with subtests.test("not one canary was reached, though they sing without the guard"):
        assert world["hits"] == []
        assert world["sings"] == ["('169.254.169.254', 80)"]
    for name in ("good.com", "six.com", "both.com", "links-inside.com", "mixed.com", "robots-inside.com"):
        with subtests.test("a public site is read with every guard on", name=name):
            assert outcomes[name] == f"report https://{name}/"
    for number, address in enumerate(FORBIDDEN):
        with subtests.test("a name of a forbidden address is refused", address=address):
            assert outcomes[f"forbidden-{number}.com"] == "refused_address"
    for name in (*REDIRECTS, "inner.com", "mapped.com"):
        with subtests.test("a redirect inside is refused", name=name):
            assert outcomes[name] == "refused_address"
    with subtests.test("a name that moves inside is refused then"):
        assert outcomes["rebinding.com"] == "report https://rebinding.com/"
        assert outcomes["rebinding.com again"] == "refused_address"
    with subtests.test("every refusal is worded alike"):
        assert world["messages"] == ["The domain does not lead to a public address."]


class Inside:
    """Leads every name to forbidden addresses."""

    async def lookup(self, name: str, port: int) -> Sequence[Endpoint]:
        return [Endpoint(ZONE.get(name, [[FORBIDDEN[0]]])[0][0], port)]


async def test_without_root_too_no_forbidden_address_is_connected_to() -> None:
    """The same with injected names: it proves the gate, though not the system's own resolver."""
    if not can_make_a_network():
        warnings.warn("the guard was tested with injected names only: run as root for the whole proof", stacklevel=1)
    connected = []

    async def canary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(canary, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = FetchSettings(lookup=Inside(), extra_ports=frozenset({port}), sandbox_processes=1)
    async with Scanner(settings) as scanner:
        for name in [name for name, answers in ZONE.items() if answers[0][0] not in PUBLIC]:
            with pytest.raises(ExtractError) as refused:
                await scanner.scan(name, max_pages=1)
            assert refused.value.code == "refused_address"
    server.close()

    assert connected == []


async def test_the_socket_is_vetted_even_where_the_resolver_is_passed_over() -> None:
    """A literal address is never looked up: only the socket factory sees it."""
    connected = []

    async def canary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(canary, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Fetcher(FetchSettings(extra_ports=frozenset({port}))) as fetcher:
        for literal in ("127.0.0.1", "[::ffff:127.0.0.1]"):
            with pytest.raises(aiohttp.ClientConnectorError) as refused:
                await fetcher.session.get(f"http://{literal}:{port}/")
            assert isinstance(refused.value.os_error, RefusedAddress)
    server.close()

    assert connected == []
