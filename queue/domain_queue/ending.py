"""Ending background tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 0.5  # between two cancellations of a task that goes on


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel ``tasks`` and wait until each has ended.

    One cancellation is not enough: ``asyncio.wait_for`` of Python 3.11 swallows one that comes in the moment its own
    wait is over, and a stop would wait for ever. Source: python/cpython issue 86296.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
