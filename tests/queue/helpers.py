"""What the queue's tests share: rows put in by hand, workers registered by hand, and waiting for a condition."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from domain_queue import Claim, Handler, Worker, WorkerConfig
from domain_queue.claims import NIL, claim
from domain_queue.links import Link

TENANT = UUID("550e8400-e29b-41d4-a716-446655440000")
Conn = AsyncConnection[Any]
NO_WATERMARKS: Mapping[tuple[UUID, int], tuple[datetime, int]] = {}


@asynccontextmanager
async def open_link(conninfo: str, *, prepare: bool = True) -> AsyncIterator[Link]:
    """A link of the test's own."""
    link = Link(conninfo, name="test", statement_seconds=10, prepare=prepare)
    try:
        yield link
    finally:
        await link.close()


async def add_tenant(conn: Conn, name: str) -> UUID:
    cur = await conn.execute("INSERT INTO tenants (name) VALUES (%s) RETURNING id", (name,))
    [(tenant_id,)] = await cur.fetchall()
    return tenant_id


async def add_domains(conn: Conn, count: int, *, prefix: str = "d", **columns: object) -> list[UUID]:
    """Pending rows in one statement, ``columns`` over the defaults."""
    values: dict[str, object] = {"tenant_id": TENANT, "status": "pending", **columns}
    names = ", ".join(values)
    marks = ", ".join(f"%({name})s" for name in values)
    cur = await conn.execute(
        f"INSERT INTO domains (domain, {names}) SELECT %(prefix)s || i || '.example', {marks}"
        " FROM generate_series(1, %(count)s) AS i RETURNING id",
        {**values, "prefix": prefix, "count": count},
    )
    return [row_id for (row_id,) in await cur.fetchall()]


async def register(conn: Conn, worker_id: UUID | None = None, *, lease: str = "1 hour") -> UUID:
    """A row in workers whose lease runs for ``lease``."""
    worker_id = worker_id or uuid4()
    await conn.execute(
        "INSERT INTO workers (id, name, version, concurrency, lease_expires_at, lease_seconds)"
        " VALUES (%s, 'by hand', '', 1, now() + %s::interval, 30)",
        (worker_id, lease),
    )
    return worker_id


async def expire(conn: Conn, worker_id: UUID) -> None:
    await conn.execute("UPDATE workers SET lease_expires_at = now() - interval '1 second' WHERE id = %s", (worker_id,))


async def claim_some(link: Link, limit: int = 10, *, worker_id: UUID | None = None) -> list[Claim]:
    return await claim(link, worker_id=worker_id or uuid4(), limit=limit, watermarks=NO_WATERMARKS, served_last=NIL)


async def row_of(conn: Conn, row_id: UUID) -> dict[str, Any]:
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute("SELECT * FROM domains WHERE id = %s", (row_id,))
        row = await cur.fetchone()
    assert row is not None
    return row


async def count(conn: Conn, condition: str = "true") -> int:
    cur = await conn.execute(f"SELECT count(*) FROM domains WHERE {condition}".encode())
    [(number,)] = await cur.fetchall()
    return number


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Wait for ``condition``, which must come true before the deadline."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.01)


def config(conninfo: str, **changes: Any) -> WorkerConfig:
    """A worker in a hurry."""
    defaults: dict[str, Any] = {
        "name": "test",
        "concurrency": 10,
        "lease_seconds": 5.0,
        "poll_seconds": 0.5,
        "shutdown_seconds": 5.0,
        "backoff_base_seconds": 0.05,
        "backoff_cap_seconds": 0.1,
        "statement_seconds": 5.0,
    }
    return WorkerConfig(conninfo=conninfo, **(defaults | changes))


@asynccontextmanager
async def running(worker_config: WorkerConfig, handler: Handler) -> AsyncIterator[Worker]:
    """A worker that runs inside, and has stopped in good order afterwards."""
    worker = Worker(worker_config, handler)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)
