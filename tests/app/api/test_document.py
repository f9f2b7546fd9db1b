"""The API against its own OpenAPI document: whatever fits it, and whatever does not, is never a 500."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.support.web import BATCHES, SCANS, serving, web_settings

SECONDS_FOR_START = 60


@pytest.fixture
def served_url(database: str) -> Iterator[str]:
    """A server in a thread of its own, because the fuzzer's client is synchronous."""
    url: Future[str] = Future()
    stop: Future[asyncio.Event] = Future()

    async def serve() -> None:
        done = asyncio.Event()
        stop.set_result(done)
        async with serving(web_settings(database, api_max_body_bytes=64 * 1024)) as web:
            url.set_result(web.url)
            await done.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    yield url.result(SECONDS_FOR_START)
    loop.call_soon_threadsafe(stop.result().set)
    thread.join(SECONDS_FOR_START)
    loop.close()


def attempt(case: schemathesis.Case) -> None:
    """Send one generated request and judge the answer."""
    reply = case.call(timeout=35)
    assert reply.status_code < 500 or reply.status_code == 503, (case.method, case.path, reply.text)
    if reply.status_code < 400 or case.path == "/ready":
        return
    assert set(reply.json()) == {"error"}, (case.method, case.path, reply.text)
    documented = case.operation.definition.raw["responses"]
    assert str(reply.status_code) in documented or reply.status_code == 405, (case.method, case.path, reply.status_code)


@pytest.mark.filterwarnings("default")  # of the fuzzer's own, none of them about this program
def test_no_request_that_can_be_made_from_the_document_is_answered_by_a_500_or_hangs(served_url: str) -> None:
    document = schemathesis.openapi.from_url(f"{served_url}/openapi.json")
    tried = set()
    # A stream that waits for a job ends with the job, so it is tried by tests of its own.
    for result in document.exclude(path_regex="/events$").get_all_operations():
        operation = result.ok()
        bounds = settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        bounds(given(case=operation.as_strategy())(attempt))()
        tried.add((operation.method.upper(), operation.path))

    assert ("POST", f"{SCANS}/scan") in tried
    assert ("POST", f"{BATCHES}/batch") in tried
    assert len(tried) >= 15
