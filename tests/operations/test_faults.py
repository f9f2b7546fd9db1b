"""The fault matrix: after each, no row is lost, none takes effect twice, and work goes on by itself.

All run large in ``make test-slow``; those that need few seconds run small in ``make test`` too.
SCRAPERSKY_TEST_FAULT_TABLE names a file that collects the figures of docs/faults.md.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from psycopg.conninfo import make_conninfo

from tests.support.api import answers, web_address
from tests.support.faults import Books, crew, report
from tests.support.own_postgres import OwnPostgres, SilentLink, own_postgres
from tests.support.pgbouncer import running_pooler
from tests.support.postgres import Server
from tests.support.processes import Process, running, wait_for
from tests.support.shifted_clock import ShiftedClock

pytestmark = pytest.mark.timeout(400)

LEASE = 3.0
sizes = pytest.mark.parametrize(
    "rows", [pytest.param(400, id="small"), pytest.param(10_000, id="large", marks=pytest.mark.slow)]
)
large = pytest.mark.parametrize("rows", [pytest.param(10_000, id="large", marks=pytest.mark.slow)])


@pytest.fixture
def books(database: str) -> Books:
    """The audit of this test's database."""
    books = Books(database)
    books.open()
    return books


@contextmanager
def audited_server(**options: object) -> Iterator[tuple[OwnPostgres, Books]]:
    """A server of the test's own and its audit."""
    with own_postgres(**options) as server:  # type: ignore[arg-type]
        books = Books(server.conninfo)
        books.open()
        yield server, books


def check(books: Books, rows: int, fault: str, recovery: float | datetime, note: str) -> None:
    """Every row was completed once. ``recovery`` in seconds, or since when the longest silence is looked for."""
    books.wait_completed(rows)
    verdict = books.verdict()
    seconds = books.longest_silence(recovery) if isinstance(recovery, datetime) else recovery
    report(fault, verdict, seconds, note=note)
    assert (verdict.rows, verdict.lost, verdict.duplicates) == (rows, 0, 0)


@sizes
def test_kill_9_of_a_worker_costs_its_lease_and_no_row(books: Books, database: str, rows: int) -> None:
    with crew(database, 2, lease=LEASE) as workers:
        books.submit(rows)
        wait_for(lambda: books.held_by("crew-1") > 0, what="rows in the hands of the first worker")

        workers.send("crew-1", signal.SIGKILL)

        started = time.monotonic()
        wait_for(lambda: books.held_by("crew-1") == 0, what="the dead worker's rows to be taken over")
        check(books, rows, "`kill -9` of a worker", time.monotonic() - started, "until its rows are back: the lease")


@large
def test_a_worker_stopped_past_its_lease_wakes_up_and_writes_nothing_that_counts(
    books: Books, database: str, rows: int
) -> None:
    with crew(database, 2, lease=LEASE) as workers:
        books.submit(rows)
        wait_for(lambda: books.held_by("crew-1") > 0, what="rows in the hands of the first worker")

        workers.send("crew-1", signal.SIGSTOP)
        started = time.monotonic()
        wait_for(lambda: books.held_by("crew-1") == 0, what="the stopped worker's rows to be taken over")
        recovery = time.monotonic() - started
        workers.send("crew-1", signal.SIGCONT)

        check(books, rows, "`SIGSTOP` past the lease, then `SIGCONT`", recovery, "until its rows are back: the lease")


TERMINATE = """
    SELECT pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@sizes
def test_backends_that_are_terminated_again_and_again_cost_only_moments(books: Books, database: str, rows: int) -> None:
    with crew(database, 2, lease=LEASE):
        books.submit(rows)
        books.wait_progress()
        since = books.now()
        for _ in range(3):
            books.run(TERMINATE)
            if books.completed() < rows:
                books.wait_progress()
        check(books, rows, "every backend terminated, three times", since, "longest time without a result")


@sizes
def test_postgres_that_crashes_and_restarts_loses_nothing_it_acknowledged(rows: int) -> None:
    with audited_server() as (server, books), crew(server.conninfo, 2, lease=LEASE):
        books.submit(rows)
        books.wait_progress()
        since = books.now()

        down = time.monotonic()
        server.crash()
        server.start()

        note = f"longest time without a result; Postgres itself was away {time.monotonic() - down:.1f} s of it"
        check(books, rows, "Postgres killed with `SIGKILL` and started again", since, note)


@pytest.mark.slow
def test_the_web_process_says_503_while_postgres_is_away_and_serves_again_when_it_is_back(
    environment: dict[str, str],
) -> None:
    with own_postgres() as server:
        own = {**environment, "DATABASE_URL": server.conninfo}
        with running("web", environment=own) as web, httpx.Client(base_url=web_address(web), timeout=30) as client:
            wait_for(lambda: listed(client) == 200, what="the web process")

            server.crash()
            while_away = client.get("/api/v3/domains")
            server.start()

            wait_for(lambda: listed(client) == 200, what="the web process to serve again")
    assert while_away.status_code == 503
    assert int(while_away.headers["Retry-After"]) > 0


def listed(client: httpx.Client) -> int:
    """How a list of domains is answered."""
    return client.get("/api/v3/domains").status_code


@large
def test_a_pooler_that_restarts_is_survived(books: Books, database: str, postgres: Server, rows: int) -> None:
    with running_pooler(postgres.conninfo) as pooler, crew(pooler.conninfo(database), 2, lease=LEASE, prepare=False):
        books.submit(rows)
        books.wait_progress()
        since = books.now()

        down = time.monotonic()
        pooler.stop()
        pooler.start()

        note = f"longest time without a result; PgBouncer itself was away {time.monotonic() - down:.1f} s of it"
        check(books, rows, "PgBouncer restarted", since, note)


@large
def test_connections_that_fall_silent_are_noticed_and_made_anew(rows: int) -> None:
    with audited_server() as (server, books):
        link = SilentLink(f"{server.folder}/.s.PGSQL.5432")
        conninfo = make_conninfo(host="127.0.0.1", port=link.port, user="postgres", dbname="postgres")
        try:
            with crew(conninfo, 2, lease=LEASE):
                books.submit(rows)
                books.wait_progress()
                since = books.now()

                assert link.silence() > 0

                note = "longest time without a result: the deadline of a statement, 5 s here and 10 s by default"
                check(books, rows, "half-open network: connections silent, none closed", since, note)
        finally:
            link.close()


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A disk of its own, in memory."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root alone")
    folder = Path(tempfile.mkdtemp(prefix="scrapersky-small-disk-"))
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], capture_output=True
        )
        if done.returncode != 0:
            pytest.skip(f"this machine mounts no tmpfs: {done.stderr.decode().strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
    finally:
        folder.rmdir()


@pytest.mark.root
@large
def test_a_full_disk_stops_the_work_and_room_on_it_lets_it_go_on(rows: int) -> None:
    settings = ("-c", "min_wal_size=32MB", "-c", "max_wal_size=48MB", "-c", "wal_recycle=off", "-c", "fsync=off")
    with (
        small_disk(300) as disk,
        audited_server(folder=disk, settings=settings) as (server, books),
        crew(server.conninfo, 2, lease=LEASE, work=0.2) as workers,
    ):
        books.submit(rows)
        books.wait_progress()

        fill(disk)
        wait_for(lambda: workers.count("No space left"), what="a worker to find the database's disk full", seconds=60)
        (disk / "ballast").unlink()
        room = time.monotonic()
        if not server.is_running:
            server.start()
        if books.completed() < rows:
            books.wait_progress()

        check(
            books,
            rows,
            "the database's disk full",
            time.monotonic() - room,
            "until the next result, from when there is room",
        )


def fill(disk: Path) -> None:
    """Leave no byte."""
    with (disk / "ballast").open("wb") as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(1 << 20))
            ballast.flush()


@large
def test_a_clock_set_forwards_and_back_by_an_hour_strands_nothing(tmp_path: Path, rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="scrapersky-clock-") as folder:
        clock = ShiftedClock(Path(folder))
        with (
            audited_server(environment=clock.environment) as (server, books),
            crew(server.conninfo, 3, lease=LEASE) as workers,
        ):
            books.submit(rows)
            books.wait_progress()

            clock.set(3600)
            jumped = time.monotonic()
            books.wait_progress()
            forwards = time.monotonic() - jumped
            clock.set(0)
            workers.send("crew-1", signal.SIGKILL)
            started = time.monotonic()
            wait_for(lambda: books.held_by("crew-1") == 0, what="the dead worker's rows, after the jump")
            back = time.monotonic() - started

            recovery = max(forwards, back)
            note = f"forwards: next result after {forwards:.1f} s; back with a `kill -9`: its rows after {back:.1f} s"
            check(books, rows, "database clock an hour forwards, then back", recovery, note)


@pytest.mark.parametrize(
    ("size", "rows", "kills"),
    [pytest.param(3, 600, 4, id="small"), pytest.param(8, 10_000, 24, id="large", marks=pytest.mark.slow)],
)
def test_workers_killed_at_random_complete_every_row_once(
    books: Books, database: str, size: int, rows: int, kills: int
) -> None:
    chance = random.Random(20)
    with crew(database, size, lease=LEASE, concurrency=10, work=0.2) as workers:
        books.submit(rows)
        books.wait_progress()
        since = books.now()
        for _ in range(kills):
            victim = chance.choice(sorted(workers.members))
            wait_for(lambda name=victim: books.held_by(name) > 0, what="rows in the hands of the victim")
            workers.send(victim, signal.SIGKILL)
            workers.members.pop(victim).end()
            workers.hire()
        books.wait_completed(rows)
        taken_over = books.verdict().takeovers
        note = f"{kills} kills, {taken_over} claims of the dead taken over; longest time without a result"
        check(books, rows, f"{size} workers, killed at random", since, note)


@pytest.mark.parametrize(
    "rows", [pytest.param(30, id="small"), pytest.param(1_000, id="large", marks=pytest.mark.slow)]
)
def test_kill_9_of_the_web_process_loses_no_domain_that_it_accepted(
    books: Books, environment: dict[str, str], rows: int
) -> None:
    accepted: list[str] = []
    with running("web", environment=environment) as first:
        address = web_address(first)
        client = httpx.Client(base_url=address)
        wait_for(lambda: answers(client), what="the web process")
        killer = threading.Thread(target=kill_after, args=(first, accepted, rows // 3))
        killer.start()
        submit_until_down(client, accepted, rows)
        killer.join()
    started = time.monotonic()
    again = {**environment, "PORT": address.rsplit(":", 1)[1]}
    with running("web", environment=again) as _, crew(str(environment["DATABASE_URL"]), 1, lease=LEASE):
        wait_for(lambda: answers(client), what="the web process, started again")
        recovery = time.monotonic() - started
        submit_until_down(client, accepted, rows)
        client.close()
        check(
            books,
            len(set(accepted)),
            "`kill -9` of the web process while it takes domains",
            recovery,
            "a new process, started at once, answers",
        )


def kill_after(web: Process, accepted: list[str], number: int) -> None:
    """SIGKILL in the middle of the submissions."""
    wait_for(lambda: len(accepted) >= number, what="submissions")
    web.send(signal.SIGKILL)


def submit_until_down(client: httpx.Client, accepted: list[str], rows: int) -> None:
    """Post domains, and note the ids that were acknowledged; a name whose reply was lost is posted again later."""
    with suppress(httpx.TransportError):
        while len(accepted) < rows:
            reply = client.post(
                "/api/v3/modernized_page_scraper/scan", json={"base_url": f"n{len(accepted)}-fault.example.com"}
            )
            assert reply.status_code == 202, reply.text
            accepted.append(str(reply.json()["job_id"]))
