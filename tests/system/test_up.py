"""``scrapersky up``: everything on one machine, and nothing lost however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from app.embedded import EmbeddedPostgres
from tests.support.api import answers, finished, status_of, submit, web_address
from tests.support.processes import Process, running, scrapersky, wait_for
from tests.support.sites.server import Running

# What is costly is made once for the module: its tests run in one process.
pytestmark = pytest.mark.xdist_group("up")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sky-up-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def own_environment(folder: Path, sites: Running) -> dict[str, str]:
    """No DATABASE_URL: the embedded server, in this module's folder."""
    return {**sites.environment, "SCRAPERSKY_DATA_DIR": str(folder)}


@contextlib.contextmanager
def client_of(process: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web_address(process)) as client:
        wait_for(lambda: answers(client), what="the web process")
        yield client


def is_up(folder: Path) -> bool:
    try:
        psycopg.connect(EmbeddedPostgres(folder).conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


def test_from_nothing_to_a_finished_scan_and_one_ctrl_c_stops_all(
    folder: Path, own_environment: dict[str, str]
) -> None:
    with running("up", "--port", "0", environment=own_environment) as up:
        with client_of(up) as client:
            document = finished(client, submit(client, "wordpress-fixture.com"))
        up.send(signal.SIGINT)
        code = up.wait()

        assert code == 0, up.output
    assert document["status"] == "completed"
    assert not is_up(folder), "the last to leave stopped the database"


@pytest.mark.slow
def test_its_own_postgres_is_started_again_when_it_was_killed(folder: Path, own_environment: dict[str, str]) -> None:
    with running("up", "--port", "0", environment=own_environment) as up, client_of(up) as client:
        finished(client, submit(client, "plain-1-fixture.com"))
        os.kill(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        up.wait_for_output("Postgres had ended and was started again")

        wait_for(lambda: client.get("/ready").status_code == 200, what="workers and web to find it again")
        document = finished(client, submit(client, "plain-2-fixture.com"))

    assert document["status"] == "completed"


def test_after_kill_9_the_children_go_the_rows_stay_and_the_next_up_serves_them(
    folder: Path, own_environment: dict[str, str]
) -> None:
    with running("up", "--port", "0", environment=own_environment) as up:
        with client_of(up) as client:
            address = str(client.base_url)
            job_id = submit(client, "plain-1-fixture.com")
            finished(client, job_id)
        up.send(signal.SIGKILL)
        up.wait()
    with httpx.Client(base_url=address) as client:
        wait_for(lambda: not answers(client), what="the web process to go with its parent")

    with running("up", "--port", "0", environment=own_environment) as again, client_of(again) as client:
        reply = client.get(f"/api/v3/modernized_page_scraper/status/{job_id}")

        assert reply.json()["status"] == "completed"


@pytest.mark.slow
def test_a_second_ctrl_c_waits_for_no_scan_but_still_stops_the_database_in_order(
    folder: Path, own_environment: dict[str, str]
) -> None:
    patient = {**own_environment, "WORKER_SHUTDOWN_SECONDS": "600", "FETCH_TIMEOUT_SECONDS": "300"}
    with running("up", "--port", "0", environment=patient) as up:
        with client_of(up) as client:
            job_id = submit(client, "slow-200000-fixture.com", max_pages=1)
            wait_for(lambda: status_of(client, job_id)["status"] == "processing", what="the claim")
            up.send(signal.SIGINT)
            up.wait_for_output("press Ctrl-C again")

            up.send(signal.SIGINT)

            assert up.wait() == 0
        assert "is killed" in up.output
    assert not is_up(folder)


def test_a_second_up_and_commands_share_the_running_server_and_say_so(own_environment: dict[str, str]) -> None:
    with running("up", "--port", "0", "--workers", "0", environment=own_environment) as first:
        with client_of(first):
            pass
        with running("up", "--port", "0", "--workers", "0", environment=own_environment) as second:
            with client_of(second):
                pass
            said = second.output
        listed = scrapersky("migrate", environment=own_environment)

    assert "sharing the embedded Postgres that runs" in said
    assert listed.returncode == 0
    assert "sharing the embedded Postgres that runs" in listed.stderr


def test_a_taken_port_is_one_clear_sentence(own_environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = scrapersky("up", "--port", str(taken.getsockname()[1]), environment=own_environment)

    assert done.returncode == 1
    assert "cannot listen on" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_development_is_refused_where_others_could_connect(own_environment: dict[str, str]) -> None:
    environment = {**own_environment, "ENVIRONMENT": "development"}

    done = scrapersky("up", "--host", "0.0.0.0", "--port", "0", environment=environment)

    assert done.returncode == 1
    assert "ENVIRONMENT=development" in done.stderr


@pytest.mark.slow
def test_a_worker_that_dies_is_started_again(own_environment: dict[str, str]) -> None:
    with running("up", "--port", "0", environment=own_environment) as up, client_of(up) as client:
        finished(client, submit(client, "plain-2-fixture.com"))
        for pid in children_of(up.pid, "worker"):
            os.kill(pid, signal.SIGKILL)

        assert finished(client, submit(client, "plain-3-fixture.com"))["status"] == "completed"


def children_of(pid: int, word: str) -> list[int]:
    """The children of a process with ``word`` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError):
                continue
            if parent == pid and word.encode() in command:
                found.append(int(entry.name))
    return found
