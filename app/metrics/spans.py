"""OpenTelemetry: one trace for each submitted job, whoever works on it. Needs the extra ``otel`` and an endpoint.

The ids of a trace are made from the job and the time of its submit, so that every attempt, in whatever process, falls
into the same trace, and nothing has to be carried through the queue:

    job                 from the submit to the commit of the last attempt's outcome
      POST …/scan       the request that submitted it, or ``submit``, linked with it: see ``app.api.spans``
      queue_wait        from due to claimed, once for each attempt
      claim             the statement that claimed it, together with others
      attempt           from the claim to the handler's outcome
      record            from the handler's outcome to the commit that wrote it, or found that it may not

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
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import structlog

from domain_queue import Claim, Fail, Handler, Job, OnEnded, Result, Retry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanContext

log = structlog.get_logger("app.metrics")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

#: Trace and span id of the span that is started next.
_next_ids: ContextVar[tuple[int, int] | None] = ContextVar("next_ids", default=None)


class Traced(NamedTuple):
    """What a worker is given: its handler, and whom to tell of every job that it has dealt with."""

    handler: Handler
    on_ended: OnEnded | None


@contextmanager
def traced(handler: Handler) -> Iterator[Traced]:
    """``handler`` with its spans sent to the endpoint of the environment; as it is where none is named.

    Leaving the block sends what is left. An endpoint that does not answer costs spans, and no scan.
    """
    provider = provider_from_environment("scrapersky-worker")
    if provider is None:
        yield Traced(handler, None)
        return
    spans = Spans(provider)
    try:
        yield Traced(spans.around(handler), spans.on_ended)
    finally:
        provider.shutdown()


def are_wanted() -> bool:
    """Whether the environment names an endpoint."""
    return any(os.environ.get(name) for name in ENDPOINTS)


def provider_from_environment(service: str) -> TracerProvider | None:
    """Where spans go, or None where no endpoint is named or the extra is not installed."""
    if not are_wanted():
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("tracing_unavailable", advice="install the extra: pip install 'scrapersky[otel]'")
        return None
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", service)})
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


def trace_ids(job_id: UUID, submitted_at: datetime) -> tuple[int, int]:
    """The trace's id and that of its first span: the same for every process that has to do with one submit."""
    seed = f"{job_id} {submitted_at.timestamp():.6f}".encode()
    digest = hashlib.sha256(seed).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


def job_context(job_id: UUID, submitted_at: datetime) -> SpanContext:
    """The first span of the job's trace, as others name it that belong below it."""
    from opentelemetry.trace import SpanContext, TraceFlags

    trace_id, root_id = trace_ids(job_id, submitted_at)
    return SpanContext(trace_id, root_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class _Outcome(NamedTuple):
    """How a handler ended, and when."""

    attributes: dict[str, Any]
    is_error: bool
    ended: int


class Spans:
    """Makes the spans of one worker process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("scrapersky")
        self._outcomes: dict[Job, _Outcome] = {}

    def around(self, handler: Handler) -> Handler:
        """``handler``, whose outcomes are kept until it is known what was written of them."""

        async def handle(job: Job) -> Result | None:
            code, found = "stopped", None
            try:
                found = await handler(job)
                code = "ok"
            except (Fail, Retry) as error:
                code = error.code
                raise
            except Exception:
                code = "internal_error"
                raise
            else:
                return found
            finally:
                attributes = {"code": code, **_measures(found)}
                self._outcomes[job] = _Outcome(attributes, code not in ("ok", "stopped"), time_ns())

        return handle

    def on_ended(self, job: Job, ending: str, is_written: bool) -> None:
        """The queue has dealt with ``job``: its spans can be told."""
        recorded = time_ns()
        outcome = self._outcomes.pop(job, None) or _Outcome({"code": "stopped"}, False, recorded)
        self._tell(job, ending if is_written else "not_written", outcome, recorded)

    def _tell(self, job: Job, ending: str, outcome: _Outcome, recorded: int) -> None:
        from opentelemetry import trace
        from opentelemetry.trace import NonRecordingSpan

        claim = job.claim
        inside = trace.set_span_in_context(NonRecordingSpan(job_context(claim.id, claim.submitted_at)))
        attributes: dict[str, Any] = {
            "scrapersky.job_id": str(claim.id),
            "scrapersky.tenant_id": str(claim.tenant_id),
            "scrapersky.domain": claim.domain,
            "scrapersky.attempt": claim.attempt,
        }
        more = {"scrapersky.worker_id": str(job.worker_id), "scrapersky.ending": ending}
        more |= {f"scrapersky.{key}": value for key, value in outcome.attributes.items()}

        def tell(name: str, start: int, end: int, attributes: dict[str, Any], error: str | None = None) -> None:
            span = self._tracer.start_span(name, inside, attributes=attributes, start_time=start)
            if error is not None:
                span.set_status(trace.StatusCode.ERROR, error)
            span.end(max(start, end))

        claimed = _nanoseconds(claim.claimed_at)
        ended = max(outcome.ended, claimed)
        tell("queue_wait", _nanoseconds(claim.available_at), claimed, attributes)
        tell("claim", claimed, claimed + round(job.batch.claim_seconds * 1e9), {"scrapersky.found": job.batch.found})
        tell("attempt", claimed, ended, attributes | more, outcome.attributes["code"] if outcome.is_error else None)
        tell("record", ended, recorded, attributes | more, "not_written" if ending == "not_written" else None)
        if ending in ("completed", "failed"):
            self._tell_job(claim, attributes | more, recorded)

    def _tell_job(self, claim: Claim, attributes: dict[str, Any], ended: int) -> None:
        """The first span of the trace, which is known only at its end."""
        from opentelemetry.context import Context

        token = _next_ids.set(trace_ids(claim.id, claim.submitted_at))
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
