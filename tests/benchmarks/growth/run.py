"""What grows with workers and with rows: 1, 10 and 100 workers at a usual pace, and hot statements over a big table.

``make bench ARGS="growth"``; ``--workers 1,10`` and ``--rows 1000000`` choose. The figures of docs/growing.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg

from domain_queue.claims import claim
from domain_queue.links import Link
from domain_queue.outcomes import complete_empty
from migrations import migrate
from tests.benchmarks.queue.ours import TENANT
from tests.benchmarks.queue.programs import ROOT
from tests.benchmarks.queue.run import SETTINGS, Bench
from tests.support.servers import OwnServer

CONCURRENCY = 100
SCAN_SECONDS = 5.0

FILL = """
    INSERT INTO domains (tenant_id, domain, status, priority, title, domain_metadata)
    SELECT %(tenant)s, 'd' || i || '.example',
        CASE WHEN i <= %(pending)s::bigint THEN 'pending' ELSE 'completed' END::domain_status,
        50,
        'A title of usual length',
        CASE WHEN i > %(pending)s::bigint THEN jsonb_build_object('n', i) END
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
"""
PAGE = """
    SELECT id, domain, status, title FROM domains
    WHERE tenant_id = %(tenant)s AND seq < %(seq)s
    ORDER BY seq DESC
    LIMIT 50
"""


def fill(conninfo: str, rows: int, pending: int) -> None:
    """``rows`` domains, the first ``pending`` of which are in the queue."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        migrate(conn)
        for first in range(1, rows + 1, 500_000):
            last = min(first + 499_999, rows)
            conn.execute(FILL.encode(), {"tenant": TENANT, "pending": pending, "first": first, "last": last})
        conn.execute("VACUUM ANALYZE domains")


def ask(conninfo: str, query: str) -> tuple[Any, ...]:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row


SEEN = """
    SELECT
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()),
        (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()),
        (SELECT count(*) FROM domains WHERE status = 'completed'),
        (SELECT count(*) FROM workers WHERE lease_expires_at > now()),
        (SELECT pg_current_wal_lsn() - '0/0')
"""


@contextmanager
def worker(conninfo: str) -> Iterator[None]:
    """A worker process, killed at the end of the block: it has nothing to lose here."""
    command = [sys.executable, "-m", "tests.benchmarks.growth.worker", conninfo, str(CONCURRENCY), str(SCAN_SECONDS)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'queue'}"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.kill()


def with_workers(bench: Bench, number: int, measured: float) -> None:
    """``number`` workers of a hundred scans at once, looked at for ``measured`` seconds once all are at work."""
    conninfo = bench.fresh()
    pace = number * CONCURRENCY / SCAN_SECONDS
    fill(conninfo, round(pace * (measured + 120)) + 10_000, 10**9)
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(worker(conninfo))
        while ask(conninfo, SEEN)[3] < number:
            time.sleep(0.5)
        time.sleep(2 * SCAN_SECONDS)
        connections, transactions, completed, _, wal = ask(conninfo, SEEN)
        cpu, at = bench.server_cpu(), time.perf_counter()
        time.sleep(measured)
        _, transactions_after, completed_after, alive, wal_after = ask(conninfo, SEEN)
        took = time.perf_counter() - at
        print(
            f"  {number:3} workers, {alive} alive: {(completed_after - completed) / took:6.0f} scans/s"
            f" (the sites' pace allows {pace:.0f})   {connections} connections"
            f"   {(transactions_after - transactions) / took:5.0f} transactions/s"
            f"   server {100 * (bench.server_cpu() - cpu) / took:3.0f} % of a core"
            f"   WAL {float(wal_after - wal) / took / 2**20:.1f} MiB/s",
            flush=True,
        )


async def with_rows(conninfo: str, rows: int) -> None:
    """How long the hot statements take over a table of so many rows, half of them in the queue."""
    link = Link(conninfo, name="growth", statement_seconds=60, prepare=True)
    took: dict[str, list[float]] = {"claim 100": [], "complete 100": [], "page of 50": []}

    async def timed(what: str, action: Any) -> Any:
        at = time.perf_counter()
        result = await action
        took[what].append(1000 * (time.perf_counter() - at))
        return result

    worker_id = uuid4()
    for turn in range(60):
        claims = await timed("claim 100", claim(link, worker_id=worker_id, limit=100, watermarks={}))
        await timed("complete 100", complete_empty(link, claims))
        await timed("page of 50", link.fetch(PAGE, {"tenant": TENANT, "seq": rows - turn * (rows // 60)}))
    await link.close()
    medians = "   ".join(f"{what} {statistics.median(times[10:]):.1f} ms" for what, times in took.items())
    print(f"  {rows:10,} rows: {medians}", flush=True)


def main(arguments: list[str]) -> int:
    """Print both tables; there is no aim to miss."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks growth")
    parser.add_argument("--workers", default="1,10,100", help="numbers of workers, with commas; empty for none")
    parser.add_argument("--rows", default="20000,1000000", help="sizes of the table, with commas; empty for none")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each number of workers is looked at")
    options = parser.parse_args(arguments)
    with OwnServer(settings=[*SETTINGS, "max_connections=1000"]) as server:
        bench = Bench(server, [], options)
        print(f"\nworkers of {CONCURRENCY} scans at once, {SCAN_SECONDS:.0f} s each, all on this machine")
        for number in filter(None, options.workers.split(",")):
            with_workers(bench, int(number), options.seconds)
        print("\nhot statements by the size of the table, half of it pending, one after the other")
        for size in filter(None, options.rows.split(",")):
            conninfo = bench.fresh()
            fill(conninfo, int(size), int(size) // 2)
            asyncio.run(with_rows(conninfo, int(size)))
    return 0
