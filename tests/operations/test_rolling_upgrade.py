"""Two versions of the program on one database: expand, let both work side by side, contract when the old is gone."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from migrations import load_migrations
from tests.support.api import Web, submit
from tests.support.faults import Books
from tests.support.processes import Process, running, scrapersky, wait_for

ROOT = Path(__file__).parents[2]
NEWEST = len(load_migrations())
EXPAND = f"-- compatible-with: {NEWEST:04}\nALTER TABLE domains ADD COLUMN test_note text NOT NULL DEFAULT 'new';\n"
CONTRACT = "ALTER TABLE domains RENAME COLUMN step TO test_stage;\n"


class NextVersion:
    """A copy of the program with one migration more."""

    def __init__(self, folder: Path, migration: str) -> None:
        self._folder = folder
        for package in ("app", "extractor", "migrations", "queue"):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "migrations" / f"{NEWEST + 1:04}_next.sql").write_text(migration)

    def start(self, *arguments: str, environment: dict[str, str]) -> Process:
        """One of its commands."""
        path = os.pathsep.join([str(self._folder), str(self._folder / "queue")])
        return Process(
            list(arguments),
            {**environment, "PYTHONPATH": path},
            program=(sys.executable, "-P", "-m", "app.cli"),
            folder=self._folder,
        )

    def migrate(self, environment: dict[str, str]) -> None:
        """What a deployment does first."""
        process = self.start("migrate", environment=environment)
        try:
            assert process.wait() == 0, process.output
            assert f"applied {NEWEST + 1:04}_next" in process.output
        finally:
            process.end()

    @contextmanager
    def running(self, *arguments: str, environment: dict[str, str]) -> Iterator[Process]:
        """One of its commands inside the block."""
        process = self.start(*arguments, environment=environment)
        try:
            yield process
        finally:
            process.end()


DONE_BY = """
    SELECT w.name, (w.stats ->> 'completed')::integer
    FROM workers w
    WHERE (w.stats ->> 'completed')::integer > 0
"""


@pytest.mark.slow
def test_old_and_new_workers_share_the_queue_while_an_upgrade_rolls(
    web: Web, database: str, environment: dict[str, str], tmp_path: Path
) -> None:
    books = Books(database)
    books.open()
    following = NextVersion(tmp_path, EXPAND)
    narrow = {**environment, "WORKER_CONCURRENCY": "1"}
    with running("worker", "run", environment=narrow) as old:
        old.wait_for_output("worker_started")
        submit(web.client, "plain-0-fixture.com", max_pages=1)
        books.wait_completed(1)

        following.migrate(environment)
        with following.running("worker", "run", environment=narrow) as new:
            new.wait_for_output("worker_started")
            for number in range(1, 25):
                submit(web.client, f"plain-{number}-fixture.com", max_pages=1)
            books.wait_completed(10)
            with running("worker", "run", environment=narrow) as old_started_late:
                old_started_late.wait_for_output("worker_started")
            old.send(signal.SIGTERM)
            assert old.wait() == 0, old.output
            books.wait_completed(25)
            new.send(signal.SIGTERM)
            assert new.wait() == 0, new.output

    verdict = books.verdict()
    assert (verdict.rows, verdict.lost, verdict.duplicates, verdict.takeovers) == (25, 0, 0, 0)
    with psycopg.connect(database) as conn:
        shares = dict(conn.execute(DONE_BY).fetchall())
    assert {name.rsplit(":", 1)[1] for name in shares} >= {str(old.pid), str(new.pid)}, shares


def test_a_program_older_than_the_database_is_refused_where_the_newer_migration_does_not_say_it_fits(
    environment: dict[str, str], tmp_path: Path
) -> None:
    NextVersion(tmp_path, CONTRACT).migrate(environment)

    for command in (("worker", "run"), ("web",), ("migrate",)):
        done = scrapersky(*command, environment=environment)

        assert done.returncode == 1
        assert f"{NEWEST + 1:04}_next" in done.stderr
        assert "start a newer version of the program" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_program_older_than_the_database_goes_on_where_every_newer_migration_says_it_fits(
    environment: dict[str, str], tmp_path: Path
) -> None:
    NextVersion(tmp_path, EXPAND).migrate(environment)

    done = scrapersky("migrate", environment=environment)

    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stderr


def test_a_worker_that_starts_before_its_database_waits_for_it(environment: dict[str, str]) -> None:
    away = {**environment, "DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nowhere"}
    with running("worker", "run", environment=away) as worker:
        wait_for(lambda: "failed" in worker.output or "disconnected" in worker.output, what="a first try")

        assert worker.is_running
