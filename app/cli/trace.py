"""`scrapersky trace`: one job's life in order."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import CommandFailed, JsonOption, console, plain, print_json, run_with_database

if TYPE_CHECKING:
    from app.database import Database
    from app.settings import Settings
    from app.trace import Event, Trace


def trace(
    job: Annotated[str, typer.Argument(metavar="JOB_ID|DOMAIN", help="A job id, or a domain.")],
    as_json: JsonOption = False,
) -> None:
    """Show one job's whole life in order: submitted, claimed, attempts, pages, result, callbacks.

    Example: [dim]scrapersky trace example.com[/dim]
    """

    async def work(database: Database, _settings: Settings) -> list[Trace]:
        from app.trace import trace_jobs

        async with database.system() as conn:
            found = await trace_jobs(conn, job.strip(), domain=_canonical(job))
        if not found:
            raise CommandFailed(f"there is no job {job}: see what there is by `scrapersky domains list`")
        return found

    traces = run_with_database(work)
    if as_json:
        print_json({"jobs": [trace.model_dump(mode="json") for trace in traces]})
        return
    for found in traces:
        _print_trace(found)


def _canonical(text: str) -> str:
    from extractor.address import normalise_domain
    from extractor.errors import AddressError

    try:
        return normalise_domain(text)
    except AddressError:
        return text.strip()  # a row that was written by hand, or a job id


def _print_trace(found: Trace) -> None:
    head = f"{found.domain}  {found.status}  job {found.job_id}  tenant {found.tenant}"
    if not sys.stdout.isatty():
        typer.echo(_line(head))
        for event in found.events:
            typer.echo(_line("\t".join(_columns(event))))
        return
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for event in found.events:
        table.add_row(*(plain(cell) for cell in _columns(event)))
    console().print(f"[bold]{plain(head)}[/bold]", table)


def _line(text: str) -> str:
    from app.log import one_line

    return "\t".join(one_line(cell) for cell in text.split("\t"))


def _columns(event: Event) -> tuple[str, str, str, str]:
    when = "now" if event.at is None else f"{event.at:%Y-%m-%d %H:%M:%S}.{event.at.microsecond // 1000:03}"
    parts = [
        event.detail,
        f"attempt {event.attempt}" if event.attempt and "attempt" not in event.detail else "",
        f"by {event.worker}" if event.worker else "",
    ]
    after = "" if event.after_ms is None else f"+{event.after_ms:,} ms"
    return when, event.event, after, ", ".join(part for part in parts if part)
