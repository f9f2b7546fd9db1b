"""Runs handlers, each as a task of its own, but pays for a task only where a handler has to wait.

A burst is one task that starts ready jobs one after the other. A handler that ends without ever waiting costs a
function call. At the first moment a handler waits, the burst's task becomes that job's own, and another burst
goes on with the rest. So every handler runs in a task that is its own from where it could be cancelled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any

from domain_queue.jobs import Handler, Job
from domain_queue.models import Result

#: Told how a handler ended: with its result, or with what it raised.
Settle = Callable[[Job, Result | None, BaseException | None], None]

BURST_JOBS = 256  # between two of these the event loop gets a turn


class Execution:
    """The handlers that run now."""

    def __init__(self, handler: Handler, settle: Settle) -> None:
        self._handler = handler
        self._settle = settle
        self._ready: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bursting = False

    def start(self, jobs: Iterable[Job]) -> None:
        """Run the handler on each of ``jobs``, beginning with the next turn of the event loop."""
        self._ready.extend(jobs)
        if not self._bursting:
            self._spawn()

    async def wait(self, seconds: float) -> None:
        """Until every handler that runs now has ended, but not longer than ``seconds``."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    def _spawn(self) -> None:
        self._bursting = True
        task = asyncio.get_running_loop().create_task(self._burst())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _burst(self) -> None:
        started = 0
        while self._ready:
            job = self._ready.popleft()
            try:
                steps = self._begin(job)
                waits_for = next(steps)
            except StopIteration as end:
                self._settle(job, end.value, None)
            except (Exception, asyncio.CancelledError) as raised:
                self._settle(job, None, raised)
            else:
                self._waits(job)
                await self._finish(job, steps, waits_for)
                return
            started += 1
            if started % BURST_JOBS == 0:
                await asyncio.sleep(0)
        self._bursting = False

    def _begin(self, job: Job) -> Generator[Any, Any, Result | None]:
        """The handler's steps. A job that was stopped before it began has none."""
        return self._handler(job).__await__() if job.verdict is None else _stopped(job.verdict)

    def _waits(self, job: Job) -> None:
        """The handler waits for the first time: this task is its own from now on, and another burst takes the rest."""
        job.task = asyncio.current_task()
        self._bursting = False
        if self._ready:
            self._spawn()

    async def _finish(self, job: Job, steps: Generator[Any, Any, Result | None], waits_for: Any) -> None:
        result: Result | None = None
        error: BaseException | None = None
        try:
            result = await _Rest(steps, waits_for)
        except (Exception, asyncio.CancelledError) as raised:
            error = raised
        self._settle(job, result, error)


def _stopped(verdict: str) -> Generator[Any, Any, Result | None]:
    raise asyncio.CancelledError(verdict)
    yield  # what makes it a generator


class _Rest:
    """Awaits what an awaitable still has to do that has waited once already, for ``waits_for``."""

    __slots__ = ("_steps", "_waits_for")

    def __init__(self, steps: Generator[Any, Any, Result | None], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Result | None]:
        steps, waits_for = self._steps, self._waits_for
        while True:
            try:
                answer = yield waits_for
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # the handler's to catch, a cancellation too
                step = _throw(steps, error)
            else:
                step = _send(steps, answer)
            if isinstance(step, _End):
                return step.value  # type: ignore[no-any-return]  # the handler's own result
            waits_for = step


class _End:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _send(steps: Generator[Any, Any, Any], answer: Any) -> Any:
    try:
        return steps.send(answer)
    except StopIteration as end:
        return _End(end.value)


def _throw(steps: Generator[Any, Any, Any], error: BaseException) -> Any:
    try:
        return steps.throw(error)
    except StopIteration as end:
        return _End(end.value)
