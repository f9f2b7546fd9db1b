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

import pytest

from extractor.errors import ExtractError
from extractor.network import Endpoint
from extractor.site import FetchSettings, Scanner
from tests.extractor.net.guarded_world import FORBIDDEN, PUBLIC, REDIRECTS, ZONE

#: One worker runs them all, so that the module's fixture is made once.
pytestmark = pytest.mark.xdist_group("guard")
ROOT = Path(__file__).parents[3]


def can_make_a_network() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    """What came of it in a network of its own; that needs root, and the namespaces of Linux."""
    if not can_make_a_network():
        pytest.skip("no root, so no network namespace: see the test with injected names below, which always runs")
    command = ["unshare", "-n", "-m", sys.executable, "-m", "tests.extractor.net.guarded_world"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_not_one_forbidden_address_was_connected_to(world: dict[str, Any]) -> None:
    assert world["hits"] == []
    assert world["sings"] == ["('169.254.169.254', 80)"], "without the guard the canary is reached"


def test_public_sites_are_read_with_every_guard_on(world: dict[str, Any]) -> None:
    for name in ("good.com", "six.com", "both.com", "links-inside.com"):
        assert world["outcomes"][name] == f"report https://{name}/"


def test_the_public_address_of_a_mixed_answer_is_used(world: dict[str, Any]) -> None:
    assert world["outcomes"]["mixed.com"] == "report https://mixed.com/"


@pytest.mark.parametrize("number", range(len(FORBIDDEN)), ids=FORBIDDEN)
def test_a_name_of_a_forbidden_address_is_refused(world: dict[str, Any], number: int) -> None:
    assert world["outcomes"][f"forbidden-{number}.com"] == "refused_address"


@pytest.mark.parametrize("name", [*REDIRECTS, "inner.com", "mapped.com"])
def test_a_redirect_inside_is_refused(world: dict[str, Any], name: str) -> None:
    assert world["outcomes"][name] == "refused_address"


def test_a_name_that_moves_inside_is_refused_then(world: dict[str, Any]) -> None:
    assert world["outcomes"]["rebinding.com"] == "report https://rebinding.com/"
    assert world["outcomes"]["rebinding.com again"] == "refused_address"


def test_a_robots_file_that_lies_inside_is_not_read(world: dict[str, Any]) -> None:
    assert world["outcomes"]["robots-inside.com"] == "report https://robots-inside.com/"


def test_every_refusal_is_worded_alike(world: dict[str, Any]) -> None:
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
