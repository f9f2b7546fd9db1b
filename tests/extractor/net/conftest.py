"""Fixture sites and a scanner that reads them, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from extractor.models import PageFacts
from extractor.page import read_page
from extractor.site import FetchSettings
from tests.support.sites.catalogue import start_catalogue
from tests.support.sites.server import SiteServer


class HereReader:
    """Reads pages in this process: starting children is what most of a short test would take."""

    async def read_page(
        self, body: bytes, *, url: str, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> PageFacts:
        return read_page(body, url=url, status=status, headers=headers or {})


LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
async def sites() -> AsyncIterator[SiteServer]:
    """Every well-behaved fixture site."""
    server = await start_catalogue()
    yield server
    await server.__aexit__()


def settings_for(server: SiteServer, folder: Path, **changes: Any) -> FetchSettings:
    """Settings that lead the fixtures' names to this server and nothing anywhere else."""
    hosts = folder / "hosts"
    hosts.write_text(server.hosts_text())
    defaults: dict[str, Any] = {"timeout_seconds": 5.0, "sandbox_processes": 1}
    return FetchSettings(
        allow_networks=LOOPBACK, hosts_file=hosts, ssl_context=server.client_context(), **{**defaults, **changes}
    )
