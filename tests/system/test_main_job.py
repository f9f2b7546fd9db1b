"""A submitted domain is scanned by a worker and its result is shown, with real processes on a real database."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.support.api import STATUS, Web, finished, status_of, submit
from tests.support.processes import Process, running, wait_for


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[Process]:
    with running("worker", "run", environment=environment) as process:
        process.wait_for_output("worker_started")
        yield process


def test_a_posted_domain_is_read_at_once_without_waiting_for_a_poll(web: Web, worker: Process) -> None:
    job_id = submit(web.client, "https://www.Impressum-Fixture.de/kontakt?x=1", max_pages=5)

    document = finished(web.client, job_id)

    assert document["status"] == "completed", document
    assert document["domain"] == "impressum-fixture.de"
    assert document["attempt"] == 1
    assert document["progress"] == 1.0
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["max_pages"] == 5
    assert metadata["email_addresses"]
    assert metadata["phone_numbers"]
    assert metadata["language"] == "de"
    for address in metadata["email_addresses"]:
        assert metadata["evidence"][f"email_addresses:{address}"]["url"].startswith("https://")


def test_the_worker_logs_a_start_and_an_end_line_for_each_batch_with_its_counts(web: Web, worker: Process) -> None:
    finished(web.client, submit(web.client, "wordpress-fixture.com"))

    output = worker.wait_for_output("batch_finished")

    [start] = [line for line in output.splitlines() if "batch_started" in line]
    [end] = [line for line in output.splitlines() if "batch_finished" in line]
    assert "found=1" in start
    assert "processed=1" in end
    assert "successful=1" in end
    assert "failed=0" in end
    batch = next(word for word in start.split() if word.startswith(("batch_id=", "batch=")))
    assert batch in end


def test_the_status_reply_waits_for_a_change_when_asked_to(web: Web, worker: Process) -> None:
    job_id = submit(web.client, "plain-1-fixture.com")

    replies = []
    while not replies or replies[-1]["status"] not in ("completed", "error"):
        replies.append(web.client.get(f"{STATUS}/{job_id}", params={"wait": 20}, timeout=40).json())

    assert replies[-1]["status"] == "completed"
    assert len(replies) < 10, "each reply was a change, not a poll"


def test_a_domain_that_cannot_be_read_ends_in_error_with_its_reason(web: Web, worker: Process) -> None:
    document = finished(web.client, submit(web.client, "missing-fixture.com"))

    assert document["status"] == "error"
    error = document["error"]
    assert isinstance(error, dict)
    assert error["code"] == "no_such_domain"
    assert document["attempt"] == 1, "a permanent error is not tried again"


def test_a_row_inserted_by_hand_wakes_the_worker_too(database: str, worker: Process) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO domains (id, tenant_id, domain, status, created_at, updated_at) VALUES (gen_random_uuid(), "
            "'550e8400-e29b-41d4-a716-446655440000', 'plain-2-fixture.com', 'pending', now(), now())"
        )

        def look() -> bool:
            row = conn.execute("SELECT status::text FROM domains").fetchone()
            return row == ("completed",)

        wait_for(look, what="the row inserted by hand")


def test_with_notify_silenced_the_poll_still_finds_the_row(database: str, environment: dict[str, str]) -> None:
    with running("worker", "run", environment={**environment, "DOMAIN_PROCESSING_INTERVAL_MINUTES": "0.01"}) as process:
        process.wait_for_output("worker_started")
        with psycopg.connect(database, autocommit=True) as conn, conn.transaction():
            conn.execute("SET LOCAL scrapersky.notify = 'off'")
            conn.execute(
                "INSERT INTO domains (tenant_id, domain, status) VALUES "
                "('550e8400-e29b-41d4-a716-446655440000', 'plain-3-fixture.com', 'pending')"
            )
        with psycopg.connect(database, autocommit=True) as conn:
            wait_for(
                lambda: conn.execute("SELECT status::text FROM domains").fetchone() == ("completed",),
                what="the poll",
            )


def test_after_kill_9_in_mid_scan_another_worker_finishes_the_row(web: Web, environment: dict[str, str]) -> None:
    with running("worker", "run", environment=environment) as first:
        first.wait_for_output("worker_started")
        job_id = submit(web.client, "slow-9-fixture.com", max_pages=1)
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
        job_id = submit(web.client, "slow-2-fixture.com", max_pages=1)
        wait_for(lambda: status_of(web.client, job_id)["status"] == "processing", what="the claim")

        process.send(signal.SIGTERM)

        assert process.wait() == 0
    document = status_of(web.client, job_id)
    assert document["status"] == "completed"
    assert document["attempt"] == 1


def test_many_workers_share_the_queue_and_each_domain_is_scanned_once(
    web: Web, database: str, environment: dict[str, str]
) -> None:
    with (
        running("worker", "run", environment=environment) as one,
        running("worker", "run", environment=environment) as two,
    ):
        one.wait_for_output("worker_started")
        two.wait_for_output("worker_started")
        for number in range(20):
            submit(web.client, f"plain-{number}-fixture.com", max_pages=1)
        with psycopg.connect(database, autocommit=True) as conn:
            wait_for(
                lambda: conn.execute("SELECT count(*) FROM domains WHERE status = 'completed'").fetchone() == (20,),
                what="all twenty",
            )
            attempts = conn.execute("SELECT DISTINCT attempt, crash_count FROM domains").fetchall()

    assert attempts == [(1, 0)]


def test_the_seeds_two_curl_commands_run_unchanged(web: Web, worker: Process) -> None:
    base = str(web.client.base_url).rstrip("/")
    posted = subprocess.run(
        [
            "curl", "-sS", "-X", "POST", f"{base}/api/v3/modernized_page_scraper/scan",
            "-H", "Content-Type: application/json", "-H", "Authorization: Bearer scraper_sky_2024",
            "-d", '{"base_url":"plain-7-fixture.com", "max_pages":5}',
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    accepted = httpx.Response(200, text=posted.stdout).json()
    asked = subprocess.run(
        ["curl", "-sS", f"{base}{accepted['status_url']}"], capture_output=True, text=True, check=True
    )

    document = httpx.Response(200, text=asked.stdout).json()

    assert document["job_id"] == accepted["job_id"]
    assert document["domain"] == "plain-7-fixture.com"
