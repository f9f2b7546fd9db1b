"""Who comes in, and whose rows they see."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from fastapi.routing import APIRoute
from psycopg import sql

from app.access import UnknownToken, create_token, list_tokens, revoke_token
from app.access.errors import NameTaken, UnknownTenant
from app.access.sessions import COOKIE, csrf_token
from app.access.tenants import create_tenant, list_tenants
from app.settings import DEFAULT_TENANT_ID
from tests.support.web import BATCHES, DOMAINS, SCANS, WebServer, bearer, default_token, new_token

Connection = psycopg.AsyncConnection[tuple[object, ...]]


async def test_a_production_server_lets_nobody_in_without_a_token_and_refuses_the_published_one(
    closed_web: WebServer,
) -> None:
    nobody = await closed_web.client.get(DOMAINS)
    published = await closed_web.client.get(DOMAINS, headers=bearer("scraper_sky_2024"))
    stranger = await closed_web.client.get(DOMAINS, headers=bearer("sky_unknown"))
    basic = await closed_web.client.get(DOMAINS, headers={"Authorization": "Basic c2t5"})

    for reply in (nobody, published, stranger, basic):
        assert reply.status_code == 401
        assert reply.json()["error"]["code"] == "unauthorized"
        assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_token_opens_until_it_is_revoked_and_its_use_is_noted(closed_web: WebServer, conn: Connection) -> None:
    token = await create_token(conn, tenant_id=DEFAULT_TENANT_ID, name="laptop")

    first = await closed_web.client.get(DOMAINS, headers=bearer(token.secret))
    [row] = await list_tokens(conn)
    await revoke_token(conn, token.id)
    second = await closed_web.client.get(DOMAINS, headers=bearer(token.secret))

    assert (first.status_code, second.status_code) == (200, 401)
    assert row.last_used_at is not None
    assert row.revoked_at is None
    with pytest.raises(UnknownToken):
        await revoke_token(conn, token.id)


async def test_a_token_is_stored_as_its_hash_alone(conn: Connection) -> None:
    token = await create_token(conn, tenant_id=DEFAULT_TENANT_ID, name="laptop")

    [(row,)] = await (await conn.execute("SELECT api_tokens::text FROM api_tokens")).fetchall()

    assert token.secret not in str(row)
    assert token.secret not in repr(token)
    assert token.secret.removeprefix("sky_") not in str(row)


async def test_tenants_have_names_of_their_own_and_tokens_need_one(conn: Connection) -> None:
    tenant = await create_tenant(conn, "acme")

    with pytest.raises(NameTaken):
        await create_tenant(conn, "acme")
    with pytest.raises(UnknownTenant):
        await create_token(conn, tenant_id=uuid.uuid4(), name="x")

    assert tenant in await list_tenants(conn)


async def test_a_foreign_name_that_leads_to_a_development_server_does_not_open_it(web: WebServer) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:80", ""):
        reply = await web.client.get(DOMAINS, headers={"Host": host})
        assert reply.status_code in (400, 401), host
    assert (await web.client.get(DOMAINS, headers={"Host": "localhost:1"})).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_a_browser_sent_by_another_site_changes_nothing_on_an_open_server(
    web: WebServer, headers: dict[str, str]
) -> None:
    body = b"example.com\n"

    reply = await web.client.post(f"{DOMAINS}/import", content=body, headers={**headers, "Content-Type": "text/plain"})
    form = await web.client.post("/scan", data={"domain": "example.com"}, headers=headers)

    assert (reply.status_code, form.status_code) == (403, 403)
    assert (await web.client.get(DOMAINS)).json()["domains"] == []


async def test_a_cookie_reads_freely_but_changes_only_with_the_proof(closed_web: WebServer, conn: Connection) -> None:
    secret = await default_token(conn)
    closed_web.client.cookies.set(COOKIE, secret)
    body = {"base_url": "example.com"}

    read = await closed_web.client.get(DOMAINS)
    without = await closed_web.client.post(f"{SCANS}/scan", json=body)
    wrong = await closed_web.client.post(f"{SCANS}/scan", json=body, headers={"X-CSRF-Token": "0" * 64})
    proven = await closed_web.client.post(f"{SCANS}/scan", json=body, headers={"X-CSRF-Token": csrf_token(secret)})

    assert [reply.status_code for reply in (read, without, wrong, proven)] == [200, 403, 403, 202]


async def test_nobody_reads_or_changes_anything_of_another_tenant_by_its_id(
    closed_web: WebServer, conn: Connection
) -> None:
    """Every route with an id in its address, of the API and of the pages, with the ids of somebody else."""
    mine, _ = await new_token(conn, "mine")
    theirs, _ = await new_token(conn, "theirs")
    client = closed_web.client
    batch = (await client.post(f"{BATCHES}/batch", json={"domains": ["example.com"]}, headers=bearer(theirs))).json()
    [row] = (await client.get(DOMAINS, headers=bearer(theirs))).json()["domains"]
    ids = {"job_id": row["id"], "domain_id": row["id"], "batch_id": batch["batch_id"], "action": "cancel"}
    walked = []

    for path, method in addresses_with_ids(closed_web):
        address = path.format(**ids)
        if path.startswith("/api/"):
            reply = await client.request(method, address, json={}, headers=bearer(mine))
        else:
            cookies = {"Cookie": f"{COOKIE}={mine}"}
            reply = await client.request(method, address, data={"csrf_token": csrf_token(mine)}, headers=cookies)
        assert reply.status_code == 404, (method, path, reply.status_code, reply.text[:300])
        walked.append(path)

    after = (await client.get(f"{DOMAINS}/{row['id']}", headers=bearer(theirs))).json()
    assert after["status"] == "pending"
    assert after["updated_at"] == row["updated_at"]
    assert len(walked) >= 14


def addresses_with_ids(web: WebServer) -> list[tuple[str, str]]:
    """(address, method) of every route that has an id in it."""
    found = []

    def walk(routes: Any, prefix: str) -> None:
        for route in routes:
            if isinstance(route, APIRoute):
                path = prefix + route.path
                found.extend((path, method) for method in sorted(route.methods) if "{" in path)
            else:
                context = getattr(route, "include_context", None)
                inner = getattr(route, "original_router", None)
                if inner is not None:
                    walk(inner.routes, prefix + getattr(context, "prefix", ""))

    walk(web.app.router.routes, "")
    return found


async def test_lists_exports_and_the_overview_show_the_own_tenant_alone(
    closed_web: WebServer, conn: Connection
) -> None:
    mine, _ = await new_token(conn, "mine")
    theirs, _ = await new_token(conn, "theirs")
    client = closed_web.client
    batch = (
        await client.post(f"{BATCHES}/batch", json={"domains": ["secret-plan.com"]}, headers=bearer(theirs))
    ).json()
    own = (await client.post(f"{SCANS}/scan", json={"base_url": "secret-plan.com"}, headers=bearer(mine))).json()

    replies = [
        await client.get(DOMAINS, params={"batch_id": batch["batch_id"]}, headers=bearer(mine)),
        await client.get(f"{DOMAINS}/export", params={"batch_id": batch["batch_id"]}, headers=bearer(mine)),
    ]
    overview = (await client.get("/api/v3/overview", headers=bearer(mine))).json()
    mine_listed = (await client.get(DOMAINS, headers=bearer(mine))).json()["domains"]

    for reply in replies:
        assert reply.status_code == 200
        assert "secret-plan.com" not in reply.text
    assert overview["queue"]["pending"] == 1
    assert [row["id"] for row in mine_listed] == [own["job_id"]]


async def test_row_level_security_holds_where_a_query_forgets_the_tenant(
    closed_web: WebServer, conn: Connection
) -> None:
    _, mine = await new_token(conn, "mine")
    theirs, _ = await new_token(conn, "theirs")
    await closed_web.client.post(
        f"{BATCHES}/batch",
        json={"domains": ["example.com"], "callback_url": "https://example.com/hook"},
        headers={**bearer(theirs), "Idempotency-Key": "k"},
    )
    database = closed_web.app.state.services.database

    async with database.tenant(mine) as tenant_conn:
        for table in ("domains", "batches", "batch_items", "domain_changes", "idempotency_keys", "webhook_deliveries"):
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            [(count,)] = await (await tenant_conn.execute(query)).fetchall()
            assert count == 0, table
        cur = await tenant_conn.execute("UPDATE domains SET title = 'mine'")
        assert cur.rowcount == 0

    for table in ("api_tokens", "tenants"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.tenant(mine) as tenant_conn:
                await tenant_conn.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))


async def test_a_tenant_cannot_write_rows_for_another(closed_web: WebServer, conn: Connection) -> None:
    _, mine = await new_token(conn, "mine")
    _, theirs = await new_token(conn, "theirs")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with closed_web.app.state.services.database.tenant(mine) as tenant_conn:
            await tenant_conn.execute("INSERT INTO domains (tenant_id, domain) VALUES (%s, 'example.com')", (theirs,))
