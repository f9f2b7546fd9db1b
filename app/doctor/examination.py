"""Runs the checks: in order, each with a deadline, none that needs a broken one, and none that can end the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psycopg

from app.doctor.models import Check, Report, broken, skipped
from app.doctor.patient import Patient
from app.log import one_line

Look = Callable[[Patient], Awaitable[Check]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check, and the names of those without which it cannot be made."""

    name: str
    look: Look
    needs: tuple[str, ...] = ()
    seconds: float = 5.0  #: deadline


async def examine(patient: Patient, steps: Sequence[Step], *, told: Callable[[Check], None] | None = None) -> Report:
    """Make every check of ``steps``, and tell ``told`` each as it is known, in their order. Faults do not raise."""
    async with patient:
        done: dict[str, Check] = {}
        for step in steps:
            check = await _take(step, patient, done)
            done[step.name] = check
            if told is not None:
                told(check)
        return Report(checks=list(done.values()))


async def _take(step: Step, patient: Patient, done: dict[str, Check]) -> Check:
    missing = [name for name in step.needs if name in done and not done[name].ok]
    started = time.perf_counter()
    check = skipped(missing[0]) if missing else await _look(step, patient)
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return check.model_copy(update={"name": step.name, "ms": milliseconds})


async def _look(step: Step, patient: Patient) -> Check:
    try:
        return await asyncio.wait_for(step.look(patient), step.seconds)
    except TimeoutError:
        return broken(f"no answer within {step.seconds:g} s", "the server or the network is stuck: look at its load")
    except psycopg.errors.QueryCanceled:
        return broken("the statement took too long", "see the check locks, and the server's load: run doctor again")
    except psycopg.OperationalError as error:
        return broken(f"the connection failed: {_first_line(error)}", "see the check connect, and run doctor again")
    except psycopg.Error as error:
        return broken(
            f"the database refused: {error.diag.message_primary or _first_line(error)}",
            "compare with the other checks: a migration or a grant is missing",
        )
    except Exception as error:  # a check that breaks is a finding, and must not end the others
        return broken(
            f"the check broke: {type(error).__name__}: {_first_line(error)}", "this is a fault of the program"
        )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return one_line(lines[0]) if lines else type(error).__name__
