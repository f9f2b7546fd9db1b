"""Whole scans: our extractor against a Scrapy spider that stores the same fields, on local sites of five pages.

python -m tests.benchmarks scan [--sites 1000] [--concurrency 200] [--rounds 1]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[3]
CONTENDERS = {
    "ours": ("tests.benchmarks.scan.ours",),
    "scrapy, usual libraries": ("tests.benchmarks.scan.spider", "libraries"),
    "scrapy, our reader": ("tests.benchmarks.scan.spider", "ours"),
}
TARGET_RATIO = 2.0
#: By how much the resident memory may grow from the second tenth of the sites to the last.
MAX_GROWTH = 1.15


@contextmanager
def served_sites() -> Iterator[int]:
    """The port of the sites, served by another process."""
    command = [sys.executable, "-m", "tests.benchmarks.scan.serve"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield int(server.stdout.readline())
        server.stdin.close()


def measure(contender: str, port: int, sites: int, concurrency: int) -> dict[str, Any]:
    """One run in a process of its own."""
    module, *rest = CONTENDERS[contender]
    command = [sys.executable, "-m", module, str(port), str(sites), str(concurrency), *rest]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1_800)
    if done.returncode:
        raise RuntimeError(f"{contender} failed:\n{done.stderr[-2_000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(arguments: list[str]) -> int:
    """Run, print, and return 1 where an aim was missed or a contender did not read every site."""
    parser = argparse.ArgumentParser(prog="scan", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(arguments)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    with served_sites() as port:
        for _ in range(options.rounds):
            for name in CONTENDERS:
                results[name].append(measure(name, port, options.sites, options.concurrency))
    code = _report(results, options.sites)
    _report_protection()
    return code


def _report(results: dict[str, list[dict[str, Any]]], sites: int) -> int:
    print(f"\nWhole scans of {sites:,} sites, five pages each")
    print(f"{'':28}{'domains/s':>12}{'CPU s/1,000':>14}{'domains/CPU s':>16}{'complete':>10}{'MB at end':>11}")
    per_cpu: dict[str, float] = {}
    for name, runs in results.items():
        per_cpu[name] = median(run["sites"] / run["cpu_seconds"] for run in runs)
        rate = median(run["sites"] / run["seconds"] for run in runs)
        complete = min(run["complete"] for run in runs)
        memory = sum(runs[-1]["memory"][-1]) / 1e6
        print(f"{name:28}{rate:12.1f}{1_000 / per_cpu[name]:14.1f}{per_cpu[name]:16.1f}{complete:10}{memory:11.0f}")
    _report_memory(results["ours"][-1]["memory"])
    ratio = per_cpu["ours"] / per_cpu["scrapy, usual libraries"]
    fetching = per_cpu["ours"] / per_cpu["scrapy, our reader"]
    print(f"ours / scrapy with the usual libraries: {ratio:.2f} x domains per CPU second (target {TARGET_RATIO} x)")
    print(f"ours / scrapy with our reader inside:   {fetching:.2f} x (fetching, sandbox and merging alone)")
    is_whole = all(run["complete"] == sites for runs in results.values() for run in runs)
    growth = max(_growth(run["memory"]) for run in results["ours"])
    print(f"our memory grew by {growth - 1:.0%} from the second tenth to the last (at most {MAX_GROWTH - 1:.0%})")
    return 0 if is_whole and ratio >= TARGET_RATIO and growth <= MAX_GROWTH else 1


def _growth(memory: list[list[int]]) -> float:
    second, last = memory[min(1, len(memory) - 1)], memory[-1]
    return sum(last) / sum(second)


def _report_protection() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.scan.protection"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True)
    cost = json.loads(done.stdout)
    extra = cost["there_ms"] - cost["here_ms"]
    print(
        f"a page of {cost['page_bytes'] / 1_000:.0f} kB: {cost['here_ms']:.2f} ms of CPU in this process,"
        f" {cost['there_ms']:.2f} ms in a capped child: the protection costs {extra:.2f} ms"
    )


def _report_memory(memory: list[list[int]]) -> None:
    own = " ".join(f"{own / 1e6:.0f}" for own, _ in memory)
    children = " ".join(f"{children / 1e6:.0f}" for _, children in memory)
    print(f"our memory after each tenth, MB: process {own}; children {children}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
