"""What the web side costs: a submit of 10,000 domains, 500 watchers at once, an export of a million rows."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg

from migrations import migrate
from tests.benchmarks.web.measure import peak_rss_mb, rss_mb
from tests.support.api import answers, web_address
from tests.support.postgres import embedded_server
from tests.support.processes import Process, running, wait_for

BATCH = "/api/v3/batch_page_scraper/batch"
DOMAINS = "/api/v3/domains"
SCAN = "/api/v3/modernized_page_scraper/scan"
FILL = """
    INSERT INTO domains (
        tenant_id, domain, status, title, description, language, email_addresses, phone_numbers, domain_metadata,
        completed_at
    )
    SELECT
        '550e8400-e29b-41d4-a716-446655440000', 'site-' || n || '.com', 'completed', 'Title of site ' || n,
        'What site ' || n || ' writes about itself in one sentence of usual length', 'en',
        ARRAY['info@site-' || n || '.com'], ARRAY['+4930' || (900000 + n)],
        jsonb_build_object(
            'domain', 'site-' || n || '.com', 'final_url', 'https://www.site-' || n || '.com/',
            'social_links', jsonb_build_object('linkedin', 'https://www.linkedin.com/company/site-' || n),
            'technologies', jsonb_build_array(jsonb_build_object('name', 'nginx', 'version', '1.25'))
        ),
        now()
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
"""


@contextmanager
def web_process() -> Iterator[tuple[str, Process, httpx.Client]]:
    """(conninfo, process, client) of a web process on a database of its own; disk writes are not waited for."""
    with embedded_server() as server:
        with psycopg.connect(server.conninfo, autocommit=True) as conn:
            migrate(conn)
        environment = {"DATABASE_URL": server.conninfo, "ENVIRONMENT": "development", "PORT": "0"}
        with (
            running("web", environment=environment) as process,
            httpx.Client(base_url=web_address(process), timeout=120) as client,
        ):
            wait_for(lambda: answers(client), what="the web process")
            yield server.conninfo, process, client


def measure_submit(client: httpx.Client, *, count: int, rounds: int) -> dict[str, Any]:
    """Seconds from the request to the reply, for new domains and for the same once more."""
    new, again = [], []
    for number in range(rounds):
        body = {"domains": [f"r{number}-site-{n}.com" for n in range(count)]}
        for times in (new, again):
            started = time.perf_counter()
            reply = client.post(BATCH, json=body)
            times.append(time.perf_counter() - started)
            assert reply.status_code == 202, reply.text
    return {"domains": count, "new_s": round(statistics.median(new), 3), "again_s": round(statistics.median(again), 3)}


def measure_export(client: httpx.Client, process: Process, *, file_format: str) -> dict[str, Any]:
    """Seconds, rows, bytes, and how much memory the process grew by."""
    before = rss_mb(process.pid)
    started, size, rows = time.perf_counter(), 0, 0
    with client.stream("GET", f"{DOMAINS}/export", params={"format": file_format}) as reply:
        for chunk in reply.iter_bytes():
            size += len(chunk)
            rows += chunk.count(b"\n")
    seconds = time.perf_counter() - started
    return {
        "format": file_format,
        "rows": rows,
        "mb": round(size / 1e6, 1),
        "seconds": round(seconds, 1),
        "rss_before_mb": before,
        "rss_peak_mb": peak_rss_mb(process.pid),
    }


async def watch(url: str, path: str, opened: list[int]) -> float:
    """The time at which the end of a job arrived on one open stream."""
    reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
    writer.write(f"GET {path}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await writer.drain()
    opened.append(1)
    while line := await reader.readline():
        if line.startswith(b"data: ") and b'"status":"completed"' in line:
            break
    writer.close()
    return time.perf_counter()


async def measure_watchers(url: str, conninfo: str, paths: list[str], process: Process) -> dict[str, Any]:
    """How long after the commit each of many watchers, each of its own job, has the end of it."""
    opened: list[int] = []
    tasks = [asyncio.create_task(watch(url, path, opened)) for path in paths]
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        while True:
            text = (await client.get("/metrics")).text
            if f"scrapersky_watchers {len(paths)}.0" in text:
                break
            await asyncio.sleep(0.2)
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as conn:
            cur = await conn.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scrapersky web' AND state = 'active'"
            )
            [(active,)] = await cur.fetchall()
            asked = time.perf_counter()
            await client.get("/health")
            answered = time.perf_counter() - asked
            ids = [path.rpartition("/")[2] for path in paths]
            await conn.execute(
                "UPDATE domains SET status = 'completed', completed_at = now() WHERE id = ANY(%s::uuid[])",
                (ids,),
            )
            committed = time.perf_counter()
            await conn.execute("SELECT pg_notify('domains_finished', '')")
    delays = sorted(at - committed for at in await asyncio.gather(*tasks))
    return {
        "watchers": len(paths),
        "active_connections": active,
        "health_ms_meanwhile": round(answered * 1000, 1),
        "first_ms": round(delays[0] * 1000),
        "median_ms": round(delays[len(delays) // 2] * 1000),
        "last_ms": round(delays[-1] * 1000),
        "rss_mb": rss_mb(process.pid),
    }


def fill(conninfo: str, rows: int) -> None:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        for first in range(1, rows + 1, 100_000):
            conn.execute(FILL, {"first": first, "last": min(rows, first + 99_999)})
        conn.execute("VACUUM ANALYZE domains")


def main(arguments: list[str]) -> int:
    """Print one JSON line for each measure."""
    parser = argparse.ArgumentParser(prog="web", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to export")
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--domains", type=int, default=10_000, help="domains of one submit")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with web_process() as (conninfo, process, client):
        print(json.dumps({"submit": measure_submit(client, count=options.domains, rounds=options.rounds)}), flush=True)
        paths = [
            str(client.post(SCAN, json={"base_url": f"watched-{n}.com"}).json()["status_url"])
            for n in range(options.watchers)
        ]
        url = str(client.base_url).rstrip("/")
        watched = asyncio.run(measure_watchers(url, conninfo, paths, process))
        print(json.dumps({"watch": watched}), flush=True)
    with web_process() as (conninfo, process, client):
        fill(conninfo, options.rows)
        for file_format in ("csv", "jsonl"):
            result = measure_export(client, process, file_format=file_format)
            print(json.dumps({"export": result}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
