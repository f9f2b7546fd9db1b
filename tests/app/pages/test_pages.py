"""The pages as the server writes them."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

import extractor
from app.access import create_token, revoke_token
from app.access.sessions import COOKIE
from app.pages.rendering import duration, phone, phone_country, safe_url
from app.pages.report import describe
from app.pages.session import safe_next
from app.pages.wording import ADVICE, GENERAL_ADVICE, STATUS_WORDS, advice_for
from app.settings import DEFAULT_TENANT_ID
from domain_queue import DomainStatus
from tests.support.web import METADATA, SCANS, WebServer, default_token, drain

Connection = psycopg.AsyncConnection[tuple[object, ...]]
HTML = {"Accept": "text/html"}


def proof(html: str) -> str:
    """The page's proof against forged requests."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]*)"', html)
    assert found is not None
    return found[1]


async def test_a_stranger_is_led_to_the_sign_in_and_back_to_where_they_wanted(
    closed_web: WebServer, conn: Connection
) -> None:
    secret = await default_token(conn)
    client = closed_web.client

    led = await client.get("/domains?status=error", headers=HTML)
    form = await client.get(led.headers["location"])
    refused = await client.post("/sign-in", data={"token": "sky_wrong", "next": "/"})
    signed_in = await client.post("/sign-in", data={"token": f" {secret} ", "next": "/domains?status=error"})
    page = await client.get(signed_in.headers["location"])

    assert led.status_code == 303
    assert 'name="next" value="/domains?status=error"' in form.text
    assert refused.status_code == 401
    assert "not known here" in refused.text
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert page.status_code == 200
    assert "Sign out" in page.text


async def test_a_form_of_a_signed_in_page_needs_its_proof_and_the_sign_out_ends_the_session(
    closed_web: WebServer, conn: Connection
) -> None:
    client = closed_web.client
    await client.post("/sign-in", data={"token": await default_token(conn)})
    page = await client.get("/")

    without = await client.post("/scan", data={"domain": "example.com"}, headers=HTML)
    scan = await client.post("/scan", data={"domain": "example.com", "csrf_token": proof(page.text)})
    out = await client.post("/sign-out", data={"csrf_token": proof(page.text)})
    after = await client.get("/")

    assert (without.status_code, scan.status_code) == (403, 303)
    assert scan.headers["location"].startswith("/jobs/")
    assert out.status_code == 303
    assert COOKIE not in client.cookies
    assert (after.status_code, after.headers["location"]) == (303, "/sign-in")


async def test_a_revoked_token_ends_its_sessions_at_once(closed_web: WebServer, conn: Connection) -> None:
    token = await create_token(conn, tenant_id=DEFAULT_TENANT_ID, name="laptop")
    await closed_web.client.post("/sign-in", data={"token": token.secret})
    before = await closed_web.client.get("/")

    await revoke_token(conn, token.id)
    after = await closed_web.client.get("/")

    assert (before.status_code, after.status_code) == (200, 303)


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/domains?q=a", "/domains?q=a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("", "/"),
    ],
)
def test_the_sign_in_leads_to_no_other_site(target: str, safe: str) -> None:
    assert safe_next(target) == safe


async def test_markup_in_every_field_of_a_result_is_text_on_every_page(
    web: WebServer, database: str, conn: Connection
) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
    await drain(database)
    metadata = {key: _spoil(value, evil) for key, value in METADATA.items()} | {"final_url": "javascript:alert(1)"}
    await conn.execute(
        "UPDATE domains SET title = %(evil)s, description = %(evil)s, email_addresses = ARRAY[%(evil)s],"
        " phone_numbers = ARRAY[%(evil)s], domain_metadata = %(metadata)s, last_error = %(evil)s,"
        " error_code = %(evil)s",
        {"evil": evil, "metadata": psycopg.types.json.Jsonb(metadata)},
    )

    for status in ("completed", "error"):
        await conn.execute("UPDATE domains SET status = %s::domain_status, completed_at = now()", (status,))
        for path in (f"/jobs/{job['job_id']}", "/", "/domains", "/status"):
            html = (await web.client.get(path)).text
            assert "<script>alert" not in html, path
            assert "<img" not in html, path
            assert 'href="javascript:' not in html, path


def _spoil(value: Any, evil: str) -> Any:
    if isinstance(value, str):
        return evil
    if isinstance(value, list):
        return [_spoil(item, evil) for item in value]
    if isinstance(value, dict):
        return {key: _spoil(item, evil) for key, item in value.items()} | {evil: evil}
    return value


def test_a_document_of_any_shape_is_described_without_failing() -> None:
    for odd in (None, 5, "text", [], {}, [None], {"a": 1}, [[1]], True):
        describe(dict.fromkeys([*METADATA, "organization", "http", "tls", "robots", "blocked", "duration_ms"], odd))


def test_the_description_names_the_page_and_the_rule_of_each_value() -> None:
    report = describe(METADATA)

    [email] = next(e for s in report.sections for e in s.entries if e.label == "E-mail").values
    assert (email.text, email.url, email.how) == ("info@example.com", "https://www.example.com/contact", "mailto link")


def test_phone_numbers_are_written_as_in_their_country() -> None:
    assert phone("+4930901820") == "+49 30 901820"
    assert phone_country("+4930901820") == "DE"
    assert phone("+12125550123") == "+1 212-555-0123"
    assert phone("call us") == "call us"
    assert phone_country("call us") is None


def test_only_web_addresses_become_links() -> None:
    assert safe_url("HTTPS://example.com") == "HTTPS://example.com"
    for bad in ("javascript:alert(1)", " https://x", "data:text/html,x", None, 5):
        assert safe_url(bad) is None


def test_spans_are_written_in_their_two_largest_units() -> None:
    assert [duration(seconds) for seconds in (0, 59, 125, 3700, 90_000)] == [
        "0 s",
        "59 s",
        "2 min 5 s",
        "1 h 1 min",
        "1 d 1 h",
    ]


def test_every_status_has_a_word_and_every_error_of_the_reader_something_to_try() -> None:
    source = "".join(path.read_text() for path in Path(extractor.__file__).parent.rglob("*.py"))
    codes = set(re.findall(r'(?:Transient|Permanent)\(\s*"([a-z_]+)"', source))

    assert set(STATUS_WORDS) == set(DomainStatus)
    assert codes >= {"timed_out", "no_such_domain"}
    codes = (codes | {"reader_unavailable"}) - {"not_canonical"}
    assert codes - set(ADVICE) == set()
    documented = (Path(extractor.__file__).parents[1] / "docs" / "api.md").read_text()
    assert {code for code in codes | set(ADVICE) if f"`{code}`" not in documented} == set()
    assert advice_for("unheard_of") == GENERAL_ADVICE


async def test_a_list_is_previewed_with_reasons_and_submitted_as_it_was_shown(web: WebServer) -> None:
    files = {"file": ("list.csv", b"name,website\nA,a.com\nB,https://b.com/x\nA,www.a.com\nC,localhost\n", "text/csv")}

    preview = await web.client.post("/batch/preview", data={"max_pages": "3"}, files=files)
    created = await web.client.post("/batch", data={"text": "a.com\nb.com", "max_pages": "3"})
    page = await web.client.get(created.headers["location"])

    assert "<strong>2</strong><span>to scan</span>" in preview.text
    assert "<strong>1</strong><span>duplicates merged</span>" in preview.text
    assert "localhost" in preview.text
    assert "from the column <strong>website</strong>" in preview.text
    assert created.status_code == 303
    assert "2 domains" in page.text


async def test_an_empty_list_is_refused_in_words_and_the_form_stays(web: WebServer) -> None:
    reply = await web.client.post("/batch/preview", data={"text": " \n"})

    assert reply.status_code == 422
    assert "There is nothing in it" in reply.text
    assert "<textarea" in reply.text


async def test_the_repetition_of_a_scan_is_set_and_ended_on_its_page(web: WebServer, database: str) -> None:
    job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
    await drain(database)
    path = f"/jobs/{job['job_id']}"

    await web.client.post(f"{path}/repeat", data={"rescan_seconds": "604800"})
    weekly = (await web.client.get(path)).text
    await web.client.post(f"{path}/repeat", data={"rescan_seconds": "0"})
    never = (await web.client.get(path)).text

    assert '<option value="604800" selected>' in weekly
    assert '<option value="0" selected>' in never


async def test_a_finished_domain_is_scanned_again_from_its_page(web: WebServer, database: str) -> None:
    job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
    await drain(database)

    reply = await web.client.post(f"/jobs/{job['job_id']}/rescan")
    status = (await web.client.get(job["status_url"])).json()
    page = (await web.client.get(reply.headers["location"])).text

    assert status["status"] == "pending"
    assert status["metadata"]["email_addresses"] == ["info@example.com"]
    assert "Below is what an earlier scan found." in page
    assert 'data-events="' in page
    assert "No worker is running." in page


async def test_an_unknown_job_or_action_is_a_page_that_says_so(web: WebServer) -> None:
    job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()

    for method, path in (("GET", f"/jobs/{uuid.uuid4()}"), ("POST", f"/jobs/{job['job_id']}/explode")):
        reply = await web.client.request(method, path, headers=HTML)
        assert reply.status_code == 404
        assert "There is nothing here" in reply.text


async def test_a_site_that_turned_the_reader_away_is_told_apart_from_one_that_says_nothing(
    web: WebServer, database: str, conn: Connection
) -> None:
    job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
    await drain(database)
    metadata = {"domain": "example.com", "max_pages": 5, "blocked": "cloudflare"}
    await conn.execute("UPDATE domains SET title = NULL, domain_metadata = %s", (psycopg.types.json.Jsonb(metadata),))

    page = (await web.client.get(f"/jobs/{job['job_id']}")).text
    listed = await web.client.get("/api/v3/domains")

    assert "turned this program away" in page
    assert "No contact details were found" not in page
    assert "turned the reader away" in (await web.client.get("/domains")).text
    assert listed.json()["domains"][0]["blocked"] == "cloudflare"
