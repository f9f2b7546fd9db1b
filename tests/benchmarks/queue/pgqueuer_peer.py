"""PgQueuer, by asyncpg or by psycopg: ``python -m ... MODE CONNINFO NUMBER DRIVER``."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import asyncpg
import psycopg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, Driver, PsycopgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from tests.benchmarks.queue.protocol import own_rss, say, wait_for_end


async def connect(conninfo: str, driver: str) -> Driver:
    if driver == "psycopg":
        return PsycopgDriver(await psycopg.AsyncConnection.connect(conninfo, autocommit=True))
    parts: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(conninfo)
    conn = await asyncpg.connect(
        host=parts["host"], port=int(parts["port"]), user=parts["user"], database=parts["dbname"]
    )
    return AsyncpgDriver(conn)


async def main(mode: str, conninfo: str, number: int, driver_name: str) -> None:
    driver = await connect(conninfo, driver_name)
    await Queries(driver).install()
    pgq = PgQueuer(driver)
    starts: dict[str, float] = {}

    @pgq.entrypoint("noop")
    async def noop(job: Job) -> None:
        if mode != "drain":
            starts[(job.payload or b"").decode()] = time.perf_counter()

    batch = int(os.environ.get("BATCH", "1000" if mode == "drain" else "10"))
    if mode == "drain":
        at = time.perf_counter()
        for start in range(0, number, 10_000):
            some = min(10_000, number - start)
            await pgq.queries.enqueue(["noop"] * some, [None] * some, [0] * some)
        say(event="enqueued", seconds=time.perf_counter() - at)
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")
        cpu, at = time.process_time(), time.perf_counter()
        await pgq.run(mode=QueueExecutionMode.drain, batch_size=batch)
        say(event="drained", seconds=time.perf_counter() - at, cpu_seconds=time.process_time() - cpu, rss=own_rss())
        return
    task = asyncio.create_task(pgq.run(batch_size=batch))
    await asyncio.sleep(1)
    insert = "INSERT INTO pgqueuer (priority, entrypoint, payload, status)"
    say(event="ready", insert=f"{insert} VALUES (0, 'noop', convert_to(%s, 'utf8'), 'queued')")
    await asyncio.to_thread(wait_for_end)
    say(event="starts", starts=starts, rss=own_rss())
    task.cancel()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
