"""A transaction pooler that nobody told the program of: it is found out by what breaks, said loudly, and lived with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import httpx
import psycopg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.database import Database
from app.settings import Settings
from domain_queue.links import Link, connect
from tests.support.api import status_of, submit, web_address
from tests.support.pgbouncer import Pooler, running_pooler
from tests.support.postgres import Server
from tests.support.processes import running, wait_for

#: A port that tells nothing, and so few server processes that connections meet on them.
PORT = 5431
SERVER_PROCESSES = 2

Found = TypeVar("Found")


@pytest.fixture
def undeclared(postgres: Server) -> Iterator[Pooler]:
    with running_pooler(postgres.conninfo, port=PORT, pool_size=SERVER_PROCESSES) as pooler:
        yield pooler


def given_up(events: list[Any]) -> int:
    return sum(event["event"] == "prepared_statements_given_up" for event in events)


async def prepared_on(conn: psycopg.AsyncConnection[Any]) -> list[str]:
    cur = await conn.execute("SELECT name FROM pg_prepared_statements")
    return [name for (name,) in await cur.fetchall()]


async def test_no_two_connections_give_a_prepared_statement_the_same_name(database: str) -> None:
    names = []
    for _ in range(2):
        conn = await connect(database, seconds=10, prepare_threshold=5)
        async with conn:
            await conn.execute("SELECT 1", prepare=True)
            names += await prepared_on(conn)
    assert len(set(names)) == 2


async def test_a_statement_that_the_server_forgot_is_sent_again_unprepared_and_no_more_are_prepared(
    database: str, undeclared: Pooler
) -> None:
    through = undeclared.conninfo(database)
    links = [Link(through, name="test", statement_seconds=10, prepare=True) for _ in range(2)]
    other = await connect(through, seconds=10)

    async def ask(link: Link) -> list[Any]:
        return await link.fetch("SELECT %(number)s::int + 1", {"number": 1})

    with capture_logs() as events:
        answers = [await ask(link) for link in links]
        # A transaction keeps the server process that remembers; the next statement meets another.
        for _ in range(2 * SERVER_PROCESSES):
            async with other.transaction():
                await other.execute("SELECT 1")
                answers += [await ask(link) for link in links]
            answers += [await ask(link) for link in links]
    for link in links:
        await link.close()
    await other.close()

    assert answers == [[(2,)]] * len(answers)
    assert given_up(events) == 1
    [event] = [event for event in events if event["event"] == "prepared_statements_given_up"]
    assert (event["log_level"], event["server"]) == ("error", f"{undeclared.address}:{PORT}")
    assert "no_prepare" in event["advice"]


@pytest.fixture
async def pool(database: str, undeclared: Pooler) -> AsyncIterator[Database]:
    conninfo = SecretStr(undeclared.conninfo(database))
    settings = Settings(_env_file=None, database_url=conninfo, db_min_pool_size=1, db_max_pool_size=1)
    async with Database(settings, name="test") as pool:
        yield pool


async def test_the_pool_finds_it_out_before_a_request_does(database: str, undeclared: Pooler, pool: Database) -> None:
    with capture_logs() as events:
        async with await connect(undeclared.conninfo(database), seconds=10) as other:
            for number in range(40):
                if number == 20:
                    await other.execute("BEGIN")  # takes the server process that remembers
                async with pool.system() as conn:
                    await conn.execute("SELECT 1")
        async with pool.connection() as conn:
            assert conn.prepare_threshold is None
    assert given_up(events) == 1


async def test_a_request_in_the_middle_of_which_it_is_found_out_is_told_to_try_again(
    database: str, undeclared: Pooler, pool: Database
) -> None:
    async def ask_twice(conn: psycopg.AsyncConnection[Any]) -> None:
        async with await connect(undeclared.conninfo(database), seconds=10) as other:
            await conn.execute("SELECT 2", prepare=conn.prepare_threshold is not None)
            await other.execute("BEGIN")
            await conn.execute("SELECT 2", prepare=conn.prepare_threshold is not None)

    with capture_logs() as events:
        async with pool.connection() as conn:
            pass
        with pytest.raises(psycopg.OperationalError, match="try again"):
            async with pool.connection() as conn:
                await ask_twice(conn)
        async with pool.connection() as conn:
            await ask_twice(conn)
    assert given_up(events) == 1


def test_web_and_worker_go_on_through_a_pooler_that_nobody_declared(
    environment: dict[str, str], database: str, undeclared: Pooler
) -> None:
    variables = {
        **environment,
        "DATABASE_URL": undeclared.conninfo(database),
        "DOMAIN_PROCESSING_INTERVAL_MINUTES": "0.005",
    }
    with (
        running("worker", "run", environment=variables) as worker,
        running("web", environment=variables) as process,
        httpx.Client(base_url=web_address(process), timeout=30, transport=httpx.HTTPTransport(retries=3)) as client,
    ):
        worker.wait_for_output("worker_started")
        jobs = [submitted(client, f"plain-{number}-fixture.com") for number in range(12)]
        documents = [ended(client, job) for job in jobs]
        wait_for(lambda: "prepared_statements_given_up" in worker.output, what="the loud word")
        output = worker.output

    assert {(document["status"], document["attempt"]) for document in documents} == {("completed", 1)}
    assert output.count("prepared_statements_given_up") == 1


def patiently(what: str, ask: Callable[[], Found | None]) -> Found:
    """What ``ask`` comes to, from a web process that may answer 503 once."""

    def try_again() -> Found | None:
        with suppress(AssertionError):
            return ask()
        return None

    found = wait_for(try_again, what=what)
    assert found is not None
    return found


def submitted(client: httpx.Client, domain: str) -> str:
    return patiently(f"an answer to the submit of {domain}", lambda: submit(client, domain, max_pages=1))


def ended(client: httpx.Client, job: str) -> dict[str, object]:
    def look() -> dict[str, object] | None:
        document = status_of(client, job)
        return document if document["status"] in ("completed", "error", "cancelled") else None

    return patiently(f"the end of {job}", look)
