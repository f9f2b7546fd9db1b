"""A web process at a database that takes no writes: what only looks works, and a change is refused in words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.access.sessions import COOKIE, csrf_token
from tests.support.web import (
    BATCHES,
    DOMAINS,
    SCANS,
    WebServer,
    bearer,
    default_token,
    drain,
    serving,
    web_settings,
)

HTML = {"Accept": "text/html"}


@pytest.fixture(params=["database", "role"])
def read_only(request: pytest.FixtureRequest, database: str) -> Iterator[Any]:
    """Makes the database read-only for whoever connects from then on; returns how to connect."""
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    role = sql.Identifier(f"reader_{os.getpid()}")

    def make() -> str:
        with psycopg.connect(database, autocommit=True) as conn:
            if request.param == "database":
                conn.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
                return database
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN BYPASSRLS PASSWORD 'reader'").format(role))
            conn.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))
            conn.execute(sql.SQL("GRANT pg_read_all_data, scrapersky_tenant TO {}").format(role))
            return make_conninfo(database, user=role.as_string().strip('"'), password="reader")

    yield make
    with psycopg.connect(database, autocommit=True, options="-c default_transaction_read_only=off") as conn:
        conn.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


async def test_everything_that_only_looks_works_and_changes_are_refused_in_words(
    database: str, conn: Any, read_only: Any
) -> None:
    async with serving(web_settings(database)) as web:
        job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
        batch = (await web.client.post(f"{BATCHES}/batch", json={"domains": ["example.org", "example.net"]})).json()
        await drain(database)
        waiting = (await web.client.post(f"{SCANS}/scan", json={"base_url": "waiting.com"})).json()
    secret = await default_token(conn)
    reader = web_settings(read_only(), environment="production")

    async with serving(reader) as web:
        for path in reads(job, batch, waiting):
            reply = await web.client.get(path, headers=bearer(secret))
            assert reply.status_code == 200, (path, reply.text)
        await assert_pages(web, secret, job, batch)
        await assert_changes_are_refused(web, secret, job, batch)

    [(used,)] = await (await conn.execute("SELECT last_used_at FROM api_tokens")).fetchall()
    [(count,)] = await (await conn.execute("SELECT count(*) FROM domains")).fetchall()
    assert used is None
    assert count == 4


def reads(job: Any, batch: Any, waiting: Any) -> list[str]:
    domain = f"{DOMAINS}/{job['job_id']}"
    return [
        job["status_url"],
        f"{waiting['status_url']}?wait=0.2",
        f"{job['status_url']}/events",
        f"{batch['status_url']}?sort=-completed_at",
        DOMAINS,
        f"{DOMAINS}/export",
        f"{DOMAINS}/export?format=jsonl",
        domain,
        f"{domain}/changes",
        "/api/v3/overview",
        "/health",
        "/metrics",
    ]


async def assert_pages(web: WebServer, secret: str, job: Any, batch: Any) -> None:
    form = await web.client.post("/sign-in", data={"token": secret, "next": "/"})
    assert form.status_code == 303
    for path in (
        "/",
        f"/jobs/{job['job_id']}",
        "/batch",
        f"/batch/{batch['batch_id']}",
        "/domains",
        "/status",
        "/docs",
    ):
        page = await web.client.get(path, headers=HTML)
        assert page.status_code == 200, (path, page.text)
    preview = await web.client.post("/batch/preview", data={"text": "a.com", "csrf_token": csrf_token(secret)})
    assert "a.com" in preview.text
    refused = await web.client.post("/scan", data={"domain": "new.com", "csrf_token": csrf_token(secret)}, headers=HTML)
    assert refused.status_code == 503
    assert "takes no changes now" in refused.text
    web.client.cookies.delete(COOKIE)


async def assert_changes_are_refused(web: WebServer, secret: str, job: Any, batch: Any) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{SCANS}/scan", {"json": {"base_url": "new.com"}}),
        ("POST", f"{SCANS}/scan", {"json": {"base_url": "new.com"}, "headers": {**bearer(secret), **key}}),
        ("POST", f"{SCANS}/retry/{job['job_id']}", {}),
        ("POST", f"{SCANS}/cancel/{job['job_id']}", {}),
        ("POST", f"{BATCHES}/batch", {"json": {"domains": ["new.com"]}}),
        ("POST", f"{BATCHES}/batch/{batch['batch_id']}/retry", {}),
        ("POST", f"{DOMAINS}/import", {"files": {"file": ("list.csv", b"new.com\n", "text/csv")}}),
        ("PATCH", f"{DOMAINS}/{job['job_id']}", {"json": {"rescan_every": "P7D"}}),
    ]
    for method, path, sent in changes:
        reply = await web.client.request(method, path, **({"headers": bearer(secret)} | sent))
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "read_only"), (path, reply.text)
        assert "nothing was changed" in reply.json()["error"]["message"]
        assert int(reply.headers["Retry-After"]) >= 1


async def test_a_token_is_noted_as_used_once_a_minute_by_many_requests_at_the_same_time(
    database: str, conn: Any
) -> None:
    secret = await default_token(conn)
    async with serving(web_settings(database, environment="production")) as web:
        replies = await asyncio.gather(*(web.client.get(DOMAINS, headers=bearer(secret)) for _ in range(20)))
        [(first,)] = await (await conn.execute("SELECT last_used_at FROM api_tokens")).fetchall()
        await web.client.get(DOMAINS, headers=bearer(secret))
        [(second,)] = await (await conn.execute("SELECT last_used_at FROM api_tokens")).fetchall()
        await conn.execute("UPDATE api_tokens SET last_used_at = now() - interval '2 minutes'")
        async with await psycopg.AsyncConnection.connect(database) as other:
            await other.execute("SELECT FROM api_tokens FOR UPDATE")  # nobody waits for who holds the row
            held = await web.client.get(DOMAINS, headers=bearer(secret))
        await web.client.get(DOMAINS, headers=bearer(secret))
        [(third,)] = await (await conn.execute("SELECT last_used_at FROM api_tokens")).fetchall()

    assert {reply.status_code for reply in replies} == {200}
    assert held.status_code == 200
    assert first == second
    assert first < third
