"""What a worker knows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain_queue.wake import WakeMode


@dataclass(slots=True)
class Counters:
    """Counted since the worker started; they only rise."""

    claim_calls: int = 0  #: claim statements that succeeded
    claimed: int = 0
    completed: int = 0
    failed: int = 0  #: ended in ``error``
    retried: int = 0
    released: int = 0  #: given back unfinished, with their attempt
    cancelled: int = 0  #: handlers stopped because their row was cancelled or is no longer held
    timed_out: int = 0
    late_writes: int = 0  #: outcomes the database refused, because the claim was no longer this worker's
    swept: int = 0  #: rows taken back from workers whose lease ran out
    rescans: int = 0  #: completed rows that this worker made due again
    database_errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """A snapshot; seconds are ages, so no clock has to be shared with the reader."""

    worker_id: UUID | None  #: None while there is no lease
    counters: Counters
    concurrency: int
    running: int  #: handlers that run now
    unrecorded: int  #: outcomes not yet written
    wake_mode: WakeMode
    wake_mode_seconds: float  #: for how long it has been so
    listener_reconnects: int
    workers_alive: int
    lease_age_seconds: float | None  #: since the last renewal
    lease_seconds_left: float
    lease_losses: int
    claim_age_seconds: float | None  #: since the database last answered a claim or a look for work
    claim_seconds: float  #: how long the last claim took
    loop_lag_seconds: float  #: by how much the event loop was late at the last look
    draining: bool

    @property
    def in_flight(self) -> int:
        """Rows this worker holds."""
        return self.running + self.unrecorded
