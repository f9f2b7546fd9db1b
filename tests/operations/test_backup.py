"""A backup taken in the middle of the work, restored into a new cluster: nothing is missing, and the work goes on."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.faults import Books, crew
from tests.support.own_postgres import BINARIES, OwnPostgres
from tests.support.processes import scrapersky, wait_for

ROOT = Path(__file__).parents[2]
ROWS = 300
STATES = "SELECT id, domain, status::text, title, claim_token FROM domains ORDER BY id"


pytestmark = pytest.mark.slow


@pytest.fixture
def new_cluster() -> Iterator[OwnPostgres]:
    """A server that has never heard of the program."""
    folder = Path(tempfile.mkdtemp(prefix="scrapersky-restored-"))
    server = OwnPostgres(folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def documented(word: str) -> str:
    """The block of docs/operations.md that has ``word``, so that what is tried here is what is written there."""
    page = (ROOT / "docs" / "operations.md").read_text()
    [block] = [text for text in re.findall(r"```sh run\n(.*?)```", page, re.DOTALL) if word in text]
    return str(block)


def run(script: str, folder: Path, environment: dict[str, str]) -> None:
    """Run a documented script, without its last line where that is the program's own command."""
    path = f"{BINARIES}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_backup_of_a_busy_queue_is_restored_into_a_new_cluster_and_worked_off(
    database: str, new_cluster: OwnPostgres, tmp_path: Path
) -> None:
    books = Books(database)
    with crew(database, 1, work=0.5, concurrency=30):
        books.submit(ROWS)
        wait_for(lambda: books.completed() >= 30 and books.held_by("crew-1") > 0, what="rows in every state")
        run(documented("pg_dump"), tmp_path, {"DATABASE_URL": database})
    restore = documented("pg_restore").replace('DATABASE_URL="$NEW_DATABASE_URL" scrapersky migrate\n', "")

    run(restore, tmp_path, {"NEW_DATABASE_URL": new_cluster.conninfo})

    with psycopg.connect(new_cluster.conninfo) as conn:
        rows = conn.execute(STATES).fetchall()
    assert len(rows) == ROWS
    assert {row[2] for row in rows} == {"pending", "processing", "completed"}
    migrated = scrapersky("migrate", environment={"DATABASE_URL": new_cluster.conninfo})
    assert "nothing to do" in migrated.stderr, migrated.stderr
    with crew(new_cluster.conninfo, 1, work=0.05, concurrency=50):
        restored = Books(new_cluster.conninfo)
        restored.wait_completed(ROWS)
    with psycopg.connect(new_cluster.conninfo) as conn:
        finished = {row[0]: row for row in conn.execute(STATES).fetchall()}
    for row in rows:
        if row[2] == "completed":
            assert finished[row[0]] == row, "what was finished in the backup was not done again"


def test_requests_run_as_the_tenants_role_in_the_restored_cluster(
    database: str, new_cluster: OwnPostgres, tmp_path: Path
) -> None:
    Books(database).submit(3)
    run(documented("pg_dump"), tmp_path, {"DATABASE_URL": database})
    restore = documented("pg_restore").replace('DATABASE_URL="$NEW_DATABASE_URL" scrapersky migrate\n', "")
    run(restore, tmp_path, {"NEW_DATABASE_URL": new_cluster.conninfo})

    listed = scrapersky("domains", "list", "--json", environment={"DATABASE_URL": new_cluster.conninfo})

    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("-fault.example") == 3
