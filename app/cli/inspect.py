"""Read-only SQL, for looking at the tables without leaving the tool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.context import JsonOption, note, print_json, print_table, run_with_database
from app.settings import Settings

if TYPE_CHECKING:
    from app.database import Database

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
        from psycopg import sql

        query: sql.Composed | bytes = what.encode()
        if TABLE_NAME.fullmatch(what.strip()):
            query = sql.SQL("SELECT * FROM {} LIMIT {}").format(sql.Identifier(what.strip().lower()), limit)
        async with database.system(statement_seconds=STATEMENT_SECONDS) as conn:
            await conn.execute("SET TRANSACTION READ ONLY")
            cur = await conn.execute(query)
            if cur.description is None:
                return [], []
            return [column.name for column in cur.description], await cur.fetchmany(limit)

    columns, rows = run_with_database(work)
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif columns:
        print_table(columns, rows)
        note(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")
