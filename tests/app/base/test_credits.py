"""What the paid fetching service charged: told with the scan, counted for the day."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from app.cli.report import report_rows
from app.database import Database
from app.pages.report import describe
from app.settings import DEFAULT_TENANT_ID, Settings
from app.trace import trace_jobs
from app.worker import run_worker
from app.worker.credits import DailyCredits
from tests.support.sites.catalogue import start_catalogue
from tests.support.sites.scraper_service import KEY, ScraperService
from tests.support.sites.server import Fixture, Running, SiteServer, running_sites

pytestmark = pytest.mark.xdist_group("worker")

GONE = "gone-fixture.com"
PROTECTED = "blocked-fixture.com"

INSERT_PENDING = """
    INSERT INTO domains (tenant_id, domain, status, max_pages)
    SELECT %(tenant)s, domain, 'pending', 1
    FROM unnest(%(domains)s::text[]) AS domain
"""


def settings_of(database: str, **given: Any) -> Settings:
    return Settings(_env_file=None, database_url=SecretStr(database), db_min_pool_size=0, **given)  # type: ignore[call-arg]


def paying(database: str, sites: Running) -> Settings:
    return settings_of(
        database,
        fetch_hosts_file=sites.hosts_file,
        fetch_allow_networks=sites.environment["FETCH_ALLOW_NETWORKS"],
        scraper_api_key=SecretStr(KEY),
        scraper_api_url="https://api-service-fixture.com/",
        scraper_api_max_tier="premium",
        scraper_api_max_credits_per_scan=50,
        scraper_api_max_credits_per_day=100,
    )


async def start_with_service() -> SiteServer:
    """The catalogue, a protected site whose page is gone, and the service; every price is three times the usual."""
    sites = await start_catalogue()
    wall = sites.fixture_of(PROTECTED)
    assert wall is not None
    service = ScraperService(opens_at="standard", price_factor=3, missing={f"http://{GONE}/"})
    sites.fixtures[:0] = [
        Fixture(("api-service-fixture.com",), service.site, https=True, http=False),
        Fixture((GONE,), wall.site),
    ]
    return sites


async def test_what_a_scan_cost_is_told_by_its_result_its_trace_and_its_error(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(INSERT_PENDING, {"tenant": DEFAULT_TENANT_ID, "domains": [PROTECTED, GONE]})
    with running_sites(start_with_service) as sites:
        monkeypatch.setenv("SSL_CERT_FILE", sites.environment["SSL_CERT_FILE"])
        async with asyncio.timeout(60):
            await run_worker(paying(database, sites), concurrency=2, drain=True, stop=asyncio.Event())
        monkeypatch.delenv("SSL_CERT_FILE")  # the file goes with its sites

    with psycopg.connect(database, row_factory=dict_row) as conn:
        rows = {row["domain"]: row for row in conn.execute("SELECT * FROM domains")}
        day = conn.execute("SELECT spent FROM fetch_credits").fetchall()
    document = rows[PROTECTED]["domain_metadata"]
    assert (document["fetch_tier"], document["fetch_credits"]) == ("standard", 3)
    assert ("Credits spent", "3", "") in list(report_rows(document))
    assert ("Credits spent", "3") in describe(document).facts
    assert rows[GONE]["error_code"] == "not_found"
    assert "spent: 3" in rows[GONE]["last_error"]
    assert day == [{"spent": 6}]
    async with Database(settings_of(database), name="test") as db, db.system() as connection:
        [trace] = await trace_jobs(connection, str(rows[PROTECTED]["id"]))
    assert "credits of the fetching service spent: 3" in trace.events[-1].detail


async def test_the_days_credits_cannot_be_overdrawn_by_many_workers_at_once(database: str) -> None:
    async with Database(settings_of(database), name="test") as db:
        budget = DailyCredits(db)
        taken = await asyncio.gather(*(budget.reserve(10, limit=55) for _ in range(20)))

    assert sum(one is not None for one in taken) == 5


async def test_what_was_reserved_and_not_charged_can_be_taken_again(database: str) -> None:
    async with Database(settings_of(database), name="test") as db:
        budget = DailyCredits(db)
        reservation = await budget.reserve(25, limit=30)
        assert reservation is not None
        assert not await budget.reserve(25, limit=30)
        await budget.settle(reservation, spent=5)

        assert await budget.reserve(25, limit=30)
        assert not await budget.reserve(1, limit=30)


async def test_more_than_the_whole_limit_is_refused_on_the_first_day_too(database: str) -> None:
    async with Database(settings_of(database), name="test") as db:
        assert not await DailyCredits(db).reserve(31, limit=30)


async def test_a_charge_counts_for_the_day_of_its_request_also_when_midnight_passes_meanwhile(database: str) -> None:
    async with Database(settings_of(database), name="test") as db:
        budget = DailyCredits(db)
        taken = await budget.reserve(25, limit=100)
        async with db.system() as conn:
            await conn.execute("UPDATE fetch_credits SET day = day - 1")  # midnight
        assert taken is not None
        yesterday = replace(taken, day=taken.day - timedelta(days=1))
        assert await budget.reserve(25, limit=30)
        await budget.settle(yesterday, spent=5)
        async with db.system() as conn:
            days = await (await conn.execute("SELECT day, spent FROM fetch_credits ORDER BY day")).fetchall()

    assert days == [(yesterday.day, 5), (taken.day, 25)]
