"""Callbacks: owed with the submit, signed, through the gate, tried again, never twice at once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiohttp import web as aioweb
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs

from app.api.webhooks import claim_deliveries, record_outcome
from app.settings import DEFAULT_TENANT_ID
from tests.support.doctor import assert_broken, run_doctor
from tests.support.web import BATCHES, SCANS, bearer, default_token, drain, serving, until, web_settings

Connection = psycopg.AsyncConnection[tuple[object, ...]]
URL = "http://hooks-fixture.com/scrapersky"


@dataclass
class Receiver:
    """Takes calls, and answers what it is told to."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)  #: taken in turn, then 200
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: aioweb.Request) -> aioweb.Response:
        self.calls.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        return aioweb.Response(status=status, headers={"Location": "http://hooks-fixture.com/elsewhere"})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = aioweb.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = aioweb.AppRunner(app)
    await runner.setup()
    site = aioweb.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
def hosts_file(tmp_path: Path) -> Path:
    return tmp_path / "hosts"


def allowed(database: str, hosts_file: Path, receiver: Receiver) -> Any:
    hosts_file.write_text(f"127.0.0.1:{receiver.port}:1 hooks-fixture.com\n")
    return web_settings(database, fetch_allow_networks="127.0.0.0/8", fetch_hosts_file=hosts_file)


async def test_a_scan_calls_back_with_its_result_and_a_signature_that_the_token_proves(
    database: str, conn: Connection, hosts_file: Path
) -> None:
    secret = await default_token(conn)
    async with receiving() as receiver, serving(allowed(database, hosts_file, receiver)) as web:
        body = {"base_url": "example.com", "callback_url": URL}
        job = (await web.client.post(f"{SCANS}/scan", json=body, headers=bearer(secret))).json()
        assert not receiver.calls
        await drain(database)
        await until(lambda: receiver.calls, what="the call")

    [(headers, sent)] = receiver.calls
    parts = dict(part.split("=", 1) for part in headers["x-scrapersky-signature"].split(","))
    key = hashlib.sha256(secret.encode()).digest()
    assert parts["v1"] == hmac.new(key, parts["t"].encode() + b"." + sent, hashlib.sha256).hexdigest()
    document = json.loads(sent)
    assert document["event"] == "domain.finished"
    assert document["job"]["job_id"] == job["job_id"]
    assert document["job"]["metadata"]["email_addresses"] == ["info@example.com"]


async def test_a_call_that_is_owed_waits_while_the_database_is_read_only_and_is_made_when_it_takes_writes(
    database: str, conn: Connection, hosts_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    async with serving(web_settings(database)) as web:
        await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com", "callback_url": URL})
    await drain(database)
    await conn.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    async with receiving() as receiver, serving(allowed(database, hosts_file, receiver)):
        await until(lambda: "webhooks_left_to_others" in capsys.readouterr().out, what="the sender to find out")
        assert not receiver.calls

        await conn.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        await conn.execute("""
            SELECT pg_terminate_backend(pid)
            FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
        """)
        await until(lambda: receiver.calls, what="the call")


async def test_a_batch_calls_back_once_when_its_last_domain_has_ended(database: str, hosts_file: Path) -> None:
    async with receiving() as receiver, serving(allowed(database, hosts_file, receiver)) as web:
        body = {"domains": [f"site-{number}.com" for number in range(5)], "callback_url": URL}
        batch = (await web.client.post(f"{BATCHES}/batch", json=body)).json()
        await drain(database)
        await until(lambda: receiver.calls, what="the call")

    [(_, sent)] = receiver.calls
    assert json.loads(sent)["batch"]["batch_id"] == batch["batch_id"]
    assert json.loads(sent)["batch"]["completed_domains"] == 5


async def test_what_is_owed_while_no_web_process_runs_is_told_by_doctor_and_sent_by_the_next(
    database: str, conn: Connection, hosts_file: Path
) -> None:
    async with receiving() as receiver:
        async with serving(allowed(database, hosts_file, receiver)) as web:
            await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com", "callback_url": URL})
            body = {"domains": ["site-1.com", "site-2.com"], "callback_url": URL}
            await web.client.post(f"{BATCHES}/batch", json=body)
        early = await run_doctor(web_settings(database), only=["callbacks"])
        await drain(database)
        fresh = await run_doctor(web_settings(database), only=["callbacks"])
        await conn.execute("UPDATE domains SET updated_at = now() - interval '10 minutes'")
        late = await run_doctor(web_settings(database), only=["callbacks"])
        assert receiver.calls == []

        async with serving(allowed(database, hosts_file, receiver)):
            await until(lambda: len(receiver.calls) == 2, what="the calls")
            sent = await run_doctor(web_settings(database), only=["callbacks"])

    assert early["callbacks"].seen == "none is to be sent"
    assert fresh["callbacks"].ok
    assert_broken(late, "callbacks", "2 to be sent, the first since 10 min", "scrapersky web", "workers do not")
    assert sent["callbacks"].ok


async def test_every_call_is_logged_with_its_tenant_and_its_job_or_batch(database: str, hosts_file: Path) -> None:
    with capture_logs() as events:
        async with receiving() as receiver, serving(allowed(database, hosts_file, receiver)) as web:
            body = {"base_url": "example.com", "callback_url": URL}
            job = (await web.client.post(f"{SCANS}/scan", json=body)).json()
            batch_body = {"domains": ["site-1.com"], "callback_url": URL}
            batch = (await web.client.post(f"{BATCHES}/batch", json=batch_body)).json()
            await drain(database)

            def sent() -> list[Any]:
                return [event for event in events if event["event"] == "webhook_delivered"]

            await until(lambda: len(sent()) == 2, what="the calls")

    assert {event["tenant_id"] for event in sent()} == {str(DEFAULT_TENANT_ID)}
    assert {(event["job_id"], event["batch_id"]) for event in sent()} == {
        (job["job_id"], None),
        (None, batch["batch_id"]),
    }


async def test_a_receiver_that_fails_or_redirects_is_called_again_later(
    database: str, conn: Connection, hosts_file: Path
) -> None:
    async with receiving() as receiver, serving(allowed(database, hosts_file, receiver)) as web:
        receiver.statuses = [500, 302]
        await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com", "callback_url": URL})
        await drain(database)
        errors = []
        for count in (1, 2, 3):
            await until(lambda count=count: len(receiver.calls) == count, what=f"call {count}")
            [(state, error)] = await until(lambda: settled(conn), what="the note of the call")
            errors.append((state, error))
            await conn.execute("UPDATE webhook_deliveries SET available_at = now() WHERE state = 'due'")
            await conn.execute("SELECT pg_notify('domains_finished', '')")

    assert errors == [("due", "status_500"), ("due", "status_302"), ("delivered", None)]


async def settled(conn: Connection) -> list[tuple[Any, ...]]:
    """The delivery, while no claim on it runs."""
    cur = await conn.execute(
        "SELECT state, last_error FROM webhook_deliveries"
        " WHERE state = 'delivered' OR (last_error IS NOT NULL AND available_at < now() + interval '50 seconds')"
    )
    return await cur.fetchall()


async def test_a_callback_into_a_private_network_is_never_connected(
    database: str, conn: Connection, hosts_file: Path
) -> None:
    async with receiving() as receiver:
        hosts_file.write_text(f"127.0.0.1:{receiver.port}:1 hooks-fixture.com\n")
        async with serving(web_settings(database, fetch_hosts_file=hosts_file)) as web:
            await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com", "callback_url": URL})
            await drain(database)
            [(state, error)] = await until(lambda: settled(conn), what="the note of the call")

    assert (state, error) == ("due", "unreachable")
    assert receiver.calls == []


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.com/", "http://127.0.0.1/", "http://localhost/", "http://example.com:8080/", "//example.com"),
        *("http://user:secret@example.com/", "http://[::1]/", "javascript:alert(1)", "http://exa mple.com/", "http://"),
    ],
)
async def test_a_callback_url_that_could_not_be_called_is_refused_at_once(database: str, url: str) -> None:
    async with serving(web_settings(database)) as web:
        reply = await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com", "callback_url": url})

    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "callback_refused")


async def test_two_senders_never_claim_the_same_call_and_a_late_one_writes_nothing(
    conn: Connection, database: str
) -> None:
    await conn.execute(
        """
        WITH d AS (
            INSERT INTO domains (tenant_id, domain, status)
            SELECT id, 'site-' || number || '.com', 'completed' FROM tenants, generate_series(1, 20) AS number
            RETURNING id, tenant_id
        )
        INSERT INTO webhook_deliveries (tenant_id, url, domain_id) SELECT tenant_id, 'http://x.com/', id FROM d
        """
    )

    async def claim() -> list[Any]:
        async with await psycopg.AsyncConnection.connect(database) as mine:
            return await claim_deliveries(mine, limit=10)

    claims = await asyncio.gather(claim(), claim(), claim())
    ids = [delivery.id for claimed in claims for delivery in claimed]
    stale = next(claimed for claimed in claims if claimed)[0]
    await conn.execute("UPDATE webhook_deliveries SET available_at = now()")
    again = await claim_deliveries(conn, limit=20)
    fresh = next(delivery for delivery in again if delivery.id == stale.id)

    assert len(ids) == len(set(ids)) >= 10
    assert await record_outcome(conn, stale, None) is False
    assert await record_outcome(conn, fresh, None) is True
    assert await record_outcome(conn, fresh, "again") is False
