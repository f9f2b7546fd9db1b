"""What reading pages in a child costs more than reading them here: ``python -m tests.benchmarks.scan.protection``."""

from __future__ import annotations

import asyncio
import json
import time

from extractor.page import read_page
from extractor.sandbox import PagePool
from tests.benchmarks.scan.ours import family_cpu_seconds
from tests.benchmarks.scan.serve import SECTIONS
from tests.support.sites.pages import plain_page

PAGES = 600
URL = "http://plain-1-fixture.com/"


async def main() -> None:
    body = (plain_page("plain-1-fixture.com", "/", sections=SECTIONS) or "").encode()
    read_page(body, url=URL)
    started = time.process_time()
    for _ in range(PAGES):
        read_page(body, url=URL)
    here = (time.process_time() - started) / PAGES
    async with PagePool(1) as pool:
        await pool.read_page(body, url=URL)
        before = family_cpu_seconds()
        for _ in range(PAGES):
            await pool.read_page(body, url=URL)
        there = (family_cpu_seconds() - before) / PAGES
    print(json.dumps({"here_ms": here * 1_000, "there_ms": there * 1_000, "page_bytes": len(body)}))


if __name__ == "__main__":
    asyncio.run(main())
