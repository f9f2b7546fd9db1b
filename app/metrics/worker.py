"""What a worker says of itself: counters and gauges of its queue, and a measure around every scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain_queue import Counters, Fail, Handler, Job, Result, Retry, WorkerStats

SCAN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 1800, 7200)
CLAIM_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

COUNTER_TEXTS = {
    "claim_calls": "Claims that the database answered.",
    "claimed": "Domains claimed.",
    "completed": "Scans recorded as completed.",
    "failed": "Scans recorded as ended in error.",
    "retried": "Scans recorded as to be tried again.",
    "released": "Domains given back unfinished, with their attempt.",
    "cancelled": "Scans stopped because their domain was cancelled or is no longer held.",
    "timed_out": "Scans that took too long.",
    "late_writes": "Outcomes that the database refused, because the claim was no longer this worker's.",
    "swept": "Domains taken back from workers whose lease ran out.",
    "rescans": "Completed domains made due again.",
    "database_errors": "Statements that failed because the database or the way to it did.",
}


class WorkerMetrics:
    """The metrics of one worker process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "scrapersky_scan_seconds",
            "From claim to outcome.",
            ["ending"],
            buckets=SCAN_BUCKETS,
            registry=self.registry,
        )
        self._latency = Histogram(
            "scrapersky_claim_latency_seconds",
            "From due to the start of the scan.",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._claim = Histogram(
            "scrapersky_claim_statement_seconds",
            "How long the claims took that found something.",
            buckets=CLAIM_BUCKETS,
            registry=self.registry,
        )
        self._batch: object = None
        self._outcomes = Counter(
            "scrapersky_scan_outcomes", "Attempts by ending and code.", ["ending", "code"], registry=self.registry
        )
        self._pages = Counter(
            "scrapersky_pages_read", "Pages fetched, by HTTP status.", ["status"], registry=self.registry
        )
        self._bytes = Counter("scrapersky_page_bytes", "Decoded bytes of pages fetched.", registry=self.registry)
        self._tiers = Counter(
            "scrapersky_scans_by_tier", "Results by the way the site was fetched.", ["tier"], registry=self.registry
        )

    def watch(self, stats: Callable[[], WorkerStats]) -> None:
        """Tell what ``stats`` returns at the time of each scrape; it is called in another thread."""
        self.registry.register(_StatsCollector(stats))

    def measured(self, handler: Handler) -> Handler:
        """``handler`` with every attempt's duration, ending and pages counted."""

        async def handle(job: Job) -> Result | None:
            self._measure_start(job)
            started = time.perf_counter()
            ending, code = "stopped", "cancelled"  # unless it ends in one of the ways below
            try:
                result = await handler(job)
                ending, code = "completed", "ok"
                self._count_pages(result)
            except Fail as error:
                ending, code = "failed", error.code
                raise
            except Retry as error:
                ending, code = "retried", error.code
                raise
            except Exception:
                ending, code = "retried", "internal_error"
                raise
            else:
                return result
            finally:
                self._seconds.labels(ending).observe(time.perf_counter() - started)
                self._outcomes.labels(ending, code).inc()

        return handle

    def _measure_start(self, job: Job) -> None:
        """By the database's clock until the claim was made, and from there on by this machine's."""
        claim, batch = job.claim, job.batch
        waited = (claim.claimed_at - claim.available_at).total_seconds()
        self._latency.observe(max(waited, 0.0) + batch.claim_seconds + time.monotonic() - job.started)
        if batch is not self._batch:  # jobs start in the order of their claims
            self._batch = batch
            self._claim.observe(batch.claim_seconds)

    def _count_pages(self, result: Result | None) -> None:
        metadata: dict[str, Any] = (result.metadata or {}) if result is not None else {}
        for page in metadata.get("pages") or []:
            self._pages.labels(str(page.get("status") or "none")).inc()
            self._bytes.inc(page.get("bytes") or 0)
        if metadata.get("fetch_tier"):
            self._tiers.labels(str(metadata["fetch_tier"])).inc()


class _StatsCollector(Collector):
    def __init__(self, stats: Callable[[], WorkerStats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
        for field in fields(Counters):
            text = COUNTER_TEXTS.get(field.name, field.name)
            yield CounterMetricFamily(f"scrapersky_worker_{field.name}", text, getattr(stats.counters, field.name))
        for name, text, value in _gauges(stats):
            if value is not None:
                yield GaugeMetricFamily(f"scrapersky_worker_{name}", text, float(value))

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask a worker that has not started."""
        return iter(())


def _gauges(stats: WorkerStats) -> Iterator[tuple[str, str, float | None]]:
    yield "places", "Domains that this worker may have in flight.", stats.concurrency
    yield "running", "Scans that run now.", stats.running
    yield "unrecorded", "Outcomes that are not written yet.", stats.unrecorded
    yield "listening", "1 while notifications are proven to arrive, 0 while it polls.", stats.wake_mode == "listen"
    yield "listener_reconnects", "How often the listener connected anew.", stats.listener_reconnects
    yield "has_lease", "1 while it may claim.", stats.worker_id is not None
    yield "lease_age_seconds", "Since the lease was renewed.", stats.lease_age_seconds
    yield "lease_left_seconds", "Until the lease ends.", stats.lease_seconds_left
    yield "lease_losses", "How often the lease could not be kept.", stats.lease_losses
    yield "claim_age_seconds", "Since the database last answered a claim or a look.", stats.claim_age_seconds
    yield "claim_seconds", "How long the last claim took.", stats.claim_seconds
    yield "loop_lag_seconds", "By how much the event loop was late at the last look.", stats.loop_lag_seconds
    yield "draining", "1 after a stop was asked for.", stats.draining
