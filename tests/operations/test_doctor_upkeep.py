"""What wears a queue out in time, made on purpose on a real Postgres, and named by doctor."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.settings import DEFAULT_TENANT_ID
from tests.support.doctor import assert_broken, run_doctor, settings_for
from tests.support.own_postgres import OwnPostgres, own_postgres

Connection = psycopg.AsyncConnection[Any]

NOWHERE = "postgresql://me@127.0.0.1:1/db"
MOST_CONNECTIONS = 12


async def shift_clock(database: str, conn: Connection, function: str, offset: str) -> None:
    """Let ``function`` tell whoever connects from now on a time that is off by ``offset``."""
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    await conn.execute("CREATE SCHEMA wrong_time")
    await conn.execute(
        f"CREATE FUNCTION wrong_time.{function}() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
        f"$$ SELECT pg_catalog.{function}() + interval '{offset}' $$".encode()
    )
    await conn.execute(sql.SQL("ALTER DATABASE {} SET search_path = wrong_time, pg_catalog, public").format(name))


@pytest.mark.parametrize(
    ("offset", "told"), [("1 hour", r"3[56]\d\d\.\d s ahead of"), ("-90 seconds", r"(8\d|9\d)\.\d s behind")]
)
async def test_a_clock_that_is_off_is_named_with_its_direction(
    database: str, conn: Connection, offset: str, told: str
) -> None:
    await shift_clock(database, conn, "clock_timestamp", offset)

    check = (await run_doctor(settings_for(database), only=["clock"]))["clock"]

    assert check.ok, "the queue goes by the database's clock alone"
    assert re.search(told, check.seen), check
    assert "NTP" in str(check.advice)


async def test_a_transaction_that_is_open_for_long_is_a_warning_with_whose_it_is(
    database: str, conn: Connection
) -> None:
    holder = make_conninfo(database, application_name="somebody's report")
    async with await psycopg.AsyncConnection.connect(holder) as other:
        await other.execute("SELECT count(*) FROM domains")
        await shift_clock(database, conn, "now", "10 minutes")
        check = (await run_doctor(settings_for(database), only=["vacuum_horizon"]))["vacuum_horizon"]
    assert check.ok
    assert re.search(r"6\d\d\.\d s old: process \d+ of \w+ \(somebody's report\)", check.seen), check
    assert "pg_terminate_backend" in str(check.advice)


async def test_clocks_that_agree_are_no_warning(database: str) -> None:
    check = (await run_doctor(settings_for(database), only=["clock"]))["clock"]
    assert check.ok
    assert check.advice is None


async def make_dead_rows(conn: Connection, count: int) -> None:
    """Rows that nobody vacuums, each of them updated once."""
    await conn.execute("ALTER TABLE domains SET (autovacuum_enabled = false)")
    await conn.execute(
        "INSERT INTO domains (tenant_id, domain) SELECT %s, i || '.example' FROM generate_series(1, %s) AS i",
        (DEFAULT_TENANT_ID, count),
    )
    await conn.execute("UPDATE domains SET max_pages = 6")
    await conn.execute("SELECT pg_stat_force_next_flush()")
    await conn.execute("SELECT 1")


async def test_dead_rows_that_pile_up_are_named(database: str, conn: Connection) -> None:
    await make_dead_rows(conn, 51_000)
    await conn.execute("ALTER TABLE domains RESET (autovacuum_enabled)")
    check = (await run_doctor(settings_for(database), only=["dead_rows"]))["dead_rows"]
    assert check.ok
    assert "51,000 dead beside 51,000 live rows" in check.seen
    assert "VACUUM domains" in str(check.advice)

    await conn.execute("VACUUM domains")
    await conn.execute("SELECT pg_stat_force_next_flush()")
    check = (await run_doctor(settings_for(database), only=["dead_rows"]))["dead_rows"]
    assert "0 dead beside" in check.seen
    assert check.advice is None


async def test_a_table_that_autovacuum_was_told_to_leave_alone_is_named(database: str, conn: Connection) -> None:
    await make_dead_rows(conn, 10)
    check = (await run_doctor(settings_for(database), only=["dead_rows"]))["dead_rows"]
    assert check.ok
    assert "autovacuum is off for domains" in check.seen
    assert "ALTER TABLE domains RESET (autovacuum_enabled)" in str(check.advice)


@pytest.fixture(scope="module")
def small_server() -> Iterator[OwnPostgres]:
    """A server that takes few connections and never vacuums by itself."""
    settings = ("-c", f"max_connections={MOST_CONNECTIONS}", "-c", "autovacuum=off", "-c", "max_wal_senders=0")
    with own_postgres(settings=settings) as server:
        yield server


@contextlib.contextmanager
def connections(server: OwnPostgres, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(psycopg.connect(server.conninfo))
        yield


async def test_a_server_that_never_vacuums_by_itself_is_named(small_server: OwnPostgres) -> None:
    check = (await run_doctor(settings_for(small_server.conninfo), only=["dead_rows"]))["dead_rows"]
    assert "autovacuum is off on the server" in check.seen
    assert "turn autovacuum on" in str(check.advice)


async def test_connections_that_are_nearly_used_up_are_named_before_they_are(small_server: OwnPostgres) -> None:
    few = (await run_doctor(settings_for(small_server.conninfo), only=["connections"]))["connections"]
    with connections(small_server, MOST_CONNECTIONS - 4):
        many = (await run_doctor(settings_for(small_server.conninfo), only=["connections"]))["connections"]
    assert few.advice is None
    assert many.ok
    assert f"{MOST_CONNECTIONS - 3} of {MOST_CONNECTIONS - 3} connections used" in many.seen
    assert "DB_MAX_POOL_SIZE" in str(many.advice)


async def test_connections_that_are_used_up_are_the_reason_why_none_can_be_made(small_server: OwnPostgres) -> None:
    with connections(small_server, MOST_CONNECTIONS):
        checks = await run_doctor(settings_for(small_server.conninfo), only=["connections"])
    assert_broken(checks, "connect", "too many clients", "max_connections", "DB_MAX_POOL_SIZE")
    assert checks["connections"].was_skipped


def damage_readers(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Have every interpreter that is started from here on execute ``lines`` first."""
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


async def test_readers_whose_limits_let_no_page_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As by ulimit -t: enough to start, less than a page is allowed.
    damage_readers(tmp_path, monkeypatch, "import resource", "resource.setrlimit(resource.RLIMIT_CPU, (4, 4))")
    checks = await run_doctor(settings_for(NOWHERE), only=["extractor"])
    assert_broken(checks, "extractor", "no process could read a page", "limits of memory", "ulimit -a")


async def test_a_library_that_finds_what_it_should_not_is_told_by_the_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage_readers(
        tmp_path,
        monkeypatch,
        "import phonenumbers",
        "phonenumbers.number_type = lambda number: phonenumbers.PhoneNumberType.UNKNOWN",
    )
    checks = await run_doctor(settings_for(NOWHERE), only=["extractor"])
    assert_broken(checks, "extractor", "phone_numbers is []", "install the locked versions")
    assert "title" not in checks["extractor"].seen
