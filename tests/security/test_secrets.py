"""Secrets are in no log, no error, no reply, no process title."""

from __future__ import annotations

from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.api import answers, web_address
from tests.support.processes import running, scrapersky, wait_for

PASSWORD = "pw-7c1f0e-hunter2"
API_KEY = "key-55d2aa-hunter3"
SECRETS = (PASSWORD, API_KEY)


@pytest.fixture
def environment(database: str) -> dict[str, str]:
    """A DSN with a password (which trust authentication ignores) and a key for the fetching service."""
    return {
        "DATABASE_URL": with_password(database),
        "ENVIRONMENT": "development",
        "PORT": "0",
        "LOG_LEVEL": "DEBUG",
        "SCRAPER_API_KEY": API_KEY,
        "SCRAPER_API_MAX_TIER": "premium",
        "SCRAPER_API_MAX_CREDITS_PER_SCAN": "10",
        "SCRAPER_API_MAX_CREDITS_PER_DAY": "10",
    }


def with_password(conninfo: str) -> str:
    """The test's own password where the server asks for one, else one that it does not look at."""
    given = conninfo_to_dict(conninfo)
    return make_conninfo(conninfo, password=str(given.get("password") or PASSWORD))


def secrets_of(environment: dict[str, str]) -> tuple[str, ...]:
    password = str(conninfo_to_dict(environment["DATABASE_URL"])["password"])
    # The test container's password is the word "test", which stands in harmless places too.
    return (API_KEY,) if password == "test" else (password, API_KEY)


def test_no_process_says_a_secret_and_no_reply_holds_one(environment: dict[str, str]) -> None:
    secrets = secrets_of(environment)
    with (
        running("web", environment=environment) as web,
        running("worker", "run", environment=environment) as worker,
        httpx.Client(base_url=web_address(web)) as client,
    ):
        wait_for(lambda: answers(client), what="the web process")
        worker.wait_for_output("worker_started")
        replies = [client.get(path).text for path in ("/health", "/ready", "/metrics", "/", "/status", "/openapi.json")]
        titles = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (web.pid, worker.pid)]
        said = "\n".join([web.output, worker.output, *replies, *titles])

    assert [secret for secret in secrets if secret in said] == []


def test_the_servers_own_view_of_its_clients_holds_no_secret(environment: dict[str, str]) -> None:
    secrets = secrets_of(environment)
    with running("worker", "run", environment=environment) as worker:
        worker.wait_for_output("worker_started")
        with psycopg.connect(environment["DATABASE_URL"]) as conn:
            seen = str(conn.execute("SELECT application_name, query FROM pg_stat_activity").fetchall())

    assert [secret for secret in secrets if secret in seen] == []


@pytest.mark.parametrize("command", [["doctor"], ["doctor", "--json"], ["domains", "list"], ["migrate", "--status"]])
def test_no_command_prints_a_secret_even_when_the_database_is_away(command: list[str]) -> None:
    environment = {
        "DATABASE_URL": f"postgresql://ann:{PASSWORD}@127.0.0.1:1/shop",
        "SCRAPER_API_KEY": API_KEY,
        "SCRAPER_API_MAX_TIER": "standard",
    }

    done = scrapersky(*command, environment=environment)

    assert done.returncode != 0
    assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []
    assert "Traceback" not in done.stderr
