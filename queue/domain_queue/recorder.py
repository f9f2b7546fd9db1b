"""Gathers outcomes and writes many with one statement, on a connection of their own.

An outcome stays here until the database has taken it or refused it: a slow or absent database makes the backlog
grow, and the worker stops claiming at a limit, so memory stays flat and nothing is lost.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import psycopg
import structlog

from domain_queue.jobs import Job
from domain_queue.links import Link, reconnect_delay
from domain_queue.outcomes import Completed, Failure, complete, complete_empty, fail_or_retry, find_written, release

log = structlog.get_logger("domain_queue")

Ending = Literal["completed", "retried", "failed", "released"]

#: What the server says of a value it cannot store: it will say so again.
UNSTORABLE_CLASSES = ("22", "23", "54")


class Outcome(NamedTuple):
    """How a job ended, with what is to be written: a Completed, a Failure, or nothing."""

    job: Job
    ending: Ending
    value: Completed | Failure | None


#: Told what became of outcomes of one kind: the ``seq`` of the rows that took theirs.
OnRecorded = Callable[[list[Outcome], set[int]], None]


class Recorder:
    """Takes outcomes by ``add``, and calls ``on_recorded`` when it is known what became of them."""

    def __init__(
        self,
        link: Link,
        on_recorded: OnRecorded,
        *,
        rows: int,
        gather_seconds: float,
        watched: Sequence[str],
        is_last: Callable[[], bool],
        rng: random.Random,
    ) -> None:
        self._link = link
        self._on_recorded = on_recorded
        self._rows = rows
        self._gather_seconds = gather_seconds
        self._watched = watched
        self._is_last = is_last
        self._rng = rng
        self._waiting: list[Outcome] = []
        self._writing = 0
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._written = asyncio.Event()

    @property
    def backlog(self) -> int:
        """How many outcomes are not written yet."""
        return len(self._waiting) + self._writing

    def add(self, outcome: Outcome) -> None:
        """Have ``outcome`` written with the next ones."""
        self._waiting.append(outcome)
        if len(self._waiting) == 1:
            self._arrived.set()
        elif len(self._waiting) >= self._rows:
            self._enough.set()

    async def flushed(self, seconds: float) -> bool:
        """Wait until everything is written, at most for ``seconds``; whether it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.backlog:
                    self._written.clear()
                    await self._written.wait()
        return not self.backlog

    async def run(self) -> None:
        """Write what arrives, until cancelled."""
        while True:
            await self._arrived.wait()
            await self._gather()
            self._arrived.clear()
            self._enough.clear()
            waiting, self._waiting = self._waiting, []
            self._writing = len(waiting)
            for outcomes in _alike(waiting, self._rows):
                await self._write(outcomes)
            self._written.set()

    async def _gather(self) -> None:
        """Wait a moment for company, unless there is none to come."""
        if len(self._waiting) < self._rows and not self._is_last():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), self._gather_seconds)

    async def _write(self, outcomes: list[Outcome]) -> None:
        failures = 0
        while True:
            try:
                taken = await self._statement(outcomes)
                if failures and len(taken) < len(outcomes):
                    taken |= await self._written_before(outcomes)
            except (psycopg.Error, OSError, ValueError, TypeError) as error:
                if _is_unstorable(error):
                    await self._part_with(outcomes, error)
                    return
                failures += 1
                if failures in (1, 10):
                    log.warning("outcomes_not_written", count=len(outcomes), error=str(error).strip())
                await asyncio.sleep(reconnect_delay(failures, self._rng))
            else:
                self._writing -= len(outcomes)
                self._on_recorded(outcomes, taken)
                return

    async def _statement(self, outcomes: list[Outcome]) -> set[int]:
        ending = outcomes[0].ending
        values: list[Any] = [outcome.value for outcome in outcomes]
        claims = [outcome.job.claim for outcome in outcomes]
        if ending == "released":
            return await release(self._link, claims)
        if ending == "completed":
            if values[0] is None:
                return await complete_empty(self._link, claims)
            return await complete(self._link, values, watched=self._watched)
        return await fail_or_retry(self._link, list(zip(claims, values, strict=True)))

    async def _written_before(self, outcomes: list[Outcome]) -> set[int]:
        """The link broke during an earlier try, which may have been committed: then the row is no late write."""
        first = outcomes[0]
        status = {"completed": "completed", "failed": "error"}.get(first.ending, "pending")
        claims = [outcome.job.claim for outcome in outcomes]
        return await find_written(self._link, claims, worker_id=first.job.worker_id, status=status)

    async def _part_with(self, outcomes: list[Outcome], error: Exception) -> None:
        """One value that cannot be stored must not keep the others from it: halve until it is alone, and fail it."""
        if len(outcomes) > 1:
            middle = len(outcomes) // 2
            await self._write(outcomes[:middle])
            await self._write(outcomes[middle:])
            return
        [outcome] = outcomes
        log.error("result_unstorable", error=str(error), **outcome.job.log_fields())
        failure = Failure("unstorable_result", f"The result cannot be stored: {error}", final=True)
        await self._write([Outcome(outcome.job, "failed", failure)])


def _is_unstorable(error: Exception) -> bool:
    if isinstance(error, psycopg.Error):
        by_server = (error.sqlstate or "").startswith(UNSTORABLE_CLASSES)
        return by_server or (isinstance(error, psycopg.DataError) and error.sqlstate is None)
    return isinstance(error, (ValueError, TypeError)) and not isinstance(error, OSError)


def _alike(outcomes: list[Outcome], rows: int) -> list[list[Outcome]]:
    """``outcomes`` in lists that one statement each can write, of at most ``rows``; each worker id apart."""
    kinds: dict[tuple[object, ...], list[Outcome]] = {}
    for outcome in outcomes:
        # By the worker id's number: a UUID is hashed far more slowly.
        kind = (outcome.ending, outcome.value is None, outcome.job.batch.worker_id.int)
        if (same := kinds.get(kind)) is None:
            same = kinds[kind] = []
        same.append(outcome)
    return [kind[start : start + rows] for kind in kinds.values() for start in range(0, len(kind), rows)]
