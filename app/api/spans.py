"""OpenTelemetry in the web process: a server span for every request, in one trace with the job that it submitted.

A trace's ids are made from the job and the time of its submit (see ``app.metrics.spans``), so nothing is stored with
the row. A request without a ``traceparent`` that submits one job is a part of that job's trace. Every other request has
a trace of its own, or its caller's; there the span ``submit`` in each job's trace is linked with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from time import time_ns
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.middleware import template_of
from app.metrics.spans import job_context, provider_from_environment
from domain_queue import Submitted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanContext

#: So many jobs of one request have a span of their own; the others are told by their number.
MOST_LINKED_JOBS = 100

_submitted: ContextVar[list[Submitted] | None] = ContextVar("submitted", default=None)


def note_submitted(jobs: Sequence[Submitted]) -> None:
    """The request that is answered now has committed ``jobs``. Costs nothing where no spans are wanted."""
    noted = _submitted.get()
    if noted is not None:
        noted.extend(jobs)


@contextmanager
def web_spans() -> Iterator[RequestTracer | None]:
    """Makes the spans of the web process inside the block, and sends what is left; None where none are wanted."""
    provider = provider_from_environment("scrapersky-web")
    if provider is None:
        yield None
        return
    try:
        yield RequestTracer(provider)
    finally:
        provider.shutdown()


class RequestSpans:
    """The middleware: has every request told by the tracer of the running application, if it has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tracer: RequestTracer | None = None
        if scope["type"] == "http":
            tracer = getattr(scope["app"].state, "tracer", None)
        if tracer is None:
            await self._app(scope, receive, send)
            return
        started, status = time_ns(), 500

        async def noted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        jobs: list[Submitted] = []
        token = _submitted.set(jobs)
        try:
            await self._app(scope, receive, noted_send)
        finally:
            _submitted.reset(token)
            tracer.tell(scope, status, jobs, started)


class RequestTracer:
    """Makes the spans of requests that have been answered."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("scrapersky")

    def tell(self, scope: Scope, status: int, jobs: Sequence[Submitted], started: int) -> None:
        """One span for the request, and where it is not in its jobs' trace, one in the trace of each."""
        from opentelemetry.trace import Link, SpanKind, StatusCode

        ended, queued = time_ns(), [job for job in jobs if job.queued]
        contexts = [job_context(job.id, job.submitted_at) for job in queued[:MOST_LINKED_JOBS]]
        caller = _caller(scope)
        is_inside = caller is None and len(queued) == 1
        route = template_of(scope)
        attributes: dict[str, Any] = {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status,
        }
        if jobs:
            attributes |= {"scrapersky.jobs": len(jobs), "scrapersky.queued": len(queued)}
        if len(jobs) == 1:
            attributes |= {"scrapersky.job_id": str(jobs[0].id), "scrapersky.domain": jobs[0].domain}
        span = self._tracer.start_span(
            f"{scope['method']} {route}",
            _below(contexts[0]) if is_inside else caller,
            kind=SpanKind.SERVER,
            attributes=attributes,
            links=[] if is_inside else [Link(context) for context in contexts],
            start_time=started,
        )
        if status >= 500:
            span.set_status(StatusCode.ERROR, str(status))
        span.end(ended)
        if is_inside:
            return
        for job, context in zip(queued, contexts, strict=False):
            self._tracer.start_span(
                "submit",
                _below(context),
                kind=SpanKind.PRODUCER,
                attributes={"scrapersky.job_id": str(job.id), "scrapersky.domain": job.domain},
                links=[Link(span.get_span_context())],
                start_time=started,
            ).end(ended)


def _below(parent: SpanContext) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(parent), Context())


def _caller(scope: Scope) -> Any:
    """The trace that the request says it belongs to; None where it names none."""
    from opentelemetry.context import Context
    from opentelemetry.trace import get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"traceparent", b"tracestate")
    }
    context = TraceContextTextMapPropagator().extract(headers, Context())
    return context if get_current_span(context).get_span_context().is_valid else None
