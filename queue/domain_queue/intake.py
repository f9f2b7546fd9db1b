"""The claim loop: fills free slots, sweeps for the others, and sleeps until there is something to do.

A wake-up is a hint. What is certain is the look an idle worker takes every few seconds: one probe for each lane
tells it when the next row is due, and it sleeps until then.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from uuid import UUID

import psycopg
import structlog

from domain_queue.claims import NIL, claim, claim_lane
from domain_queue.config import WorkerConfig
from domain_queue.in_flight import InFlight
from domain_queue.lanes import Watermarks
from domain_queue.leases import Lease
from domain_queue.links import Link, reconnect_delay
from domain_queue.models import Claim
from domain_queue.outcomes import release, release_unknown
from domain_queue.stats import Counters
from domain_queue.sweep import LeaseWatch, find_silent, heal_clock, seconds_until_due, sweep_lost, sweep_rescans, tidy

log = structlog.get_logger("domain_queue")

SWEEP_SECONDS = 1.0  # between two sweeps while there is work
IDLE_SECONDS = 6.0  # between two sweeps and looks while there is none
TIDY_SECONDS = 60.0
ROOM_SECONDS = 0.01  # how long a few free slots wait to become more
HEAL_ROWS = 1000


class Intake:
    """Claims rows and hands them to ``begin``, as long as there is room and a lease."""

    def __init__(
        self,
        config: WorkerConfig,
        link: Link,
        lease: Lease,
        in_flight: InFlight,
        counters: Counters,
        *,
        begin: Callable[[list[Claim], UUID], None],
        backlog: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self.claimed_at: float | None = None  #: when the database last answered
        self.claim_seconds = 0.0
        self._config = config
        self._link = link
        self._lease = lease
        self._in_flight = in_flight
        self._counters = counters
        self._begin = begin
        self._backlog = backlog
        self._rng = rng
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = False
        self._watermarks = Watermarks()
        self._lease_watch = LeaseWatch()
        self._served_last = NIL
        self._silent: list[UUID] = []
        self._was_full_range = False
        self._was_woken = False
        self._may_be_one_lane = True
        self._uncertain = False  # a worker that begins holds nothing, known or unknown
        self._clock_was_set_back = True
        self._sweep_at = self._tidy_at = time.monotonic() + SWEEP_SECONDS
        self._has_swept = False
        self._reconcile_at = time.monotonic() + config.lease_seconds
        self._backlog_limit = max(2 * config.flush_rows, config.concurrency)

    def wake(self) -> None:
        """There may be work."""
        self._work.set()

    def make_room(self) -> None:
        """A slot may be free, or there may be a lease."""
        self._room.set()
        if self._config.drain and not self._in_flight.jobs:
            self._work.set()  # nothing else would tell the wait for the last outcome

    def heal_clock(self) -> None:
        """The database's clock was set back."""
        self._clock_was_set_back = True
        self._work.set()

    def stop(self) -> None:
        """Claim no more."""
        self._stopping = True
        self._work.set()
        self._room.set()

    async def run(self) -> None:
        """Until stopped; with ``drain``, until nothing is claimable and nothing is in flight."""
        failures = 0
        while not self._stopping:
            try:
                if await self._turn():
                    return
                failures = 0
            except (psycopg.Error, OSError, TimeoutError) as error:
                failures += 1
                self._uncertain = True
                self._counters.database_errors += 1
                if failures in (1, 10):
                    log.warning("claim_failed", failures=failures, error=str(error).strip())
                await self._sleep(self._room, reconnect_delay(failures, self._rng))

    async def _turn(self) -> bool:
        """One claim, or one wait for what stands in its way; whether the queue is drained."""
        worker_id = self._lease.worker_id
        if worker_id is None or self._room_left() <= 0:
            await self._sleep(self._room, 1.0)
            return False
        await self._wait_for_more_room()
        if (limit := self._room_left()) <= 0:
            return False
        # The claim comes first: whoever has just submitted waits for it, and for nothing that is done for all.
        claimed = await self._claim(worker_id, limit)
        if claimed < limit and not self._has_swept:  # at the start, behind the first claims of a deep queue
            self._sweep_at = self._tidy_at = 0.0
            self._has_swept = True
        found = await self._upkeep(worker_id)
        if claimed or found or not self._was_full_range:  # nothing above the watermarks: look from the beginning
            return False
        return await self._idle(worker_id)

    def _room_left(self) -> int:
        if self._backlog() >= self._backlog_limit:
            return 0
        free = self._config.concurrency - self._in_flight.running
        return free if self._config.batch_size is None else min(free, self._config.batch_size)

    async def _wait_for_more_room(self) -> None:
        """While the queue is deep, claiming every slot as it becomes free would be a statement for each row."""
        wanted = min(self._config.batch_size or self._config.concurrency, max(1, self._config.concurrency // 8))
        if 0 < self._room_left() < wanted:
            await self._sleep(self._room, ROOM_SECONDS)

    async def _claim(self, worker_id: UUID, limit: int) -> int:
        """How many rows were claimed."""
        started = time.monotonic()
        claims = await self._ask(worker_id, limit)
        self.claimed_at = time.monotonic()
        self.claim_seconds = self.claimed_at - started
        self._counters.claim_calls += 1
        self._counters.claimed += len(claims)
        self._watermarks.learn(claims, asked=limit, was_full_range=self._was_full_range, seconds=self.claim_seconds)
        if not claims:
            return 0
        tenants = {row.tenant_id.int: row.tenant_id for row in claims}  # an int is hashed faster, and this is each row
        self._served_last = _last_in_turn(tenants.values(), self._served_last)
        if self._lease.worker_id != worker_id:  # the lease was lost on the way
            await release(self._link, claims)
        else:
            self._begin(claims, worker_id)
            if len(claims) < limit:  # the queue is not deep: let the handlers start before more is asked for
                await asyncio.sleep(0)
        return len(claims)

    async def _ask(self, worker_id: UUID, limit: int) -> list[Claim]:
        """Rows from above the watermarks, or from anywhere; first from the only lane that is known."""
        positions = self._watermarks.choose()
        only = self._watermarks.only_lane() if self._was_woken or (positions and self._may_be_one_lane) else None
        self._was_woken = self._was_full_range = False
        if only is not None:
            lane, position = only
            found = await claim_lane(self._link, worker_id=worker_id, limit=limit, lane=lane, position=position)
            self._may_be_one_lane = bool(found)
            if found:
                return found
        if not positions:
            self._was_full_range = True
            self._may_be_one_lane = True  # asked again once in a while: what was elsewhere may be gone
        return await claim(
            self._link, worker_id=worker_id, limit=limit, watermarks=positions, served_last=self._served_last
        )

    async def _idle(self, worker_id: UUID) -> bool:
        """Nothing is due: sleep until something is, or somebody says so; whether the queue is drained."""
        while not self._stopping:
            due_in = await seconds_until_due(self._link)
            self.claimed_at = time.monotonic()
            if due_in is not None and due_in <= 0:  # it appeared just now, or another worker is at it
                await self._sleep(self._work, self._rng.uniform(0.01, 0.05))
                return False
            if self._config.drain and not self._in_flight.jobs:
                return True
            if await self._sleep(self._work, self._idle_seconds(due_in)):
                self._was_woken = True
                await self._stand_back()
                return False
            if due_in is not None and due_in <= IDLE_SECONDS:
                return False
            if self._lease.worker_id != worker_id or await self._upkeep(worker_id):
                return False
        return False

    def _idle_seconds(self, due_in: float | None) -> float:
        longest = 0.02 if self._config.drain else min(IDLE_SECONDS, self._config.poll_seconds)
        jittered = longest * self._rng.uniform(0.9, 1.1)
        return jittered if due_in is None else min(jittered, due_in + self._rng.uniform(0.0, 0.01))

    async def _stand_back(self) -> None:
        """All workers hear one notification: the more there are, the less all of them should ask at once."""
        others = self._lease.workers_alive - 1
        if others > 0:
            await asyncio.sleep(self._rng.uniform(0, min(0.02, 0.0005 * others)))

    async def _upkeep(self, worker_id: UUID) -> bool:
        """What is due of the work done for all; whether there may be rows to claim now."""
        now = time.monotonic()
        found = False
        if self._clock_was_set_back:
            self._clock_was_set_back = await heal_clock(self._link, limit=HEAL_ROWS) >= HEAL_ROWS
            found = True
        if self._uncertain or now >= self._reconcile_at:
            await self._reconcile(worker_id)
        if now >= self._tidy_at:
            self._silent = await find_silent(self._link, self._lease_watch)
            await tidy(self._link, self._silent)
            soon = min(TIDY_SECONDS, self._config.lease_seconds) if self._lease_watch.suspects else TIDY_SECONDS
            self._tidy_at = now + soon * self._rng.uniform(0.9, 1.1)
        if now >= self._sweep_at:
            found = await self._sweep(worker_id) or found
            self._sweep_at = time.monotonic() + SWEEP_SECONDS * self._rng.uniform(0.9, 1.1)
        return found

    async def _sweep(self, worker_id: UUID) -> bool:
        lost = await sweep_lost(
            self._link,
            limit=self._config.sweep_rows,
            silent=self._silent,
            base_seconds=self._config.backoff_base_seconds,
            cap_seconds=self._config.backoff_cap_seconds,
            sweeper=worker_id,
        )
        for row in lost:
            log.warning(
                "lease_expired",
                worker_id=str(row.worker_id),
                job_id=str(row.id),
                tenant_id=str(row.tenant_id),
                domain=row.domain,
                attempt=row.attempt,
                duration_ms=row.held_ms,
                final=row.final,
            )
        rescans = await sweep_rescans(self._link, limit=self._config.sweep_rows)
        self._counters.swept += len(lost)
        self._counters.rescans += rescans
        return bool(lost or rescans)

    async def _reconcile(self, worker_id: UUID) -> None:
        """Give back rows that a claim took whose answer never came.

        The server may execute such a claim after the link broke, so one look is not enough: it is repeated for as
        long as the lease keeps others away from those rows.
        """
        known = [job.claim.id for job in self._in_flight.jobs.values()]
        given_back = await release_unknown(self._link, worker_id=worker_id, known=known, limit=self._config.sweep_rows)
        if given_back:
            log.warning("unknown_claims_released", count=given_back)
            self._counters.released += given_back
        self._uncertain = given_back >= self._config.sweep_rows
        self._reconcile_at = time.monotonic() + self._config.lease_seconds * self._rng.uniform(0.9, 1.1)

    async def _sleep(self, event: asyncio.Event, seconds: float) -> bool:
        """Until ``event`` is set, at most for ``seconds``; whether it was set."""
        if self._stopping:
            return True
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, event.set)
        await event.wait()
        event.clear()
        timer.cancel()
        return loop.time() < timer.when()


def _last_in_turn(tenants: Iterable[UUID], served_last: UUID) -> UUID:
    """Of those that were served: the last in the order of the claim, from below ``served_last`` down and around."""
    return max(tenants, key=lambda tenant_id: (tenant_id >= served_last, -tenant_id.int))
