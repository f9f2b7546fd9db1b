"""A worker process with a handler that takes a random time: thousands of rows, without thousands of web sites.

Run as ``python -m tests.support.queue_worker CONNINFO NAME LEASE_SECONDS CONCURRENCY WORK_SECONDS PREPARE``.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys

from domain_queue import Job, Result, Worker, WorkerConfig


async def main(conninfo: str, name: str, lease: str, concurrency: str, work: str, prepare: str) -> None:
    """Work until SIGTERM."""

    async def handler(job: Job) -> Result:
        await asyncio.sleep(random.uniform(0, 2 * float(work)))
        return Result(title=f"{job.claim.domain} by {name}", metadata={"filler": random.randbytes(1000).hex()})

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = WorkerConfig(
        conninfo=conninfo,
        name=name,
        lease_seconds=float(lease),
        concurrency=int(concurrency),
        prepared_statements=bool(int(prepare)),
        poll_seconds=1,
        statement_seconds=5,
        backoff_base_seconds=0.1,
        backoff_cap_seconds=1,
    )
    await Worker(config, handler).run(stop)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
