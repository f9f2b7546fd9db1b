"""The worker: claims by free slots, runs handlers, records outcomes, and notices when it may no longer.

Connections, each for one purpose so that none waits for another: claims, outcomes, errands (progress and slots), the
lease's in its own thread, the listener's and the notifier's. None is held while a handler runs.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import UUID, uuid4

import structlog

from domain_queue.backoff import retry_delay
from domain_queue.config import WorkerConfig
from domain_queue.ending import end_tasks
from domain_queue.errors import ClaimCancelled, Fail, LeaseLost, Retry
from domain_queue.execution import Execution
from domain_queue.in_flight import InFlight
from domain_queue.intake import Intake
from domain_queue.jobs import Batch, Handler, Job, OnEnded
from domain_queue.leases import Lease, Report
from domain_queue.links import Link
from domain_queue.models import Claim, Result
from domain_queue.outcomes import Failure, prepare_result
from domain_queue.recorder import Outcome, Recorder
from domain_queue.slots import Slots
from domain_queue.stats import Counters, WorkerStats
from domain_queue.supervision import Supervision
from domain_queue.wake import CANCELLED_CHANNEL, FINISHED_CHANNEL, PENDING_CHANNEL, Listener, Notifier

log = structlog.get_logger("domain_queue")

LISTENER_SECONDS = 5.0  # how long the first claim waits for the listener, which must not miss what it misses
ABANDON_SECONDS = 5.0  # how long a cancelled handler may take to leave at a stop
LAST_WRITES_SECONDS = 10.0  # how long a stopping worker tries to write its last outcomes
# Postgres wakes every session of the database that listens to anything, so what all workers send each second, all of
# them hear: it must not grow with their number. They share one notification in so many seconds.
FINISHED_NOTIFY_SECONDS = 0.05
LONGEST_NOTIFY_SECONDS = 2.0  # for whoever watches the one worker that is busy among many


class Worker:
    """Runs ``handler`` on claimed rows until told to stop. Made for one ``run``, inside an event loop."""

    def __init__(self, config: WorkerConfig, handler: Handler, *, on_ended: OnEnded | None = None) -> None:
        self.config = config
        self._on_ended = on_ended
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._counters = Counters()
        self._in_flight = InFlight()
        self._draining = False
        self._links = [self._link(purpose) for purpose in ("claims", "outcomes", "errands")]
        claim_link, outcome_link, errand_link = self._links
        self._slots = Slots(errand_link, rng=self._rng)
        self._execution = Execution(handler, self._settle)
        self._notifier = Notifier(config.conninfo, FINISHED_CHANNEL, interval=self._notify_interval)
        self._listener = Listener(
            config.listen_conninfo or config.conninfo,
            (PENDING_CHANNEL, CANCELLED_CHANNEL),
            self._on_wake,
            rng=self._rng,
        )
        self._recorder = Recorder(
            outcome_link,
            self._recorded,
            rows=config.flush_rows,
            gather_seconds=config.gather_seconds,
            watched=config.watched_metadata,
            is_last=lambda: self._in_flight.running == 0,
            rng=self._rng,
        )
        self._lease = self._make_lease()
        self._intake = Intake(
            config,
            claim_link,
            self._lease,
            self._in_flight,
            self._counters,
            begin=self._begin,
            backlog=lambda: self._recorder.backlog,
            rng=self._rng,
        )
        self._supervision = Supervision(
            config, errand_link, self._lease, self._in_flight, self._counters, self._slots, self._notifier
        )
        self._logs_jobs = log.is_enabled_for(logging.DEBUG)

    def _link(self, purpose: str) -> Link:
        return Link(
            self.config.conninfo,
            name=f"{self.config.name} {purpose}",
            statement_seconds=self.config.statement_seconds,
            prepare=self.config.prepared_statements,
        )

    def _make_lease(self) -> Lease:
        loop = asyncio.get_running_loop()

        def tell(what: str) -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody is left to be told
                loop.call_soon_threadsafe(getattr(self, what))

        config = self.config
        return Lease(
            config.conninfo,
            name=config.name,
            version=config.version,
            concurrency=config.concurrency,
            lease_seconds=config.lease_seconds,
            prepare=config.prepared_statements,
            report=self._report,
            on_change=lambda: tell("_on_lease_change"),
            on_clock_set_back=lambda: tell("_on_clock_set_back"),
        )

    @property
    def stats(self) -> WorkerStats:
        """What the worker is doing now; safe to read from any thread."""
        claimed_at = self._intake.claimed_at
        return WorkerStats(
            worker_id=self._lease.worker_id,
            counters=replace(self._counters),
            concurrency=self.config.concurrency,
            running=self._in_flight.running,
            unrecorded=self._recorder.backlog,
            wake_mode=self._listener.mode,
            wake_mode_seconds=self._listener.mode_seconds,
            listener_reconnects=self._listener.reconnects,
            workers_alive=self._lease.workers_alive,
            lease_age_seconds=self._lease.age_seconds,
            lease_seconds_left=self._lease.seconds_left,
            lease_losses=self._lease.losses,
            claim_age_seconds=None if claimed_at is None else time.monotonic() - claimed_at,
            claim_seconds=self._intake.claim_seconds,
            loop_lag_seconds=self._supervision.loop_lag_seconds,
            draining=self._draining,
        )

    def _notify_interval(self) -> float:
        return min(LONGEST_NOTIFY_SECONDS, FINISHED_NOTIFY_SECONDS * max(1, self._lease.workers_alive))

    def _report(self) -> Report:
        stats = self.stats
        document = asdict(stats.counters) | {
            "claim_seconds": round(stats.claim_seconds, 6),
            "loop_lag_seconds": round(stats.loop_lag_seconds, 6),
            "lease_losses": stats.lease_losses,
            "wake_mode_seconds": round(stats.wake_mode_seconds, 3),
        }
        return Report(in_flight=stats.in_flight, wake_mode=stats.wake_mode, draining=self._draining, stats=document)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then let running handlers finish, give back the rest, and sign off.

        Database errors end nothing: the worker waits for the database for as long as it takes. With ``drain`` it
        returns by itself when nothing is claimable.
        """
        async with self._services():
            stopper = asyncio.create_task(self._stop_intake_at(stop))
            try:
                await self._intake.run()
            finally:
                stopper.cancel()
            await self._drain()

    @asynccontextmanager
    async def _services(self) -> AsyncIterator[None]:
        self._lease.start()
        tasks = [
            asyncio.create_task(self._supervision.watch(), name="watch"),
            asyncio.create_task(self._supervision.follow(), name="follow"),
            asyncio.create_task(self._recorder.run(), name="recorder"),
        ]
        try:
            async with self._notifier, self._listener:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._listener.settled(), LISTENER_SECONDS)
                log.info("worker_started", name=self.config.name, wake_mode=self._listener.mode)
                yield
        finally:
            await end_tasks(tasks)
            await asyncio.to_thread(self._lease.stop)
            for link in self._links:
                await link.close()
            log.info("worker_stopped", name=self.config.name, **asdict(self._counters))

    async def _stop_intake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._intake.stop()

    async def _drain(self) -> None:
        """Let handlers finish, then cancel them, then give up waiting; what is not finished is given back."""
        self._draining = True
        await self._execution.wait(self.config.shutdown_seconds)
        for job in self._in_flight.running_jobs():
            job.stop("shutdown")
        await self._execution.wait(ABANDON_SECONDS)
        for job in list(self._in_flight.jobs.values()):
            if job.is_running:
                log.error("handler_abandoned", **job.log_fields())
                self._end(job, Outcome(job, "released", None))
        if not await self._recorder.flushed(LAST_WRITES_SECONDS):
            log.error("outcomes_lost", count=self._recorder.backlog)
        await self._slots.free_unfreed()

    def _on_wake(self) -> None:
        self._intake.wake()
        self._supervision.look_now()

    def _on_lease_change(self) -> None:
        self._supervision.check_lease()
        self._intake.make_room()

    def _on_clock_set_back(self) -> None:
        log.warning("database_clock_set_back")
        self._intake.heal_clock()

    def _begin(self, claims: list[Claim], worker_id: UUID) -> None:
        batch = Batch(
            uuid4().hex[:12],
            len(claims),
            worker_id=worker_id,
            slots=self._slots,
            started=time.monotonic(),
            claim_seconds=self._intake.claim_seconds,
        )
        jobs = [Job(claim, batch) for claim in claims]
        log.info("batch_started", batch=batch.id, found=batch.found)
        if self._logs_jobs:
            for job in jobs:
                log.debug("job_claimed", **job.log_fields())
        self._in_flight.begin(jobs)
        self._execution.start(jobs)

    def _settle(self, job: Job, result: Result | None, error: BaseException | None) -> None:
        if not job.is_running:
            return  # abandoned at a stop, and given back already
        self._end(job, self._judge(job, result, error))

    def _end(self, job: Job, outcome: Outcome | None) -> None:
        job.is_running = False
        self._in_flight.running -= 1
        self._intake.make_room()
        if outcome is not None:
            self._recorder.add(outcome)
            return
        self._counters.cancelled += 1
        self._in_flight.forget(job)
        if self._on_ended is not None:
            self._on_ended(job, "cancelled", False)
        self._close(job)

    def _judge(self, job: Job, result: Result | None, error: BaseException | None) -> Outcome | None:
        """What is to be written; None if nothing may be."""
        if error is None and job.verdict != "cancelled":
            return self._success(job, result)
        if job.verdict == "cancelled" or isinstance(error, (LeaseLost, ClaimCancelled)):
            return None
        if isinstance(error, Fail):
            return Outcome(job, "failed", Failure(error.code, error.message, final=True))
        if isinstance(error, Retry):
            return self._failure(job, error.code, error.message, error.after)
        if isinstance(error, asyncio.CancelledError) and job.verdict is not None:
            if job.verdict == "timed_out":
                self._counters.timed_out += 1
                seconds = self.config.handler_timeout_seconds
                return self._failure(job, "timed_out", f"The scan took longer than {seconds:g} seconds.", None)
            return Outcome(job, "released", None)
        log.error("handler_broke", **job.log_fields(), exc_info=error)
        return self._failure(job, "internal_error", f"{type(error).__name__}: {error}", None)

    def _success(self, job: Job, result: Result | None) -> Outcome:
        if result is None:
            return Outcome(job, "completed", None)
        try:
            return Outcome(job, "completed", prepare_result(job.claim, result))
        except (ValueError, TypeError, RecursionError) as error:
            log.exception("result_unstorable", **job.log_fields())
            failure = Failure("unstorable_result", f"The result cannot be stored: {error}", final=True)
            return Outcome(job, "failed", failure)

    def _failure(self, job: Job, code: str, message: str, after: timedelta | None) -> Outcome:
        claim = job.claim
        if claim.attempt >= claim.max_attempts:
            return Outcome(job, "failed", Failure(code, message, final=True))
        delay = retry_delay(
            claim.attempt,
            base=timedelta(seconds=self.config.backoff_base_seconds),
            cap=timedelta(seconds=self.config.backoff_cap_seconds),
            rng=self._rng,
            at_least=after,
        )
        failure = Failure(code, message, final=False, delay_seconds=delay.total_seconds())
        return Outcome(job, "retried", failure)

    def _recorded(self, outcomes: list[Outcome], taken: set[int]) -> None:
        for outcome in outcomes:
            job = outcome.job
            self._in_flight.forget(job)
            if job.claim.seq in taken:
                self._count(outcome)
            else:
                self._counters.late_writes += 1
                log.warning("late_write_rejected", ending=outcome.ending, **job.log_fields())
            if self._on_ended is not None:
                self._on_ended(job, outcome.ending, job.claim.seq in taken)
            self._close(job)
        self._intake.make_room()
        self._notifier.notify()

    def _count(self, outcome: Outcome) -> None:
        job, ending = outcome.job, outcome.ending
        if ending == "completed":
            self._counters.completed += 1
            job.batch.successful += 1
            if self._logs_jobs:
                log.debug("job_completed", **job.log_fields())
        elif ending == "released":
            self._counters.released += 1
            log.info("job_released", **job.log_fields())
        elif isinstance(outcome.value, Failure):
            job.batch.failed += 1
            final = ending == "failed"
            self._counters.failed += final
            self._counters.retried += not final
            write = log.warning if final else log.info
            write(f"job_{ending}", code=outcome.value.code, message=outcome.value.message, **job.log_fields())

    def _close(self, job: Job) -> None:
        """Count ``job`` as dealt with, and its batch as finished when it was the last."""
        batch = job.batch
        batch.open -= 1
        if not batch.open:
            log.info(
                "batch_finished",
                batch=batch.id,
                found=batch.found,
                processed=batch.successful + batch.failed,
                successful=batch.successful,
                failed=batch.failed,
                duration_ms=_since(batch.started),
            )


def _since(started: float) -> int:
    return round(1000 * (time.monotonic() - started))
