"""The database goes away in every way it can; nothing is lost and nothing runs in two places."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from domain_queue import Job, Result
from migrations import migrate
from tests.queue.half_open import HalfOpenProxy
from tests.queue.helpers import TENANT, Conn, add_domains, config, count, running, until
from tests.support.servers import OwnServer, PgBouncer


@pytest.fixture(scope="module")
def own_server() -> Iterator[OwnServer]:
    with OwnServer(settings=["fsync=off", "full_page_writes=off"]) as server:
        yield server


@pytest.fixture
def own_database(own_server: OwnServer) -> str:
    conninfo = own_server.create_database("own")
    with psycopg.connect(conninfo, autocommit=True) as conn:
        migrate(conn)
    return conninfo


async def connect(conninfo: str) -> Conn:
    return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)


class Handled:
    """A handler that counts, and takes ``seconds``."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds = seconds
        self.successes: Counter[str] = Counter()
        self.running = 0

    async def __call__(self, job: Job) -> Result | None:
        self.running += 1
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        self.successes[job.claim.domain] += 1
        return Result(title=f"{job.claim.claim_token}")


async def all_completed(conn: Conn, number: int) -> None:
    async def is_so() -> bool:
        return await count(conn, "status = 'completed'") == number

    await until(is_so, seconds=60)


# A completed row's token is that of its last claim and one more; its title is the token its handler saw.
CONSISTENT = "status = 'completed' AND title = (claim_token - 1)::text"


async def test_workers_whose_connections_are_killed_again_and_again_lose_nothing(database: str, conn: Conn) -> None:
    await add_domains(conn, 1500)
    handled = Handled()
    async with running(config(database, concurrency=20), handled), running(config(database, concurrency=20), handled):
        for _ in range(12):
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.1)
        await all_completed(conn, 1500)

    assert await count(conn, CONSISTENT) == 1500
    assert len(handled.successes) == 1500


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_worker_comes_back_by_itself_when_postgres_does(
    own_server: OwnServer, own_database: str, how: signal.Signals
) -> None:
    handled = Handled()
    async with running(config(own_database, statement_seconds=2), handled) as worker:
        conn = await connect(own_database)
        await add_domains(conn, 300)
        await asyncio.sleep(0.1)
        await conn.close()
        own_server.stop(how)
        await asyncio.sleep(0.5)
        own_server.start()
        conn = await connect(own_database)
        await all_completed(conn, 300)

        async def listens_again() -> bool:
            return worker.stats.wake_mode == "listen"

        await until(listens_again)
        assert await count(conn, CONSISTENT) == 300
        await conn.close()


async def test_a_worker_whose_links_go_silent_stops_its_handlers_before_its_lease_ends_and_recovers(
    own_server: OwnServer, own_database: str
) -> None:
    handled = Handled(3600)
    conn = await connect(own_database)
    await add_domains(conn, 5)
    async with HalfOpenProxy(own_server.port) as proxy:
        through = own_server.tcp_conninfo(proxy.port, "own")
        async with running(config(through, lease_seconds=3, statement_seconds=1), handled) as worker:

            async def all_run() -> bool:
                return handled.running == 5

            await until(all_run)
            proxy.freeze()

            async def none_runs() -> bool:
                return handled.running == 0

            await until(none_runs)
            cur = await conn.execute("SELECT bool_and(lease_expires_at > now()) FROM workers")
            assert await cur.fetchall() == [(True,)], "the handlers ran on when the lease was out already"
            assert worker.stats.worker_id is None

            handled.seconds = 0
            proxy.thaw()
            await all_completed(conn, 5)
            assert worker.stats.lease_losses == 1
    await conn.close()


async def test_a_claim_whose_answer_was_lost_is_given_back_and_not_held_for_ever(
    own_server: OwnServer, own_database: str
) -> None:
    handled = Handled(0)
    conn = await connect(own_database)
    async with HalfOpenProxy(own_server.port) as proxy:
        through = own_server.tcp_conninfo(proxy.port, "own")
        async with running(config(through, lease_seconds=60, statement_seconds=1), handled) as worker:

            async def is_ready() -> bool:
                return worker.stats.counters.claim_calls > 0 and worker.stats.wake_mode == "listen"

            await until(is_ready)
            await add_domains(conn, 5)
            worker_id = worker.stats.worker_id
            await conn.execute(
                "UPDATE domains SET status = 'processing', worker_id = %s, attempt = 1, claim_token = 1", (worker_id,)
            )  # as a claim does whose answer never comes
            proxy.freeze()

            async def has_noticed() -> bool:
                return worker.stats.counters.database_errors > 0

            await until(has_noticed)
            proxy.thaw()
            await all_completed(conn, 5)

    assert await count(conn, "attempt = 1 AND crash_count = 0") == 5
    await conn.close()


@pytest.mark.skipif(PgBouncer.program() is None, reason="pgbouncer is not installed here")
@pytest.mark.parametrize("listens_directly", [False, True])
async def test_behind_a_transaction_pooler_everything_works_and_a_deaf_listener_is_found_out(
    own_server: OwnServer, own_database: str, listens_directly: bool
) -> None:
    handled = Handled(0.3)
    conn = await connect(own_database)
    with PgBouncer(own_server) as pooler:
        pooled = config(
            pooler.conninfo("own"),
            listen_conninfo=own_database if listens_directly else None,
            prepared_statements=False,
            concurrency=50,
        )
        async with running(pooled, handled) as worker:
            await add_domains(conn, 300, rescan_every="1 day")

            async def has_settled() -> bool:
                return worker.stats.wake_mode == ("listen" if listens_directly else "poll")

            await all_completed(conn, 300)
            await until(has_settled)
            assert await count(conn, CONSISTENT) == 300
            assert worker.stats.counters.database_errors == 0
        cur = await conn.execute("SELECT count(*) FROM domains WHERE tenant_id = %s", (TENANT,))
        assert await cur.fetchall() == [(300,)]
    await conn.close()
