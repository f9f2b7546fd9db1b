"""Procrastinate: ``python -m ... MODE CONNINFO NUMBER``."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import procrastinate

from tests.benchmarks.queue.protocol import own_rss, say, wait_for_end


async def main(mode: str, conninfo: str, number: int) -> None:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, max_size=16))
    starts: dict[str, float] = {}

    @app.task(name="noop", queue="q")
    async def noop(id: str) -> None:  # noqa: A002 - the name of the argument is the key in the payload
        if mode != "drain":
            starts[id] = time.perf_counter()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        if mode == "drain":
            at = time.perf_counter()
            await noop.batch_defer_async(*[{"id": str(index)} for index in range(number)])
            say(event="enqueued", seconds=time.perf_counter() - at)
            cpu, at = time.process_time(), time.perf_counter()
            await app.run_worker_async(
                wait=False, concurrency=int(os.environ.get("CONCURRENCY", "16")), install_signal_handlers=False
            )
            say(event="drained", seconds=time.perf_counter() - at, cpu_seconds=time.process_time() - cpu, rss=own_rss())
            return
        task = asyncio.create_task(app.run_worker_async(concurrency=10, install_signal_handlers=False))
        await asyncio.sleep(1)
        insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        say(event="ready", insert=f"{insert} VALUES ('q', 'noop', jsonb_build_object('id', %s::text))")
        await asyncio.to_thread(wait_for_end)
        say(event="starts", starts=starts, rss=own_rss())
        task.cancel()
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
