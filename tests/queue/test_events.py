"""Every event about a job says which job, whose, by whom, at which attempt, and since when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from structlog.testing import capture_logs

from domain_queue import Fail, Job, Result, Retry, cancel
from tests.queue.helpers import TENANT, Conn, add_domains, config, running, until

FIELDS = {"job_id", "tenant_id", "domain", "worker_id", "attempt", "duration_ms"}
EVENTS = {
    "job_claimed",
    "job_completed",
    "job_retried",
    "job_failed",
    "job_released",
    "job_no_longer_held",
    "handler_broke",
    "handler_abandoned",
    "result_unstorable",
    "late_write_rejected",
    "lease_expired",
}


@pytest.fixture
def events() -> Iterator[list[MutableMapping[str, Any]]]:
    """Every event from here on, also those that the tests of the queue are usually spared."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with capture_logs() as captured:
        yield captured
    structlog.configure(**before)


class Misfortunes:
    """Ends each job in the way that its name says."""

    def __init__(self, conn: Conn) -> None:
        self.started: set[str] = set()
        self.over = asyncio.Event()
        self._conn = conn
        self._ways: dict[str, Callable[[Job], Awaitable[Result | None]]] = {
            "completed": self._complete,
            "retried": self._retry,
            "failed": self._fail,
            "broken": self._break,
            "unstorable": self._find_what_no_document_holds,
            "refused": self._find_what_the_server_refuses,
            "late": self._lose_the_row,
            "held": self._wait,
            "patient": self._wait,
            "deaf": self._hear_nothing,
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._ways)

    async def __call__(self, job: Job) -> Result | None:
        way = job.claim.domain.split(".")[0]
        self.started.add(way)
        return await self._ways[way](job)

    async def _complete(self, job: Job) -> Result | None:
        return Result(title=job.claim.domain)

    async def _retry(self, job: Job) -> Result | None:
        if job.claim.attempt == 1:
            raise Retry("slow", "too slow", after=timedelta(0))
        return None

    async def _fail(self, job: Job) -> Result | None:
        raise Fail("gone", "is gone")

    async def _break(self, job: Job) -> Result | None:
        if job.claim.attempt == 1:
            raise RuntimeError("a fault")
        return None

    async def _find_what_no_document_holds(self, job: Job) -> Result | None:
        return Result(metadata={"number": float("nan")})

    async def _find_what_the_server_refuses(self, job: Job) -> Result | None:
        return Result(metadata={"text": "\0"})

    async def _lose_the_row(self, job: Job) -> Result | None:
        await self._conn.execute("UPDATE domains SET claim_token = claim_token + 1 WHERE id = %s", (job.claim.id,))
        return None

    async def _wait(self, job: Job) -> Result | None:
        await self.over.wait()
        return None

    async def _hear_nothing(self, job: Job) -> Result | None:
        while not self.over.is_set():
            with suppress(asyncio.CancelledError):
                await self.over.wait()
        return None


async def test_every_event_about_a_job_carries_its_tenant_and_its_other_names(
    database: str, conn: Conn, events: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain_queue.worker.ABANDON_SECONDS", 0.05)
    handle = Misfortunes(conn)
    for way in handle:
        await add_domains(conn, 1, prefix=f"{way}.")
    lost = {"status": "processing", "worker_id": TENANT, "attempt": 1, "claimed_at": "2026-01-01"}
    await add_domains(conn, 1, prefix="completed.lost.", **lost)

    def seen() -> set[str]:
        return {event["event"] for event in events} & EVENTS

    async def is_nearly_over() -> bool:
        return seen() >= EVENTS - {"job_released", "handler_abandoned"} and handle.started == set(handle)

    async def is_held() -> bool:
        return "held" in handle.started

    try:
        async with running(config(database, concurrency=20, shutdown_seconds=0.0), handle):
            await until(is_held)
            await cancel(conn, tenant_id=TENANT, ids=[await id_of(conn, "held.1.example")])
            await until(is_nearly_over)
    finally:
        handle.over.set()

    assert seen() == EVENTS
    for event in events:
        if "job_id" in event or event["event"] in EVENTS:
            assert event.keys() >= FIELDS, event
            assert None not in {event[field] for field in FIELDS}, event
            assert event["tenant_id"] == str(TENANT)


async def id_of(conn: Conn, domain: str) -> UUID:
    [(row_id,)] = await (await conn.execute("SELECT id FROM domains WHERE domain = %s", (domain,))).fetchall()
    return row_id
