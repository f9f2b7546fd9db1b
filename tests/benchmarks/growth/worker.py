"""One worker whose scans take a while and cost nothing: ``python -m ... CONNINFO CONCURRENCY SECONDS``."""

from __future__ import annotations

import asyncio
import logging
import random
import sys

import structlog

from domain_queue import Job, Result, Worker, WorkerConfig, garbage

METADATA = {"pages": [{"url": "https://example.test/contact", "status": 200}] * 5, "text": "x" * 2000}


async def main(conninfo: str, concurrency: int, seconds: float) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    async def handle(job: Job) -> Result | None:
        for page in range(5):
            await asyncio.sleep(seconds / 5 * random.uniform(0.5, 1.5))
            job.report_progress(page / 5, "reading")
        return Result(title=job.claim.domain, email_addresses=[f"info@{job.claim.domain}"], metadata=METADATA)

    garbage.settle()
    worker = Worker(WorkerConfig(conninfo=conninfo, concurrency=concurrency, name="growth"), handle)
    await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
