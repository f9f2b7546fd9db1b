"""Scan through the queue, and watch it happen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rich.progress import Progress, TaskID

    from app.database import Database
    from app.settings import Settings

#: How often the rows are looked at: at least, and for each job that is watched, in seconds.
POLL_SECONDS = 0.25
POLL_SECONDS_PER_JOB = 0.0002
LOOK_FOR_WORKERS_SECONDS = 1.0
#: Domains in flight in the worker that we bring ourselves, where none is alive.
LOCAL_CONCURRENCY = 20
#: Sites shown with a bar of their own; a terminal has no room for every one of hundreds.
MAX_BARS = 8


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
        async with _worker_at_hand(database, settings) as worker:
            documents = await _watch(database, settings, list(jobs), worker, show=not as_json)
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
async def _worker_at_hand(database: Database, settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """Inside, somebody works on the queue: workers that run already, or, when none does, one of our own."""
    stop = asyncio.Event()
    task = asyncio.create_task(_work_if_nobody_does(database, settings, stop))
    try:
        yield task
    finally:
        stop.set()
        await task


async def _work_if_nobody_does(database: Database, settings: Settings, stop: asyncio.Event) -> None:
    """Look again and again: of a worker that was killed, the lease lives on for a while."""
    from app.api.jobs import count_workers
    from app.worker import run_worker

    while not stop.is_set():
        async with database.system() as conn:
            alive = await count_workers(conn)
        if not alive:
            note("no worker is running: starting one for this scan")
            await run_worker(settings, concurrency=LOCAL_CONCURRENCY, stop=stop)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_FOR_WORKERS_SECONDS)


async def _watch(
    database: Database, settings: Settings, ids: list[UUID], worker: asyncio.Task[None], *, show: bool
) -> list[dict[str, Any]]:
    """Follow the jobs to their end; their status documents in the order of ``ids``.

    Raises:
        CommandFailed: ``worker`` has stopped before the jobs have ended.
    """
    from app.api.jobs import changed_jobs, is_waiting, job_document

    rows: dict[UUID, dict[str, Any]] = {}
    versions = dict.fromkeys(ids, "")
    pause = max(POLL_SECONDS, POLL_SECONDS_PER_JOB * len(ids))
    with _Display(len(ids), show=show) as display:
        while True:
            async with database.tenant(settings.default_tenant_id) as conn:
                changed = await changed_jobs(conn, versions)
            for row in changed:
                rows[row["id"]], versions[row["id"]] = row, row["version"]
            display.update(rows)
            if len(rows) == len(ids) and not any(is_waiting(row) for row in rows.values()):
                return [job_document(rows[job_id]) for job_id in ids]
            if worker.done():
                worker.result()
                raise CommandFailed("the worker of this scan has stopped; the domains wait in the queue for another")
            await asyncio.sleep(pause)


class _Display:
    """Progress on stderr, where that is a terminal: how many have ended, and a bar for each of some in work."""

    def __init__(self, count: int, *, show: bool) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        out = console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[step]}"))
        self._progress: Progress = Progress(
            *columns, console=out, transient=True, disable=not (show and out.is_terminal)
        )
        self._all = self._progress.add_task("all", total=count, step="", visible=count > 1)
        self._bars: dict[UUID, TaskID] = {}

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, rows: dict[UUID, dict[str, Any]]) -> None:
        from app.api.jobs import is_waiting

        ended = [row for row in rows.values() if not is_waiting(row)]
        failed = sum(row["status"] != "completed" for row in ended)
        step = f"{len(ended)} done" + (f", {failed} failed" if failed else "")
        self._progress.update(self._all, completed=len(ended), step=step)
        open_ones = [row["id"] for row in rows.values() if is_waiting(row)]
        # What is in work comes first: there is room for some bars only.
        open_ones.sort(key=lambda job_id: rows[job_id]["status"] != "processing")
        shown = open_ones[:MAX_BARS]
        for job_id in self._bars.keys() - set(shown):
            self._progress.remove_task(self._bars.pop(job_id))
        for job_id in shown:
            self._update_bar(job_id, rows[job_id])

    def _update_bar(self, job_id: UUID, row: dict[str, Any]) -> None:
        if job_id not in self._bars:
            self._bars[job_id] = self._progress.add_task(plain(row["domain"]), total=1.0, step="")
        self._progress.update(self._bars[job_id], completed=row["progress"], step=plain(_step_of(row)))


def _step_of(row: dict[str, Any]) -> str:
    """What goes on, and of a job that waits for its next attempt, why."""
    if row["status"] == "processing":
        return str(row["step"] or "")
    if row["error_code"] is None:
        return "waiting"
    return f"waiting for another try after {row['attempt']} of {row['max_attempts']}: {row['error_code']}"


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
