"""The queue beside its peers on one durable server: drain, backlog, old snapshot, latency, enqueue, idling, pooler.

``make bench ARGS="queue"``; ``--parts drain,latency`` and ``--only graphile`` choose, ``--help`` lists the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from domain_queue import Submission, submit
from tests.benchmarks.queue.ours import TENANT
from tests.benchmarks.queue.programs import OURS, Program, next_event, peers, started
from tests.support.servers import OwnServer, PgBouncer

Settings = Sequence[Mapping[str, str]]

#: The same for all: durable, as a server is run, and big enough that checkpoints do not decide.
SETTINGS = [
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=512MB",
    "max_wal_size=8GB",
    "max_connections=100",
    "checkpoint_timeout=30min",
    "jit=off",
]


class Bench:
    """One server, and what was measured on it."""

    def __init__(self, server: OwnServer, programs: list[Program], options: argparse.Namespace) -> None:
        self.server = server
        self.peers = programs
        self.options = options
        self.missed: list[str] = []

    def judge(self, what: str, ratio: float, aim: float) -> None:
        """Print a ratio that should be at least ``aim``."""
        met = ratio >= aim
        print(f"  -> {what}: {ratio:.2f} (aim {aim:.2f}{'' if met else ', MISSED'})", flush=True)
        if not met:
            self.missed.append(what)

    def fresh(self) -> str:
        conninfo = self.server.create_database("bench")
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute("CHECKPOINT")
        return conninfo

    def server_cpu(self) -> float:
        """CPU seconds of the server and all its processes, those that have ended too."""
        root = psutil.Process(self.server.pid)
        while True:
            children = root.children()
            with suppress(psutil.NoSuchProcess):
                own = root.cpu_times()
                living = [process.cpu_times() for process in children]
                # One that ended meanwhile was counted twice, or not at all.
                if root.children() == children and root.cpu_times().children_user == own.children_user:
                    ended = own.user + own.system + own.children_user + own.children_system
                    return float(ended + sum(times.user + times.system for times in living))

    def drain(self, program: Program, jobs: int, environment: Mapping[str, str]) -> dict[str, Any]:
        conninfo = self.fresh()
        with started(program, "drain", conninfo, jobs, environment) as process:
            enqueued = next_event(process, "enqueued")
            before = self.server_cpu()
            result = next_event(process, "drained")
        return result | {
            "rate": jobs / result["seconds"],
            "enqueue": jobs / max(enqueued["seconds"], 1e-9),
            "server_cpu": self.server_cpu() - before,
        }

    def best_drain(self, program: Program, jobs: int, settings: Settings) -> dict[str, Any] | None:
        """The fastest run of ``program`` with any of ``settings``; None if it ended each time without a result."""
        jobs = min(jobs, program.most_jobs)
        runs = []
        for environment in settings:
            try:
                runs.append(self.drain(program, jobs, environment) | {"settings": environment, "jobs": jobs})
            except RuntimeError as error:
                print(f"  {program.name:20} {dict(environment)}: {error}")
        return max(runs, key=lambda run: run["rate"], default=None)

    def drains(self, jobs: int, rounds: int) -> float:
        """Everybody in turn, so that a noisy moment of the machine meets everybody; our median rate.

        In the first round all settings of each are tried. The fastest is kept for the others.
        """
        print(f"\ndrain of {jobs} no-op jobs, one worker process; the median of {rounds} rounds, in turn")
        runs: dict[str, list[dict[str, Any]]] = {}
        for program in (OURS, *self.peers):
            if best := self.best_drain(program, jobs, program.settings):
                runs[program.name] = [best]
        for _ in range(rounds):
            for program in (OURS, *self.peers):
                known = runs.get(program.name)
                if known and (run := self.best_drain(program, jobs, (known[0]["settings"],))):
                    known.append(run)
        # What was the fastest of several is no fair sample beside what was run once.
        measured = {name: _middle(of_program[1:] or of_program) for name, of_program in runs.items()}
        for name, run in measured.items():
            _print_drain(name, run)
        ours = float(measured.pop(OURS.name)["rate"])
        if measured:
            self.judge(f"drain {jobs}, to the best peer", ours / max(other["rate"] for other in measured.values()), 1.2)
        return ours

    def backlog(self, base: float) -> None:
        rows = self.options.backlog
        print(f"\ndrain with a backlog of {rows} rows, 50,000 of them measured")
        run = self.drain(OURS, rows, {"BATCH": "1000", "MEASURED": "50000"})
        print(f"  {OURS.name:20} {run['rate']:9.0f} jobs/s")
        self.judge("deep backlog, to the drain", run["rate"] / base, 0.9)

    def old_snapshot(self, base: float, jobs: int) -> None:
        print(f"\ndrain of {jobs} jobs while a snapshot from before is held open")
        conninfo = self.fresh()
        with psycopg.connect(conninfo) as holder:
            holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with started(OURS, "drain", conninfo, jobs, {"BATCH": "1000"}) as process:
                next_event(process, "enqueued")
                holder.execute("SELECT count(*) FROM pg_class")
                result = next_event(process, "drained")
        rate = jobs / result["seconds"]
        print(f"  {OURS.name:20} {rate:9.0f} jobs/s")
        self.judge("old snapshot, to the drain", rate / base, 0.5)

    def pooled(self, base: float, jobs: int) -> None:
        if PgBouncer.program() is None:
            print("\npgbouncer: not here")
            return
        print(f"\ndrain of {jobs} jobs through PgBouncer in transaction mode")
        with PgBouncer(self.server) as pooler:
            run = self.drain(OURS, jobs, {"BATCH": "1000", "POOLED": pooler.conninfo("bench")})
        print(f"  {OURS.name:20} {run['rate']:9.0f} jobs/s")
        self.judge("pooled, to direct", run["rate"] / base, 0.7)

    def latency(self, program: Program, jobs: int = 300) -> tuple[float, float]:
        """Seconds from the commit of an insert to the start of the handler, median and 99th of a hundred."""
        conninfo = self.fresh()
        committed: dict[str, float] = {}
        with started(program, "latency", conninfo, 0, program.settings[0] if program is OURS else {}) as process:
            insert = next_event(process, "ready")["insert"]
            with psycopg.connect(conninfo, autocommit=True) as conn:
                for number in range(jobs):
                    conn.execute(insert.encode(), (f"{number}",))
                    committed[f"{number}"] = time.perf_counter()
                    time.sleep(0.02)  # the queue is idle when the next one comes
            time.sleep(0.5)
            assert process.stdin is not None
            process.stdin.write("end\n")
            process.stdin.flush()
            starts = next_event(process, "starts")
        took = [starts["starts"][number] - at for number, at in committed.items() if number in starts["starts"]]
        percentiles = statistics.quantiles(took, n=100)
        _print_latency(program.name, percentiles[49], percentiles[98], starts["rss"], f"{len(took)} of {jobs} seen")
        return percentiles[49], percentiles[98]

    def latencies(self, rounds: int) -> None:
        """Everybody in turn, as the drains: how long a machine that slept takes to wake changes by the minute."""
        print(f"\npick-up: commit of the insert to start of the handler, idle queue; {rounds} rounds, in turn")
        programs = [OURS, *(program for program in self.peers if program.has_latency)]
        runs = [[self.latency(program) for program in programs] for _ in range(rounds)]
        ours, *others = [
            tuple(statistics.median(run[index][which] for run in runs) for which in (0, 1))
            for index in range(len(programs))
        ]
        print("  the medians of the rounds")
        for program, (half, most) in zip(programs, (ours, *others), strict=True):
            _print_latency(program.name, half, most)
        if others:
            self.judge("pick-up p50, best peer to ours", min(other[0] for other in others) / ours[0], 1.0)
            self.judge("pick-up p99, best peer to ours", min(other[1] for other in others) / ours[1], 1.0)

    def enqueue(self) -> None:
        print("\nenqueue: one at a time, each committed, and 100,000 in bulk")
        with _ours_idle(self, worker=False) as conninfo:
            one, bulk = asyncio.run(_enqueue(conninfo))
        print(f"  {OURS.name:20} {one:9.0f}/s one at a time   {bulk:9.0f}/s in bulk")

    def idle(self, seconds: float = 30) -> None:
        print(f"\nidle for {seconds:.0f} s, one worker")
        with _ours_idle(self, worker=True) as conninfo:
            with _no_autovacuum(conninfo):  # its visits are not the worker's
                time.sleep(12)  # sessions report what they did when starting
                before, cpu = _transactions(conninfo), self.server_cpu()
                time.sleep(seconds)
                spent = (_transactions(conninfo) - before) / seconds
            print(f"  {OURS.name:20} {spent:.2f} transactions/s, server CPU {self.server_cpu() - cpu:.2f} s")
        self.judge("idle, one transaction a second to ours", 1 / max(spent, 1e-9), 1.0)


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of median rate; of two in the middle the slower."""
    return sorted(runs, key=lambda run: run["rate"])[(len(runs) - 1) // 2]


def _print_latency(name: str, half: float, most: float, rss: int | None = None, seen: str = "") -> None:
    memory = "" if rss is None else f"   RSS {rss / 2**20:4.0f} MiB   "
    print(f"  {name:20} p50 {1000 * half:6.2f} ms   p99 {1000 * most:6.2f} ms{memory}{seen}", flush=True)


def _print_drain(name: str, run: Mapping[str, Any]) -> None:
    per_10k = 10_000 / run.get("completed", run["jobs"])
    print(
        f"  {name:20} {run['rate']:9.0f} jobs/s   enqueue {run['enqueue']:9.0f}/s   CPU per 10k:"
        f" worker {run['cpu_seconds'] * per_10k:5.2f} s, server {run['server_cpu'] * per_10k:5.2f} s"
        f"   RSS {run['rss'] / 2**20:4.0f} MiB   {run['jobs']} jobs {dict(run['settings'])}",
        flush=True,
    )


@contextmanager
def _ours_idle(bench: Bench, *, worker: bool) -> Iterator[str]:
    conninfo = bench.fresh()
    with started(OURS, "latency", conninfo, 0, {}) as process:
        next_event(process, "ready")
        if not worker:
            process.kill()
            process.wait()
        yield conninfo


@contextmanager
def _no_autovacuum(conninfo: str) -> Iterator[None]:
    with psycopg.connect(conninfo, dbname="postgres", autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET autovacuum = off")
        conn.execute("SELECT pg_reload_conf()")
        yield
        conn.execute("ALTER SYSTEM RESET autovacuum")
        conn.execute("SELECT pg_reload_conf()")


def _transactions(conninfo: str) -> int:
    """Counted from another database: looking costs a transaction too."""
    with psycopg.connect(conninfo, dbname="postgres", autocommit=True) as conn:
        row = conn.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'bench'"
        ).fetchone()
    assert row is not None
    number: int = row[0]
    return number


async def _enqueue(conninfo: str) -> tuple[float, float]:
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as conn:
        at = time.perf_counter()
        for number in range(1000):
            await submit(conn, tenant_id=TENANT, submissions=[Submission(domain=f"one{number}.example")])
        one = 1000 / (time.perf_counter() - at)
        at = time.perf_counter()
        for start in range(0, 100_000, 10_000):
            some = [Submission(domain=f"bulk{number}.example") for number in range(start, start + 10_000)]
            await submit(conn, tenant_id=TENANT, submissions=some, quiet=True)
        return one, 100_000 / (time.perf_counter() - at)


def main(arguments: list[str]) -> int:
    """Run the parts that are asked for; 1 if an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks queue")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--big", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="peers to run beside, by a part of their name, with commas")
    parser.add_argument("--parts", default="drain,big,backlog,snapshot,latency,enqueue,idle,pooler")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, OwnServer(settings=SETTINGS) as server:
        wanted = [part.strip().lower() for part in options.only.split(",") if part.strip()]
        found = peers(Path(folder)) if not wanted or wanted != ["none"] else []
        found = [peer for peer in found if not wanted or any(part in peer.name.lower() for part in wanted)]
        bench = Bench(server, found, options)
        _run(bench, set(options.parts.split(",")))
    print(f"\naims missed: {', '.join(bench.missed) or 'none'}")
    return 1 if bench.missed else 0


def _run(bench: Bench, parts: set[str]) -> None:
    rounds = bench.options.rounds
    base = bench.drains(bench.options.jobs, rounds) if parts & {"drain", "backlog", "snapshot", "pooler"} else 0.0
    steps: list[tuple[str, Callable[[], object]]] = [
        ("big", lambda: bench.drains(bench.options.big, min(rounds, 2))),
        ("backlog", lambda: bench.backlog(base)),
        ("snapshot", lambda: bench.old_snapshot(base, bench.options.jobs * 5)),
        ("pooler", lambda: bench.pooled(base, bench.options.jobs)),
        ("latency", lambda: bench.latencies(rounds)),
        ("enqueue", bench.enqueue),
        ("idle", bench.idle),
    ]
    for name, step in steps:
        if name in parts:
            step()
