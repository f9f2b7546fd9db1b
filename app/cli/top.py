"""A live view of the queue and its workers."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.context import JsonOption, console, plain, print_json, run_with_database

if TYPE_CHECKING:
    from rich.console import RenderableType

    from app.database import Database
    from app.settings import Settings

RECENT = """
    SELECT domain, status::text, step, progress, attempt, error_code
    FROM domains
    WHERE status = 'processing'
    ORDER BY claimed_at
    LIMIT 15
"""


def top(
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one look and leave.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Watch queue depth, workers and running scans; Ctrl-C leaves. In a pipe: one look.

    Example: [dim]scrapersky top --interval 0.5[/dim]
    """

    async def work(database: Database, _settings: Settings) -> None:
        if once or as_json or not sys.stdout.isatty():
            seen = await look(database)
            print_json(seen) if as_json else console().print(_render(seen))
            return
        from rich.live import Live

        # Ctrl-C cancels this task: leaving is no failure.
        with Live(console=console(), screen=False, auto_refresh=False) as live, suppress(asyncio.CancelledError):
            while True:
                live.update(_render(await look(database)), refresh=True)
                await asyncio.sleep(interval)

    run_with_database(work)


async def look(database: Database) -> dict[str, Any]:
    """What there is to see now."""
    from dataclasses import asdict

    from psycopg.rows import dict_row

    from domain_queue import oldest_pending, queue_depths, workers_alive

    async with database.system() as conn:
        oldest = await oldest_pending(conn)
        async with conn.cursor(row_factory=dict_row) as cur:
            await cur.execute(RECENT)
            running = await cur.fetchall()
        return {
            "queue": {str(status): count for status, count in (await queue_depths(conn)).items()},
            "oldest_pending": None if oldest is None else asdict(oldest),
            "workers": [asdict(worker) for worker in await workers_alive(conn)],
            "running": running,
        }


def _render(seen: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table

    depth = "  ".join(f"{status} [bold]{count:,}[/bold]" for status, count in seen["queue"].items())
    oldest = seen["oldest_pending"]
    waiting = (
        "nothing waits"
        if oldest is None
        else f"longest due for {oldest['age_seconds']:.1f} s: {plain(oldest['domain'])}"
    )
    workers = Table(
        "worker", "in flight", "of", "wake-up", "renewed", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for worker in seen["workers"]:
        workers.add_row(
            plain(worker["name"]) + (" (draining)" if worker["draining"] else ""),
            str(worker["in_flight"]),
            str(worker["concurrency"]),
            worker["wake_mode"],
            f"{worker['renewed_at']:%H:%M:%S}",
        )
    running = Table("running", "step", "progress", "attempt", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for row in seen["running"]:
        running.add_row(plain(row["domain"]), plain(row["step"]), f"{row['progress']:.0%}", str(row["attempt"]))
    return Group(depth, waiting, "", workers, "", running)
