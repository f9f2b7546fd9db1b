"""`scrapersky prune`: remove what has been over for long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import JsonOption, print_json, run_with_database

if TYPE_CHECKING:
    from app.database import Database
    from app.prune import Pruned
    from app.settings import Settings


def prune(
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, max=36_500, help="Days since it ended.")
    ] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only, remove nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove finished domains with their results, old changes and callbacks, and traces of workers that ended.

    Domains that are stored, queued, in work or scanned at intervals are kept. Workers may go on meanwhile.

    Examples: [dim]scrapersky prune --dry-run[/dim], [dim]scrapersky prune --older-than 30[/dim]
    """

    async def work(database: Database, _settings: Settings) -> Pruned:
        from app.prune import count_prunable
        from app.prune import prune as remove

        age = timedelta(days=older_than)
        return await (count_prunable(database, age) if dry_run else remove(database, age))

    pruned = run_with_database(work)
    if as_json:
        print_json({"dry_run": dry_run, "older_than_days": older_than, "removed": pruned.model_dump()})
        return
    verb = "would remove" if dry_run else "removed"
    for kind, count in pruned.model_dump().items():
        typer.echo(f"{verb} {count:>9,} {kind}")
