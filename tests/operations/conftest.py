"""What operating the program needs: its processes, local sites, and a pooler in front of the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from app.database import Database
from tests.support.api import Web, answers, web_address
from tests.support.doctor import settings_for
from tests.support.pgbouncer import Pooler, running_pooler
from tests.support.postgres import Server
from tests.support.processes import running, wait_for
from tests.support.sites.server import Running, running_sites


@pytest.fixture(scope="session")
def sites() -> Iterator[Running]:
    """Every fixture site, for the whole run."""
    with running_sites() as sites:
        yield sites


@pytest.fixture(scope="session")
def pooler(postgres: Server) -> Iterator[Pooler]:
    """PgBouncer in transaction mode, on the port where Supavisor's is."""
    with running_pooler(postgres.conninfo) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def session_pooler(postgres: Server) -> Iterator[Pooler]:
    """PgBouncer in session mode, on the port where Supavisor's is: LISTEN passes."""
    with running_pooler(postgres.conninfo, mode="session", port=5432) as pooler:
        yield pooler


@pytest.fixture
def environment(database: str, sites: Running) -> dict[str, str]:
    """This test's database directly, the local sites, and a poll so long that only NOTIFY explains speed."""
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


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Database]:
    """This test's database as the program uses it."""
    async with Database(settings_for(database, db_min_pool_size=1), name="test") as pool:
        yield pool
