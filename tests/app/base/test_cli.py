"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.settings import DEFAULT_TENANT_ID
from tests.support.postgres import Server, create_database, drop_database
from tests.support.processes import clean_environment
from tests.support.terminal import drawn_until

# What is costly is made once for the module: its tests run in one process.
pytestmark = pytest.mark.xdist_group("cli")

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def shared_database(postgres: Server) -> Iterator[str]:
    conninfo = create_database(postgres)
    yield conninfo
    drop_database(postgres, conninfo)


@pytest.fixture
def database(shared_database: str) -> str:
    """One database for this module's tests, emptied for each: a database of its own for each would cost more."""
    with psycopg.connect(shared_database) as conn:
        conn.execute("DELETE FROM domains")
    return shared_database


def fill(database: str, *domains: str, status: str = "completed", **columns: str) -> None:
    """Rows of the default tenant."""
    names = ["tenant_id", "domain", "status", *columns]
    marks = ", ".join(["%s"] * len(names))
    with psycopg.connect(database) as conn:
        for domain in domains:
            values = [DEFAULT_TENANT_ID, domain, status, *columns.values()]
            conn.execute(f"INSERT INTO domains ({', '.join(names)}) VALUES ({marks})".encode(), values)


def count(database: str, condition: str = "true") -> int:
    with psycopg.connect(database) as conn:
        row = conn.execute(f"SELECT count(*) FROM domains WHERE {condition}".encode()).fetchone()
    assert row is not None
    return int(row[0])


COMMANDS = [
    [],
    ["up"],
    ["web"],
    ["worker"],
    ["worker", "run"],
    ["migrate"],
    ["scan"],
    ["extract"],
    ["domains"],
    ["domains", "list"],
    ["domains", "show"],
    ["domains", "retry"],
    ["domains", "cancel"],
    ["domains", "import"],
    ["domains", "export"],
    ["inspect"],
    ["top"],
    ["token"],
    ["token", "create"],
    ["token", "list"],
    ["token", "revoke"],
    ["tenant"],
    ["tenant", "create"],
    ["tenant", "list"],
]
#: Groups, and what takes nothing or only what a list shows.
WITHOUT_EXAMPLE = (
    [],
    ["worker"],
    ["domains"],
    ["token"],
    ["tenant"],
    ["token", "list"],
    ["token", "revoke"],
    ["tenant", "list"],
)


def test_every_command_explains_itself_and_shows_an_example() -> None:
    from app.cli.program import program

    for words in COMMANDS:
        done = CliRunner().invoke(program, [*words, "--help"])
        assert done.exit_code == 0, words
        assert "Usage: " in done.stdout, words
        assert "Example" in done.stdout or words in WITHOUT_EXAMPLE, words


def test_help_loads_neither_the_database_driver_nor_the_web_framework() -> None:
    code = (
        "import sys, app.cli.program\n"
        "heavy = {'psycopg', 'fastapi', 'uvicorn', 'aiohttp', 'pydantic_settings', 'structlog', 'phonenumbers'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_completion_of_the_shell_knows_commands_and_the_words_of_a_status() -> None:
    def complete(words: str, index: int) -> str:
        given = {"_SCRAPERSKY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(index)}
        code = "from app.cli import main; import sys; sys.argv[0] = 'scrapersky'; main()"
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=clean_environment(given), capture_output=True, text=True).stdout

    assert "domains" in complete("scrapersky dom", 1)
    assert complete("scrapersky domains list --status comp", 4).split() == ["completed"]


# --- errors ---------------------------------------------------------------------------------------------------------


def test_a_database_that_is_away_is_one_sentence_that_says_what_to_check(command: Command) -> None:
    done = command("domains", "list", DATABASE_URL="postgresql://ann:hunter2@127.0.0.1:9/none")

    assert done.exit_code == 1
    assert done.stdout == ""
    assert "the database cannot be reached" in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["domains", "list"],
        ["scan", "example.com", "--no-wait"],
        ["token", "list"],
        ["top", "--once"],
        ["tenant", "list"],
    ],
    ids=" ".join,
)
def test_a_database_without_tables_is_told_to_migrate(command: Command, empty_database: str, words: list[str]) -> None:
    done = command(*words, DATABASE_URL=empty_database)

    assert done.exit_code == 1
    assert "scrapersky migrate" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_worker_does_not_start_on_a_database_without_tables(command: Command, empty_database: str) -> None:
    done = command("worker", "run", DATABASE_URL=empty_database)

    assert done.exit_code == 1
    assert "0001_domain_queue" in done.stderr
    assert "scrapersky migrate" in done.stderr


def test_a_setting_that_cannot_be_is_named(command: Command) -> None:
    done = command("domains", "list", WORKER_CONCURRENCY="many", DB_MIN_POOL_SIZE="7", DB_MAX_POOL_SIZE="3")

    assert done.exit_code == 2
    assert "WORKER_CONCURRENCY" in done.stderr
    assert "many" not in done.stderr, "a value may be a secret"


def test_what_is_wrong_with_a_setting_is_said_in_words(command: Command) -> None:
    done = command("domains", "list", FETCH_CONTACT="ann", SSL_CERT_FILE="/no/such/file", FETCH_HOSTS_FILE="/no/such")

    assert done.exit_code == 2
    assert "FETCH_CONTACT: it must be a web address" in done.stderr
    assert "SSL_CERT_FILE: there is no file with certificates" in done.stderr
    assert "FETCH_HOSTS_FILE: there is no such file" in done.stderr


def test_a_tenant_that_does_not_exist_is_said_with_the_setting_to_correct(command: Command) -> None:
    done = command("scan", "a.com", "--no-wait", DEFAULT_TENANT_ID="00000000-0000-0000-0000-000000000009")

    assert done.exit_code == 1
    assert "DEFAULT_TENANT_ID" in done.stderr


def test_a_connection_string_that_cannot_be_read_is_refused_without_showing_it(command: Command) -> None:
    done = command("domains", "list", DATABASE_URL="mysql://ann:hunter2@db/shop")

    assert done.exit_code == 1
    assert "postgresql://" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["scan"],
        ["nonsense"],
        ["domains", "list", "--status", "processed"],
        ["domains", "retry"],
        ["extract"],
        ["extract", "nope"],
    ],
)
def test_wrong_usage_is_exit_code_2(command: Command, words: list[str]) -> None:
    done = command(*words)

    assert done.exit_code == 2
    assert done.stdout == ""


def test_a_reader_that_leaves_early_is_no_failure(database: str) -> None:
    fill(database, *(f"site-{number}.com" for number in range(2000)))
    environment = clean_environment({"DATABASE_URL": database})
    command = [sys.executable, "-m", "app.cli", "domains", "list", "--limit", "2000"]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


# --- inspect --------------------------------------------------------------------------------------------------------


def test_inspect_shows_a_table_and_the_rows_of_a_query(command: Command, database: str) -> None:
    fill(database, "one.com", "two.com")

    table = json.loads(command("inspect", "domains", "--json").stdout)
    query = json.loads(command("inspect", "SELECT domain FROM domains WHERE domain LIKE 'o%'", "--json").stdout)

    assert {row["domain"] for row in table} == {"one.com", "two.com"}
    assert query == [{"domain": "one.com"}]


def test_inspect_writes_values_as_postgres_does(command: Command, database: str) -> None:
    done = command("inspect", """SELECT true, '{"a": [1, null]}'::jsonb, ARRAY['x'], NULL""")

    assert done.stdout.strip("\n").split("\t") == ["true", '{"a": [1, null]}', '["x"]', ""]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM domains",
        "SELECT 1; DELETE FROM domains",
        "COMMIT; DELETE FROM domains",
        "ROLLBACK; BEGIN; DELETE FROM domains; COMMIT",
        "SET TRANSACTION READ WRITE",
        "WITH gone AS (DELETE FROM domains RETURNING 1) SELECT * FROM gone",
        "SELECT * FROM nosuch",
    ],
)
def test_inspect_can_change_nothing(command: Command, database: str, statement: str) -> None:
    fill(database, "one.com")

    done = command("inspect", statement)

    assert done.exit_code == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "prepared statement" not in done.stderr, "one statement at a time is what a person has to know"
    assert count(database) == 1


#: A hundred million rows, made one by one as they are read.
HUGE = "SELECT repeat('x', 1000) FROM generate_series(1, 10000) AS a, generate_series(1, 10000) AS b"


def test_inspect_reads_no_more_of_a_huge_result_than_it_prints(command: Command) -> None:
    done = command("inspect", HUGE, "--limit", "2")

    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2


# --- domains --------------------------------------------------------------------------------------------------------


def test_domains_lists_newest_first_and_filters(command: Command, database: str) -> None:
    fill(database, "first.com", "second.com")
    fill(database, "broken.com", status="error", error_code="timed_out")

    everything = json.loads(command("domains", "list", "--json").stdout)
    failed = command("domains", "list", "--status", "error").stdout
    wildcard = json.loads(command("domains", "list", "-q", "%", "--json").stdout)

    assert [row["domain"] for row in everything] == ["broken.com", "second.com", "first.com"]
    assert failed.split("\t")[:2] == ["broken.com", "error (timed_out)"]
    assert wildcard == [], "a percent sign stands for itself"


def test_a_scraped_title_cannot_act_on_the_terminal(command: Command, database: str) -> None:
    fill(database, "evil.com", title="a\x1b[31mred\nforged line\u202e")

    for words in (["domains", "list"], ["domains", "list", "--json"], ["inspect", "SELECT title FROM domains"]):
        printed = command(*words).stdout
        assert not {"\x1b", "\u202e"} & set(printed), words
        assert "\nforged" not in printed, words


def test_a_domain_is_shown_by_name_address_or_id(command: Command, database: str) -> None:
    fill(database, "one.com", status="pending")
    job_id = json.loads(command("domains", "list", "--json").stdout)[0]["id"]

    documents = [
        json.loads(command("domains", "show", name, "--json").stdout)
        for name in ("one.com", "https://www.ONE.com/x", job_id, job_id.upper())
    ]

    assert [document["job_id"] for document in documents] == [job_id] * 4
    assert documents[0]["queue"] == {"position": 1, "workers_alive": 0}


def test_a_domain_that_is_not_there_is_said(command: Command) -> None:
    done = command("domains", "show", "one.com")

    assert done.exit_code == 1
    assert "there is no domain or job 'one.com'" in done.stderr


def test_retry_puts_failed_rows_back_by_name_by_code_or_all(command: Command, database: str) -> None:
    fill(database, "a.com", "b.com", status="error", error_code="timed_out")
    fill(database, "c.com", status="error", error_code="refused")
    fill(database, "d.com", status="cancelled")

    one = json.loads(command("domains", "retry", "a.com", "--json").stdout)["job_ids"]
    by_code = json.loads(command("domains", "retry", "--error", "timed_out", "--json").stdout)["job_ids"]
    rest = command("domains", "retry", "--all").stderr

    assert (len(one), len(by_code)) == (1, 1)
    assert "2 put back into the queue" in rest
    assert count(database, "status = 'pending'") == 4


def test_cancel_ends_what_waits(command: Command, database: str) -> None:
    fill(database, "a.com", "b.com", status="pending")

    done = command("domains", "cancel", "a.com")

    assert "1 cancelled" in done.stderr
    assert count(database, "status = 'cancelled'") == 1


@pytest.mark.parametrize("words", [["retry", "a.com"], ["cancel", "a.com"]], ids=" ".join)
def test_what_cannot_be_retried_or_cancelled_is_a_failure_that_says_why(
    command: Command, database: str, words: list[str]
) -> None:
    fill(database, "a.com", status="completed")

    done = command("domains", *words)

    assert done.exit_code == 1
    assert done.stderr.startswith("0 ")
    assert "only" in done.stderr


def test_import_queues_a_column_merges_duplicates_and_tells_what_it_refused(
    command: Command, database: str, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_bytes("Name;Website\nAnn;https://one.com/x\nBob;localhost\nCéd;www.ONE.com\n".encode("cp1252"))

    done = json.loads(command("domains", "import", str(file), "--json").stdout)

    assert (done["job_count"], done["duplicates"]) == (1, 1)
    assert [(line["line"], line["input"]) for line in done["rejected"]] == [(3, "localhost")]
    assert count(database, "status = 'pending' AND domain = 'one.com' AND max_pages = 5") == 1


def test_import_takes_more_lines_than_a_batch_may_have(command: Command, database: str) -> None:
    lines = "\n".join(f"site-{number}.com" for number in range(10_001))

    done = command("domains", "import", "-", stdin=lines)

    assert "10001 queued, 0 duplicates merged, 0 refused" in done.stderr
    assert count(database, "status = 'pending'") == 10_001


def test_an_import_of_which_nothing_is_a_domain_fails(command: Command, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("localhost\n10.0.0.1\n")

    assert command("domains", "import", str(tmp_path / "list.txt")).exit_code == 1
    assert command("domains", "import", str(tmp_path / "absent.txt")).exit_code == 2


def test_export_is_safe_in_a_spreadsheet_and_whole_as_lines_of_json(command: Command, database: str) -> None:
    fill(database, "one.com", title='=HYPERLINK("http://evil")')
    fill(database, "two.com", status="error")

    rows = list(csv.DictReader(io.StringIO(command("domains", "export").stdout.removeprefix("\ufeff"))))
    lines = command("domains", "export", "--format", "jsonl", "--status", "error").stdout.splitlines()

    assert rows[0]["title"] == '\'=HYPERLINK("http://evil")'
    assert [json.loads(line)["domain"] for line in lines] == ["two.com"]


# --- the rest -------------------------------------------------------------------------------------------------------


def test_scan_without_waiting_prints_the_job_ids(command: Command, database: str) -> None:
    done = command("scan", "one.com", "https://two.com/x", "ONE.com", "--no-wait", "--json", "--max-pages", "7")

    jobs = json.loads(done.stdout)
    assert [job["domain"] for job in jobs] == ["one.com", "two.com"]
    assert count(database, "status = 'pending' AND max_pages = 7") == 2


def test_scan_refuses_all_when_one_is_no_domain(command: Command, database: str) -> None:
    done = command("scan", "one.com", "localhost", "--no-wait")

    assert done.exit_code == 2
    assert "localhost" in done.stderr
    assert count(database) == 0


def test_top_shows_depth_and_what_waits(command: Command, database: str) -> None:
    fill(database, "one.com", status="pending")

    seen = json.loads(command("top", "--json").stdout)

    assert seen["queue"]["pending"] == 1
    assert seen["oldest_pending"]["domain"] == "one.com"
    assert "one.com" in command("top", "--once").stdout


def test_top_draws_on_a_terminal_until_ctrl_c(database: str) -> None:
    fill(database, "one.com", status="pending")
    drawn, code = drawn_until(b"longest due", "top", "--interval", "0.2", environment={"DATABASE_URL": database})

    assert code == 0
    assert b"one.com" in drawn
    assert not re.search(rb"\x1b\[(?:[0-9;]*;)?[39]\d", drawn), "NO_COLOR"


def test_a_token_is_printed_once_listed_without_its_secret_and_revoked(command: Command) -> None:
    made = json.loads(command("token", "create", "laptop", "--json").stdout)
    listed = command("token", "list", "--json").stdout
    revoked = command("token", "revoke", made["id"])
    after = json.loads(command("token", "list", "--json").stdout)

    assert made["token"]
    assert made["token"] not in listed
    assert revoked.exit_code == 0
    assert next(token for token in after if token["id"] == made["id"])["revoked_at"] is not None


def test_a_tenant_is_made_and_listed(command: Command) -> None:
    made = command("tenant", "create", "Sales team").stdout.strip()

    assert made in {tenant["id"] for tenant in json.loads(command("tenant", "list", "--json").stdout)}


def test_migrate_tells_what_is_pending_and_what_it_applied(command: Command, empty_database: str) -> None:
    before = json.loads(command("migrate", "--status", "--json", DATABASE_URL=empty_database).stdout)
    applied = json.loads(command("migrate", "--json", DATABASE_URL=empty_database).stdout)
    again = command("migrate", DATABASE_URL=empty_database)

    assert before["applied"] == []
    assert applied["applied_now"] == before["pending"]
    assert "up to date" in again.stderr


def test_a_saved_page_is_read_without_a_database(command: Command, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<html lang="en"><title>Oak</title><a href="mailto:ann@oak-street.com">write</a></html>')
    words = ["extract", "--html", str(page), "--url", "https://oak-street.com/contact"]

    document = json.loads(command(*words, "--json", DATABASE_URL="postgresql://127.0.0.1:9/none").stdout)
    text = command(*words).stdout

    assert (document["title"], document["email_addresses"]) == ("Oak", ["ann@oak-street.com"])
    assert "oak-street.com\tE-mail\tann@oak-street.com\thttps://oak-street.com/contact" in text


def test_a_saved_page_needs_an_address_to_read_its_links_by(command: Command, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<title>x</title>")

    assert command("extract", "--html", str(page)).exit_code == 2
    assert command("extract", "--html", str(page), "--url", "ftp://x").exit_code == 2
