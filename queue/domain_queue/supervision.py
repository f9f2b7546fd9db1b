"""Watches over running handlers: the lease they rely on, their time, and whether their rows are still theirs."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import psycopg
import structlog

from domain_queue.config import WorkerConfig
from domain_queue.in_flight import InFlight
from domain_queue.jobs import Job
from domain_queue.leases import Lease
from domain_queue.links import Link
from domain_queue.outcomes import write_progress
from domain_queue.slots import Slots
from domain_queue.stats import Counters
from domain_queue.wake import Notifier

log = structlog.get_logger("domain_queue")

WATCH_SECONDS = 0.25  # how soon a lapsed lease and a handler's timeout are noticed
PROGRESS_SECONDS = 1.0


class Supervision:
    """Two loops, ``watch`` without and ``follow`` with the database."""

    def __init__(
        self,
        config: WorkerConfig,
        link: Link,
        lease: Lease,
        in_flight: InFlight,
        counters: Counters,
        slots: Slots,
        notifier: Notifier,
    ) -> None:
        self.loop_lag_seconds = 0.0
        self._config = config
        self._link = link
        self._lease = lease
        self._in_flight = in_flight
        self._counters = counters
        self._slots = slots
        self._notifier = notifier
        self._identity: UUID | None = None
        self._look = asyncio.Event()

    def look_now(self) -> None:
        """Rows may have been cancelled."""
        self._look.set()

    def check_lease(self) -> None:
        """Stop handlers whose lease is gone, before another worker may take their rows."""
        worker_id = self._lease.worker_id
        if worker_id == self._identity:
            return
        if self._identity is not None and (stopped := self._in_flight.stop_others(worker_id, "lost")):
            log.warning("lease_lost", worker_id=str(self._identity), stopped=stopped)
        self._identity = worker_id

    async def watch(self) -> None:
        """Check the lease and the handlers' time, until cancelled."""
        while True:
            due = time.monotonic() + WATCH_SECONDS
            await asyncio.sleep(WATCH_SECONDS)
            self.loop_lag_seconds = max(0.0, time.monotonic() - due)
            self.check_lease()
            oldest = time.monotonic() - self._config.handler_timeout_seconds
            for job in self._in_flight.running_jobs():
                if job.started > oldest:
                    break  # jobs are held in the order of their start
                job.stop("timed_out")

    async def follow(self) -> None:
        """Write progress and find rows that are no longer held, once a second, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(PROGRESS_SECONDS):
                    await self._look.wait()
            except TimeoutError:
                pass
            all_of_them = self._look.is_set()
            self._look.clear()
            try:
                await self._follow_once(all_of_them)
                await self._slots.free_unfreed()
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._counters.database_errors += 1
                log.debug("progress_not_written", error=str(error).strip())

    async def _follow_once(self, all_of_them: bool) -> None:
        youngest = time.monotonic() - PROGRESS_SECONDS / 2
        jobs = [job for job in self._in_flight.running_jobs() if all_of_them or job.moved or job.started < youngest]
        if not jobs:
            return
        rows = [(job.claim, job.moved, job.progress, job.step) for job in jobs]
        any_moved = any(job.moved for job in jobs)
        for job in jobs:
            job.moved = False
        held = await write_progress(self._link, rows)
        if any_moved:
            self._notifier.notify()
        for job in jobs:
            if job.claim.seq not in held:
                self._stop_not_held(job)

    def _stop_not_held(self, job: Job) -> None:
        if job.is_running:
            log.info("job_no_longer_held", **job.log_fields())
            job.stop("cancelled")
