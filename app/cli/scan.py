"""Scan through the queue, and watch it happen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from app.cli.context import (
    FAILED,
    WRONG_USAGE,
    CommandFailed,
    JsonOption,
    console,
    note,
    plain,
    print_json,
    run_with_database,
)
from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.database import Database

POLL_SECONDS = 0.25
#: A worker that is busy elsewhere may have our rows wait; without any worker alive we bring one ourselves.
LOCAL_CONCURRENCY = 20


def scan(
    domains: Annotated[
        list[str], typer.Argument(help="One or many; - reads them from stdin, one a line.", show_default=False)
    ],
    max_pages: Annotated[int, typer.Option(min=1, max=100, help="Most pages to read of each site.")] = 5,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Submit, print the job ids, and leave.")] = False,
    force: Annotated[bool, typer.Option(help="Read every page anew, whatever is remembered.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Submit domains to the queue and show their results; uses a running worker, or starts one for itself.

    With --json: one document for one domain, a list for many. Exit code 1 if any of them failed.

    Examples: [dim]scrapersky scan example.com[/dim], [dim]scrapersky scan --json - < domains.txt[/dim]
    """
    inputs = _read_inputs(domains)

    async def work(database: Database, settings: Settings) -> int:
        names = _normalised(inputs)
        jobs = await _submit(database, settings, names, max_pages=max_pages, force=force)
        if no_wait:
            _print_submitted(jobs, as_json)
            return 0
        async with _worker_if_none(database, settings):
            documents = await _watch(database, settings, list(jobs), show=not as_json)
        return _print_results(documents, as_json)

    raise typer.Exit(run_with_database(work))


def _read_inputs(domains: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for entry in domains:
        lines.extend(line for line in sys.stdin.read().splitlines() if line.strip()) if entry == "-" else lines.append(
            entry
        )
    return lines


def _normalised(inputs: Sequence[str]) -> list[str]:
    """The canonical names, each once.

    Raises:
        CommandFailed: one of them is none; nothing was submitted.
    """
    from extractor.address import normalise_domain
    from extractor.errors import AddressError

    names, problems = [], []
    for text in inputs:
        try:
            names.append(normalise_domain(text))
        except AddressError as error:
            problems.append(f"{text!r}: {error.message}")
    if problems or not names:
        raise CommandFailed("; ".join(problems) or "no domain was given", exit_code=WRONG_USAGE)
    return list(dict.fromkeys(names))


async def _submit(
    database: Database, settings: Settings, names: Sequence[str], *, max_pages: int, force: bool
) -> dict[UUID, str]:
    from domain_queue import Submission, submit

    submissions = [
        Submission(
            domain=name, max_pages=max_pages, force=force, max_attempts=settings.max_attempts, submitted_by="cli"
        )
        for name in names
    ]
    async with database.tenant(settings.default_tenant_id) as conn:
        submitted = await submit(conn, tenant_id=settings.default_tenant_id, submissions=submissions)
    return {job.id: job.domain for job in submitted}


@asynccontextmanager
async def _worker_if_none(database: Database, settings: Settings) -> AsyncIterator[None]:
    """Inside, somebody works on the queue: workers that run already, or one of our own."""
    from app.api.jobs import count_workers

    async with database.system() as conn:
        alive = await count_workers(conn)
    if alive:
        yield
        return
    import logging

    from app import log
    from app.worker import run_worker

    log.configure(settings)
    logging.getLogger().setLevel(logging.ERROR)  # the person watches progress, not the log
    note("no worker is running: starting one for this scan")
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(settings, concurrency=LOCAL_CONCURRENCY, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await worker


async def _watch(database: Database, settings: Settings, ids: list[UUID], *, show: bool) -> list[dict[str, Any]]:
    """Follow the jobs to their end; their status documents in the order of ``ids``."""
    from rich.progress import BarColumn, Progress, TextColumn

    from app.api.jobs import changed_jobs, is_waiting, job_document

    rows: dict[UUID, dict[str, Any]] = {}
    versions = dict.fromkeys(ids, "")
    out = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[step]}"))
    with Progress(*columns, console=out, transient=True, disable=not (show and out.is_terminal)) as progress:
        bars: dict[UUID, Any] = {}
        while True:
            async with database.tenant(settings.default_tenant_id) as conn:
                changed = await changed_jobs(conn, versions)
            for row in changed:
                rows[row["id"]], versions[row["id"]] = row, row["version"]
                _show(progress, bars, row)
            if len(rows) == len(ids) and not any(is_waiting(row) for row in rows.values()):
                return [job_document(rows[job_id]) for job_id in ids]
            await asyncio.sleep(POLL_SECONDS)


def _show(progress: Any, bars: dict[UUID, Any], row: dict[str, Any]) -> None:
    """One bar for each domain in work; those that wait or have ended are not listed."""
    job_id, status = row["id"], row["status"]
    if status != "processing":
        if job_id in bars:
            progress.remove_task(bars.pop(job_id))
        return
    if job_id not in bars:
        bars[job_id] = progress.add_task(plain(row["domain"]), total=1.0, step="")
    progress.update(bars[job_id], completed=row["progress"], step=plain(row["step"]))


def _print_submitted(jobs: dict[UUID, str], as_json: bool) -> None:
    if as_json:
        documents = [{"job_id": str(job_id), "domain": domain} for job_id, domain in jobs.items()]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    for job_id, domain in jobs.items():
        typer.echo(f"{job_id}\t{domain}")


def _print_results(documents: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        from app.cli.report import print_report

        for document in documents:
            if document["status"] == "completed":
                print_report(document["metadata"])
            else:
                error = document["error"] or {"code": document["status"], "message": "The scan was cancelled."}
                note(f"{document['domain']}: {error['message']} ({error['code']})")
    return 0 if all(document["status"] == "completed" for document in documents) else FAILED
