"""The whole chain through a transaction pooler, with the connection string that the seed's project has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import psycopg
import pytest

from tests.support.api import STATUS, Web, answers, finished, submit, web_address
from tests.support.pgbouncer import Pooler, running_pooler
from tests.support.postgres import Server
from tests.support.processes import Process, running, scrapersky, wait_for


@pytest.fixture
def seeds(environment: dict[str, str], database: str, pooler: Pooler) -> dict[str, str]:
    """The seed's set-up and nothing else: one connection string, for a transaction pooler, in asyncpg's words."""
    return {
        **environment,
        "DATABASE_URL": pooler.seed_dsn(database),
        "DOMAIN_PROCESSING_INTERVAL_MINUTES": "0.005",
    }


def ended(client: httpx.Client, job_id: str) -> dict[str, object]:
    """The status document once the job has ended, from a web process that may be without its database for a moment."""

    def look() -> dict[str, object] | None:
        with suppress(httpx.TransportError):
            reply = client.get(f"{STATUS}/{job_id}", timeout=15)
            if reply.status_code == 200 and reply.json()["status"] in ("completed", "error", "cancelled"):
                return dict(reply.json())
        return None

    found = wait_for(look, what=f"the end of {job_id}", seconds=60)
    assert found is not None
    return found


@contextmanager
def web_and_worker(environment: dict[str, str]) -> Iterator[tuple[Web, Process]]:
    with (
        running("worker", "run", environment=environment) as worker,
        running("web", environment=environment) as process,
        httpx.Client(base_url=web_address(process)) as client,
    ):
        worker.wait_for_output("worker_started")
        wait_for(lambda: answers(client), what="the web process")
        yield Web(process, client), worker


def test_submit_scan_and_result_pass_through_a_transaction_pooler_by_the_seeds_dsn(seeds: dict[str, str]) -> None:
    with web_and_worker(seeds) as (web, worker):
        jobs = [submit(web.client, f"plain-{number}-fixture.com", max_pages=2) for number in range(10)]
        documents = [finished(web.client, job) for job in jobs]
        started = worker.output

    assert {document["status"] for document in documents} == {"completed"}
    assert {document["attempt"] for document in documents} == {1}
    assert "wake_mode=poll" in started, "LISTEN cannot pass, and the worker knows"


def test_with_a_session_mode_dsn_for_listen_the_worker_wakes_at_once_behind_the_pooler(
    seeds: dict[str, str], database: str, session_pooler: Pooler
) -> None:
    environment = {
        **seeds,
        "LISTEN_DATABASE_URL": session_pooler.conninfo(database),
        "DOMAIN_PROCESSING_INTERVAL_MINUTES": "10",
    }
    with web_and_worker(environment) as (web, worker):
        document = finished(web.client, submit(web.client, "plain-1-fixture.com"))
        started = worker.output

    assert document["status"] == "completed"
    assert "wake_mode=listen" in started


@pytest.mark.slow
def test_a_single_server_connection_is_enough_for_everything_because_none_is_held(
    environment: dict[str, str], database: str, postgres: Server
) -> None:
    with running_pooler(postgres.conninfo, pool_size=1) as narrow:
        seeds = {
            **environment,
            "DATABASE_URL": narrow.seed_dsn(database),
            "DOMAIN_PROCESSING_INTERVAL_MINUTES": "0.005",
        }
        with web_and_worker(seeds) as (web, _):
            slow = submit(web.client, "slow-2-fixture.com", max_pages=1)
            quick = submit(web.client, "plain-1-fixture.com", max_pages=1)
            documents = [ended(web.client, job) for job in (slow, quick)]

    assert [(document["status"], document["attempt"]) for document in documents] == [("completed", 1)] * 2


def test_migrations_run_through_a_transaction_pooler(empty_database: str, pooler: Pooler) -> None:
    done = scrapersky("migrate", environment={"DATABASE_URL": pooler.seed_dsn(empty_database)})

    assert done.returncode == 0, done.stderr
    with psycopg.connect(empty_database) as conn:
        assert conn.execute("SELECT count(*) > 3 FROM schema_migrations").fetchone() == (True,)


@pytest.mark.slow
def test_a_pooler_that_restarts_costs_no_row(environment: dict[str, str], database: str, postgres: Server) -> None:
    with running_pooler(postgres.conninfo) as pooler:
        seeds = {
            **environment,
            "DATABASE_URL": pooler.seed_dsn(database),
            "DOMAIN_PROCESSING_INTERVAL_MINUTES": "0.005",
            "WORKER_LEASE_SECONDS": "30",
        }
        with web_and_worker(seeds) as (web, _), psycopg.connect(database, autocommit=True) as conn:
            job = submit(web.client, "slow-2-fixture.com", max_pages=1)
            claimed = "SELECT status = 'processing' FROM domains"
            wait_for(lambda: conn.execute(claimed).fetchone() == (True,), what="the claim")

            pooler.stop()
            pooler.start()

            assert ended(web.client, job)["status"] == "completed"
            assert conn.execute("SELECT attempt, crash_count FROM domains").fetchall() == [(1, 0)]
