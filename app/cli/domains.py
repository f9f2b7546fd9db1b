"""What is stored: list, show, retry, cancel, import, export."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from app.cli.context import (
    FAILED,
    WRONG_USAGE,
    CommandFailed,
    JsonOption,
    explained,
    note,
    print_json,
    print_table,
    run_with_database,
)

if TYPE_CHECKING:
    from app.api.submitting import Sorted
    from app.database import Database
    from app.settings import Settings

commands = typer.Typer(no_args_is_help=True, help="The stored domains.", pretty_exceptions_enable=False)


def _known_status(word: str | None) -> str | None:
    from domain_queue import DomainStatus

    if word is not None and word not in set(DomainStatus):
        raise typer.BadParameter(f"{word!r} is none of {', '.join(DomainStatus)}")
    return word


def _complete_status(beginning: str) -> list[str]:
    from domain_queue import DomainStatus

    return [status for status in DomainStatus if status.startswith(beginning)]


StatusOption = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="Only rows in this status.",
        metavar="STATUS",
        callback=_known_status,
        autocompletion=_complete_status,
    ),
]
JobArgument = Annotated[str, typer.Argument(help="A job id or a domain.", show_default=False)]
#: Submitted in one transaction, and how long that may take.
IMPORT_ROWS = 5_000
IMPORT_SECONDS = 120


class ExportFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSONL = "jsonl"


LIST_DOMAINS = """
    SELECT id, domain, status::text, title, email_addresses, phone_numbers, error_code, updated_at
    FROM domains
    WHERE (%(status)s::domain_status IS NULL OR status = %(status)s)
      AND (%(query)s::text IS NULL OR domain ILIKE '%%' || %(query)s || '%%')
    ORDER BY seq DESC
    LIMIT %(limit)s
"""


@commands.command("list")
def list_domains(
    status: StatusOption = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Only domains with this in their name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows, newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List domains, newest first.

    Examples: [dim]scrapersky domains list --status error[/dim], [dim]scrapersky domains list -q shop --json[/dim]
    """

    async def work(database: Database, settings: Settings) -> list[dict[str, Any]]:
        params = {"status": status, "query": _escaped_like(query), "limit": limit}
        return await _rows(database, settings, LIST_DOMAINS, params)

    rows = run_with_database(work)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("domain", "status", "title", "e-mail", "phone", "job id"),
        [
            (
                row["domain"],
                row["status"] if row["error_code"] is None else f"{row['status']} ({row['error_code']})",
                row["title"],
                ", ".join(row["email_addresses"][:2]),
                ", ".join(row["phone_numbers"][:2]),
                row["id"],
            )
            for row in rows
        ],
    )


FIND_DOMAIN = """
    SELECT id
    FROM domains
    WHERE id::text = %(text)s OR domain = %(domain)s
"""


@commands.command("show")
def show(job: JobArgument, as_json: JsonOption = False) -> None:
    """Show one domain: where it stands and what was found.

    Example: [dim]scrapersky domains show example.com --json[/dim]
    """

    async def work(database: Database, settings: Settings) -> dict[str, Any]:
        from app.api.jobs import read_document

        [job_id] = await find_jobs(database, settings, [job])
        async with database.tenant(settings.default_tenant_id) as conn:
            found = await read_document(conn, job_id)
        assert found is not None, "it was found a moment ago"  # noqa: S101 - an invariant, not input
        return found[1]

    document = run_with_database(work)
    if as_json:
        print_json(document)
        return
    note(_status_line(document))
    if "title" in document["metadata"]:
        from app.cli.report import print_report

        print_report(document["metadata"])


@commands.command("retry")
def retry(
    jobs: Annotated[list[str] | None, typer.Argument(help="Job ids or domains.", show_default=False)] = None,
    error_code: Annotated[str | None, typer.Option("--error", help="Every row that failed with this code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every failed or cancelled row.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put failed or cancelled domains back into the queue, with all their attempts again.

    Examples: [dim]scrapersky domains retry example.com[/dim], [dim]scrapersky domains retry --error timed_out[/dim]
    """

    async def work(database: Database, settings: Settings) -> list[UUID]:
        import domain_queue

        if not (jobs or error_code or everything):
            raise CommandFailed("name domains, or --error CODE, or --all", exit_code=WRONG_USAGE)
        ids = await find_jobs(database, settings, jobs) if jobs else None
        tenant = settings.default_tenant_id
        async with database.tenant(tenant) as conn:
            return await domain_queue.retry(
                conn, tenant_id=tenant, ids=ids, error_code=error_code, everything=everything
            )

    changed = run_with_database(work)
    _print_changed(changed, "put back into the queue", as_json)
    if jobs and not changed:
        note("only failed and cancelled ones are; `scrapersky scan` scans any domain anew")
        raise typer.Exit(FAILED)


@commands.command("cancel")
def cancel(
    jobs: Annotated[list[str], typer.Argument(help="Job ids or domains.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Cancel pending and running scans.

    Example: [dim]scrapersky domains cancel example.com[/dim]
    """

    async def work(database: Database, settings: Settings) -> list[UUID]:
        import domain_queue

        ids = await find_jobs(database, settings, jobs)
        async with database.tenant(settings.default_tenant_id) as conn:
            return await domain_queue.cancel(conn, tenant_id=settings.default_tenant_id, ids=ids)

    changed = run_with_database(work)
    _print_changed(changed, "cancelled", as_json)
    if not changed:
        note("only what waits or is in work can be cancelled")
        raise typer.Exit(FAILED)


@commands.command("import")
def import_domains(
    file: Annotated[Path, typer.Argument(help="A CSV file or a list, one domain a line; - is stdin.")],
    max_pages: Annotated[int, typer.Option(min=1, max=100, help="Most pages to read of each site.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Queue the domains of a file: a column named domain, url or website, else the first. Refused lines are listed.

    Examples: [dim]scrapersky domains import customers.csv[/dim], [dim]scrapersky domains import - < list.txt[/dim]
    """
    with explained():
        found = read_domains(file)

    async def work(database: Database, settings: Settings) -> int:
        from domain_queue import Submission, submit

        submissions = [
            Submission(domain=name, max_pages=max_pages, max_attempts=settings.max_attempts, submitted_by="cli import")
            for name in found.domains
        ]
        tenant, count = settings.default_tenant_id, 0
        for start in range(0, len(submissions), IMPORT_ROWS):
            async with database.tenant(tenant, statement_seconds=IMPORT_SECONDS) as conn:
                part = submissions[start : start + IMPORT_ROWS]
                count += len(await submit(conn, tenant_id=tenant, submissions=part))
        return count

    count = run_with_database(work) if found.domains else 0
    if as_json:
        rejected = [line.model_dump() for line in found.rejected]
        print_json({"job_count": count, "duplicates": len(found.duplicates), "rejected": rejected})
    else:
        duplicates = len(found.duplicates)
        merged = f"{duplicates} duplicate{'' if duplicates == 1 else 's'} merged"
        note(f"{count} queued, {merged}, {len(found.rejected)} refused")
        for line in found.rejected:
            note(f"line {line.line}: {line.input!r}: {line.message}")
    if found.rejected and not count:
        raise typer.Exit(FAILED)


def read_domains(file: Path) -> Sorted:
    """The domains of a file, as the web page and the API read it, without their limit on its length.

    Raises:
        CommandFailed: it cannot be read, or there is no text in it.
    """
    from app.api.csv_import import read_table
    from app.api.errors import ApiError
    from app.api.submitting import sort_lines

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return sort_lines(read_table(data, most=sys.maxsize).lines)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}", exit_code=WRONG_USAGE) from error
    except ApiError as error:
        raise CommandFailed(f"{file}: {error.message}") from error


@commands.command("export")
def export(
    output_format: Annotated[
        ExportFormat, typer.Option("--format", help="csv for a spreadsheet, jsonl for programs.")
    ] = ExportFormat.CSV,
    status: StatusOption = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Only with this in domain or title.")] = None,
) -> None:
    """Write every domain to stdout; a cell that a spreadsheet would take for a formula begins with an apostrophe.

    Example: [dim]scrapersky domains export --status completed > contacts.csv[/dim]
    """

    async def work(database: Database, settings: Settings) -> None:
        from app.api.domains import Filter
        from app.api.exports import export_domains
        from domain_queue import DomainStatus

        chosen = Filter(status=None if status is None else DomainStatus(status), q=query)
        async for piece in export_domains(
            database, settings.default_tenant_id, chosen, file_format=output_format.value
        ):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

    run_with_database(work)


async def find_jobs(database: Database, settings: Settings, names: list[str]) -> list[UUID]:
    """The ids of jobs given as ids or as domains.

    Raises:
        CommandFailed: one of them does not exist.
    """
    from extractor.address import normalise_domain
    from extractor.errors import AddressError

    found = []
    for name in names:
        try:
            domain = normalise_domain(name)
        except AddressError:
            domain = name
        rows = await _rows(database, settings, FIND_DOMAIN, {"text": name.lower(), "domain": domain})
        if not rows:
            raise CommandFailed(f"there is no domain or job {name!r}: `scrapersky domains list` shows what there is")
        found.append(rows[0]["id"])
    return found


async def _rows(database: Database, settings: Settings, query: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    async with database.tenant(settings.default_tenant_id) as conn, conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(query.encode(), params)
        return await cur.fetchall()


def _escaped_like(text: str | None) -> str | None:
    return None if text is None else text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _print_changed(ids: list[UUID], what: str, as_json: bool) -> None:
    if as_json:
        print_json({"job_ids": ids})
    else:
        note(f"{len(ids)} {what}")


def _status_line(document: dict[str, Any]) -> str:
    line = f"{document['domain']}: {document['status']}, attempt {document['attempt']} of {document['max_attempts']}"
    if document["error"] is not None:
        line += f"; {document['error']['message']} ({document['error']['code']})"
    if document["queue"] is not None:
        line += f"; place {document['queue']['position']}, {document['queue']['workers_alive']} workers alive"
    return line
