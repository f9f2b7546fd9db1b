"""Applies the numbered SQL files, once each, in order, by one process at a time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

import psycopg
from psycopg.rows import class_row

# Any fixed number will do, as long as nothing else in the database locks it.
MIGRATION_LOCK_KEY = 3_708_226_114_953_712
FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
#: A first line by which a migration says that programs knowing only the migrations up to N run on with it.
COMPATIBLE_WITH = re.compile(r"-- compatible-with: (\d{4})\n")

Connection = psycopg.Connection[tuple[object, ...]]


class MigrationError(Exception):
    """The database and the migrations of this program do not fit together; nothing was changed."""

    code = "migration_error"


class SchemaTooNew(MigrationError):
    """The program is older than the database, and a migration that it does not know says that it cannot run with it."""

    code = "schema_too_new"


class ChecksumMismatch(MigrationError):
    """A migration was edited after it had been applied."""

    code = "migration_checksum_mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered file: ``sha256`` is of its bytes as shipped."""

    number: int
    name: str
    sql: str
    sha256: str
    compatible_with: int | None = None  #: programs that know the migrations up to this one run on; None: none do


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedMigration:
    """One row of schema_migrations."""

    number: int
    name: str
    sha256: str
    applied_at: datetime
    compatible_with: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """What the database has, and what this program would still apply."""

    applied: list[AppliedMigration]
    pending: list[Migration]


CREATE_SCHEMA_MIGRATIONS = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number          integer PRIMARY KEY,
        name            text NOT NULL,
        sha256          text NOT NULL,
        applied_at      timestamptz NOT NULL DEFAULT now(),
        compatible_with integer
    )
"""

# Databases that were set up before the column was thought of.
ADD_COMPATIBLE_WITH = "ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS compatible_with integer"

TABLE_EXISTS = "SELECT to_regclass('schema_migrations') IS NOT NULL"

SELECT_APPLIED = """
    SELECT number, name, sha256, applied_at,
           -- Through the document, so that a table without the column can be read too.
           (to_jsonb(schema_migrations) ->> 'compatible_with')::integer AS compatible_with
    FROM schema_migrations
    ORDER BY number
"""

INSERT_APPLIED = """
    INSERT INTO schema_migrations (number, name, sha256, compatible_with)
    VALUES (%(number)s, %(name)s, %(sha256)s, %(compatible_with)s)
"""


def load_migrations() -> list[Migration]:
    """The migrations shipped with this program, by number.

    Raises:
        MigrationError: two files have one number, or a number is missing.
    """
    found = []
    for entry in resources.files("migrations").iterdir():
        if match := FILE_NAME.fullmatch(entry.name):
            found.append(_read_migration(int(match[1]), match[2], entry.read_bytes()))
    found.sort(key=lambda migration: migration.number)
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise MigrationError(f"migration files must be numbered 1 to {len(found)} without gaps, found {numbers}")
    return found


def _read_migration(number: int, name: str, body: bytes) -> Migration:
    text = body.decode()
    compatible = COMPATIBLE_WITH.match(text)
    return Migration(
        number=number,
        name=name,
        sql=text,
        sha256=hashlib.sha256(body).hexdigest(),
        compatible_with=int(compatible[1]) if compatible else None,
    )


def migration_status(conn: Connection, *, migrations: list[Migration] | None = None) -> MigrationStatus:
    """What is applied and what is pending; reads only.

    Raises:
        SchemaTooNew: the database has a migration that this program does not know and cannot run with.
        ChecksumMismatch: an applied migration differs from the file of the same number.
    """
    known = load_migrations() if migrations is None else migrations
    applied = _select_applied(conn)
    _check(applied, known)
    return MigrationStatus(applied=applied, pending=known[len(applied) :])


def migrate(
    conn: Connection,
    *,
    migrations: list[Migration] | None = None,
    report: Callable[[Migration], None] = lambda migration: None,
) -> list[Migration]:
    """Apply what is pending, each file in a transaction of its own, and return what was applied.

    Safe to call from many processes at once and at every start: the others wait, then find nothing to do.
    The lock is taken inside each transaction, so it holds through a transaction pooler too.

    Raises:
        SchemaTooNew, ChecksumMismatch: before anything was applied.
        psycopg.Error: a file failed; it was rolled back, the files before it stay applied.
    """
    known = load_migrations() if migrations is None else migrations
    done: list[Migration] = []
    while (migration := _apply_next(conn, known)) is not None:
        report(migration)
        done.append(migration)
    return done


def _apply_next(conn: Connection, known: list[Migration]) -> Migration | None:
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK_KEY,))
        conn.execute(CREATE_SCHEMA_MIGRATIONS)
        applied = _select_applied(conn)
        _check(applied, known)
        if len(applied) >= len(known):
            return None
        migration = known[len(applied)]
        # A migration may take longer than any statement timeout the role or the DSN sets.
        conn.execute("SET LOCAL statement_timeout = 0")
        conn.execute(migration.sql.encode())
        conn.execute(ADD_COMPATIBLE_WITH)
        conn.execute(
            INSERT_APPLIED,
            {
                "number": migration.number,
                "name": migration.name,
                "sha256": migration.sha256,
                "compatible_with": migration.compatible_with,
            },
        )
    return migration


def _select_applied(conn: Connection) -> list[AppliedMigration]:
    exists = conn.execute(TABLE_EXISTS).fetchone()
    if exists is None or not exists[0]:
        return []
    with conn.cursor(row_factory=class_row(AppliedMigration)) as cur:
        return cur.execute(SELECT_APPLIED).fetchall()


def _check(applied: list[AppliedMigration], known: list[Migration]) -> None:
    by_number = {migration.number: migration for migration in known}
    for row in applied:
        migration = by_number.get(row.number)
        if migration is None:
            if row.compatible_with is not None and row.compatible_with <= len(known):
                continue
            raise SchemaTooNew(
                f"the database has migration {row.number:04}_{row.name}, this program knows only up to "
                f"{len(known):04}: start a newer version of the program"
            )
        if migration.sha256 != row.sha256:
            raise ChecksumMismatch(
                f"migration {row.number:04}_{row.name} was edited after it had been applied at "
                f"{row.applied_at:%Y-%m-%d %H:%M}: restore the file, and put the change into a new one"
            )
