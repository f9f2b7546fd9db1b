"""The programs under measurement, how each is started, and what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NODE_PACKAGES = ("graphile-worker@latest", "pg-boss@latest", "pg@latest")


@dataclass(frozen=True, slots=True)
class Program:
    """One queue: ``settings`` are the environments that are tried, the best of which counts."""

    name: str
    command: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    settings: tuple[Mapping[str, str], ...] = field(default=({},))
    most_jobs: int = 1_000_000  #: slow programs are measured with fewer jobs
    has_latency: bool = True

    def argv(self, mode: str, conninfo: str, number: int) -> list[str]:
        return [*self.command, mode, _address(self, conninfo), str(number), *self.arguments]


def _address(program: Program, conninfo: str) -> str:
    """Node wants a URL, Python a conninfo."""
    if program.command[0] != "node":
        return conninfo
    parts: dict[str, Any] = conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}@127.0.0.1:{parts['port']}/{parts['dbname']}"


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"tests.benchmarks.queue.{module}")


OURS = Program("ScraperSky", _python("ours"), settings=({"BATCH": "500"}, {"BATCH": "1000"}, {"BATCH": "2000"}))


def peers(folder: Path) -> list[Program]:
    """The others that can be had here; Node's packages are installed into ``folder``."""
    found = [
        Program("PgQueuer (asyncpg)", _python("pgqueuer_peer"), ("asyncpg",), ({"BATCH": "200"}, {"BATCH": "1000"})),
        Program(
            "PgQueuer (psycopg)", _python("pgqueuer_peer"), ("psycopg",), ({"BATCH": "200"}, {"BATCH": "1000"}), 20_000
        ),
        Program("Procrastinate", _python("procrastinate_peer"), most_jobs=2_000),
    ]
    if not _install_node_packages(folder):
        print("Graphile Worker and pg-boss: left out, Node or its packages cannot be had here")
        return found
    graphile = Program(
        "Graphile Worker",
        ("node", str(folder / "graphile.mjs")),
        settings=({"CONCURRENCY": "24"}, {"CONCURRENCY": "96"}),
    )
    boss = Program(
        "pg-boss",
        ("node", str(folder / "pgboss.mjs")),
        has_latency=False,
        settings=({"BATCH": "1000", "LOOPS": "2"}, {"BATCH": "2000", "LOOPS": "3"}),
    )
    return [graphile, boss, *found]


def _install_node_packages(folder: Path) -> bool:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    for program in ("graphile.mjs", "pgboss.mjs"):
        shutil.copy(HERE / program, folder / program)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *NODE_PACKAGES]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


@contextmanager
def started(
    program: Program, mode: str, conninfo: str, number: int, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """The program, which ends with the block."""
    process = subprocess.Popen(
        program.argv(mode, conninfo, number),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'queue'}"} | dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def next_event(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """Read lines until the program says ``name``."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name:
                return event
    raise RuntimeError(f"the program ended without saying {name}")
