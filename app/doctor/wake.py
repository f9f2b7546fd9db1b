"""Checks of what wakes a worker: does LISTEN deliver, and does an insert notify."""

from __future__ import annotations

import asyncio
import time

import psycopg

from app.doctor.models import Check, broken, sound, warning
from app.doctor.patient import Patient
from app.dsn import Dsn
from domain_queue import PENDING_CHANNEL, Listener

TRIGGER_SECONDS = 1.5

POLL_ADVICE = (
    "set LISTEN_DATABASE_URL to a direct or session-mode connection; "
    "until then a scan starts within DOMAIN_PROCESSING_INTERVAL_MINUTES"
)


def listening_dsn(patient: Patient) -> Dsn:
    """Where the program listens."""
    dsn = patient.listen_dsn or patient.dsn
    assert dsn is not None, "the check dsn was needed"  # noqa: S101 - an invariant, not input
    return dsn


async def check_listen(patient: Patient) -> Check:
    """A notification sent to oneself arrives, on the connection string that the workers listen on."""
    dsn = listening_dsn(patient)
    started = time.perf_counter()
    async with Listener(dsn.conninfo, [PENDING_CHANNEL], lambda: None, proof_seconds=1.5) as listener:
        mode = await listener.settled()
    patient.hears = mode == "listen"
    if patient.hears:
        milliseconds = (time.perf_counter() - started) * 1000
        return sound(f"delivered on {dsn} within {milliseconds:.0f} ms of connecting")
    if patient.listen_dsn is not None:
        return broken(f"LISTEN_DATABASE_URL ({dsn}) cannot be used for LISTEN", POLL_ADVICE)
    return warning(f"LISTEN does not deliver on {dsn}: workers poll", POLL_ADVICE)


# The trigger of inserts fires once for each statement, whatever its rows: no row is touched. The one of updates fires
# for a row alone, and no row is put back into the queue to try it.
INSERT_NOTHING = """
    INSERT INTO domains (tenant_id, domain)
    SELECT tenant_id, domain
    FROM domains
    WHERE false
"""
SELECT_TRIGGERS = """
    SELECT tgname, tgenabled::text
    FROM pg_trigger
    WHERE tgrelid = to_regclass('domains') AND NOT tgisinternal
"""
EXPECTED_TRIGGERS = frozenset({"domains_pending_insert", "domains_pending_update"})
TRIGGER_ADVICE = (
    "rows that other programs write wait for the polling interval: "
    "ALTER TABLE domains ENABLE TRIGGER USER, or create it again as 0001_domain_queue.sql does"
)


async def check_notify_trigger(patient: Patient) -> Check:
    """Both triggers are there and enabled, and an insert notifies the workers; tried with one that touches no row."""
    found = dict(await patient.rows(SELECT_TRIGGERS))
    if missing := sorted(name for name in EXPECTED_TRIGGERS if found.get(name, "D") == "D"):
        return broken(f"the trigger {', '.join(missing)} is missing or disabled", TRIGGER_ADVICE)
    if not patient.hears:
        return sound("present and enabled; not tried, since nothing can be heard here")
    started = time.perf_counter()
    async with await psycopg.AsyncConnection.connect(listening_dsn(patient).conninfo, autocommit=True) as listener:
        await listener.execute(f"LISTEN {PENDING_CHANNEL}")
        async with patient.transaction() as conn:
            cur = await conn.execute("SELECT pg_backend_pid()")
            [(writer,)] = await cur.fetchall()
            await conn.execute(INSERT_NOTHING)
        if not await _heard(listener, writer):
            return broken(f"an insert sent no notification within {TRIGGER_SECONDS:g} s", TRIGGER_ADVICE)
    return sound(f"an insert notified within {(time.perf_counter() - started) * 1000:.0f} ms")


async def _heard(listener: psycopg.AsyncConnection[tuple[object, ...]], writer: int) -> bool:
    """Whether a notification of the process ``writer`` arrives; those of others do not count."""
    ends = asyncio.get_running_loop().time() + TRIGGER_SECONDS
    while (left := ends - asyncio.get_running_loop().time()) > 0:
        async for notification in listener.notifies(timeout=left, stop_after=1):
            if notification.pid == writer:
                return True
    return False
