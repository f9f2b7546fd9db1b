"""Commands that start things: up, web, worker run, migrate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.context import (
    CommandFailed,
    DataDirOption,
    JsonOption,
    apply_migrations,
    database_running,
    explained,
    load_settings,
    note,
    print_json,
    print_table,
    refuse_a_newer_database,
)

if TYPE_CHECKING:
    from app.settings import Settings

worker_commands = typer.Typer(no_args_is_help=True, help="The worker process.", pretty_exceptions_enable=False)

HostOption = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="HOST, else 127.0.0.1")]
PortOption = Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="PORT, else 8000")]


def up(
    host: HostOption = None,
    port: PortOption = None,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Worker processes to start; 0 for none.")] = 1,
    data_dir: DataDirOption = None,
) -> None:
    """Start everything on this machine: Postgres if DATABASE_URL is unset, the web process, the workers.

    One Ctrl-C stops all. On a loopback address the default tenant is open without a token.

    Examples: [dim]scrapersky up[/dim], [dim]scrapersky up --port 9000 --workers 4[/dim]
    """
    from app.embedded import EmbeddedPostgres
    from app.up import run_everything

    with explained():
        settings = load_settings(host=host, port=port, scrapersky_data_dir=data_dir)
        own = EmbeddedPostgres(settings.scrapersky_data_dir) if settings.database_url is None else None
        with database_running(settings) as running:
            apply_migrations(running)
            code = run_everything(running, workers=workers, revive=own.revive if own else lambda: False)
        raise typer.Exit(code)


def web(host: HostOption = None, port: PortOption = None, data_dir: DataDirOption = None) -> None:
    """Run the web process: pages, API, live events.

    Example: [dim]scrapersky web --host 0.0.0.0 --port 8000[/dim]
    """
    from app import log
    from app.web import inherited_listener, run_web

    with explained():
        settings = load_settings(host=host, port=port, scrapersky_data_dir=data_dir)
        log.configure(settings)
        with database_running(settings) as running:
            if missing := refuse_a_newer_database(running):
                note(f"the database lacks {', '.join(missing)}: run `scrapersky migrate`; until then /ready says no")
            raise typer.Exit(run_web(running, inherited_listener()))


@worker_commands.callback()
def worker() -> None:
    """The worker process."""


@worker_commands.command("run")
def worker_run(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Domains in flight.", show_default="WORKER_CONCURRENCY")
    ] = None,
    drain: Annotated[bool, typer.Option(help="Stop when nothing is left to claim.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Claim pending domains, scan them, write the results; many may run at once on one database.

    SIGTERM and Ctrl-C drain: running scans may finish, the rest is given back.

    Example: [dim]worker run --concurrency 200[/dim]
    """
    from app import log
    from app.worker import run_worker
    from domain_queue import garbage

    with explained():
        settings = load_settings(scrapersky_data_dir=data_dir)
        log.configure(settings)
        with database_running(settings) as running:
            if missing := refuse_a_newer_database(running):
                raise CommandFailed(f"the database lacks {', '.join(missing)}: run `scrapersky migrate` first")
            garbage.settle()
            asyncio.run(run_worker(running, concurrency=concurrency, drain=drain))


def migrate(
    status: Annotated[bool, typer.Option("--status", help="Only show what is applied and what is pending.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the database up to date; safe to run at any time and by many at once.

    Examples: [dim]scrapersky migrate[/dim], [dim]scrapersky migrate --status --json[/dim]
    """
    with explained(), database_running(load_settings(), quiet=as_json) as settings:
        applied = [] if status else apply_migrations(settings)
        state = _migration_state(settings)
        if as_json:
            print_json({"applied_now": applied, **state})
            return
        for name in applied:
            note(f"applied {name}")
        if status:
            done = [(row["name"], row["applied_at"]) for row in state["applied"]]
            print_table(("migration", "applied"), [*done, *((name, "pending") for name in state["pending"])])
        elif not applied:
            note("nothing to do: the database is up to date")


def _migration_state(settings: Settings) -> dict[str, list[Any]]:
    import psycopg

    from app.dsn import parse_dsn
    from migrations import migration_status

    assert settings.database_url is not None, "inside database_running"  # noqa: S101 - an invariant, not input
    dsn = parse_dsn(settings.database_url.get_secret_value())
    with psycopg.connect(dsn.conninfo, autocommit=True, prepare_threshold=None) as conn:
        state = migration_status(conn)
    return {
        "applied": [{"name": f"{row.number:04}_{row.name}", "applied_at": row.applied_at} for row in state.applied],
        "pending": [f"{migration.number:04}_{migration.name}" for migration in state.pending],
    }
