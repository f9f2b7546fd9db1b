"""Checks of the queue: who works, what waits and why, what is stuck, and one row through all of it and out again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from app.doctor.models import Check, broken, sound, warning
from app.doctor.patient import Connection, Patient
from domain_queue import OldestPending, WorkerAlive, oldest_pending, workers_alive

START_A_WORKER = "run: worker run"
#: A due row that waited longer, while workers have free places, is a finding.
WAIT_WARNING_SECONDS = 120.0
#: Web processes look every five seconds; a call may take them fifteen.
CALLBACK_WARNING_SECONDS = 60.0


async def check_workers(patient: Patient) -> Check:
    """At least one worker's lease runs."""
    async with patient.transaction() as conn:
        workers = await workers_alive(conn)
        [(gone, last)] = await (await conn.execute(SELECT_GONE)).fetchall()
    return judge_workers(workers, gone, last)


SELECT_GONE = """
    SELECT
        count(*) FILTER (WHERE stopped_at IS NULL),
        extract(epoch FROM now() - max(coalesce(stopped_at, lease_expires_at)))::float
    FROM workers
    WHERE lease_expires_at <= now()
"""


def judge_workers(workers: list[WorkerAlive], gone: int = 0, last_seconds: float | None = None) -> Check:
    """What the living workers, and those whose lease ran out unasked, say."""
    if not workers:
        past = "" if last_seconds is None else f"; the last one ended {_duration(last_seconds)} ago"
        return broken(f"none alive{past}", START_A_WORKER)
    places = sum(worker.concurrency for worker in workers)
    busy = sum(worker.in_flight for worker in workers)
    modes = sorted({worker.wake_mode for worker in workers})
    oldest_renewal = min(workers, key=lambda worker: worker.renewed_at)
    left = (oldest_renewal.lease_expires_at - oldest_renewal.renewed_at).total_seconds()
    seen = (
        f"{len(workers)} alive, {busy} of {places} places busy, wake-up by {', '.join(modes)}, leases of {left:.0f} s"
    )
    if all(worker.draining for worker in workers):
        return broken(f"{seen}; every one is draining and claims nothing", START_A_WORKER)
    if len(versions := sorted({worker.version for worker in workers})) > 1:
        return warning(
            f"{seen}; versions {', '.join(versions)}", "finish the upgrade: two versions work together for its time"
        )
    if gone:
        return warning(
            f"{seen}; {gone} ended without a word within the last day",
            "look for kills by memory limits; their rows were taken over when the lease ran out",
        )
    return sound(seen)


SELECT_WAITING = """
    SELECT
        count(*) FILTER (WHERE available_at <= now()),
        count(*) FILTER (WHERE available_at > now()),
        extract(epoch FROM min(available_at) FILTER (WHERE available_at > now()) - now())::float,
        count(DISTINCT tenant_id) FILTER (WHERE available_at <= now())
    FROM (
        SELECT available_at, tenant_id
        FROM domains
        WHERE status = 'pending'
        LIMIT 100001
    ) AS waiting
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The pending rows, counted up to 100,001."""

    due: int
    later: int  #: not due yet: they wait for a retry
    next_seconds: float | None
    tenants: int  #: with due rows; they take turns


async def check_oldest_pending(patient: Patient) -> Check:
    """What has been due for longest, and the reason why it still waits."""
    async with patient.transaction() as conn:
        oldest, workers = await oldest_pending(conn), await workers_alive(conn)
        [row] = await (await conn.execute(SELECT_WAITING)).fetchall()
    return judge_waiting(oldest, workers, Waiting(due=row[0], later=row[1], next_seconds=row[2], tenants=row[3]))


def judge_waiting(oldest: OldestPending | None, workers: list[WorkerAlive], waiting: Waiting) -> Check:
    """The reason why the oldest due row waits."""
    if oldest is None and not waiting.later:
        return sound("nothing is waiting")
    if oldest is None:
        return sound(
            f"none is due; {waiting.later:,} wait for their time, the next in {_duration(waiting.next_seconds or 0)}"
        )
    seen = f"{waiting.due:,} due, {oldest.domain} for {_duration(oldest.age_seconds)}"
    active = [worker for worker in workers if not worker.draining]
    if not active:
        return broken(f"{seen}: no worker is alive to claim it", START_A_WORKER)
    if all(worker.in_flight >= worker.concurrency for worker in active):
        turn = f", and {waiting.tenants} tenants take turns" if waiting.tenants > 1 else ""
        return _late(
            oldest,
            f"{seen}: every place of every worker is busy{turn}",
            "start more workers, or raise WORKER_CONCURRENCY",
        )
    if waiting.tenants > 1 and waiting.due > 1:
        return _late(oldest, f"{seen}: {waiting.tenants} tenants take turns", "start more workers")
    if all(worker.wake_mode == "poll" for worker in active):
        return _late(
            oldest,
            f"{seen}: the workers poll, and look again within their interval",
            "set LISTEN_DATABASE_URL to a direct or session-mode connection",
        )
    return _late(
        oldest,
        f"{seen}: a worker has places free and is about to claim",
        "look at the worker's log: it may have lost the database",
    )


def _late(oldest: OldestPending, seen: str, advice: str) -> Check:
    return warning(seen, advice) if oldest.age_seconds > WAIT_WARNING_SECONDS else sound(seen)


SELECT_STUCK = """
    SELECT
        count(*) FILTER (WHERE w.lease_expires_at > now()),
        count(*) FILTER (WHERE w.id IS NULL OR w.lease_expires_at <= now()),
        (array_agg(d.domain ORDER BY d.claimed_at) FILTER (WHERE w.id IS NULL OR w.lease_expires_at <= now()))[1],
        extract(epoch FROM now() - min(coalesce(w.lease_expires_at, d.claimed_at, d.updated_at))
            FILTER (WHERE w.id IS NULL OR w.lease_expires_at <= now()))::float,
        extract(epoch FROM now() - min(d.claimed_at) FILTER (WHERE w.lease_expires_at > now()))::float
    FROM domains AS d
    LEFT JOIN workers AS w ON w.id = d.worker_id
    WHERE d.status = 'processing'
"""


async def check_stuck_rows(patient: Patient) -> Check:
    """No row is in processing whose worker's lease is out; a living worker takes such rows back by itself."""
    [(held, stuck, domain, out_seconds, longest)] = await patient.rows(SELECT_STUCK)
    async with patient.transaction() as conn:
        workers = [worker for worker in await workers_alive(conn) if not worker.draining]
    if not stuck:
        running = "" if longest is None else f", the longest for {_duration(longest)}"
        return sound(f"none; {held:,} in processing{running}, each held by a living worker" if held else "none")
    seen = f"{stuck:,} in processing whose worker is gone, {domain} since {_duration(out_seconds or 0)}"
    if not workers:
        return broken(f"{seen}; no worker is alive to take them back", START_A_WORKER)
    return warning(
        f"{seen}; the living workers are taking them back", "nothing to do, unless it is still so in a minute"
    )


# What has been due, and what nobody has even marked as due although its domain or its whole batch has ended.
SELECT_CALLBACKS = """
    SELECT count(*), extract(epoch FROM now() - min(since))::float
    FROM (
        SELECT available_at AS since
        FROM webhook_deliveries
        WHERE state = 'due' AND available_at <= now()
        UNION ALL
        SELECT d.updated_at
        FROM webhook_deliveries AS w
        JOIN domains AS d ON d.id = w.domain_id
        WHERE w.state = 'waiting' AND d.status NOT IN ('pending', 'processing')
        UNION ALL
        SELECT last.updated_at
        FROM webhook_deliveries AS w
        CROSS JOIN LATERAL (
            SELECT max(d.updated_at) AS updated_at
            FROM batch_items AS i
            JOIN domains AS d ON d.id = i.domain_id
            WHERE i.batch_id = w.batch_id
            HAVING bool_and(d.status NOT IN ('pending', 'processing'))
        ) AS last
        WHERE w.state = 'waiting' AND w.batch_id IS NOT NULL
    ) AS owed
"""


async def check_callbacks(patient: Patient) -> Check:
    """Callbacks whose work has ended are sent: by web processes, and by nothing else."""
    [(count, seconds)] = await patient.rows(SELECT_CALLBACKS)
    if not count:
        return sound("none is to be sent")
    seen = f"{count} to be sent, the first since {_duration(seconds)}"
    if seconds > CALLBACK_WARNING_SECONDS:
        return broken(
            f"{seen}, and nobody sends them",
            "run: scrapersky web; web processes send callbacks, workers do not. One that runs logs webhooks_paused if "
            "it cannot",
        )
    return sound(seen)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


PROBE_TENANT = UUID("d0c70400-0000-4000-8000-000000000000")
PROBE_TENANT_NAME = "doctor-probe"

INSERT_TENANT = """
    INSERT INTO tenants (id, name)
    VALUES (%(tenant_id)s, %(name)s)
    ON CONFLICT DO NOTHING
"""
# A name that cannot be public: a worker claims the row, refuses it without a look at the network, and records
# that. One attempt, first in its own tenant's turn.
INSERT_PROBE = """
    INSERT INTO domains (id, tenant_id, domain, status, priority, max_attempts, submitted_by)
    VALUES (%(id)s, %(tenant_id)s, %(domain)s, 'pending', 0, 1, 'doctor')
    RETURNING seq
"""
SELECT_PROBE = """
    SELECT status::text, error_code, extract(epoch FROM started_at - submitted_at)::float
    FROM domains
    WHERE id = %(id)s
"""
# Also what an earlier probe left that was killed half way.
DELETE_PROBES = """
    DELETE FROM domains
    WHERE tenant_id = %(tenant_id)s AND (id = %(id)s OR created_at < now() - interval '1 minute')
"""
DELETE_TENANT = """
    DELETE FROM tenants
    WHERE id = %(tenant_id)s AND NOT EXISTS (SELECT FROM domains WHERE tenant_id = %(tenant_id)s)
"""


async def check_round_trip(patient: Patient) -> Check:
    """A row of a tenant of its own is claimed and ended by a running worker, and removed again."""
    job_id = uuid4()
    params = {
        "id": job_id,
        "tenant_id": PROBE_TENANT,
        "name": PROBE_TENANT_NAME,
        "domain": f"doctor-{job_id.hex[:12]}.invalid",
    }
    started = time.perf_counter()
    try:
        await patient.rows(INSERT_TENANT, params)
        await patient.rows(INSERT_PROBE, params)
        status, code, waited = await _follow(patient, job_id)
    finally:
        await asyncio.shield(_remove(patient, params))
    milliseconds = (time.perf_counter() - started) * 1000
    if status in ("completed", "error") and code not in ("worker_lost", "internal_error"):
        return sound(
            f"inserted, claimed after {(waited or 0) * 1000:.0f} ms, ended and removed, {milliseconds:.0f} ms in all"
        )
    if status == "pending":
        return await _unclaimed(patient)
    return broken(
        f"the probe was {status} ({code or 'no code'}) after {patient.probe_seconds:g} s",
        "look at the worker's log: it claims, and does not finish",
    )


async def _follow(patient: Patient, job_id: UUID) -> tuple[str, str | None, float | None]:
    ends = time.monotonic() + patient.probe_seconds
    pause = 0.005
    while True:
        found = await patient.rows(SELECT_PROBE, {"id": job_id})
        if not found:
            return "removed by somebody", None, None
        [(status, code, waited)] = found
        if status not in ("pending", "processing") or time.monotonic() > ends:
            return status, code, waited
        await asyncio.sleep(pause)
        pause = min(0.1, pause * 1.5)


async def _unclaimed(patient: Patient) -> Check:
    async with patient.transaction() as conn:
        workers = [worker for worker in await workers_alive(conn) if not worker.draining]
    seen = f"the probe was not claimed within {patient.probe_seconds:g} s"
    if all(worker.in_flight >= worker.concurrency for worker in workers):
        return warning(
            f"{seen}: every place of every worker is busy", "start more workers, or raise WORKER_CONCURRENCY"
        )
    if all(worker.wake_mode == "poll" for worker in workers):
        return warning(
            f"{seen}: the workers poll, and look within DOMAIN_PROCESSING_INTERVAL_MINUTES", "see the check listen"
        )
    return broken(
        f"{seen}, although a worker has places free", "look at the worker's log, and at the check notify_trigger"
    )


async def _remove(patient: Patient, params: dict[str, object]) -> None:
    async with patient.transaction() as conn:
        await _delete(conn, params)


async def _delete(conn: Connection, params: dict[str, object]) -> None:
    await conn.execute(DELETE_PROBES, params)
    await conn.execute(DELETE_TENANT, params)
