"""The whole program: its processes, on a real database, reading local sites."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.api import Web, answers, web_address
from tests.support.postgres import Server, create_database, drop_database
from tests.support.processes import Process, running, wait_for
from tests.support.sites.server import Running, running_sites


@pytest.fixture(scope="session")
def sites() -> Iterator[Running]:
    """Every fixture site, for the whole run."""
    with running_sites() as sites:
        yield sites


@pytest.fixture(scope="module")
def shared_database(postgres: Server) -> Iterator[str]:
    """One database for the tests of a module, which use domains of their own."""
    conninfo = create_database(postgres)
    yield conninfo
    drop_database(postgres, conninfo)


@pytest.fixture(scope="module")
def environment(shared_database: str, sites: Running) -> dict[str, str]:
    """The module's database, the local sites, and a poll so long that only NOTIFY explains speed."""
    return {
        **sites.environment,
        "DATABASE_URL": shared_database,
        "ENVIRONMENT": "development",
        "DOMAIN_PROCESSING_INTERVAL_MINUTES": "10",
        "WORKER_LEASE_SECONDS": "3",
        "PORT": "0",
    }


@pytest.fixture(scope="module")
def web(environment: dict[str, str]) -> Iterator[Web]:
    """``scrapersky web``, ready to answer."""
    with running("web", environment=environment) as process, httpx.Client(base_url=web_address(process)) as client:
        wait_for(lambda: answers(client), what="the web process")
        yield Web(process, client)


@pytest.fixture(scope="module")
def worker(environment: dict[str, str]) -> Iterator[Process]:
    """One ``worker run`` for the module."""
    with running("worker", "run", environment=environment) as process:
        process.wait_for_output("worker_started")
        yield process
