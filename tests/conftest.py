"""Fixtures for every test: one real Postgres for each run, one fresh database for each test that asks."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from migrations import migrate
from tests.support.postgres import TEMPLATE, Server, chosen_kind, create_database, drop_database, running_server


def pytest_configure(config: pytest.Config) -> None:
    """The server is started once, by the process that starts the workers of xdist."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background of a shell: programs under test would inherit that, and hear no Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ["SCRAPERSKY_TEST_POSTGRES"] = chosen_kind()


def pytest_report_header(config: pytest.Config) -> str:
    return f"postgres: {os.environ['SCRAPERSKY_TEST_POSTGRES']}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server, with a migrated template database."""
    with running_server(os.environ["SCRAPERSKY_TEST_POSTGRES"]) as server:
        with psycopg.connect(server.conninfo, autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        with psycopg.connect(make_conninfo(server.conninfo, dbname=TEMPLATE), autocommit=True) as conn:
            migrate(conn)
        yield server


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The conninfo of a fresh, migrated database of this test's own."""
    conninfo = create_database(postgres, TEMPLATE)
    yield conninfo
    drop_database(postgres, conninfo)


@pytest.fixture
def empty_database(postgres: Server) -> Iterator[str]:
    """The conninfo of a database with no migration applied."""
    conninfo = create_database(postgres, "template0")
    yield conninfo
    drop_database(postgres, conninfo)


@pytest.fixture
async def conn(database: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    """An autocommit connection to ``database``."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection
