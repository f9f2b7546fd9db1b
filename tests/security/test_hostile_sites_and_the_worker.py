"""Every hostile site through the real worker process, fifty healthy ones alongside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
import pytest

from tests.support.postgres import Server, create_database, drop_database
from tests.support.processes import running, wait_for
from tests.support.sites.hostile import HOSTILE, start_everything
from tests.support.sites.server import running_sites

pytestmark = [pytest.mark.xdist_group("hostile worker"), pytest.mark.timeout(400)]

TENANT = "550e8400-e29b-41d4-a716-446655440000"
HEALTHY = [f"plain-h{number}-fixture.com" for number in range(50)]
#: The most that the worker's own process may hold: the pages are read in its children, which have limits of their own.
MOST_WORKER_BYTES = 600 * 1024 * 1024

INSERT_ROWS = """
    INSERT INTO domains (tenant_id, domain, status, max_pages, max_attempts)
    SELECT %(tenant)s, domain, 'pending', 2, 1
    FROM unnest(%(domains)s::text[]) AS domain
"""

SELECT_ROWS = """
    SELECT domain, status::text, error_code, last_error, title, attempt, domain_metadata, crash_count
    FROM domains
"""


@dataclass(frozen=True)
class Outcome:
    """What the run left behind."""

    rows: dict[str, dict[str, Any]]
    log: str
    peak_bytes: int
    requests: dict[str, int]


@pytest.fixture(scope="module")
def outcome(postgres: Server) -> Iterator[Outcome]:
    """One run of them all."""
    conninfo = create_database(postgres)
    with running_sites(start_everything) as sites:
        environment = {
            **sites.environment,
            "DATABASE_URL": conninfo,
            "FETCH_TIMEOUT_SECONDS": "6",
            "FETCH_MAX_BYTES": str(512 * 1024),
            "FETCH_SCANS_PER_ADDRESS": "24",  # they are all on one address here
            "LOG_LEVEL": "INFO",
        }
        domains = [hostile.domain for hostile in HOSTILE] + HEALTHY
        with running("worker", "run", environment=environment) as worker:
            worker.wait_for_output("worker_started")
            with psycopg.connect(conninfo, autocommit=True) as conn:
                conn.execute(INSERT_ROWS, {"tenant": TENANT, "domains": domains})
                peak = _watch_until_done(conn, worker.pid, len(domains))
                rows = _rows(conn)
            yield Outcome(
                rows, worker.output, peak, {host: len(asked) for host, asked in sites.server.requests.items()}
            )
    drop_database(postgres, conninfo)


def _watch_until_done(conn: psycopg.Connection[Any], pid: int, count: int) -> int:
    process = psutil.Process(pid)
    peak = 0

    def look() -> bool:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        done = conn.execute("SELECT count(*) FROM domains WHERE status IN ('completed', 'error')").fetchone()
        return done == (count,)

    wait_for(look, what="every site to end", seconds=300)
    return peak


def _rows(conn: psycopg.Connection[Any]) -> dict[str, dict[str, Any]]:
    cur = conn.execute(SELECT_ROWS)
    names = [column.name for column in cur.description or ()]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cur.fetchall()}


def test_every_hostile_site_ends_with_an_outcome_that_is_right_for_it(outcome: Outcome) -> None:
    wrong = {}
    for hostile in HOSTILE:
        row = outcome.rows[hostile.domain]
        seen = "report" if row["status"] == "completed" else row["error_code"]
        if seen not in hostile.outcomes:
            wrong[hostile.domain] = (seen, row["last_error"])

    assert len(HOSTILE) >= 30
    assert wrong == {}


def test_fifty_healthy_sites_complete_alongside(outcome: Outcome) -> None:
    assert {domain: outcome.rows[domain]["status"] for domain in HEALTHY} == dict.fromkeys(HEALTHY, "completed")
    assert all(outcome.rows[domain]["title"] for domain in HEALTHY)


def test_no_handler_crashed_and_no_worker_was_lost(outcome: Outcome) -> None:
    codes = {row["error_code"] for row in outcome.rows.values()}

    assert not codes & {"internal_error", "worker_lost"}
    assert {row["crash_count"] for row in outcome.rows.values()} == {0}
    assert "Traceback" not in outcome.log


def test_the_workers_memory_does_not_feel_it(outcome: Outcome) -> None:
    print(f"peak resident size of the worker process: {outcome.peak_bytes / 2**20:.0f} MiB")

    assert outcome.peak_bytes < MOST_WORKER_BYTES


def test_nothing_a_site_says_breaks_a_log_line_and_no_refusal_reveals_an_inside_address(outcome: Outcome) -> None:
    assert not set(outcome.log) & {"\x1b", "\r", "\0", "\u2028", "\u202e"}
    refusals = [row for row in outcome.rows.values() if row["error_code"] == "refused_address"]
    assert refusals
    assert len({row["last_error"] for row in refusals}) == 1, "one wording for every refused address"
    assert not any(word in refusals[0]["last_error"] for word in ("127.", "10.0", "169.254", "::1", "localhost"))


def test_no_request_went_where_a_redirect_wanted_it(outcome: Outcome) -> None:
    assert "inner-hostile.com" not in outcome.requests
    assert "127.0.0.1" not in outcome.requests


def test_what_was_stored_can_be_read_back_and_is_bounded(outcome: Outcome) -> None:
    for row in outcome.rows.values():
        stored = json.dumps(row["domain_metadata"])
        assert len(stored) < 512 * 1024
        assert "\\u0000" not in stored
