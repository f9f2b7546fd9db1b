"""A job's life is told in order, whatever happened to it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from app.settings import DEFAULT_TENANT_ID
from app.trace import Trace, trace_jobs
from domain_queue import Fail, Job, Result, Retry, Submission, submit
from tests.support.queue_workers import working

Connection = psycopg.AsyncConnection[Any]

PAGES = [
    {"url": "https://a.example/", "status": 200, "title": "A", "bytes": 1200, "ms": 30},
    {"url": "https://a.example/contact", "status": 404, "title": None, "bytes": 80, "ms": 12},
]


async def queue(conn: Connection, domain: str = "a.example", **more: Any) -> UUID:
    submission = Submission(domain=domain, submitted_by="api token 'shop'", **more)
    [job] = await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[submission])
    return job.id


async def trace_when(conn: Connection, job_id: UUID, status: str) -> Trace:
    """The trace, once the job has ``status``."""
    async with asyncio.timeout(20):
        while True:
            [trace] = await trace_jobs(conn, str(job_id))
            if trace.status == status:
                return trace
            await asyncio.sleep(0.02)


def names(trace: Trace) -> list[str]:
    return [event.event for event in trace.events]


def scanned(title: str) -> Result:
    from datetime import UTC, datetime

    return Result(title=title, metadata={"pages": PAGES, "scanned_at": datetime.now(UTC).isoformat()})


async def test_a_scan_that_succeeds_is_told_from_the_submit_to_its_pages(database: str, conn: Connection) -> None:
    async def scan(job: Job) -> Result:
        return scanned("A")

    job_id = await queue(conn)
    async with working(database, scan):
        trace = await trace_when(conn, job_id, "completed")
    assert names(trace)[0] == "submitted"
    assert names(trace)[2:] == ["claimed", "page_read", "page_read", "completed"]
    submitted, _, claimed, first, second, completed = trace.events
    assert "api token 'shop'" in submitted.detail
    assert (claimed.worker, claimed.attempt) == ("test worker", 1)
    assert claimed.after_ms is not None
    assert "https://a.example/ answered 200, 1,200 bytes" in first.detail
    assert (first.after_ms, second.after_ms) == (30, 12)
    assert completed.after_ms is not None


async def test_attempts_that_failed_are_told_with_their_codes_and_workers(database: str, conn: Connection) -> None:
    async def fail(job: Job) -> None:
        if job.claim.attempt < 3:
            raise Retry("connect_timed_out", "no answer.", after=timedelta(0))
        raise Fail("not_html", "a picture")

    job_id = await queue(conn)
    async with working(database, fail):
        trace = await trace_when(conn, job_id, "error")
    failed = [event for event in trace.events if event.event == "attempt_failed"]
    assert [(event.attempt, event.worker) for event in failed] == [(number, "test worker") for number in (1, 2, 3)]
    assert "connect_timed_out: no answer; to be tried again" in failed[0].detail
    assert names(trace)[-1] == "failed"
    assert "not_html: a picture" in trace.events[-1].detail
    assert [event.at for event in trace.events] == sorted(event.at for event in trace.events if event.at)


async def test_attempts_that_failed_are_told_even_when_the_job_ended_well(database: str, conn: Connection) -> None:
    async def scan(job: Job) -> Result:
        if job.claim.attempt < 3:
            raise Retry(f"code_{job.claim.attempt}", "no answer", after=timedelta(0))
        return scanned("A")

    job_id = await queue(conn)
    async with working(database, scan):
        trace = await trace_when(conn, job_id, "completed")
    told = [event for event in trace.events if event.event in ("claimed", "attempt_failed")]
    assert [(event.event, event.attempt, event.worker) for event in told] == [
        (event, number, "test worker") for number in (1, 2) for event in ("claimed", "attempt_failed")
    ] + [("claimed", 3, "test worker")]
    assert [event.detail for event in told if event.event == "attempt_failed"] == [
        "code_1: no answer; to be tried again",
        "code_2: no answer; to be tried again",
    ]
    assert all(event.after_ms is not None for event in told)
    assert trace.events[-1].detail == "after 3 attempts"


async def test_reasons_of_an_earlier_scan_are_not_told_of_the_next_one(database: str, conn: Connection) -> None:
    async def scan(job: Job) -> Result:
        if job.claim.attempt == 1 and not job.claim.has_result:
            raise Retry("slow", "no answer", after=timedelta(0))
        return scanned("A")

    async with working(database, scan):
        await trace_when(conn, await queue(conn), "completed")
        job_id = await queue(conn)
        trace = await trace_when(conn, job_id, "completed")
    assert "attempt_failed" not in names(trace)


@pytest.mark.parametrize(("listens", "told"), [(True, "notified"), (False, "found_by_poll")])
async def test_how_the_worker_learned_of_the_job_is_told_by_its_way_of_waking(
    database: str, conn: Connection, listens: bool, told: str
) -> None:
    conninfo = database if listens else make_conninfo(database, port=1)

    async def scan(job: Job) -> Result:
        return scanned("A")

    async with working(database, scan, listen_conninfo=conninfo) as worker:
        async with asyncio.timeout(20):
            while worker.stats.wake_mode == "starting":
                await asyncio.sleep(0.01)
        job_id = await queue(conn)
        await trace_when(conn, job_id, "completed")
    [trace] = await trace_jobs(conn, str(job_id))
    [event] = [event for event in trace.events if event.event == told]
    assert event.worker == "test worker"
    assert names(trace).index("submitted") < names(trace).index(told) < names(trace).index("claimed")


async def test_a_lease_that_was_lost_is_told_as_such(database: str, conn: Connection) -> None:
    job_id = await queue(conn, max_attempts=1)
    await conn.execute(
        "UPDATE domains SET status = 'processing', worker_id = gen_random_uuid(), attempt = 1, "
        "claimed_at = now(), started_at = now(), claim_token = 1"
    )
    [held] = await trace_jobs(conn, str(job_id))
    assert held.events[-1].event == "processing"
    assert "lease is out" in held.events[-1].detail
    async with working(database):
        trace = await trace_when(conn, job_id, "error")
    assert names(trace) == ["submitted", "claimed", "lease_lost", "failed"]
    assert trace.events[1].worker == trace.events[2].worker


async def test_a_job_that_waits_says_since_when_and_at_which_place(conn: Connection) -> None:
    await queue(conn, "first.example")
    job_id = await queue(conn, "second.example")
    [trace] = await trace_jobs(conn, str(job_id))
    assert trace.events[-1].event == "waiting"
    assert "place 2" in trace.events[-1].detail
    await conn.execute("UPDATE domains SET available_at = now() + interval '1 hour'")
    [trace] = await trace_jobs(conn, str(job_id))
    assert "due in 3" in trace.events[-1].detail


async def test_the_second_scan_tells_its_own_life_and_what_changed(database: str, conn: Connection) -> None:
    titles = iter(("Old", "New"))

    async def scan(job: Job) -> Result:
        return scanned(next(titles))

    async with working(database, scan):
        first = await trace_when(conn, await queue(conn), "completed")
        await queue(conn)
        second = await trace_when(conn, first.job_id, "completed")
    assert names(second)[0] == "stored"
    assert [event.detail for event in second.events if event.event == "changes_found"] == ["title"]
    assert names(second).count("submitted") == 1


async def test_a_domain_finds_the_job_of_every_tenant_that_has_it(conn: Connection) -> None:
    other = UUID("00000000-0000-4000-8000-000000000001")
    await conn.execute("INSERT INTO tenants (id, name) VALUES (%s, 'other')", (other,))
    await queue(conn)
    await submit(conn, tenant_id=other, submissions=[Submission(domain="a.example")])
    assert {trace.tenant for trace in await trace_jobs(conn, "a.example", domain="a.example")} == {"default", "other"}


async def test_callbacks_and_what_became_of_them_are_told(conn: Connection) -> None:
    job_id = await queue(conn)
    await conn.execute(
        "INSERT INTO webhook_deliveries (tenant_id, url, domain_id, state, attempt, finished_at, last_error) "
        "VALUES (%s, 'https://hook.example/', %s, 'failed', 10, now(), 'answered 500')",
        (DEFAULT_TENANT_ID, job_id),
    )
    [trace] = await trace_jobs(conn, str(job_id))
    assert "callback_owed" in names(trace)
    [failed] = [event for event in trace.events if event.event == "callback_failed"]
    assert "answered 500" in failed.detail


def trace_process(database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "trace", *arguments]
    return subprocess.run(command, env=os.environ | {"DATABASE_URL": database}, capture_output=True, text=True)


async def test_the_command_takes_a_domain_as_people_write_it(database: str, conn: Connection) -> None:
    job_id = await queue(conn, "a-fixture.com")
    done = trace_process(database, "https://www.A-fixture.com/", "--json")
    [job] = json.loads(done.stdout)["jobs"]
    assert (job["job_id"], job["status"], done.returncode) == (str(job_id), "pending", 0)
    lines = trace_process(database, str(job_id)).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines[1:]] == ["submitted", "waiting"]


def test_a_job_that_does_not_exist_is_a_failure_that_says_so(database: str) -> None:
    done = trace_process(database, "nobody.example")
    assert done.returncode == 1
    assert "there is no job nobody.example" in done.stderr
