"""Read-only SQL, for looking at the tables without leaving the tool."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from app.cli.context import CommandFailed, JsonOption, note, print_json, print_table, run_with_database

if TYPE_CHECKING:
    from app.database import Connection, Database
    from app.settings import Settings

TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
STATEMENT_SECONDS = 10


def inspect(
    what: Annotated[str, typer.Argument(help='A table, or one statement: "SELECT ..."', show_default=False)],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows to print.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Look at a table or run a query, in a read-only transaction with a timeout of ten seconds.

    Examples: [dim]scrapersky inspect domains[/dim],
    [dim]scrapersky inspect "SELECT status, count(*) FROM domains GROUP BY status" --json[/dim]
    """

    async def work(database: Database, _settings: Settings) -> tuple[list[str], list[tuple[Any, ...]]]:
        async with database.system(statement_seconds=STATEMENT_SECONDS) as conn:
            await conn.execute("SET TRANSACTION READ ONLY")
            return await read_rows(conn, what, limit)

    columns, rows = run_with_database(work)
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, [[_cell(value) for value in row] for row in rows])
        note(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")


def _cell(value: object) -> object:
    """A value as Postgres or JSON writes it, not as Python does."""
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else value


async def read_rows(conn: Connection, what: str, limit: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and the first ``limit`` rows of a table or a query.

    Rows are streamed: a result of any size takes the memory of ``limit`` rows. Streaming goes by the extended
    protocol, which takes one statement only, so that no COMMIT can end the read-only transaction before a second.

    Raises:
        CommandFailed: the server refused the query; the message is the server's.
    """
    import psycopg
    from psycopg import sql

    from app.log import one_line

    query: sql.Composed | bytes = what.encode()
    if TABLE_NAME.fullmatch(what.strip()):
        query = sql.SQL("SELECT * FROM {} LIMIT {}").format(sql.Identifier(what.strip().lower()), limit)
    rows: list[tuple[Any, ...]] = []
    try:
        cur = conn.cursor()
        stream = cast(AsyncGenerator[tuple[Any, ...], None], cur.stream(query))
        async with aclosing(stream):
            async for row in stream:
                rows.append(row)
                if len(rows) == limit:
                    break
    except psycopg.OperationalError as error:
        if not isinstance(error, psycopg.errors.QueryCanceled):
            raise
        raise CommandFailed(f"the query took longer than {STATEMENT_SECONDS} s and was stopped") from error
    except psycopg.Error as error:
        said = one_line(error.diag.message_primary or str(error))
        if "multiple commands" in said:
            said = "one statement at a time: leave out what follows the first semicolon"
        raise CommandFailed(said) from error
    return [column.name for column in cur.description or ()], rows
