"""The queue's tests share one database in each process, emptied before each test: faster than a new one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import psycopg
import pytest
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from migrations import migrate
from tests.queue.helpers import TENANT
from tests.support.postgres import Server

EMPTY = """
    TRUNCATE tenants, workers, batches, batch_items, domains, domain_changes, concurrency_slots RESTART IDENTITY CASCADE
"""


@pytest.fixture(scope="session")
def queue_database(postgres: Server) -> Iterator[str]:
    name = f"queue_{os.getpid()}"
    with psycopg.connect(postgres.conninfo, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    conninfo = make_conninfo(postgres.conninfo, dbname=name)
    with psycopg.connect(conninfo, autocommit=True) as conn:
        migrate(conn)
    yield conninfo
    with psycopg.connect(postgres.conninfo, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(queue_database: str) -> str:
    """The conninfo of the queue's database, with no rows but the default tenant."""
    with psycopg.connect(queue_database, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        conn.execute(EMPTY)
        conn.execute("INSERT INTO tenants (id, name) VALUES (%s, 'default')", (TENANT,))
    return queue_database


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Only what is worth a warning is printed with a test that fails."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.reset_defaults()
