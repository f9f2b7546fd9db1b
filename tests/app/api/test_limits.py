"""Limits of a token, and a database that is away."""

from __future__ import annotations

import psycopg
import pytest

from app.api.errors import ApiError
from app.api.limits import RateLimiter
from tests.support.web import BATCHES, SCANS, serving, web_settings

Connection = psycopg.AsyncConnection[tuple[object, ...]]
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1"


def test_a_bucket_holds_a_minute_of_requests_and_refills_evenly() -> None:
    now = [0.0]
    limiter = RateLimiter(60, clock=lambda: now[0])
    for _ in range(60):
        limiter.spend("a")

    with pytest.raises(ApiError) as refused:
        limiter.spend("a")
    limiter.spend("b")
    now[0] += 1
    limiter.spend("a")

    assert refused.value.status == 429
    assert int(refused.value.headers["Retry-After"]) >= 1
    with pytest.raises(ApiError):
        limiter.spend("a")


async def test_too_many_requests_are_answered_with_the_time_to_wait(database: str) -> None:
    async with serving(web_settings(database, api_requests_per_minute=3)) as web:
        replies = [await web.client.get("/api/v3/domains") for _ in range(5)]

    assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
    assert int(replies[-1].headers["Retry-After"]) >= 1
    assert replies[-1].json()["error"]["code"] == "rate_limited"


async def test_more_domains_than_may_wait_are_refused_whole(database: str, conn: Connection) -> None:
    async with serving(web_settings(database, api_max_queued_domains=3)) as web:
        fits = await web.client.post(f"{BATCHES}/batch", json={"domains": ["a.com", "b.com"]})
        too_many = await web.client.post(f"{BATCHES}/batch", json={"domains": ["c.com", "d.com"]})
        one_more = await web.client.post(f"{SCANS}/scan", json={"base_url": "c.com"})
        full = await web.client.post(f"{SCANS}/scan", json={"base_url": "d.com"})

    assert [reply.status_code for reply in (fits, too_many, one_more, full)] == [202, 429, 202, 429]
    assert int(too_many.headers["Retry-After"]) >= 1
    assert too_many.json()["error"]["code"] == "queue_full"
    [(count,)] = await (await conn.execute("SELECT count(*) FROM batches")).fetchall()
    assert count == 1


async def test_while_the_database_is_away_the_server_runs_and_says_so() -> None:
    async with serving(web_settings(NOWHERE, db_min_pool_size=0)) as web:
        health = await web.client.get("/health")
        ready = await web.client.get("/ready")
        status = await web.client.get("/api/v3/domains")
        page = await web.client.get("/", headers={"Accept": "text/html"})
        metrics = await web.client.get("/metrics")

    assert health.status_code == 200
    assert ready.status_code == 503
    assert ready.json()["checks"][0]["name"] == "database"
    assert ready.json()["checks"][0]["advice"]
    assert (status.status_code, status.json()["error"]["code"]) == (503, "database_away")
    assert int(status.headers["Retry-After"]) >= 1
    assert page.status_code == 503
    assert "<h1>" in page.text
    assert "The database does not answer" in page.text
    assert "scrapersky_database_up 0.0" in metrics.text


async def test_the_server_needs_no_restart_when_the_database_comes_back(postgres: object, empty_database: str) -> None:
    async with serving(web_settings(empty_database)) as web:
        before = await web.client.get("/api/v3/domains")

        with psycopg.connect(empty_database, autocommit=True) as conn:
            from migrations import migrate

            migrate(conn)
        after = await web.client.get("/api/v3/domains")

    assert (before.status_code, before.json()["error"]["code"]) == (503, "not_migrated")
    assert after.status_code == 200
