"""Workers come and go, by signals and by force, and every row is finished once."""

from __future__ import annotations

import signal
import uuid

import psycopg
import pytest

from tests.support.api import Web, finished, status_of, submit
from tests.support.processes import running, wait_for

# What is costly is made once for the module: its tests run in one process.
pytestmark = pytest.mark.xdist_group("workers")

TENANT = uuid.UUID("550e8400-e29b-41d4-a716-446655440000")


def test_with_notify_silenced_the_poll_still_finds_the_row(shared_database: str, environment: dict[str, str]) -> None:
    with running("worker", "run", environment={**environment, "DOMAIN_PROCESSING_INTERVAL_MINUTES": "0.01"}) as process:
        process.wait_for_output("worker_started")
        with psycopg.connect(shared_database, autocommit=True) as conn, conn.transaction():
            conn.execute("SET LOCAL scrapersky.notify = 'off'")
            conn.execute(
                "INSERT INTO domains (tenant_id, domain, status) VALUES (%s, 'plain-silent-fixture.com', 'pending')",
                (TENANT,),
            )
        with psycopg.connect(shared_database, autocommit=True) as conn:
            wait_for(
                lambda: (
                    conn.execute(
                        "SELECT status::text FROM domains WHERE domain = 'plain-silent-fixture.com'"
                    ).fetchone()
                    == ("completed",)
                ),
                what="the poll",
            )


def test_after_kill_9_in_mid_scan_another_worker_finishes_the_row(web: Web, environment: dict[str, str]) -> None:
    with running("worker", "run", environment=environment) as first:
        first.wait_for_output("worker_started")
        job_id = submit(web.client, "slow-1500-fixture.com", max_pages=1)
        wait_for(lambda: status_of(web.client, job_id)["status"] == "processing", what="the claim")
        first.send(signal.SIGKILL)
        first.wait()
    with running("worker", "run", environment=environment) as second:
        document = finished(web.client, job_id, seconds=60)

        assert document["status"] == "completed", (document, second.output)
    assert document["attempt"] == 2, "the crash counted as an attempt"


def test_sigterm_drains_the_running_scan_finishes_and_the_process_ends_with_0(
    web: Web, environment: dict[str, str]
) -> None:
    with running("worker", "run", environment=environment) as process:
        process.wait_for_output("worker_started")
        job_id = submit(web.client, "slow-700-fixture.com", max_pages=1)
        wait_for(lambda: status_of(web.client, job_id)["status"] == "processing", what="the claim")

        process.send(signal.SIGTERM)

        assert process.wait() == 0
    document = status_of(web.client, job_id)
    assert document["status"] == "completed"
    assert document["attempt"] == 1


@pytest.mark.slow
def test_a_second_sigterm_ends_a_worker_that_still_waits_for_a_scan(web: Web, environment: dict[str, str]) -> None:
    patient = {**environment, "WORKER_SHUTDOWN_SECONDS": "600", "FETCH_TIMEOUT_SECONDS": "300"}
    with running("worker", "run", environment=patient) as process:
        process.wait_for_output("worker_started")
        job_id = submit(web.client, "slow-200000-fixture.com", max_pages=1)
        wait_for(lambda: status_of(web.client, job_id)["status"] == "processing", what="the claim")
        process.send(signal.SIGTERM)
        process.wait_for_output("worker_stopping")

        process.send(signal.SIGTERM)

        assert process.wait() == -signal.SIGTERM
    web.client.post(f"/api/v3/modernized_page_scraper/cancel/{job_id}").raise_for_status()


def test_many_workers_share_the_queue_and_each_domain_is_scanned_once(
    web: Web, shared_database: str, environment: dict[str, str]
) -> None:
    with (
        running("worker", "run", environment=environment) as one,
        running("worker", "run", environment=environment) as two,
    ):
        one.wait_for_output("worker_started")
        two.wait_for_output("worker_started")
        for number in range(20):
            submit(web.client, f"plain-many-{number}-fixture.com", max_pages=1)
        with psycopg.connect(shared_database, autocommit=True) as conn:
            wait_for(
                lambda: (
                    conn.execute(
                        "SELECT count(*) FROM domains WHERE domain LIKE 'plain-many-%' AND status = 'completed'"
                    ).fetchone()
                    == (20,)
                ),
                what="all twenty",
            )
            attempts = conn.execute(
                "SELECT DISTINCT attempt, crash_count FROM domains WHERE domain LIKE 'plain-many-%'"
            ).fetchall()

    assert attempts == [(1, 0)]
