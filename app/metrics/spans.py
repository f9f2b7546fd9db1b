"""OpenTelemetry: one trace for each submitted job, whoever works on it. Needs the extra ``otel`` and an endpoint.

The ids of a trace are made from the job and the time of its submit, so that every attempt, in whatever process, falls
into the same trace, and nothing has to be carried through the queue:

    job                 from the submit to the outcome of the last attempt
      queue_wait        from due to claimed, once for each attempt
      attempt           from the claim to the handler's outcome, which is committed within milliseconds

Times are the database's up to the claim, and this machine's after it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from time import time_ns
from typing import TYPE_CHECKING, Any

import structlog

from domain_queue import Claim, Fail, Handler, Job, Result, Retry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = structlog.get_logger("app.worker")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

#: Trace and span id of the span that is started next.
_next_ids: ContextVar[tuple[int, int] | None] = ContextVar("next_ids", default=None)


@contextmanager
def traced(handler: Handler) -> Iterator[Handler]:
    """``handler`` with its spans sent to the endpoint of the environment; as it is where none is named.

    Leaving the block sends what is left. An endpoint that does not answer costs spans, and no scan.
    """
    provider = provider_from_environment()
    if provider is None:
        yield handler
        return
    try:
        yield Spans(provider).around(handler)
    finally:
        provider.shutdown()


def provider_from_environment() -> TracerProvider | None:
    """Where spans go, or None where no endpoint is named or the extra is not installed."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("tracing_unavailable", advice="install the extra: pip install 'scrapersky[otel]'")
        return None
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "scrapersky-worker")})
    provider = TracerProvider(resource=resource, id_generator=_id_generator(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _id_generator() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class IdGenerator(RandomIdGenerator):
        """Random, but for the one span whose id its children know before it is there."""

        def generate_trace_id(self) -> int:
            given = _next_ids.get()
            return given[0] if given is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            given = _next_ids.get()
            return given[1] if given is not None else super().generate_span_id()

    return IdGenerator()


def trace_ids(claim: Claim) -> tuple[int, int]:
    """The trace's id and that of its first span: the same for every attempt of one submit."""
    seed = f"{claim.id} {claim.submitted_at.timestamp():.6f}".encode()
    digest = hashlib.sha256(seed).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


class Spans:
    """Makes the spans of one worker process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("scrapersky")

    def around(self, handler: Handler) -> Handler:
        """``handler``, each attempt of which becomes a span."""

        async def handle(job: Job) -> Result | None:
            ending, code, final, found = "stopped", "cancelled", False, None
            try:
                found = await handler(job)
                ending, code, final = "completed", "ok", True
            except Fail as error:
                ending, code, final = "failed", error.code, True
                raise
            except Exception as error:
                code = error.code if isinstance(error, Retry) else "internal_error"
                final = job.claim.attempt >= job.claim.max_attempts
                ending = "failed" if final else "retried"
                raise
            else:
                return found
            finally:
                self._tell(job, {"ending": ending, "code": code, **_measures(found)}, final=final)

        return handle

    def _tell(self, job: Job, outcome: dict[str, Any], *, final: bool) -> None:
        from opentelemetry import trace
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

        claim, ended = job.claim, time_ns()
        trace_id, root_id = trace_ids(claim)
        root = SpanContext(trace_id, root_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        inside = trace.set_span_in_context(NonRecordingSpan(root))
        attributes: dict[str, Any] = {
            "scrapersky.job_id": str(claim.id),
            "scrapersky.tenant_id": str(claim.tenant_id),
            "scrapersky.domain": claim.domain,
            "scrapersky.attempt": claim.attempt,
        }
        claimed = _nanoseconds(claim.claimed_at)
        wait = self._tracer.start_span(
            "queue_wait", inside, attributes=attributes, start_time=_nanoseconds(claim.available_at)
        )
        wait.end(claimed)
        more = {f"scrapersky.{key}": value for key, value in outcome.items()}
        more["scrapersky.worker_id"] = str(job.worker_id)
        attempt = self._tracer.start_span("attempt", inside, attributes=attributes | more, start_time=claimed)
        if outcome["ending"] in ("failed", "retried"):
            attempt.set_status(trace.StatusCode.ERROR, outcome["code"])
        attempt.end(max(ended, claimed))
        if final:
            self._tell_job(claim, attributes | more, ended)

    def _tell_job(self, claim: Claim, attributes: dict[str, Any], ended: int) -> None:
        """The first span of the trace, which is known only at its end."""
        from opentelemetry.context import Context

        token = _next_ids.set(trace_ids(claim))
        try:
            span = self._tracer.start_span(
                "job", Context(), attributes=attributes, start_time=_nanoseconds(claim.submitted_at)
            )
        finally:
            _next_ids.reset(token)
        span.end(max(ended, _nanoseconds(claim.submitted_at)))


def _measures(result: Result | None) -> dict[str, Any]:
    metadata: dict[str, Any] = (result.metadata or {}) if result is not None else {}
    pages = metadata.get("pages") or []
    if not pages:
        return {}
    return {
        "pages": len(pages),
        "bytes": sum(page.get("bytes") or 0 for page in pages),
        "fetch_tier": metadata.get("fetch_tier") or "direct",
        "fetch_credits": metadata.get("fetch_credits") or 0,
    }


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000
