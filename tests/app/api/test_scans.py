"""Single scans over HTTP."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import uuid
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain_queue import Fail, Job, Listener, Result
from tests.support.web import BATCHES, SCANS, WebServer, drain, serving, succeed, until, web_settings, working

SCAN_KEYS = {"job_id", "status_url", "created_at", "domain", "status"}
STATUS_KEYS = {
    *("job_id", "status", "domain", "progress", "step", "created_at", "updated_at", "started_at", "completed_at"),
    *("attempt", "max_attempts", "error", "queue", "metadata"),
}


async def scan(web: WebServer, domain: str = "example.com", **fields: Any) -> dict[str, Any]:
    reply = await web.client.post(f"{SCANS}/scan", json={"base_url": domain, **fields})
    assert reply.status_code == 202, reply.text
    return dict(reply.json())


async def test_the_two_commands_that_users_of_the_old_system_know_run_unchanged(web: WebServer) -> None:
    post = f"""curl -s -X POST "{web.url}/api/v3/modernized_page_scraper/scan" \
        -H "Content-Type: application/json" -H "Authorization: Bearer scraper_sky_2024" \
        -d '{{"base_url":"example.com", "max_pages":5}}'"""

    accepted = json.loads(await asyncio.to_thread(subprocess.check_output, shlex.split(post)))
    get = f"""curl -s "{web.url}{accepted["status_url"]}" """
    status = json.loads(await asyncio.to_thread(subprocess.check_output, shlex.split(get)))

    assert set(accepted) == SCAN_KEYS
    assert accepted["status_url"] == f"{SCANS}/status/{accepted['job_id']}"
    assert set(status) == STATUS_KEYS
    assert status["job_id"] == accepted["job_id"]
    assert status["domain"] == "example.com"
    assert status["metadata"] == {"domain": "example.com", "max_pages": 5}
    assert status["queue"] == {"position": 1, "workers_alive": 0}


async def test_a_domain_that_is_in_the_queue_already_is_the_same_job_however_it_is_written(web: WebServer) -> None:
    first = await scan(web, "example.com")
    second = await scan(web, "HTTPS://www.Example.com/contact?x=1")

    assert second["job_id"] == first["job_id"]
    assert second["created_at"] == first["created_at"]


async def test_the_old_second_path_to_single_scans_works_too(web: WebServer) -> None:
    reply = await web.client.post(f"{BATCHES}/scan", json={"base_url": "example.com"})
    status = await web.client.get(f"{BATCHES}/status/{reply.json()['job_id']}")

    assert reply.status_code == 202
    assert status.json()["domain"] == "example.com"


async def test_a_finished_scan_shows_the_whole_result_document_and_no_place_in_the_queue(
    web: WebServer, database: str
) -> None:
    job = await scan(web, max_pages=7)
    await drain(database)

    status = (await web.client.get(job["status_url"])).json()

    assert status["status"] == "completed"
    assert status["progress"] == 1
    assert status["error"] is None
    assert status["queue"] is None
    assert status["attempt"] == 1
    assert status["metadata"]["email_addresses"] == ["info@example.com"]
    assert status["metadata"]["max_pages"] == 7
    assert status["started_at"] <= status["completed_at"]


async def test_a_failed_scan_says_why(web: WebServer, database: str) -> None:
    async def fail(job: Job) -> Result:
        raise Fail("no_such_domain", "The domain does not exist.")

    job = await scan(web)
    await drain(database, fail)

    status = (await web.client.get(job["status_url"])).json()

    assert status["status"] == "error"
    assert status["error"] == {"code": "no_such_domain", "message": "The domain does not exist."}


@pytest.mark.parametrize(
    ("text", "code"),
    [("localhost", "single_label"), ("10.0.0.1", "ip_address"), ("", "empty"), ("ftp://example.com", "scheme")],
)
async def test_what_is_no_public_domain_is_refused_with_a_code_and_a_sentence(
    web: WebServer, text: str, code: str
) -> None:
    reply = await web.client.post(f"{SCANS}/scan", json={"base_url": text})

    error = reply.json()["error"]
    assert reply.status_code == 422
    assert error["code"] in (code, "special_use_name")
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"[]", 400, "malformed"),
        (b"{}", 422, "invalid_value"),
        (b'{"base_url": 5}', 422, "invalid_value"),
        (b'{"base_url": "example.com", "max_pages": 0}', 422, "invalid_value"),
        (b'{"base_url": "example.com", "max_pages": 101}', 422, "invalid_value"),
        (b'{"base_url": "example.com", "priority": 101}', 422, "invalid_value"),
        (b'{"base_url": "example.com", "rescan_every": 1}', 422, "invalid_value"),
        (b'{"base_url": "exa\\u0000mple.com"}', 422, "control_character"),
        (b'{"base_url": "\\ud800.com"}', 422, "invalid_value"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_answered_in_the_one_error_shape(
    web: WebServer, body: bytes, status: int, code: str
) -> None:
    reply = await web.client.post(f"{SCANS}/scan", content=body, headers={"Content-Type": "application/json"})

    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error"}
    assert reply.json()["error"]["code"] == code
    assert reply.json()["error"]["message"]


async def test_an_interval_that_cannot_be_read_is_told_how_to_write_it(web: WebServer) -> None:
    reply = await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com", "rescan_every": "soon"})

    assert reply.status_code == 422
    assert "P7D" in reply.json()["error"]["message"]


async def test_a_malformed_id_is_400_and_an_unknown_one_404(web: WebServer) -> None:
    malformed = await web.client.get(f"{SCANS}/status/310")
    unknown = await web.client.get(f"{SCANS}/status/{uuid.uuid4()}")

    assert (malformed.status_code, malformed.json()["error"]["code"]) == (400, "malformed_id")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")


async def test_a_body_larger_than_the_limit_is_refused_whether_its_length_is_announced_or_not(database: str) -> None:
    async with serving(web_settings(database, api_max_body_bytes=2048)) as web:

        async def chunks() -> Any:
            for _ in range(10):
                yield b"x" * 1000

        announced = await web.client.post(f"{SCANS}/scan", content=b"x" * 5000)
        streamed = await web.client.post(
            f"{SCANS}/scan", content=chunks(), headers={"Content-Type": "application/json"}
        )

    assert announced.status_code == streamed.status_code == 413
    assert announced.json()["error"]["code"] == "too_large"


async def test_the_commit_of_a_scan_wakes_whoever_listens_for_work(web: WebServer, database: str) -> None:
    woken = asyncio.Event()
    async with Listener(database, ["domains_pending"], woken.set) as listener:
        await listener.settled()
        woken.clear()

        await scan(web)

        async with asyncio.timeout(5):
            await woken.wait()


async def test_a_waiting_status_request_answers_as_soon_as_the_status_changes(web: WebServer, database: str) -> None:
    job = await scan(web)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(web.client.get(job["status_url"], params={"wait": 30}))
        await until(lambda: web.app.state.services.hub.watcher_count == 1, what="the watcher")
        await drain(database)

    assert waiting.result().json()["status"] in ("processing", "completed")
    assert waiting.result().elapsed.total_seconds() < 10


async def test_a_waiting_status_request_answers_unchanged_when_the_time_is_over(web: WebServer) -> None:
    job = await scan(web)

    reply = await web.client.get(job["status_url"], params={"wait": 0.2})

    assert reply.json()["status"] == "pending"


async def test_waiting_longer_than_thirty_seconds_is_refused(web: WebServer) -> None:
    job = await scan(web)

    assert (await web.client.get(job["status_url"], params={"wait": 31})).status_code == 422


async def read_events(reply: httpx.Response) -> list[dict[str, Any]]:
    events = []
    async for line in reply.aiter_lines():
        if line.startswith("data: "):
            events.append(json.loads(line.removeprefix("data: ")))
    return events


async def test_the_event_stream_tells_every_step_and_closes_at_the_end(web: WebServer, database: str) -> None:
    reached = asyncio.Event()

    async def step_by_step(job: Job) -> Result:
        job.report_progress(0.5, "reading /contact")
        await reached.wait()
        return await succeed(job)

    job = await scan(web)
    async with (
        web.client.stream("GET", f"{job['status_url']}/events") as reply,
        working(database, step_by_step),
    ):
        seen = []
        async for line in reply.aiter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
                if seen[-1]["step"] == "reading /contact":
                    reached.set()

    assert reply.headers["content-type"].startswith("text/event-stream")
    assert seen[0]["status"] == "pending"
    assert seen[0]["queue"]["position"] == 1
    assert any(event["step"] == "reading /contact" and event["progress"] == 0.5 for event in seen)
    assert seen[-1]["status"] == "completed"
    assert seen[-1]["metadata"]["email_addresses"] == ["info@example.com"]


async def test_the_event_stream_of_a_finished_job_is_its_end_alone(web: WebServer, database: str) -> None:
    job = await scan(web)
    await drain(database)

    async with web.client.stream("GET", f"{job['status_url']}/events") as reply:
        events = await read_events(reply)

    assert [event["status"] for event in events] == ["completed"]


async def test_fifty_watchers_hold_no_database_connection_and_are_served_by_one_read(
    web: WebServer, database: str
) -> None:
    job = await scan(web)
    pool = web.app.state.services.database.pool
    hub = web.app.state.services.hub

    async def watch() -> str:
        async with web.client.stream("GET", f"{job['status_url']}/events") as reply:
            return str((await read_events(reply))[-1]["status"])

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch()) for _ in range(50)]
        await until(lambda: hub.watcher_count == 50, what="fifty watchers")
        idle = pool.get_stats()
        reads = hub.reads
        await drain(database)

    assert [task.result() for task in tasks] == ["completed"] * 50
    assert idle["pool_size"] - idle["pool_available"] <= 1  # the hub may be reading just now
    assert hub.reads - reads < 20
    assert hub.watcher_count == 0


async def test_a_pending_job_can_be_cancelled_twice_and_retried_twice(web: WebServer) -> None:
    job = await scan(web)
    path = job["job_id"]

    for _ in range(2):
        reply = await web.client.post(f"{SCANS}/cancel/{path}")
        assert (reply.status_code, reply.json()["status"]) == (200, "cancelled")
    for _ in range(2):
        reply = await web.client.post(f"{SCANS}/retry/{path}")
        assert (reply.status_code, reply.json()["status"]) == (200, "pending")


async def test_a_completed_job_can_be_neither_cancelled_nor_retried(web: WebServer, database: str) -> None:
    job = await scan(web)
    await drain(database)

    for action in ("cancel", "retry"):
        reply = await web.client.post(f"{SCANS}/{action}/{job['job_id']}")
        assert reply.status_code == 409, action
        assert reply.json()["error"]["message"]


async def test_a_submit_sent_again_under_its_key_is_answered_alike_even_after_the_scan(
    web: WebServer, database: str
) -> None:
    headers = {"Idempotency-Key": "order-1"}
    body = {"base_url": "example.com"}
    first = await web.client.post(f"{SCANS}/scan", json=body, headers=headers)
    await drain(database)

    second = await web.client.post(f"{SCANS}/scan", json=body, headers=headers)
    status = (await web.client.get(first.json()["status_url"])).json()

    assert second.json() == first.json()
    assert status["status"] == "completed"


async def test_a_key_used_for_another_request_is_refused(web: WebServer) -> None:
    headers = {"Idempotency-Key": "order-1"}
    await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"}, headers=headers)

    reply = await web.client.post(f"{SCANS}/scan", json={"base_url": "example.org"}, headers=headers)

    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_refused_submit_does_not_use_up_its_key(web: WebServer) -> None:
    headers = {"Idempotency-Key": "order-1"}
    refused = await web.client.post(f"{SCANS}/scan", json={"base_url": "nonsense"}, headers=headers)

    accepted = await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"}, headers=headers)

    assert (refused.status_code, accepted.status_code) == (422, 202)


async def test_a_default_tenant_that_is_not_there_is_the_settings_fault_and_said(database: str) -> None:
    async with serving(web_settings(database, default_tenant_id=UUID(int=7))) as server:
        answer = await server.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unknown_tenant"
    assert "DEFAULT_TENANT_ID" in answer.json()["error"]["message"]
