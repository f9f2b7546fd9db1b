"""The embedded server: shared, durable, stopped by the last to leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.embedded import EmbeddedPostgres, EmbeddedPostgresError

# What is costly is made once for the module: its tests run in one process.
pytestmark = pytest.mark.xdist_group("embedded")

DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
HOLDER = """
import sys, time
from pathlib import Path
from app.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    print("shared" if server.was_running else "started", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A closed folder: only its owner may enter, as in a home directory."""
    path = Path(tempfile.mkdtemp(prefix="sky-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def is_up(server: EmbeddedPostgres) -> bool:
    try:
        psycopg.connect(server.conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


def hold(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    process.send_signal(how)
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()


def test_it_runs_while_somebody_uses_it_and_keeps_its_rows(folder: Path) -> None:
    with EmbeddedPostgres(folder) as first:
        with psycopg.connect(first.conninfo) as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS kept (name text)")
            conn.execute("INSERT INTO kept VALUES ('before')")
        with EmbeddedPostgres(folder) as second:
            shared = second.was_running
        still_up = is_up(first)
    with psycopg.connect(first.conninfo) if is_up(first) else EmbeddedPostgres(folder) as again:
        assert isinstance(again, EmbeddedPostgres), "the last to leave had stopped it"
        with psycopg.connect(again.conninfo) as conn:
            rows = conn.execute("SELECT name FROM kept").fetchall()

    assert (first.was_running, shared, still_up) == (False, True, True)
    assert rows == [("before",)]
    assert not is_up(first)


def test_after_kill_9_of_its_only_user_the_next_one_shares_it_and_no_row_is_lost(folder: Path) -> None:
    process, how = hold(folder)
    server = EmbeddedPostgres(folder)
    with psycopg.connect(server.conninfo) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS kept (name text)")
        conn.execute("INSERT INTO kept VALUES ('committed')")
    end(process, signal.SIGKILL)

    with server, psycopg.connect(server.conninfo) as conn:
        rows = conn.execute("SELECT count(*) FROM kept WHERE name = 'committed'").fetchone()

    assert how == "started"
    assert server.was_running
    assert rows == (1,)
    assert not is_up(server), "nobody is left"


def test_a_second_process_shares_the_server_and_the_first_may_leave_before_it(folder: Path) -> None:
    first, how_first = hold(folder)
    second, how_second = hold(folder)
    end(first, signal.SIGKILL)

    assert is_up(EmbeddedPostgres(folder))
    end(second, signal.SIGKILL)
    assert (how_first, how_second) == ("started", "shared")
    with EmbeddedPostgres(folder):
        pass  # takes over what was left running, and stops it


def test_a_crash_with_a_stale_pid_file_that_names_a_living_process_does_not_stop_it(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        with psycopg.connect(server.conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS kept (name text)")
            conn.execute("INSERT INTO kept VALUES ('crash')")
        postmaster = int((server.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        wait_until_gone(postmaster)
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    (server.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    with server, psycopg.connect(server.conninfo) as conn:
        rows = conn.execute("SELECT count(*) FROM kept WHERE name = 'crash'").fetchone()

    assert rows == (1,)


def wait_until_gone(pid: int) -> None:
    import time

    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_a_stale_pid_file_that_names_another_postgres_does_not_stop_it(folder: Path) -> None:
    with EmbeddedPostgres(folder / "other") as other:
        foreign = (other.data / "postmaster.pid").read_text().splitlines()[0]
        server = EmbeddedPostgres(folder)
        with server:
            lines = (server.data / "postmaster.pid").read_text().splitlines()
            postmaster = int(lines[0])
            os.kill(postmaster, signal.SIGKILL)
            wait_until_gone(postmaster)
        (server.data / "postmaster.pid").write_text("\n".join([foreign, *lines[1:]]) + "\n")

        with server:
            assert is_up(server)
        assert is_up(other)


def test_what_was_committed_is_on_disk_before_the_commit_returns(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server, psycopg.connect(server.conninfo) as conn:
        shown = [conn.execute(f"SHOW {name}".encode()).fetchone() for name in DURABLE]

    assert shown == [("on",)] * len(DURABLE)


def test_a_start_that_was_killed_before_it_made_the_database_is_finished_by_the_next(folder: Path) -> None:
    with EmbeddedPostgres(folder) as first:
        with psycopg.connect(first.conninfo, dbname="postgres", autocommit=True) as conn:
            conn.execute("DROP DATABASE IF EXISTS scrapersky WITH (FORCE)")
        with EmbeddedPostgres(folder) as second:
            assert second.was_running
            assert is_up(second)


def test_nobody_else_may_open_what_it_keeps(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        names = ("data", "run", "postgres.log", "start.lock", "users.lock")
        modes = {name: (server.folder / name).stat().st_mode & 0o077 for name in names}

    assert modes == dict.fromkeys(names, 0)


def test_a_socket_folder_in_a_shared_place_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("trap" * 30))
    socket_folder = Path(conninfo_to_dict(server.conninfo)["host"])
    socket_folder.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedPostgresError, match="somebody else"):
            server.__enter__()
    finally:
        socket_folder.unlink()


def test_a_server_of_another_account_is_not_taken_for_ours(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server, pytest.raises(psycopg.OperationalError, match="requirepeer"):
        psycopg.connect(server.conninfo, requirepeer="daemon")
    assert "requirepeer" in server.conninfo


def test_a_folder_that_cannot_be_used_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EmbeddedPostgresError, match="SCRAPERSKY_DATA_DIR"):
        EmbeddedPostgres(tmp_path / "file" / "data").__enter__()


def test_a_path_too_long_for_a_socket_still_works(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 30))
    with server:
        assert is_up(server)
