"""What has been over for long is removed, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import psycopg

from app.database import Database
from app.prune import Pruned, count_prunable, prune
from app.settings import DEFAULT_TENANT_ID

Connection = psycopg.AsyncConnection[Any]

AGE = timedelta(days=30)


async def store(conn: Connection, domain: str, status: str, *, days: int, rescan: str | None = None) -> None:
    await conn.execute(
        "INSERT INTO domains (tenant_id, domain, status, completed_at, rescan_every) "
        "VALUES (%s, %s, %s::domain_status, now() - make_interval(days => %s), %s::interval)",
        (DEFAULT_TENANT_ID, domain, status, days, rescan),
    )


async def kept(conn: Connection) -> list[str]:
    return [name for (name,) in await (await conn.execute("SELECT domain FROM domains ORDER BY domain")).fetchall()]


async def test_only_finished_domains_of_the_asked_age_are_removed(pool: Database, conn: Connection) -> None:
    for status in ("completed", "error", "cancelled"):
        await store(conn, f"old-{status}", status, days=31)
        await store(conn, f"new-{status}", status, days=29)
    for status in ("active", "pending", "processing"):
        await store(conn, f"old-{status}", status, days=31)
    await store(conn, "old-rescanned", "completed", days=31, rescan="1 year")
    counted = await count_prunable(pool, AGE)
    removed = await prune(pool, AGE, rows=2)
    assert counted.domains == removed.domains == 3
    assert await kept(conn) == [
        "new-cancelled",
        "new-completed",
        "new-error",
        "old-active",
        "old-pending",
        "old-processing",
        "old-rescanned",
    ]


async def test_counting_removes_nothing(pool: Database, conn: Connection) -> None:
    await store(conn, "old", "completed", days=31)
    await count_prunable(pool, AGE)
    assert await kept(conn) == ["old"]


async def test_a_row_that_somebody_holds_is_left_for_the_next_time(
    pool: Database, conn: Connection, database: str
) -> None:
    await store(conn, "held", "completed", days=31)
    await store(conn, "free", "completed", days=31)
    async with await psycopg.AsyncConnection.connect(database) as other:
        await other.execute("SELECT FROM domains WHERE domain = 'held' FOR NO KEY UPDATE")
        assert (await prune(pool, AGE)).domains == 1
    assert await kept(conn) == ["held"]
    assert (await prune(pool, AGE)).domains == 1


async def test_what_belongs_to_a_domain_goes_with_it_and_what_is_left_goes_by_its_own_age(
    pool: Database, conn: Connection
) -> None:
    await store(conn, "old", "completed", days=31)
    await store(conn, "new", "completed", days=1)
    await conn.execute(
        "INSERT INTO batches (tenant_id, max_pages, created_at) VALUES (%s, 5, '2020-01-01')", (DEFAULT_TENANT_ID,)
    )
    await conn.execute(
        "INSERT INTO batch_items (batch_id, position, tenant_id, domain_id) "
        "SELECT b.id, 0, b.tenant_id, d.id FROM batches b, domains d WHERE d.domain = 'old'"
    )
    await conn.execute(
        "INSERT INTO domain_changes (tenant_id, domain_id, field, changed_at) "
        "SELECT tenant_id, id, 'title', now() - make_interval(days => days) "
        "FROM domains, unnest(ARRAY[31, 1]) AS age (days)"
    )
    await conn.execute(
        "INSERT INTO webhook_deliveries (tenant_id, url, domain_id, state, finished_at) "
        "SELECT tenant_id, 'https://hook.example', id, 'delivered', '2020-01-01' FROM domains"
    )
    assert (await count_prunable(pool, AGE)).batches == 1
    removed = await prune(pool, AGE)
    assert removed == Pruned(domains=1, domain_changes=1, webhook_deliveries=1, batches=1)
    left = await (await conn.execute("SELECT count(*) FROM domain_changes")).fetchone()
    assert left == (1,)


async def test_a_domain_whose_callback_is_still_owed_stays_until_it_was_sent(pool: Database, conn: Connection) -> None:
    for state in ("waiting", "due", "delivered", "failed"):
        await store(conn, state, "completed", days=31)
    await conn.execute(
        "INSERT INTO webhook_deliveries (tenant_id, url, domain_id, state) "
        "SELECT tenant_id, 'https://hook.example', id, domain FROM domains"
    )
    assert (await count_prunable(pool, AGE)).domains == 2
    assert (await prune(pool, AGE)).domains == 2
    assert await kept(conn) == ["due", "waiting"]


async def test_a_batch_whose_callback_is_still_owed_stays_until_it_was_sent(pool: Database, conn: Connection) -> None:
    await conn.execute(
        "WITH b AS (INSERT INTO batches (tenant_id, max_pages, created_at) "
        "SELECT %s, 5, '2020-01-01' FROM generate_series(1, 2) RETURNING id, tenant_id) "
        "INSERT INTO webhook_deliveries (tenant_id, url, batch_id, state) "
        "SELECT tenant_id, 'https://hook.example', id, (ARRAY['due', 'failed'])[row_number() OVER ()] FROM b",
        (DEFAULT_TENANT_ID,),
    )
    assert (await count_prunable(pool, AGE)).batches == 1
    assert (await prune(pool, AGE)).batches == 1
    left = await (await conn.execute("SELECT state FROM webhook_deliveries")).fetchall()
    assert left == [("due",)]


async def test_ended_workers_and_old_answers_are_forgotten_after_a_day(pool: Database, conn: Connection) -> None:
    await conn.execute(
        "INSERT INTO workers (id, name, version, concurrency, lease_expires_at, lease_seconds) "
        "SELECT gen_random_uuid(), name, '1', 1, now() + ends, 30 "
        "FROM (VALUES ('gone', interval '-2 days'), ('holds', interval '-2 days'), "
        "('ended today', interval '-2 hours'), ('alive', interval '20 seconds')) AS w (name, ends)"
    )
    await store(conn, "held", "processing", days=0)
    await conn.execute("UPDATE domains SET worker_id = (SELECT id FROM workers WHERE name = 'holds')")
    await conn.execute(
        "INSERT INTO idempotency_keys (tenant_id, key, request_sha256, created_at) VALUES "
        "(%(t)s, 'old', '', now() - interval '2 days'), (%(t)s, 'new', '', now())",
        {"t": DEFAULT_TENANT_ID},
    )
    assert await prune(pool, timedelta(days=3650)) == Pruned(workers=1, idempotency_keys=1)
    names = await (await conn.execute("SELECT name FROM workers ORDER BY name")).fetchall()
    assert names == [("alive",), ("ended today",), ("holds",)]


async def test_the_command_counts_by_dry_run_and_removes_without(database: str, conn: Connection) -> None:
    await store(conn, "old", "completed", days=31)

    def run(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "app.cli", "prune", "--older-than", "30", "--json", *arguments]
        done = subprocess.run(command, env=os.environ | {"DATABASE_URL": database}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    assert run("--dry-run")["removed"]["domains"] == 1
    assert await kept(conn) == ["old"]
    assert run()["removed"]["domains"] == 1
    assert await kept(conn) == []
