"""A claim in a handler's hands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal
from uuid import UUID

from domain_queue.models import Claim, Result
from domain_queue.slots import Slots

#: Why a handler is stopped from outside.
Verdict = Literal["cancelled", "lost", "timed_out", "shutdown"]


class Batch:
    """The rows of one claim: what they have in common, and how many have ended."""

    __slots__ = ("claim_seconds", "failed", "found", "id", "open", "slots", "started", "successful", "worker_id")

    def __init__(
        self, batch_id: str, found: int, *, worker_id: UUID, slots: Slots, started: float, claim_seconds: float
    ) -> None:
        self.id = batch_id
        self.found = found
        self.open = found
        self.worker_id = worker_id
        self.slots = slots
        self.started = started  #: seconds on the worker's steady clock
        self.claim_seconds = claim_seconds  #: how long the statement took that claimed them
        self.successful = 0
        self.failed = 0


class Job:
    """What a handler is given: the claim, and what it may do while it holds it."""

    __slots__ = ("batch", "claim", "is_running", "moved", "progress", "step", "task", "verdict")

    def __init__(self, claim: Claim, batch: Batch) -> None:
        self.claim = claim
        self.batch = batch
        self.progress = 0.0
        self.step = "claimed"
        self.moved = False
        self.is_running = True
        self.task: asyncio.Task[None] | None = None
        self.verdict: Verdict | None = None

    @property
    def worker_id(self) -> UUID:
        """Under which the row was claimed."""
        return self.batch.worker_id

    @property
    def started(self) -> float:
        """When the claim's answer came, in seconds on the worker's steady clock."""
        return self.batch.started

    def report_progress(self, progress: float, step: str) -> None:
        """Note how far the job is, from 0 to 1, and what it does. Cheap; written once a second for all jobs."""
        self.progress = min(max(progress, 0.0), 1.0)
        self.step = step[:200]
        self.moved = True

    def slot(self, key: str, limit: int) -> AbstractAsyncContextManager[None]:
        """Wait for one of ``limit`` slots of ``key`` (1 to 200 characters), which all workers share, and hold it."""
        return self.batch.slots.hold(key, limit, worker_id=self.worker_id, claim=self.claim)

    def log_fields(self) -> dict[str, object]:
        """What every event about this job says, so that any of them can be found by any of these."""
        return {
            "worker_id": str(self.worker_id),
            "batch": self.batch.id,
            "job_id": str(self.claim.id),
            "tenant_id": str(self.claim.tenant_id),
            "domain": self.claim.domain,
            "attempt": self.claim.attempt,
            "duration_ms": round(1000 * (time.monotonic() - self.started)),
        }

    def stop(self, verdict: Verdict) -> None:
        """Cancel the handler; its outcome is decided by the first verdict, not by what it still returns."""
        if self.verdict is None:
            self.verdict = verdict
            if self.task is not None:
                self.task.cancel(verdict)


Handler = Callable[[Job], Awaitable[Result | None]]

#: Told once of every job when it is known what became of it: how it ended, and whether that was written. A job that was
#: taken away or cancelled ends as ``cancelled``, and nothing is written. Must not raise, and must not take long.
OnEnded = Callable[[Job, str, bool], None]
