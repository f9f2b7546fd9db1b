"""One trace for each job, received by a real collector's protocol."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.metrics.spans import traced
from app.settings import DEFAULT_TENANT_ID
from domain_queue import Handler, Job, Result, Retry, Submission, submit
from tests.support.queue_workers import working

Connection = psycopg.AsyncConnection[Any]


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


async def work(database: str, conn: Connection, handler: Handler) -> None:
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    async with working(database, handler) as worker, asyncio.timeout(20):
        while worker.stats.counters.completed < 1:
            await asyncio.sleep(0.02)


async def test_every_attempt_of_a_job_falls_into_one_trace_that_begins_with_the_submit(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as (endpoint, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        with traced(scan) as handler:
            await work(database, conn, handler)
    assert sorted(span.name for span in spans) == ["attempt", "attempt", "job", "queue_wait", "queue_wait"]
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


async def test_without_an_endpoint_the_handler_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with traced(scan) as handler:
        assert handler is scan


async def test_an_endpoint_that_does_not_answer_costs_no_scan(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with traced(scan) as handler:
        await work(database, conn, handler)
