"""A queue worker inside the test's own process, with a handler of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from domain_queue import Fail, Handler, Job, OnEnded, Worker, WorkerConfig, workers_alive


async def refuse(job: Job) -> None:
    """End every job as the program's handler ends one whose name is not public."""
    raise Fail("special_use_name", "not a public name")


@asynccontextmanager
async def working(
    conninfo: str,
    handler: Handler = refuse,
    *,
    concurrency: int = 4,
    listen_conninfo: str | None = None,
    on_ended: OnEnded | None = None,
) -> AsyncIterator[Worker]:
    """A worker that runs, and whose lease runs, inside the block."""
    config = WorkerConfig(
        conninfo=conninfo,
        listen_conninfo=listen_conninfo,
        name="test worker",
        concurrency=concurrency,
        backoff_base_seconds=0.05,
    )
    worker, stop = Worker(config, handler, on_ended=on_ended), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as conn:
        while not await workers_alive(conn):
            assert not running.done(), running.result()
            await asyncio.sleep(0.01)
    try:
        yield worker
    finally:
        stop.set()
        await running
