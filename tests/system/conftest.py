"""The whole program: its processes, on a real database, reading local sites."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.api import Web, answers, web_address
from tests.support.processes import running, wait_for
from tests.support.sites.server import Running, running_sites


@pytest.fixture(scope="session")
def sites() -> Iterator[Running]:
    """Every fixture site, for the whole run."""
    with running_sites() as sites:
        yield sites


@pytest.fixture
def environment(database: str, sites: Running) -> dict[str, str]:
    """This test's database, the local sites, and a poll so long that only NOTIFY explains speed."""
    return {
        **sites.environment,
        "DATABASE_URL": database,
        "ENVIRONMENT": "development",
        "DOMAIN_PROCESSING_INTERVAL_MINUTES": "10",
        "WORKER_LEASE_SECONDS": "3",
        "PORT": "0",
    }


@pytest.fixture
def web(environment: dict[str, str]) -> Iterator[Web]:
    """``scrapersky web``, ready to answer."""
    with running("web", environment=environment) as process, httpx.Client(base_url=web_address(process)) as client:
        wait_for(lambda: answers(client), what="the web process")
        yield Web(process, client)
