"""What is pruned with an export is in the file before it is gone, whatever happens in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.archive import ArchiveUnusable, open_archive
from app.database import Database
from app.prune import Pruned, prune
from app.settings import DEFAULT_TENANT_ID
from tests.support.processes import clean_environment, wait_for

Connection = psycopg.AsyncConnection[Any]

AGE = timedelta(days=30)


async def store(conn: Connection, count: int, *, metadata: dict[str, object] | None = None) -> None:
    await conn.execute(
        "INSERT INTO domains (tenant_id, domain, status, completed_at, title, email_addresses, domain_metadata) "
        "SELECT %s, i || '.example', 'completed', '2020-01-01', E'Title\n\"of\" ' || i, ARRAY['a@' || i], %s "
        "FROM generate_series(1, %s) AS i",
        (DEFAULT_TENANT_ID, json.dumps(metadata or {}), count),
    )


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().split("\n")[:-1]]


async def value(conn: Connection, query: str) -> Any:
    row = await (await conn.execute(query.encode())).fetchone()
    assert row is not None
    return row[0]


async def test_a_domain_is_exported_with_every_column_and_all_that_goes_with_it(
    pool: Database, conn: Connection, tmp_path: Path
) -> None:
    await store(conn, 1, metadata={"pages": [1]})
    await conn.execute("INSERT INTO batches (tenant_id, max_pages) VALUES (%s, 5)", (DEFAULT_TENANT_ID,))
    await conn.execute(
        "INSERT INTO batch_items (batch_id, position, tenant_id, domain_id) "
        "SELECT b.id, 7, b.tenant_id, d.id FROM batches AS b, domains AS d"
    )
    await conn.execute(
        "INSERT INTO domain_changes (tenant_id, domain_id, field) SELECT tenant_id, id, 'title' FROM domains"
    )
    await conn.execute(
        "INSERT INTO webhook_deliveries (tenant_id, url, domain_id, state, finished_at) "
        "SELECT tenant_id, 'https://h.example', id, 'delivered', now() FROM domains"
    )
    columns = await value(conn, "SELECT to_jsonb(d) FROM domains AS d")
    with open_archive(tmp_path / "removed.jsonl") as archive:
        removed = await prune(pool, AGE, archive=archive)
    [line] = lines(tmp_path / "removed.jsonl")
    assert removed == Pruned(domains=1)
    assert (line["kind"], line["row"]) == ("domains", columns)
    assert line["row"]["title"] == 'Title\n"of" 1'
    assert [change["field"] for change in line["domain_changes"]] == ["title"]
    assert [item["position"] for item in line["batch_items"]] == [7]
    assert [owed["url"] for owed in line["webhook_deliveries"]] == ["https://h.example"]


async def test_changes_callbacks_and_batches_that_go_alone_are_exported_too(
    pool: Database, conn: Connection, tmp_path: Path
) -> None:
    await store(conn, 1)
    await conn.execute("UPDATE domains SET completed_at = now()")
    await conn.execute(
        "INSERT INTO domain_changes (tenant_id, domain_id, field, changed_at) "
        "SELECT tenant_id, id, 'title', '2020-01-01' FROM domains"
    )
    await conn.execute(
        "INSERT INTO webhook_deliveries (tenant_id, url, domain_id, state, finished_at) "
        "SELECT tenant_id, 'https://done.example', id, 'delivered', '2020-01-01' FROM domains"
    )
    await conn.execute(
        "INSERT INTO batches (tenant_id, max_pages, created_at) VALUES (%s, 5, '2020-01-01')", (DEFAULT_TENANT_ID,)
    )
    await conn.execute(
        "INSERT INTO webhook_deliveries (tenant_id, url, batch_id, state, finished_at) "
        "SELECT tenant_id, 'https://batch.example', id, 'failed', now() FROM batches"
    )
    with open_archive(tmp_path / "removed.jsonl") as archive:
        removed = await prune(pool, AGE, archive=archive)
    assert removed == Pruned(domain_changes=1, webhook_deliveries=1, batches=1)
    assert archive.lines == 3
    changed, called, batch = lines(tmp_path / "removed.jsonl")
    assert (changed["kind"], changed["row"]["field"]) == ("domain_changes", "title")
    assert (called["kind"], called["row"]["url"]) == ("webhook_deliveries", "https://done.example")
    assert (batch["kind"], batch["webhook_deliveries"][0]["url"]) == ("batches", "https://batch.example")


def command(database: str, file: Path, *, before: str = "") -> subprocess.Popen[str]:
    words = f'{before} exec "$0" -P -m app.cli prune --older-than 30 --export "$1"'
    return subprocess.Popen(
        ["bash", "-c", words, sys.executable, str(file)],
        env=clean_environment({"DATABASE_URL": database}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_an_export_that_is_killed_loses_no_row_and_is_completed_by_the_next(
    database: str, conn: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "removed.jsonl"
    await store(conn, 4_000, metadata={"text": "x" * 2_000})
    process = command(database, file)
    wait_for(lambda: file.exists() and file.stat().st_size > 1_000_000, what="some rows in the file")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    left = {domain for (domain,) in await (await conn.execute("SELECT domain FROM domains")).fetchall()}
    with file.open("a") as unfinished:
        unfinished.write('{"row": {"id": "0198')  # as a crash in the middle of a line leaves it
    exported = {json.loads(line)["row"]["domain"] for line in file.read_text().split("\n")[:-1]}
    assert 0 < len(left) < 4_000
    assert len(left | exported) == 4_000

    done = command(database, file)
    out, err = done.communicate()

    assert done.returncode == 0, err
    assert f"{len(left):,} lines" in out
    assert {line["row"]["domain"] for line in lines(file)} == {f"{number}.example" for number in range(1, 4_001)}
    assert await value(conn, "SELECT count(*) FROM domains") == 0
    assert file.stat().st_mode & 0o077 == 0


async def test_a_disk_that_is_full_leaves_what_it_could_not_take(
    database: str, conn: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "removed.jsonl"
    await store(conn, 1_000)
    process = command(database, file, before="ulimit -f 300;")
    _, err = process.communicate()
    assert process.returncode == 1
    assert "cannot write to" in err
    assert "nothing was removed that is not in the file" in err
    exported = lines(file)
    assert file.read_text().endswith("\n")
    assert 0 < len(exported) < 1_000
    assert await value(conn, "SELECT count(*) FROM domains") == 1_000 - len(exported)


async def test_what_was_exported_can_be_brought_back_as_it_was(
    pool: Database, conn: Connection, tmp_path: Path
) -> None:
    await store(conn, 3, metadata={"pages": [{"url": "https://a.example/"}]})
    before = await value(conn, "SELECT jsonb_agg(d ORDER BY d.id) FROM domains AS d")
    with open_archive(tmp_path / "removed.jsonl") as archive:
        await prune(pool, AGE, archive=archive)
    await conn.execute("CREATE TEMPORARY TABLE archive (line jsonb)")
    for line in lines(tmp_path / "removed.jsonl"):
        await conn.execute("INSERT INTO archive VALUES (%s)", (json.dumps(line),))
    page = (Path(__file__).parents[2] / "docs" / "growing.md").read_text()
    statement = page.split("-- bring back\n")[1].split("SQL\n")[0]
    await conn.execute(statement.encode())
    await conn.execute(statement.encode())  # a second time changes nothing
    assert await value(conn, "SELECT jsonb_agg(d ORDER BY d.id) FROM domains AS d") == before


def test_two_exports_do_not_write_to_one_file(tmp_path: Path) -> None:
    with (
        open_archive(tmp_path / "removed.jsonl"),
        pytest.raises(ArchiveUnusable, match="another process writes"),
        open_archive(tmp_path / "removed.jsonl"),
    ):
        raise AssertionError


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Sir,\nyours")
    for path in (letter, Path("/dev/null"), tmp_path, tmp_path / "no" / "such" / "folder"):
        with pytest.raises(ArchiveUnusable), open_archive(path):
            raise AssertionError
    assert letter.read_text() == "Dear Sir,\nyours"


def test_a_dry_run_cannot_export() -> None:
    arguments = [sys.executable, "-P", "-m", "app.cli", "prune", "--dry-run", "--export", "x"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--dry-run" in done.stderr
