"""A worker has the descriptors that its concurrency needs, or says what it can do with those it has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.worker.open_files import files_needed, scans_allowed
from tests.support.processes import clean_environment

ROOT = Path(__file__).parents[3]

WORKER = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
os.execv(sys.executable, [sys.executable, "-m", "app.cli", "worker", "run", "--drain", "--concurrency", sys.argv[3]])
"""


def run_limited(database: str, *, soft: int, hard: int, concurrency: int) -> str:
    """What a worker that starts under these limits says."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(soft), str(hard), str(concurrency)],
        env=clean_environment({"DATABASE_URL": database}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_worker_raises_its_soft_limit_to_what_its_concurrency_needs(database: str) -> None:
    said = run_limited(database, soft=256, hard=4096, concurrency=300)

    assert f"limit={files_needed(300)}" in said
    assert "open_files_limit_raised" in said
    assert "too_low" not in said


def test_a_worker_whose_hard_limit_is_too_low_says_what_it_allows_and_what_to_do(database: str) -> None:
    said = run_limited(database, soft=256, hard=600, concurrency=300)

    assert "open_files_limit_too_low" in said
    assert "allowed_concurrency=100" in said
    assert "WORKER_CONCURRENCY=100" in said
    assert files_needed(scans_allowed(600)) <= 600


def test_a_worker_with_room_enough_changes_nothing(database: str) -> None:
    assert "open_files" not in run_limited(database, soft=1024, hard=4096, concurrency=100)
