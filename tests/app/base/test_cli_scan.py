"""``scrapersky scan``: through the queue, by whoever works on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from tests.support.processes import running, scrapersky
from tests.support.sites.server import Running, running_sites
from tests.support.terminal import drawn_until

# What is costly is made once for the module: its tests run in one process.
pytestmark = pytest.mark.xdist_group("cli scan")


@pytest.fixture(scope="module")
def sites() -> Iterator[Running]:
    with running_sites() as sites:
        yield sites


@pytest.fixture
def environment(database: str, sites: Running) -> dict[str, str]:
    return {**sites.environment, "DATABASE_URL": database}


def test_without_a_worker_it_brings_one_and_prints_each_value_with_its_page(environment: dict[str, str]) -> None:
    done = scrapersky("scan", "impressum-fixture.de", "missing-fixture.com", environment=environment)

    assert done.returncode == 1, "one of the two failed"
    assert "starting one for this scan" in done.stderr
    assert "missing-fixture.com: " in done.stderr
    assert "(no_such_domain)" in done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert {line[0] for line in lines} == {"impressum-fixture.de"}
    mails = [line for line in lines if line[1] == "E-mail"]
    assert mails
    assert all(page.startswith("https://impressum-fixture.de/") for _, _, _, page in mails)


def test_a_terminal_shows_why_a_scan_waits_for_its_next_attempt(environment: dict[str, str]) -> None:
    drawn_until(
        b"waiting for another try after 1 of 5: connect_failed", "scan", "down-fixture.com", environment=environment
    )


def test_json_is_one_document_for_one_domain_and_nothing_else_stands_on_stdout(environment: dict[str, str]) -> None:
    done = scrapersky("scan", "plain-1-fixture.com", "--json", environment=environment)

    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (document["status"], document["domain"]) == ("completed", "plain-1-fixture.com")
    assert document["metadata"]["email_addresses"]


def test_many_domains_come_from_a_pipe_and_leave_as_a_list(environment: dict[str, str]) -> None:
    names = "plain-1-fixture.com\n\nhttps://www.plain-2-fixture.com/x\nplain-1-fixture.com\n"

    done = scrapersky("scan", "-", "--json", "--max-pages", "1", environment=environment, stdin=names)

    assert [document["domain"] for document in json.loads(done.stdout)] == [
        "plain-1-fixture.com",
        "plain-2-fixture.com",
    ]


def test_a_running_worker_is_used(environment: dict[str, str]) -> None:
    with running("worker", "run", environment=environment) as worker:
        worker.wait_for_output("worker_started")

        done = scrapersky("scan", "plain-1-fixture.com", environment=environment)

    assert done.returncode == 0, done.stderr
    assert "starting one" not in done.stderr


def test_a_worker_that_was_killed_is_not_waited_for(environment: dict[str, str], database: str) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(
            "INSERT INTO workers (id, name, version, concurrency, lease_expires_at, lease_seconds) "
            "VALUES (%s, 'killed', '0', 1, now() + interval '2 seconds', 2)",
            (uuid4(),),
        )

    done = scrapersky("scan", "plain-1-fixture.com", environment=environment)

    assert done.returncode == 0, done.stderr
    assert "starting one for this scan" in done.stderr


def test_in_a_pipe_each_plugin_technology_and_picture_has_its_line_and_page(environment: dict[str, str]) -> None:
    done = scrapersky("extract", "wordpress-fixture.com", "--max-pages", "1", environment=environment)

    lines = [line.split("\t")[1:] for line in done.stdout.splitlines()]
    home = "https://wordpress-fixture.com/"
    assert ["Plugins", "elementor", home] in lines
    assert ["Runs on", "jQuery 3.7.1", home] in lines
    assert ["Logo", f"{home}wp-content/uploads/logo.svg", ""] in lines


def test_extract_reads_a_site_without_a_database(environment: dict[str, str]) -> None:
    away = {**environment, "DATABASE_URL": "postgresql://127.0.0.1:9/none"}

    done = scrapersky("extract", "wordpress-fixture.com", "--json", "--max-pages", "2", environment=away)
    failed = scrapersky("extract", "missing-fixture.com", environment=away)

    assert json.loads(done.stdout)["is_wordpress"] is True
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "(no_such_domain)" in failed.stderr
