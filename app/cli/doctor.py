"""`scrapersky doctor`: every link of the chain, what was seen of it, and what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import typer

from app.cli.context import FAILED, JsonOption, console, database_running, plain, print_json

if TYPE_CHECKING:
    from app.doctor import Check, Report
    from app.settings import Settings


def doctor(as_json: JsonOption = False) -> None:
    """Look at every link between a submitted domain and its result, in order; exit code 1 if one is broken.

    Nothing is changed: one probe row is put into the queue, under a tenant of its own, and removed again.

    Example: [dim]scrapersky doctor[/dim]
    """
    report = asyncio.run(_examine(_settings(), quiet=as_json))
    if as_json:
        print_json(report.model_dump())
    else:
        _print_verdict(report)
    raise typer.Exit(0 if report.ok else FAILED)


def _settings() -> Settings | None:
    from pydantic import ValidationError

    from app.settings import Settings

    try:
        return Settings()
    except ValidationError:
        return None  # the first check says why


def _environ() -> dict[str, str]:
    """The environment and .env, as the settings read them."""
    from dotenv import dotenv_values

    return {key: value or "" for key, value in dotenv_values(".env").items()} | dict(os.environ)


async def _examine(settings: Settings | None, *, quiet: bool) -> Report:
    from app.doctor import Patient, examine
    from app.doctor.chain import CHAIN
    from app.embedded import EmbeddedPostgresError

    told = None if quiet else _print_check
    environ = _environ()
    if settings is None or settings.database_url is not None or settings.listen_database_url is not None:
        return await examine(Patient(settings=settings, environ=environ), CHAIN, told=told)
    try:
        with database_running(settings, quiet=quiet) as running:
            return await examine(Patient(settings=running, environ=environ), CHAIN, told=told)
    except EmbeddedPostgresError as error:
        return await examine(Patient(settings=settings, environ=environ, no_database=str(error)), CHAIN, told=told)


def _print_check(check: Check) -> None:
    mark, style = _mark(check)
    if not sys.stdout.isatty():
        line = f"{mark:<8}{check.name:<20}{plain_text(check.seen)} ({check.ms:.0f} ms)"
        typer.echo(line + (f"\n{'':<28}-> {plain_text(check.advice)}" if check.advice else ""))
        return
    out = console()
    out.print(f"[{style}]{mark:<8}[/]{check.name:<20}{plain(check.seen)} [dim]{check.ms:.0f} ms[/]", soft_wrap=True)
    if check.advice:
        out.print(f"{'':<28}[bold]->[/] {plain(check.advice)}", soft_wrap=True)


def plain_text(text: str) -> str:
    """One line for a pipe."""
    from app.log import one_line

    return one_line(text)


def _mark(check: Check) -> tuple[str, str]:
    if check.was_skipped:
        return "skipped", "dim"
    if not check.ok:
        return "BROKEN", "bold red"
    return ("warning", "yellow") if check.advice else ("ok", "green")


def _print_verdict(report: Report) -> None:
    broken = [check.name for check in report.checks if not check.ok and not check.was_skipped]
    warned = [check.name for check in report.checks if check.ok and check.advice]
    milliseconds = sum(check.ms for check in report.checks)
    verdict = f"broken: {', '.join(broken)}" if broken else "every link holds"
    if warned:
        verdict += f"; warnings: {', '.join(warned)}"
    typer.echo(f"\n{verdict}. {len(report.checks)} checks in {milliseconds / 1000:.1f} s.")
