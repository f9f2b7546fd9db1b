"""What every command needs: settings, a database that runs, errors as one sentence, output as a table or as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    import psycopg
    from rich.console import Console

    from app.database import Database
    from app.settings import Settings

T = TypeVar("T")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where the embedded Postgres lives; also SCRAPERSKY_DATA_DIR.", show_default=False),
]

FAILED = 1
WRONG_USAGE = 2


class CommandFailed(Exception):
    """The command cannot do what was asked; the message is one sentence that says what to do."""

    def __init__(self, message: str, *, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def load_settings(**overrides: Any) -> Settings:
    """The settings of the environment and .env, some overridden by options.

    Raises:
        CommandFailed: a variable has a value that it cannot have; each is named.
    """
    from pydantic import ValidationError

    from app.settings import Settings, problems_of

    try:
        settings = Settings()
    except ValidationError as error:
        raise CommandFailed(
            f"a setting has a value that it cannot have: {problems_of(error)}", exit_code=WRONG_USAGE
        ) from None
    given = {key: value for key, value in overrides.items() if value is not None}
    return settings.model_copy(update=given) if given else settings


def quiet_logs(settings: Settings) -> None:
    """Logs to stderr, and of a command that a person waits for only what went wrong; LOG_LEVEL=DEBUG shows all."""
    from app import log

    level = "DEBUG" if settings.log_level == "DEBUG" else "ERROR"
    log.configure(settings.model_copy(update={"log_level": level}))


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a command raises into one sentence on stderr and an exit code."""
    import psycopg

    from app.embedded import EmbeddedPostgresError
    from app.log import one_line
    from migrations import MigrationError

    try:
        yield
    except CommandFailed as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:
        _leave_with_the_reader()
    except psycopg.Error as error:
        complain(_database_sentence(error))
        raise typer.Exit(FAILED) from None
    except (EmbeddedPostgresError, MigrationError, ValueError, OSError) as error:
        complain(one_line(str(error)) or type(error).__name__)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _database_sentence(error: psycopg.Error) -> str:
    """What the database said, and what to do about it."""
    from psycopg import OperationalError, errors

    from app.log import one_line

    lines = (error.diag.message_primary or str(error)).strip().splitlines()
    reason = one_line(lines[0]) if lines else type(error).__name__
    # The tenants' role comes with the migrations, so a new server lacks it as an empty database lacks the tables.
    if isinstance(error, errors.UndefinedTable) or "scrapersky_tenant" in reason:
        return "the database is not set up yet: run `scrapersky migrate`"
    if isinstance(error, errors.ForeignKeyViolation) and "tenant" in (error.diag.constraint_name or ""):
        return "there is no such tenant: correct DEFAULT_TENANT_ID; `scrapersky tenant list` shows what there is"
    if isinstance(error, errors.QueryCanceled):
        return f"the database gave up: {reason}"
    if isinstance(error, OperationalError):
        return f"the database cannot be reached: {reason}. Is DATABASE_URL right, and does the server run?"
    return f"the database refused: {reason}"


def complain(message: str) -> None:
    """One line on stderr."""
    typer.echo(f"scrapersky: {message}", err=True)


def note(message: str) -> None:
    """One line on stderr that is no complaint."""
    typer.echo(message, err=True)


@contextmanager
def database_running(settings: Settings, *, quiet: bool = False) -> Iterator[Settings]:
    """The settings with a database that runs and is migrated: DATABASE_URL's as it is, or the embedded one.

    The embedded server is shared by every process on the machine and stops with the last of them.
    """
    if settings.database_url is not None:
        yield settings
        return
    from pydantic import SecretStr

    from app.embedded import EmbeddedPostgres

    with EmbeddedPostgres(settings.scrapersky_data_dir) as server:
        if not quiet:
            how = "sharing the embedded Postgres that runs" if server.was_running else "started the embedded Postgres"
            note(f"{how} in {server.folder}")
        running = settings.model_copy(update={"database_url": SecretStr(server.conninfo)})
        apply_migrations(running)
        yield running


def apply_migrations(settings: Settings) -> list[str]:
    """Bring the database up to date, and name what was applied."""
    import psycopg

    import migrations
    from app.dsn import parse_dsn
    from domain_queue.links import link_conninfo

    assert settings.database_url is not None, "inside database_running"  # noqa: S101 - an invariant, not input
    dsn = parse_dsn(settings.database_url.get_secret_value())
    with psycopg.connect(
        link_conninfo(dsn.conninfo, application_name="scrapersky migrate"),
        autocommit=True,
        prepare_threshold=None,
    ) as conn:
        return [f"{migration.number:04}_{migration.name}" for migration in migrations.migrate(conn)]


def refuse_a_newer_database(settings: Settings) -> list[str] | None:
    """The migrations that the database still lacks, where this program can work with it; None where none answers yet.

    Raises:
        MigrationError: the program is older than the database and cannot run with it, or a migration was edited.
    """
    import psycopg

    from app.dsn import parse_dsn
    from domain_queue.links import link_conninfo
    from migrations import migration_status

    assert settings.database_url is not None, "inside database_running"  # noqa: S101 - an invariant, not input
    conninfo = parse_dsn(settings.database_url.get_secret_value()).conninfo
    # A process that starts before its database waits for it: this look is no condition for that.
    with suppress(psycopg.OperationalError):
        started = link_conninfo(conninfo, application_name="scrapersky start", connect_timeout=3)
        with psycopg.connect(started, autocommit=True, prepare_threshold=None) as conn:
            return [f"{migration.number:04}_{migration.name}" for migration in migration_status(conn).pending]
    return None


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Database]:
    """A small pool for one command.

    Raises:
        psycopg.OperationalError: the server cannot be reached; at once, where a pool would go on trying.
    """
    import psycopg

    from app.database import Database
    from app.dsn import parse_dsn
    from domain_queue.links import link_conninfo

    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    assert settings.database_url is not None, "inside database_running"  # noqa: S101 - an invariant, not input
    conninfo = link_conninfo(parse_dsn(settings.database_url.get_secret_value()).conninfo)
    await (await psycopg.AsyncConnection.connect(conninfo)).close()
    async with Database(settings.model_copy(update={"db_min_pool_size": 0}), name="scrapersky cli") as database:
        yield database


def run_with_database(work: Callable[[Database, Settings], Coroutine[Any, Any, T]], *, quiet: bool = False) -> T:
    """Run ``work`` on a database that runs, with every error explained."""

    async def run(settings: Settings) -> T:
        async with connected(settings) as database:
            return await work(database, settings)

    with explained():
        settings = load_settings()
        quiet_logs(settings)
        with database_running(settings, quiet=quiet) as running:
            return asyncio.run(run(running))


def _leave_with_the_reader() -> NoReturn:
    """Whoever read our output has gone (a pipe to head, for instance): that is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0) from None


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Inside, output is written that a pipe may take the beginning of only."""
    try:
        yield
    except BrokenPipeError:
        _leave_with_the_reader()


@reader_may_leave()
def print_json(document: Any) -> None:
    """One JSON document on stdout; characters that could act on a terminal are escaped."""
    typer.echo(json.dumps(document, default=_as_text, ensure_ascii=True, indent=2))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def console(*, stderr: bool = False) -> Console:
    """Rich's console; it honours NO_COLOR and writes no colours into a pipe."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=not sys.stdout.isatty())


def plain(value: object) -> str:
    """A scraped value as text: no markup of ours, no control characters of theirs."""
    from rich.markup import escape

    from app.log import one_line

    return escape(one_line("" if value is None else str(value)))


@reader_may_leave()
def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """A table on a terminal, tab-separated lines in a pipe."""
    if not sys.stdout.isatty():
        from app.log import one_line

        for row in rows:
            typer.echo("\t".join(one_line("" if value is None else str(value)) for value in row))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*columns, title=title, box=SIMPLE_HEAD, title_justify="left", header_style="bold")
    if table.columns:
        table.columns[0].no_wrap = True  # the name stays whole: it is what the next command is given
    for row in rows:
        table.add_row(*(plain(value) for value in row))
    console().print(table)
