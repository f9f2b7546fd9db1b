"""Fixture sites and a scanner that reads them, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from extractor.models import PageFacts
from extractor.page import read_page
from extractor.site import FetchSettings, Scan, Scanner
from tests.support.sites.catalogue import start_catalogue
from tests.support.sites.server import Fixture, SiteServer


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


class World:
    """One scanner for many scans, and the sites it reads."""

    def __init__(self, sites: SiteServer, folder: Path) -> None:
        self.sites = sites
        self.folder = folder

    def add(self, name: str, site: Any, **kind: Any) -> None:
        self.sites.fixtures.insert(0, Fixture((name,), site, **kind))

    @asynccontextmanager
    async def scanner(self, **changes: Any) -> AsyncIterator[Scanner]:
        async with Scanner(settings_for(self.sites, self.folder, **changes), reader=HereReader()) as scanner:
            yield scanner

    async def scan(
        self, domain: str, *, max_pages: int = 5, settings: dict[str, Any] | None = None, **how: Any
    ) -> Scan:
        async with self.scanner(**(settings or {})) as scanner:
            return await scanner.scan(domain, max_pages=max_pages, **how)

    def asked(self, host: str) -> list[str]:
        return [request.path for request in self.sites.requests[host]]


@pytest.fixture
def world(sites: SiteServer, tmp_path: Path) -> World:
    return World(sites, tmp_path)
