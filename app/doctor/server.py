"""Checks of the server and of what stands before it: reached, new enough, its clock, poolers, prepared statements."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import psycopg

from app.doctor.models import Check, broken, sound, warning
from app.doctor.patient import Connection, Patient
from app.log import one_line

OLDEST_VERSION = 150_000
#: The database's clock alone decides; a skew confuses people who compare log lines.
SKEW_WARNING_SECONDS = 2.0

NO_PREPARE_ADVICE = (
    "add ?no_prepare=true to DATABASE_URL, and set LISTEN_DATABASE_URL to a direct or session-mode connection"
)


async def check_connect(patient: Patient) -> Check:
    """The server takes a connection and lets the account in."""
    assert patient.dsn is not None, "the check dsn was needed"  # noqa: S101 - an invariant, not input
    try:
        patient.conn = await patient.open(patient.dsn)
    except (psycopg.Error, OSError) as error:
        reason = one_line(str(error).strip().splitlines()[0]) if str(error).strip() else type(error).__name__
        return broken(f"{patient.dsn}: {reason}", _connect_advice(reason))
    return sound(f"connected to {patient.dsn}")


def _connect_advice(reason: str) -> str:
    known = (
        ("password authentication failed", "correct user and password in DATABASE_URL"),
        ("no password supplied", "DATABASE_URL has no password, and the server wants one"),
        ("does not exist", "create the role or the database, or correct its name in DATABASE_URL"),
        ("too many", "the server's max_connections is used up: lower DB_MAX_POOL_SIZE, or put a pooler before it"),
        ("remaining connection slots", "max_connections is used up: lower DB_MAX_POOL_SIZE, or put a pooler before it"),
        ("resolve", "the host's name is not known: correct it in DATABASE_URL"),
        ("Name or service not known", "the host's name is not known: correct it in DATABASE_URL"),
        (
            "Network is unreachable",
            "the host may have an IPv6 address only: use the pooler's host (see docs/poolers.md)",
        ),
        ("starting up", "the server recovers or starts: wait, then run doctor again"),
    )
    for phrase, advice in known:
        if phrase in reason:
            return advice
    return "start Postgres, or correct DATABASE_URL"


SELECT_VERSION = """
    SELECT
        current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),
        current_setting('default_transaction_read_only')::bool
"""


async def check_server_version(patient: Patient) -> Check:
    """The server is new enough, and it takes writes."""
    [(number, version, is_replica, is_read_only)] = await patient.rows(SELECT_VERSION)
    if number < OLDEST_VERSION:
        return broken(f"Postgres {version}", "upgrade to Postgres 15 or newer")
    if is_replica:
        return broken(f"Postgres {version}, a replica in recovery", "connect to the primary: the queue is written to")
    if is_read_only:
        return broken(
            f"Postgres {version}, read-only by default_transaction_read_only",
            "free disk space or lift the restriction: a hosted database that is full is made read-only",
        )
    return sound(f"Postgres {version}")


async def check_clock(patient: Patient) -> Check:
    """The two clocks agree; every time the program writes is the database's, whatever this machine thinks."""
    before = time.time()
    [(database_now,)] = await patient.rows("SELECT clock_timestamp()")
    middle = datetime.fromtimestamp((before + time.time()) / 2, UTC)
    skew = (database_now - middle).total_seconds()
    if abs(skew) > SKEW_WARNING_SECONDS:
        return warning(
            f"the database's clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's",
            "set both clocks by NTP; the queue goes by the database's alone, log lines go by this machine's",
        )
    return sound(f"{abs(skew) * 1000:.0f} ms apart")


async def check_pooler(patient: Patient) -> Check:
    """Whether a connection stays with one server process, found out and not believed.

    While a second connection holds a transaction, the first is asked twice which process answers: a transaction
    pooler has given its process away in between.
    """
    assert patient.conn is not None, "the check connect was needed"  # noqa: S101 - an invariant, not input
    assert patient.dsn is not None, "the check dsn was needed"  # noqa: S101 - an invariant, not input
    other = await patient.open(patient.dsn)
    first = await _backend(patient.conn)
    async with other.transaction():
        await _backend(other)
        second = await _backend(patient.conn)
    patient.is_pooled = first != second or patient.dsn.is_transaction_pooler
    if first != second and patient.dsn.prepared_statements:
        return warning(
            f"a transaction pooler listens on port {patient.dsn.port}, and the port does not tell so", NO_PREPARE_ADVICE
        )
    if first != second:
        return sound("a transaction pooler: one transaction, one server process; prepared statements are off")
    if patient.conn.info.backend_pid != first:
        return sound("a pooler in session mode: the connection keeps its server process")
    return sound("no pooler seen: the connection keeps its server process")


async def _backend(conn: Connection) -> int:
    cur = await conn.execute("SELECT pg_backend_pid()")
    [(pid,)] = await cur.fetchall()
    return int(pid)


async def check_prepared_statements(patient: Patient) -> Check:
    """Prepared statements are off, or survive on this connection also when others use the server meanwhile."""
    assert patient.dsn is not None, "the check dsn was needed"  # noqa: S101 - an invariant, not input
    if not patient.dsn.prepared_statements:
        return sound("off, as the connection string asks or its port demands")
    first = await patient.open(patient.dsn, prepare_threshold=0)
    second = await patient.open(patient.dsn, prepare_threshold=0)
    try:
        for conn in (first, second):
            await _ask_prepared(conn)
        async with second.transaction():
            await _ask_prepared(second)
            await _ask_prepared(first)
    except psycopg.Error as error:
        return broken(
            f"the server forgot a prepared statement: {error.diag.message_primary or error}", NO_PREPARE_ADVICE
        )
    return sound("on, and remembered")


async def _ask_prepared(conn: Connection) -> None:
    await conn.execute("SELECT %(number)s::int + 1", {"number": 1}, prepare=True)
