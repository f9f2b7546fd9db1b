"""What Prometheus is told, by the web process and by a worker."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from datetime import timedelta
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from app.database import Database
from app.metrics import QueueGauges, WorkerMetrics, render, served
from app.settings import DEFAULT_TENANT_ID, Settings
from domain_queue import Fail, Job, Result, Retry, Submission, submit
from tests.support.processes import running, wait_for
from tests.support.queue_workers import working

Connection = psycopg.AsyncConnection[Any]


def read(text: bytes) -> dict[str, float]:
    """Samples by ``name{label="value"}``."""
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def settings_for(conninfo: str) -> Settings:
    return Settings(_env_file=None, database_url=SecretStr(conninfo), db_min_pool_size=1)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_the_queue_is_told_by_status_and_age(pool: Database, conn: Connection) -> None:
    submissions = [Submission(domain=f"{letter}.example") for letter in "abc"]
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=submissions)
    await conn.execute("UPDATE domains SET available_at = now() - interval '90 seconds' WHERE domain = 'a.example'")
    await conn.execute(
        "UPDATE domains SET status = 'processing', worker_id = gen_random_uuid() WHERE domain = 'b.example'"
    )
    await conn.execute("INSERT INTO fetch_credits (spent) VALUES (25)")
    seen = read(await render(pool))
    assert seen["scrapersky_database_up"] == 1
    assert seen["scrapersky_queue_domains{status=pending}"] == 2
    assert seen["scrapersky_queue_domains{status=completed}"] == 0
    assert seen["scrapersky_queue_oldest_pending_seconds"] >= 90
    assert seen["scrapersky_queue_stuck_domains"] == 1
    assert seen["scrapersky_fetch_credits_today"] == 25
    assert seen["scrapersky_workers_alive"] == 0


async def test_a_second_scrape_within_seconds_asks_the_database_nothing(pool: Database, conn: Connection) -> None:
    assert read(await render(pool))["scrapersky_queue_domains{status=pending}"] == 0
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    assert read(await render(pool))["scrapersky_queue_domains{status=pending}"] == 0
    registry = CollectorRegistry()
    await QueueGauges(registry, cache_seconds=0).refresh(pool)
    assert read(generate_latest(registry))["scrapersky_queue_domains{status=pending}"] == 1


async def test_a_database_that_is_away_is_told_and_raises_nothing() -> None:
    settings = settings_for("postgresql://me@127.0.0.1:1/db").model_copy(update={"db_min_pool_size": 0})
    async with Database(settings, name="test") as pool:
        assert read(await render(pool))["scrapersky_database_up"] == 0


async def test_an_open_transaction_is_told_by_its_age(pool: Database, database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as other:
        await other.execute("SELECT count(*) FROM domains")
        assert read(await render(pool))["scrapersky_database_oldest_transaction_seconds"] > 0


async def test_every_attempt_is_counted_by_how_it_ended(database: str, conn: Connection) -> None:
    metrics = WorkerMetrics()

    async def handle(job: Job) -> Result:
        match job.claim.domain:
            case "good.example":
                pages = [{"url": "https://good.example/", "status": 200, "bytes": 700, "ms": 3}]
                return Result(title="Good", metadata={"pages": pages, "fetch_tier": "direct"})
            case "bad.example":
                raise Fail("not_html", "a picture")
            case "slow.example" if job.claim.attempt == 1:
                raise Retry("connect_timed_out", "no answer", after=timedelta(0))
            case _:
                return Result(title="Slow")

    submissions = [Submission(domain=f"{word}.example") for word in ("good", "bad", "slow")]
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=submissions)
    async with working(database, metrics.measured(handle)) as worker:
        metrics.watch(lambda: worker.stats)
        async with asyncio.timeout(20):
            while worker.stats.counters.completed < 2 or worker.stats.counters.failed < 1:
                await asyncio.sleep(0.02)
        seen = read(generate_latest(metrics.registry))
    assert seen["scrapersky_scan_outcomes_total{code=ok}{ending=completed}"] == 2
    assert seen["scrapersky_scan_outcomes_total{code=not_html}{ending=failed}"] == 1
    assert seen["scrapersky_scan_outcomes_total{code=connect_timed_out}{ending=retried}"] == 1
    assert seen["scrapersky_claim_latency_seconds_count"] == 4
    assert seen["scrapersky_scan_seconds_count{ending=completed}"] == 2
    assert seen["scrapersky_pages_read_total{status=200}"] == 1
    assert seen["scrapersky_page_bytes_total"] == 700
    assert seen["scrapersky_scans_by_tier_total{tier=direct}"] == 1
    assert seen["scrapersky_worker_claimed_total"] == 4
    assert seen["scrapersky_worker_late_writes_total"] == 0
    assert seen["scrapersky_worker_listening"] == 1
    assert seen["scrapersky_worker_has_lease"] == 1
    assert 0 <= seen["scrapersky_worker_lease_age_seconds"] < 30


async def test_how_long_domains_waited_for_their_start_is_told_by_buckets(database: str, conn: Connection) -> None:
    metrics = WorkerMetrics()

    async def handle(job: Job) -> Result:
        return Result(title="Read")

    submissions = [Submission(domain=f"{word}.example") for word in ("old", "new")]
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=submissions)
    await conn.execute("UPDATE domains SET available_at = now() - interval '100 seconds' WHERE domain = 'old.example'")
    async with working(database, metrics.measured(handle)) as worker, asyncio.timeout(20):
        while worker.stats.counters.completed < 2:
            await asyncio.sleep(0.02)
    seen = read(generate_latest(metrics.registry))
    assert seen["scrapersky_claim_latency_seconds_bucket{le=60.0}"] == 1
    assert seen["scrapersky_claim_latency_seconds_bucket{le=300.0}"] == 2
    assert seen["scrapersky_claim_latency_seconds_sum"] > 100
    assert 1 <= seen["scrapersky_claim_statement_seconds_count"] <= worker.stats.counters.claim_calls
    assert 0 < seen["scrapersky_claim_statement_seconds_sum"] < seen["scrapersky_claim_latency_seconds_sum"]


def test_a_port_that_is_taken_costs_the_metrics_and_not_the_worker() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with served(CollectorRegistry(), host="127.0.0.1", port=port) as served_port:
            assert served_port is None


def test_a_worker_process_answers_prometheus_on_its_port(database: str) -> None:
    port = free_port()
    environment = {"DATABASE_URL": database, "WORKER_METRICS_PORT": str(port), "WORKER_LEASE_SECONDS": "4"}
    with running("worker", "run", environment=environment) as process:
        process.wait_for_output("worker_started")

        def has_lease() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return read(answer.read())["scrapersky_worker_has_lease"] == 1

        assert wait_for(has_lease, what="a lease in the metrics")
