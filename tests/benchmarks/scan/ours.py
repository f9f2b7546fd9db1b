"""Our side of the benchmark: ``python -m tests.benchmarks.scan.ours PORT SITES CONCURRENCY``; one line of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from ipaddress import ip_network
from pathlib import Path

import psutil

from extractor.site import FetchSettings, Scanner
from tests.benchmarks.scan.names import site_names


def family_cpu_seconds() -> float:
    """What this process and all it started have used so far, the ended ones too."""
    root = psutil.Process()
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def family_bytes() -> tuple[int, int]:
    """(this process's resident memory, the children's unshared memory)."""
    root = psutil.Process()
    children = sum(process.memory_full_info().uss for process in root.children(recursive=True))
    return root.memory_info().rss, children


async def main(port: int, count: int, concurrency: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text(f"127.0.0.1:{port}:1 *-fixture.com\n")
        settings = FetchSettings(allow_networks=(ip_network("127.0.0.0/8"),), hosts_file=hosts)
        names = iter(site_names(count))
        memory: list[tuple[int, int]] = []
        done = fields = 0
        started, cpu_before = time.perf_counter(), family_cpu_seconds()
        async with Scanner(settings) as scanner:

            async def work() -> None:
                nonlocal done, fields
                for name in names:
                    report = (await scanner.scan(name, max_pages=5)).report
                    complete = len(report.pages) == 5 and bool(report.email_addresses) and bool(report.title)
                    fields += complete
                    done += 1
                    if done % max(1, count // 10) == 0:
                        memory.append(family_bytes())

            await asyncio.gather(*(work() for _ in range(concurrency)))
            seconds = time.perf_counter() - started
            cpu = family_cpu_seconds() - cpu_before
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "sites": done, "complete": fields, "memory": memory}))


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in sys.argv[1:4])))
