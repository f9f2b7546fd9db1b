"""This queue: ``python -m ... MODE CONNINFO NUMBER``; the rows are kept, the results durable, every write fenced."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from uuid import UUID

import psycopg
import structlog

from domain_queue import Job, Result, Submission, Worker, WorkerConfig, garbage, submit
from migrations import migrate
from tests.benchmarks.queue.protocol import own_rss, say, wait_for_end

TENANT = UUID("550e8400-e29b-41d4-a716-446655440000")


def make_config(conninfo: str, **changes: object) -> WorkerConfig:
    pooled = "POOLED" in os.environ
    defaults: dict[str, object] = {
        "conninfo": os.environ.get("POOLED", conninfo),
        "listen_conninfo": conninfo,
        "prepared_statements": not pooled,
        "name": "bench",
    }
    return WorkerConfig(**(defaults | changes))  # type: ignore[arg-type]


async def fill(conninfo: str, number: int) -> None:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        migrate(conn)
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as conn:
        at = time.perf_counter()
        for start in range(0, number, 10_000):
            some = [Submission(domain=f"d{index}.example") for index in range(start, min(start + 10_000, number))]
            await submit(conn, tenant_id=TENANT, submissions=some, quiet=True)
        say(event="enqueued", seconds=time.perf_counter() - at)
        await conn.execute("VACUUM ANALYZE domains")
        if "MEASURED" in os.environ:  # a backlog stands: what filling it left to be written is not the drain's
            await conn.execute("CHECKPOINT")


async def drain(conninfo: str, number: int) -> None:
    handled = 0

    async def handle(job: Job) -> Result | None:
        nonlocal handled
        handled += 1
        return None

    measured = int(os.environ.get("MEASURED", number))
    await fill(conninfo, number)
    size = int(os.environ.get("BATCH", "1000"))
    garbage.settle()  # as `worker run` does
    worker = Worker(make_config(conninfo, concurrency=2 * size, batch_size=size, drain=True), handle)
    stop = asyncio.Event()

    async def stop_when_measured() -> None:
        while worker.stats.counters.completed < measured:
            await asyncio.sleep(0.005)
        stop.set()

    stopper = asyncio.create_task(stop_when_measured())
    cpu, at = time.process_time(), time.perf_counter()
    await worker.run(stop)
    seconds = time.perf_counter() - at
    stopper.cancel()
    completed = worker.stats.counters.completed
    say(
        event="drained",
        seconds=seconds * number / completed,
        cpu_seconds=time.process_time() - cpu,
        rss=own_rss(),
        completed=completed,
    )


async def wait_for_jobs(conninfo: str) -> None:
    await fill(conninfo, 0)
    starts: dict[str, float] = {}

    async def handle(job: Job) -> Result | None:
        starts[job.claim.domain] = time.perf_counter()
        return None

    garbage.settle()  # as `worker run` does
    worker = Worker(make_config(conninfo, concurrency=10), handle)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    while worker.stats.wake_mode == "starting" or not worker.stats.counters.claim_calls:
        await asyncio.sleep(0.01)
    insert = f"INSERT INTO domains (tenant_id, domain, status) VALUES ('{TENANT}', %s::text, 'pending')"
    say(event="ready", insert=insert, rss=own_rss())
    await asyncio.to_thread(wait_for_end)
    say(event="starts", starts=starts, rss=own_rss())
    stop.set()
    await task


async def main(mode: str, conninfo: str, number: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    await (drain(conninfo, number) if mode == "drain" else wait_for_jobs(conninfo))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
