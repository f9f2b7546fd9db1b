"""Doctor, asked of a program that was set up wrongly on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from app.doctor import Check, Patient, examine
from app.doctor.chain import CHAIN
from app.settings import Settings


def settings_for(conninfo: str, **more: Any) -> Settings:
    return Settings(_env_file=None, database_url=SecretStr(conninfo), **more)


async def run_doctor(
    settings: Settings | None,
    *,
    environ: dict[str, str] | None = None,
    only: Sequence[str] | None = None,
    probe_seconds: float = 8.0,
) -> dict[str, Check]:
    """The whole chain, or the named checks and what they need."""
    wanted = {step.name for step in CHAIN if only is None or step.name in only}
    wanted |= {name for step in CHAIN if step.name in wanted for name in step.needs}
    patient = Patient(
        settings=settings, environ=environ or {}, public_name="nowhere.invalid", probe_seconds=probe_seconds
    )
    report = await examine(patient, [step for step in CHAIN if step.name in wanted])
    return {check.name: check for check in report.checks}


def assert_broken(checks: dict[str, Check], name: str, *words: str) -> None:
    check = checks[name]
    assert not check.ok, check
    assert not check.was_skipped, check
    for word in words:
        assert word in check.seen + " " + (check.advice or ""), check
    assert check.advice
