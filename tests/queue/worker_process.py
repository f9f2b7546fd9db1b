"""A worker in a process of its own; its arguments are conninfo, name, seconds of work and seconds of lease."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from domain_queue import Job, Result, Worker, WorkerConfig


async def main(conninfo: str, name: str, work_seconds: float, lease_seconds: float) -> None:
    async def handle(job: Job) -> Result | None:
        await asyncio.sleep(work_seconds)
        return Result(title=str(os.getpid()))

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = WorkerConfig(
        conninfo=conninfo,
        name=name,
        concurrency=10,
        lease_seconds=lease_seconds,
        poll_seconds=0.3,
        backoff_base_seconds=0.05,
        backoff_cap_seconds=0.1,
    )
    await Worker(config, handle).run(stop)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
