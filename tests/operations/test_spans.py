"""One trace for each job, received by a real collector's protocol."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from app.metrics.spans import Traced, traced
from app.settings import DEFAULT_TENANT_ID
from domain_queue import Job, Result, Retry, Submission, cancel, submit
from tests.support.api import BATCH, SCAN, answers, web_address
from tests.support.processes import running, wait_for
from tests.support.queue_workers import working

Connection = psycopg.AsyncConnection[Any]

SERVER = Span.SpanKind.SPAN_KIND_SERVER


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """An OTLP endpoint, and the spans that it was sent."""
    spans: list[Any] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", spans
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {
        entry.key.removeprefix("scrapersky."): getattr(entry.value, entry.value.WhichOneof("value"))
        for entry in span.attributes
    }


async def scan(job: Job) -> Result:
    if job.claim.attempt == 1:
        raise Retry("connect_timed_out", "no answer", after=timedelta(0))
    pages = [{"url": "https://a.example/", "status": 200, "bytes": 700, "ms": 3}]
    return Result(title="A", metadata={"pages": pages, "fetch_tier": "direct"})


async def work(database: str, conn: Connection, observed: Traced) -> None:
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    async with (
        working(database, observed.handler, on_ended=observed.on_ended) as worker,
        asyncio.timeout(20),
    ):
        while worker.stats.counters.completed < 1:
            await asyncio.sleep(0.02)


async def test_every_attempt_of_a_job_falls_into_one_trace_that_begins_with_the_submit(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as (endpoint, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        with traced(scan) as observed:
            await work(database, conn, observed)
    parts = ["attempt", "claim", "queue_wait", "record"]
    assert sorted(span.name for span in spans) == sorted([*parts, *parts, "job"])
    assert len({span.trace_id for span in spans}) == 1
    [job] = [span for span in spans if span.name == "job"]
    assert job.parent_span_id == b""
    children = [span for span in spans if span.name != "job"]
    assert {span.parent_span_id for span in children} == {job.span_id}
    assert all(job.start_time_unix_nano <= span.start_time_unix_nano for span in children)
    first, second = sorted((attributes(span) for span in spans if span.name == "attempt"), key=lambda a: a["attempt"])
    assert (first["ending"], first["code"]) == ("retried", "connect_timed_out")
    assert (second["ending"], second["pages"], second["bytes"]) == ("completed", 1, 700)
    assert attributes(job)["domain"] == "a.example"


async def test_the_job_ends_with_the_commit_of_its_outcome_and_not_with_the_scan(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scan_once(job: Job) -> Result:
        return Result(title="A")

    with collector() as (endpoint, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        with traced(scan_once) as observed:
            await work(database, conn, observed)
    ends = {span.name: span.end_time_unix_nano for span in spans}
    starts = {span.name: span.start_time_unix_nano for span in spans}
    assert starts["record"] == ends["attempt"]
    assert ends["job"] == ends["record"] > ends["attempt"]


async def test_an_outcome_that_came_too_late_is_told_as_not_written_and_ends_no_job(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(job: Job) -> Result:
        await conn.execute("UPDATE domains SET claim_token = claim_token + 1")
        return Result(title="A")

    with collector() as (endpoint, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
        with traced(lose) as observed:
            async with (
                working(database, observed.handler, on_ended=observed.on_ended) as worker,
                asyncio.timeout(20),
            ):
                while worker.stats.counters.late_writes < 1:
                    await asyncio.sleep(0.02)
    assert "job" not in {span.name for span in spans}
    [record] = [span for span in spans if span.name == "record"]
    assert (attributes(record)["ending"], record.status.message) == ("not_written", "not_written")


async def test_a_job_that_was_cancelled_is_told_once_and_leaves_nothing_behind(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def hold(job: Job) -> None:
        begun.set()
        await asyncio.sleep(600)

    with collector() as (endpoint, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        [job] = await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
        with traced(hold) as observed:
            async with working(database, observed.handler, on_ended=observed.on_ended), asyncio.timeout(20):
                await begun.wait()
                await cancel(conn, tenant_id=DEFAULT_TENANT_ID, ids=[job.id])
    assert sorted(span.name for span in spans) == ["attempt", "claim", "queue_wait", "record"]
    assert {attributes(span)["code"] for span in spans if span.name == "attempt"} == {"stopped"}


async def test_without_an_endpoint_the_handler_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with traced(scan) as observed:
        assert observed == (scan, None)


async def test_an_endpoint_that_does_not_answer_costs_no_scan(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with traced(scan) as observed:
        await work(database, conn, observed)


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@contextmanager
def traced_web(database: str, endpoint: str) -> Iterator[httpx.Client]:
    """A web process that sends its spans to ``endpoint``, all of them when it has ended."""
    variables = {"DATABASE_URL": database, "ENVIRONMENT": "development", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    with (
        running("web", "--port", "0", environment=variables) as process,
        httpx.Client(base_url=web_address(process)) as client,
    ):
        wait_for(lambda: answers(client), what="the web process")
        yield client


async def test_the_request_that_submits_a_job_and_the_workers_part_are_one_trace(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scan_once(job: Job) -> Result:
        return Result(title="A")

    with collector() as (endpoint, spans):
        with traced_web(database, endpoint) as client:
            job_id = client.post(SCAN, json={"base_url": "a-fixture.com"}).json()["job_id"]
            client.post(SCAN, json={"base_url": "a-fixture.com"})  # is in the queue already
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        with traced(scan_once) as observed:
            async with working(database, observed.handler, on_ended=observed.on_ended) as worker, asyncio.timeout(20):
                while worker.stats.counters.completed < 1:
                    await asyncio.sleep(0.02)
    [job] = [span for span in spans if span.name == "job"]
    inside = [span for span in spans if span.trace_id == job.trace_id]
    assert sorted(span.name for span in inside) == ["POST " + SCAN, "attempt", "claim", "job", "queue_wait", "record"]
    [request] = [span for span in inside if span.name == "POST " + SCAN]
    assert (request.kind, request.parent_span_id) == (SERVER, job.span_id)
    assert attributes(request)["job_id"] == attributes(job)["job_id"] == job_id
    [again] = [span for span in spans if span.name == "POST " + SCAN and span is not request]
    assert (attributes(again)["job_id"], attributes(again)["queued"]) == (job_id, 0)


async def test_a_request_that_belongs_to_a_trace_stays_there_and_is_linked_with_its_jobs(database: str) -> None:
    with collector() as (endpoint, spans), traced_web(database, endpoint) as client:
        client.post(SCAN, json={"base_url": "a-fixture.com"}, headers={"traceparent": TRACEPARENT})
        client.post(BATCH, json={"domains": ["b-fixture.com", "c-fixture.com"]})
        client.get("/no/such/page")
    [scan_request] = [span for span in spans if span.name == "POST " + SCAN]
    [batch_request] = [span for span in spans if span.name == "POST " + BATCH]
    submits = [span for span in spans if span.name == "submit"]
    _, trace_id, parent_id, _ = TRACEPARENT.split("-")
    assert (scan_request.trace_id.hex(), scan_request.parent_span_id.hex()) == (trace_id, parent_id)
    assert [len(span.links) for span in (scan_request, batch_request)] == [1, 2]
    assert sorted(attributes(span)["domain"] for span in submits) == ["a-fixture.com", "b-fixture.com", "c-fixture.com"]
    for request in (scan_request, batch_request):
        linked = [span for span in submits if span.links[0].span_id == request.span_id]
        assert {link.trace_id for link in request.links} == {span.trace_id for span in linked}
        assert {link.span_id for link in request.links} == {span.parent_span_id for span in linked}
    assert [attributes(span)["http.response.status_code"] for span in spans if span.name == "GET unmatched"] == [404]
