"""`scrapersky prune`: remove what has been over for long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import CommandFailed, JsonOption, print_json, run_with_database

if TYPE_CHECKING:
    from app.database import Database
    from app.prune import Pruned
    from app.settings import Settings


def prune(
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, max=36_500, help="Days since it ended.")
    ] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only, remove nothing.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export", metavar="FILE", help="Append what is removed as JSON lines; each is on the disk before it goes."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove finished domains with their results, old changes and callbacks, and traces of workers that ended.

    Domains that are stored, queued, in work or scanned at intervals are kept. Workers may go on meanwhile.

    Examples: [dim]scrapersky prune --dry-run[/dim], [dim]scrapersky prune --older-than 30 --export removed.jsonl[/dim]
    """
    if dry_run and export is not None:
        raise typer.BadParameter("nothing is removed by --dry-run, so nothing can be exported")
    age = timedelta(days=older_than)

    async def work(database: Database, _settings: Settings) -> tuple[Pruned, int]:
        from app.archive import ArchiveUnusable, open_archive
        from app.prune import count_prunable
        from app.prune import prune as remove

        if dry_run:
            return await count_prunable(database, age), 0
        if export is None:
            return await remove(database, age), 0
        try:
            with open_archive(export) as archive:
                return await remove(database, age, archive=archive), archive.lines
        except ArchiveUnusable as error:
            raise CommandFailed(f"{error}; nothing was removed that is not in the file") from error

    pruned, lines = run_with_database(work)
    if as_json:
        document = {"dry_run": dry_run, "older_than_days": older_than, "removed": pruned.model_dump()}
        print_json(document | ({"exported": lines} if export is not None else {}))
        return
    verb = "would remove" if dry_run else "removed"
    for kind, count in pruned.model_dump().items():
        typer.echo(f"{verb} {count:,} {kind}")
    if export is not None:
        typer.echo(f"exported {lines:,} lines to {export}")
