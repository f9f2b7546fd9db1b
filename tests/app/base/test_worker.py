"""The queue's worker with the extractor as its handler: what becomes of a claim."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr, ValidationError

from app.fetching import fetch_settings, program_version
from app.settings import DEFAULT_TENANT_ID, Settings
from app.worker import run_worker
from app.worker.configuration import worker_config
from app.worker.kept import keep_what_could_not_be_read
from extractor.models import Evidence, PageRead, SiteReport
from extractor.robots import product_token
from tests.support.sites.server import Answer, Fixture, Request, Running, SiteServer, running_sites

# What is costly is made once for the module: its tests run in one process.
pytestmark = pytest.mark.xdist_group("worker")


@pytest.fixture(scope="module")
def sites() -> Iterator[Running]:
    with running_sites() as sites:
        yield sites


@pytest.fixture
def settings(database: str, sites: Running) -> Settings:
    return settings_of(
        database_url=SecretStr(database),
        fetch_hosts_file=sites.hosts_file,
        fetch_allow_networks=sites.environment["FETCH_ALLOW_NETWORKS"],
        db_min_pool_size=0,
    )


def settings_of(**given: Any) -> Settings:
    """Settings that no .env of the checkout touches."""
    return Settings(_env_file=None, **given)


def submit(database: str, domain: str, **columns: Any) -> None:
    names = ["tenant_id", "domain", "status", *columns]
    marks = ", ".join(["%s"] * len(names))
    with psycopg.connect(database) as conn:
        conn.execute(
            f"INSERT INTO domains ({', '.join(names)}) VALUES ({marks})".encode(),
            [DEFAULT_TENANT_ID, domain, "pending", *columns.values()],
        )


def rows_of(database: str) -> dict[str, dict[str, Any]]:
    with psycopg.connect(database, row_factory=dict_row) as conn:
        return {row["domain"]: row for row in conn.execute("SELECT *, status::text AS status FROM domains")}


async def work_off(settings: Settings) -> None:
    """A worker in this process, until nothing is left to claim."""
    async with asyncio.timeout(60):
        await run_worker(settings, concurrency=8, drain=True, stop=asyncio.Event())


async def test_a_row_written_by_hand_that_names_no_canonical_domain_ends_in_error_and_says_why(
    settings: Settings, database: str
) -> None:
    for name in ("Plain-1-Fixture.com", "www.plain-1-fixture.com", "https://plain-1-fixture.com/", "localhost", "??"):
        submit(database, name)

    await work_off(settings)

    rows = rows_of(database)
    assert {row["status"] for row in rows.values()} == {"error"}
    assert {row["attempt"] for row in rows.values()} == {1}
    for name in ("Plain-1-Fixture.com", "www.plain-1-fixture.com", "https://plain-1-fixture.com/"):
        assert rows[name]["error_code"] == "not_canonical"
        assert "plain-1-fixture.com" in rows[name]["last_error"]
    assert rows["localhost"]["error_code"] == "special_use_name"
    assert rows["??"]["error_code"] not in (None, "internal_error")


async def test_the_result_stands_in_the_columns_and_whole_in_the_document(settings: Settings, database: str) -> None:
    submit(database, "plain-1-fixture.com")

    await work_off(settings)

    row = rows_of(database)["plain-1-fixture.com"]
    document = row["domain_metadata"]
    assert (row["status"], row["progress"]) == ("completed", 1.0)
    for column in ("title", "description", "language", "is_wordpress", "email_addresses", "phone_numbers"):
        assert row[column] == document[column], column
    assert row["email_addresses"]
    assert document["evidence"]


async def test_a_machine_that_cannot_start_readers_says_so_and_loses_no_domain(
    settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(database, "plain-1-fixture.com")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no interpreter starts with it

    await work_off(settings)

    row = rows_of(database)["plain-1-fixture.com"]
    assert (row["status"], row["error_code"], row["attempt"]) == ("pending", "reader_unavailable", 1)
    assert "scrapersky doctor" in row["last_error"]


async def test_a_site_that_asks_for_patience_is_tried_again_no_earlier_than_it_said(
    settings: Settings, database: str
) -> None:
    submit(database, "busy-fixture.com")

    await work_off(settings)

    with psycopg.connect(database) as conn:
        row = conn.execute(
            "SELECT status::text, attempt, error_code, available_at - updated_at >= interval '6 seconds' FROM domains"
        ).fetchone()
    assert row is not None
    assert row[:2] == ("pending", 1)
    assert row[2]
    assert row[3], "Retry-After: 7"


async def test_a_refusal_does_not_overwrite_what_was_found_before(settings: Settings, database: str) -> None:
    submit(
        database,
        "blocked-fixture.com",
        title="Found before",
        email_addresses=["ann@blocked-fixture.com"],
        domain_metadata=json.dumps({"domain": "blocked-fixture.com", "title": "Found before"}),
        completed_at="2026-01-01T00:00:00Z",
    )

    await work_off(settings)

    row = rows_of(database)["blocked-fixture.com"]
    assert (row["status"], row["error_code"]) == ("error", "blocked")
    assert (row["title"], row["email_addresses"]) == ("Found before", ["ann@blocked-fixture.com"])


async def test_a_refusal_of_a_site_never_read_is_a_result_that_says_so(settings: Settings, database: str) -> None:
    submit(database, "blocked-fixture.com")

    await work_off(settings)

    row = rows_of(database)["blocked-fixture.com"]
    assert row["status"] == "completed"
    assert row["domain_metadata"]["blocked"]
    assert row["title"] is None


def test_what_a_page_said_is_kept_while_that_page_cannot_be_read_and_no_longer() -> None:
    contact, mail = "https://half-fixture.com/contact", "ann@half-fixture.com"
    earlier = SiteReport(
        domain="half-fixture.com",
        max_pages=5,
        email_addresses=[mail],
        social_links={"x": "https://x.com/half"},
        evidence={
            f"email_addresses:{mail}": Evidence(url=contact, how="text"),
            "social_links:x": Evidence(url="https://half-fixture.com/", how="link"),
        },
    )

    def found_when(status: int | None) -> SiteReport:
        page = PageRead(url=contact, status=status, bytes=0, ms=1)
        report = SiteReport(domain="half-fixture.com", max_pages=5, pages=[page])
        keep_what_could_not_be_read(report, earlier)
        return report

    for status in (None, 500, 429):
        kept = found_when(status)
        assert kept.email_addresses == [mail], status
        assert kept.evidence[f"email_addresses:{mail}"].url == contact
        assert kept.social_links == {}, "the home page was read, and names no profile any more"
    assert found_when(404).email_addresses == []
    assert found_when(200).email_addresses == []


async def test_a_refusal_after_a_refusal_is_the_same_result_again(settings: Settings, database: str) -> None:
    document = json.dumps({"domain": "blocked-fixture.com", "blocked": "cloudflare"})
    submit(database, "blocked-fixture.com", domain_metadata=document, completed_at="2026-01-01T00:00:00Z")

    await work_off(settings)

    row = rows_of(database)["blocked-fixture.com"]
    assert (row["status"], row["error_code"]) == ("completed", None), "there was nothing of an earlier scan to keep"
    assert row["domain_metadata"]["blocked"] == "cloudflare"


async def test_a_rescan_asks_whether_pages_changed_and_confirms_the_report(settings: Settings, database: str) -> None:
    submit(database, "unchanged-fixture.com")
    await work_off(settings)
    first = rows_of(database)["unchanged-fixture.com"]
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE domains SET status = 'pending', attempt = 0")

    await work_off(settings)

    second = rows_of(database)["unchanged-fixture.com"]
    assert first["http_validators"]
    assert {page["status"] for page in second["domain_metadata"]["pages"]} == {304}
    assert second["email_addresses"] == first["email_addresses"] != []


async def test_a_result_of_another_version_of_the_program_is_read_anew(settings: Settings, database: str) -> None:
    submit(database, "unchanged-fixture.com")
    await work_off(settings)
    with psycopg.connect(database) as conn:
        conn.execute(
            "UPDATE domains SET status = 'pending', attempt = 0, domain_metadata = domain_metadata || '{\"pages\": 7}'"
        )

    await work_off(settings)

    row = rows_of(database)["unchanged-fixture.com"]
    assert row["status"] == "completed"
    assert {page["status"] for page in row["domain_metadata"]["pages"]} == {200}


class Crowd:
    """A site that counts how many of its names are asked at once."""

    def __init__(self) -> None:
        self._asking: dict[str, int] = {}
        self.most = 0

    async def __call__(self, request: Request, _: asyncio.StreamWriter) -> Answer:
        self._asking[request.host] = self._asking.get(request.host, 0) + 1
        self.most = max(self.most, len(self._asking))
        await asyncio.sleep(0.05)
        self._asking[request.host] -= 1
        if self._asking[request.host] == 0:
            del self._asking[request.host]
        return Answer("<title>Crowd</title>")


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_scans_than_allowed_talk_to_one_address_at_once(
    settings: Settings, database: str, limit: int
) -> None:
    crowd = Crowd()

    async def make() -> SiteServer:
        return await SiteServer([Fixture(("crowd-*-fixture.com",), crowd)]).__aenter__()

    for number in range(6):
        submit(database, f"crowd-{number}-fixture.com", max_pages=1)
    with running_sites(make) as sites:
        await work_off(
            settings.model_copy(update={"fetch_hosts_file": sites.hosts_file, "fetch_scans_per_address": limit})
        )

    assert {row["status"] for row in rows_of(database).values()} == {"completed"}
    assert min(limit, 2) <= crowd.most <= limit


# --- settings -------------------------------------------------------------------------------------------------------


def test_a_pooler_for_the_work_and_a_direct_server_for_listening_are_kept_apart() -> None:
    config = worker_config(
        settings_of(
            database_url=SecretStr("postgresql+asyncpg://ann:x@aws.pooler.supabase.com:6543/postgres"),
            listen_database_url=SecretStr("postgres://ann:x@db.example.com/postgres"),
            domain_processing_interval_minutes=0.5,
        )
    )

    assert not config.prepared_statements
    assert "6543" in config.conninfo
    assert "db.example.com" in config.listen_conninfo
    assert config.poll_seconds == 30


def test_a_worker_without_a_database_is_refused() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        worker_config(settings_of(database_url=None))


def test_sites_are_told_which_program_and_version_asks_unless_another_name_is_set() -> None:
    assert f"scrapersky/{program_version()}" in fetch_settings(settings_of()).user_agent
    assert fetch_settings(settings_of(fetch_user_agent="Ours/1")).user_agent == "Ours/1"


def test_sites_are_told_whom_to_write_to_where_the_operator_says_it() -> None:
    for contact in ("https://example.com/reader?a=1", "reader@example.com"):
        told = fetch_settings(settings_of(fetch_contact=contact)).user_agent
        assert told == f"Mozilla/5.0 (compatible; scrapersky/{program_version()}; +{contact})"
        assert product_token(told) == "scrapersky"
    assert fetch_settings(settings_of(fetch_contact="")).user_agent.endswith(f"/{program_version()})")


@pytest.mark.parametrize("contact", ["ask me", "javascript:x", "https://a.com/\r\nX: y", "a@b)", "https://a.com/(x)"])
def test_a_contact_that_is_no_address_is_refused(contact: str) -> None:
    with pytest.raises(ValidationError):
        settings_of(fetch_contact=contact)


async def test_a_tenant_that_is_not_the_default_one_is_scanned_too(settings: Settings, database: str) -> None:
    tenant = uuid4()
    with psycopg.connect(database) as conn:
        conn.execute("INSERT INTO tenants (id, name) VALUES (%s, 'Other')", (tenant,))
        conn.execute(
            "INSERT INTO domains (tenant_id, domain, status) VALUES (%s, 'plain-2-fixture.com', 'pending')", (tenant,)
        )

    await work_off(settings)

    assert rows_of(database)["plain-2-fixture.com"]["status"] == "completed"
