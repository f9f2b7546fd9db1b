"""The worker's lease: one row, renewed by a thread of its own over a connection of its own.

A handler that blocks the event loop therefore does not lose the lease, and one write in each interval keeps any number
of claims. The lease is counted here from the moment the renewal was *sent*, and ends a margin before the database's
reckoning does: whoever relies on it has stopped before another worker can start.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg.types.json import Jsonb

from domain_queue.links import TRANSIENT, link_conninfo, reconnect_delay, shut_down
from domain_queue.preparing import FORGOTTEN, Preparing, name_apart

log = structlog.get_logger("domain_queue")

REGISTER = """
    WITH setting AS MATERIALIZED (
        SELECT set_config('synchronous_commit', 'off', true)
    )
    INSERT INTO workers (
        id, name, version, concurrency, started_at, renewed_at, lease_expires_at, lease_seconds, in_flight, wake_mode,
        draining, stats
    )
    SELECT
        %(id)s, %(name)s, %(version)s, %(concurrency)s, now(), now(), now() + make_interval(secs => %(lease_seconds)s),
        %(lease_seconds)s, %(in_flight)s, %(wake_mode)s, %(draining)s, %(stats)s
    FROM setting
    RETURNING now(), (SELECT count(*) FROM workers WHERE lease_expires_at > now()) + 1
"""

# A lease that ran out is not renewed: its rows may be another worker's by now.
RENEW = """
    WITH setting AS MATERIALIZED (
        SELECT set_config('synchronous_commit', 'off', true)
    )
    UPDATE workers
    SET renewed_at       = now(),
        lease_expires_at = now() + make_interval(secs => %(lease_seconds)s),
        in_flight        = %(in_flight)s,
        wake_mode        = %(wake_mode)s,
        draining         = %(draining)s,
        stats            = %(stats)s
    FROM setting
    WHERE id = %(id)s AND lease_expires_at > now()
    RETURNING now(), (SELECT count(*) FROM workers WHERE lease_expires_at > now())
"""

END = """
    UPDATE workers
    SET lease_expires_at = now(),
        stopped_at       = now(),
        in_flight        = 0,
        wake_mode        = %(wake_mode)s,
        draining         = true,
        stats            = %(stats)s
    WHERE id = %(id)s
"""


def steady_clock() -> float:
    """Seconds that pass also while the machine sleeps, where the system can tell; never set back."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the worker's row says besides the lease."""

    in_flight: int
    wake_mode: str
    draining: bool
    stats: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A lease: replaced as a whole, so that the event loop never reads half of it."""

    worker_id: UUID
    valid_until: float
    renewed_at: float


class Lease:
    """Registers the worker, renews, and takes a new id when the lease could not be kept.

    ``on_change`` is called in the lease's thread after each registration, and when the lease was found to be lost.
    ``on_clock_set_back`` is called there when the database's clock went back by more than a second.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        name: str,
        version: str,
        concurrency: int,
        lease_seconds: float,
        prepare: bool,
        report: Callable[[], Report],
        on_change: Callable[[], None],
        on_clock_set_back: Callable[[], None],
    ) -> None:
        self.workers_alive = 1
        self.losses = 0
        self._conninfo = link_conninfo(conninfo, application_name=f"{name} lease", connect_timeout=2)
        self._identity = {"name": name, "version": version, "concurrency": concurrency, "lease_seconds": lease_seconds}
        self._lease_seconds = lease_seconds
        self._interval_seconds = lease_seconds / 4
        self._margin_seconds = min(5.0, lease_seconds / 5)
        self._statement_seconds = max(1.0, min(10.0, lease_seconds / 4))
        self._preparing = Preparing(self._conninfo, wanted=prepare)
        self._report = report
        self._on_change = on_change
        self._on_clock_set_back = on_clock_set_back
        self._held: _Held | None = None
        self._conn: psycopg.Connection[tuple[Any, ...]] | None = None
        self._database_clock: tuple[datetime, float] | None = None
        self._stopping = threading.Event()
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Start the thread; ``on_change`` tells when there is a lease."""
        self._thread.start()

    def stop(self) -> None:
        """End the lease in the database, if that answers soon, and the thread. Blocks for at most a few seconds."""
        self._stopping.set()
        self._thread.join(timeout=self._statement_seconds + 3)
        if self._thread.is_alive() and self._conn is not None:
            shut_down(self._conn)
            self._thread.join(timeout=1)

    @property
    def worker_id(self) -> UUID | None:
        """The id under which claims may be made now; None while there is no lease."""
        held = self._held
        return held.worker_id if held is not None and steady_clock() < held.valid_until else None

    @property
    def seconds_left(self) -> float:
        """For how long claims may still be worked on; 0 or less if no longer."""
        held = self._held
        return 0.0 if held is None else held.valid_until - steady_clock()

    @property
    def age_seconds(self) -> float | None:
        """Since when the lease was last renewed; None before the first time."""
        held = self._held
        return None if held is None else steady_clock() - held.renewed_at

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._keep()
            except (*TRANSIENT, psycopg.Error) as error:
                failures += 1
                self._close()
                if failures in (1, 10):
                    log.warning("lease_renewal_failed", failures=failures, error=str(error).strip())
                wait = min(reconnect_delay(failures, self._rng), self._lease_seconds / 6)
            else:
                failures = 0
                wait = self._interval_seconds * self._rng.uniform(0.9, 1.0)
            self._stopping.wait(wait)
        self._end()

    def _keep(self) -> None:
        held = self._held
        if held is not None and steady_clock() < held.valid_until:
            sent = steady_clock()
            if rows := self._execute(RENEW, self._params(held.worker_id)):
                self._hold(held.worker_id, sent, rows[0])
                return
        if held is not None:
            self.losses += 1
            self._held = None
            self._on_change()
        worker_id = uuid4()
        sent = steady_clock()
        [row] = self._execute(REGISTER, self._params(worker_id))
        self._hold(worker_id, sent, row)
        self._on_change()

    def _hold(self, worker_id: UUID, sent: float, row: tuple[Any, ...]) -> None:
        database_now, self.workers_alive = row
        valid_until = sent + self._lease_seconds - self._margin_seconds
        self._held = _Held(worker_id=worker_id, valid_until=valid_until, renewed_at=sent)
        received = steady_clock()
        if self._database_clock is not None:
            earlier, earlier_sent = self._database_clock
            # Counted from sending then to sending now, at most: a slow answer must not look like a clock set back.
            if (database_now - earlier).total_seconds() < sent - earlier_sent - 1.0 - (received - sent):
                self._on_clock_set_back()
        self._database_clock = (database_now, received)

    def _params(self, worker_id: UUID) -> dict[str, object]:
        report = self._report()
        return {
            **self._identity,
            "id": worker_id,
            "in_flight": report.in_flight,
            "wake_mode": report.wake_mode,
            "draining": report.draining,
            "stats": Jsonb(dict(report.stats)),
        }

    def _execute(self, query: str, params: dict[str, object]) -> list[tuple[Any, ...]]:
        try:
            return self._execute_once(query, params)
        except FORGOTTEN as error:
            self._preparing.give_up(error)
            return self._execute_once(query, params)

    def _execute_once(self, query: str, params: dict[str, object]) -> list[tuple[Any, ...]]:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=self._preparing.threshold)
            name_apart(self._conn)
        timer = threading.Timer(self._statement_seconds, shut_down, (self._conn,))
        timer.daemon = True
        timer.start()
        try:
            cur = self._conn.execute(query.encode(), params, prepare=None if self._preparing.is_on else False)
            return cur.fetchall() if cur.description is not None else []
        finally:
            timer.cancel()

    def _end(self) -> None:
        if self._held is not None:
            with suppress(*TRANSIENT, psycopg.Error):
                self._execute(END, self._params(self._held.worker_id))
        self._held = None
        self._close()

    def _close(self) -> None:
        if self._conn is not None:
            with suppress(psycopg.Error, OSError):
                self._conn.close()
            self._conn = None
