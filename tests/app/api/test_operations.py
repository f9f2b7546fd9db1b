"""What probes, people and browsers ask of the process itself."""

from __future__ import annotations

import re

from tests.support.web import SCANS, WebServer, working

PAGES = ("/", "/batch", "/domains", "/status", "/docs")


async def test_readiness_needs_the_database_the_migrations_and_a_live_worker(web: WebServer, database: str) -> None:
    alone = await web.client.get("/ready")
    async with working(database):
        from tests.support.web import until

        async def ready() -> bool:
            return (await web.client.get("/ready")).status_code == 200

        await until(ready, what="a live worker")
        served = await web.client.get("/ready")

    failed = [check for check in alone.json()["checks"] if not check["ok"]]
    assert alone.status_code == 503
    assert [check["name"] for check in failed] == ["worker"]
    assert failed[0]["advice"] == "run: worker run"
    assert [check["name"] for check in served.json()["checks"]] == [
        "database",
        "migrations",
        "worker",
        "oldest_pending",
    ]
    assert set(served.json()["checks"][0]) == {"name", "ok", "seen", "advice", "ms"}


async def test_the_metrics_tell_the_queue_and_name_routes_without_ids(web: WebServer) -> None:
    job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
    await web.client.get(job["status_url"])

    text = (await web.client.get("/metrics")).text

    assert 'scrapersky_queue_domains{status="pending"} 1.0' in text
    assert "scrapersky_workers_alive 0.0" in text
    assert f'route="{SCANS}/status/{{job_id}}",status="200"' in text
    assert job["job_id"] not in text


async def test_every_answer_carries_the_security_headers_and_nothing_allows_another_origin(web: WebServer) -> None:
    for path in (*PAGES, "/api/v3/domains", "/health", "/openapi.json", "/static/style.css", "/nowhere"):
        reply = await web.client.get(path, headers={"Origin": "https://evil.example", "Accept": "text/html"})

        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert reply.headers["cache-control"] == ("public, max-age=3600" if "static" in path else "no-store"), path
        assert "access-control-allow-origin" not in reply.headers


async def test_nothing_on_a_page_comes_from_elsewhere_or_is_written_inline(web: WebServer) -> None:
    for path in PAGES:
        html = (await web.client.get(path)).text

        loaded = re.findall(r'(?:<script[^>]*|<img[^>]*|<link[^>]*)(?:src|href)="([^"]+)"', html)
        assert loaded
        assert all(address.startswith("/static/") for address in loaded), (path, loaded)
        assert not re.search(r"<style|style=|<script[^>]*>[^<]|\son[a-z]+=", html), path


async def test_the_first_page_with_all_it_loads_weighs_less_than_sixty_kilobytes(web: WebServer) -> None:
    page = await web.client.get("/")
    files = ("style.css", "main.js", "live.js", "drop.js", "icon.svg")

    total = len(page.content) + sum([len((await web.client.get(f"/static/{name}")).content) for name in files])

    assert total < 60_000


async def test_the_reference_shows_every_route_of_the_document(web: WebServer) -> None:
    document = (await web.client.get("/openapi.json")).json()
    html = (await web.client.get("/docs")).text

    assert document["paths"]
    for path in document["paths"]:
        assert f"<code>{path}</code>" in html


async def test_every_body_of_the_document_has_an_example_and_every_field_a_description(web: WebServer) -> None:
    schemas = (await web.client.get("/openapi.json")).json()["components"]["schemas"]

    for name in ("ScanRequest", "BatchRequest", "DomainPatch"):
        assert schemas[name]["examples"], name
        for field, definition in schemas[name]["properties"].items():
            assert definition.get("description"), (name, field)


async def test_an_address_that_is_none_is_a_page_for_browsers_and_json_for_programs(web: WebServer) -> None:
    page = await web.client.get("/nowhere", headers={"Accept": "text/html"})
    json = await web.client.get("/api/nowhere", headers={"Accept": "text/html"})
    method = await web.client.delete("/health")

    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (404, "text/html")
    assert (json.status_code, json.json()["error"]["code"]) == (404, "not_found")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "method_not_allowed")
