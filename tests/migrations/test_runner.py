"""The migration runner on a real Postgres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from domain_queue import DomainStatus
from migrations import ChecksumMismatch, Migration, SchemaTooNew, load_migrations, migrate, migration_status


def test_migrating_an_empty_database_applies_everything_and_again_nothing(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as conn:
        first = migrate(conn)
        second = migrate(conn)
        status = migration_status(conn)

    assert first == load_migrations()
    assert second == []
    assert [row.number for row in status.applied] == [migration.number for migration in first]
    assert status.pending == []


def test_status_of_an_empty_database_lists_everything_as_pending(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as conn:
        status = migration_status(conn)

    assert status.applied == []
    assert status.pending == load_migrations()


def test_many_processes_may_migrate_at_once(empty_database: str) -> None:
    def run(_: int) -> int:
        with psycopg.connect(empty_database, autocommit=True) as conn:
            return len(migrate(conn))

    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(run, range(8)))

    assert sum(applied) == len(load_migrations())


def test_a_database_newer_than_the_program_is_refused(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("INSERT INTO schema_migrations (number, name, sha256) VALUES (9000, 'from_the_future', 'x')")

        with pytest.raises(SchemaTooNew, match="9000_from_the_future"):
            migrate(conn)


def test_a_migration_edited_after_it_was_applied_is_refused(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("UPDATE schema_migrations SET sha256 = 'edited' WHERE number = 1")

        with pytest.raises(ChecksumMismatch, match="0001_domain_queue"):
            migrate(conn)


def test_a_migration_that_fails_leaves_nothing_behind(empty_database: str) -> None:
    broken = Migration(number=1, name="broken", sql="CREATE TABLE half (id int); SELECT 1/0", sha256="-")

    with psycopg.connect(empty_database, autocommit=True) as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(conn, migrations=[broken])
        left = conn.execute("SELECT to_regclass('half') IS NOT NULL").fetchone()
        status = migration_status(conn, migrations=[broken])

    assert left == (False,)
    assert status.pending == [broken]


def test_the_words_for_states_are_the_same_in_sql_and_in_python(database: str) -> None:
    with psycopg.connect(database) as conn:
        words = conn.execute("SELECT unnest(enum_range(NULL::domain_status))::text").fetchall()

    assert [word for (word,) in words] == [status.value for status in DomainStatus]
