"""A submitted domain is scanned by a worker and its result is shown, with real processes on a real database."""

from __future__ import annotations

import subprocess

import httpx
import psycopg
import pytest

from tests.support.api import STATUS, Web, finished, submit
from tests.support.processes import Process, wait_for

# What is costly is made once for the module: its tests run in one process.
pytestmark = pytest.mark.xdist_group("main job")


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
    before = len(lines_with(worker, "batch_finished"))
    finished(web.client, submit(web.client, "wordpress-fixture.com"))
    wait_for(lambda: len(lines_with(worker, "batch_finished")) > before, what="the end of the batch")

    [start] = lines_with(worker, "batch_started")[before:]
    [end] = lines_with(worker, "batch_finished")[before:]
    assert "found=1" in start
    assert "processed=1" in end
    assert "successful=1" in end
    assert "failed=0" in end
    batch = next(word for word in start.split() if word.startswith(("batch_id=", "batch=")))
    assert batch in end


def lines_with(process: Process, event: str) -> list[str]:
    return [line for line in process.output.splitlines() if event in line]


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


def test_a_row_inserted_by_hand_wakes_the_worker_too(shared_database: str, worker: Process) -> None:
    with psycopg.connect(shared_database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO domains (id, tenant_id, domain, status, created_at, updated_at) VALUES (gen_random_uuid(), "
            "'550e8400-e29b-41d4-a716-446655440000', 'plain-2-fixture.com', 'pending', now(), now())"
        )

        def look() -> bool:
            row = conn.execute("SELECT status::text FROM domains WHERE domain = 'plain-2-fixture.com'").fetchone()
            return row == ("completed",)

        wait_for(look, what="the row inserted by hand")


def test_the_seeds_two_curl_commands_run_unchanged(web: Web, worker: Process) -> None:
    base = str(web.client.base_url).rstrip("/")
    posted = subprocess.run(
        [
            "curl",
            "-sS",
            "-X",
            "POST",
            f"{base}/api/v3/modernized_page_scraper/scan",
            "-H",
            "Content-Type: application/json",
            "-H",
            "Authorization: Bearer scraper_sky_2024",
            "-d",
            '{"base_url":"plain-7-fixture.com", "max_pages":5}',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    accepted = httpx.Response(200, text=posted.stdout).json()
    asked = subprocess.run(
        ["curl", "-sS", f"{base}{accepted['status_url']}"], capture_output=True, text=True, check=True
    )

    document = httpx.Response(200, text=asked.stdout).json()

    assert document["job_id"] == accepted["job_id"]
    assert document["domain"] == "plain-7-fixture.com"
