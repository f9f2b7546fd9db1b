"""The claim protocol against a model: any order of steps, several workers, a real Postgres with a clock to be set."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from domain_queue import Claim, Result, Submission, cancel, retry, submit
from domain_queue.claims import NIL, claim, claim_lane
from domain_queue.leases import REGISTER, RENEW
from domain_queue.links import Link
from domain_queue.outcomes import (
    Failure,
    complete,
    complete_empty,
    fail_or_retry,
    prepare_result,
    release,
    release_unknown,
    write_progress,
)
from domain_queue.sweep import sweep_lost
from tests.queue.helpers import TENANT

# Statements say now(), and a schema before pg_catalog in the search path answers: a clock that stands until it is set.
FAKE_CLOCK = """
    DROP SCHEMA IF EXISTS fake_clock CASCADE;
    CREATE SCHEMA fake_clock;
    CREATE TABLE fake_clock.hand (shows timestamptz NOT NULL);
    INSERT INTO fake_clock.hand VALUES ('2030-01-01');
    CREATE FUNCTION fake_clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT shows FROM fake_clock.hand';
"""
OTHER = UUID(int=7)
DOMAINS = [(tenant, f"m{number}.example") for tenant in (TENANT, OTHER) for number in range(4)]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
LEASE_SECONDS = 30
RETRY_SECONDS = 10
MAX_ATTEMPTS = 3


@dataclass
class Row:
    status: str = "pending"
    token: int = 0
    attempt: int = 0
    crashes: int = 0
    due: int = 0
    holder: UUID | None = None

    def end(self, status: str) -> None:
        self.status = status
        self.token += 1


@dataclass
class Holder:
    id: UUID
    lease_until: int
    claims: list[Claim] = field(default_factory=list)


class Protocol(RuleBasedStateMachine):
    """Three workers, eight domains of two tenants."""

    conninfo = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = 0
        self.rows: dict[tuple[UUID, str], Row] = {}
        self.workers: list[Holder] = []

    @initialize()
    def open(self) -> None:
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.conn = await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True)
        await self.conn.execute(b"TRUNCATE domains, workers CASCADE; UPDATE fake_clock.hand SET shows = '2030-01-01'")
        await self.conn.execute("INSERT INTO tenants VALUES (%s, 'other') ON CONFLICT DO NOTHING", (OTHER,))
        self.link = Link(self.conninfo, name="model", statement_seconds=10, prepare=True)
        for _ in range(3):
            self.workers.append(await self._register())

    def teardown(self) -> None:
        if self.workers:
            self.runner.run(self._nothing_is_stranded())
            self.runner.run(self._close())
        self.runner.close()

    async def _close(self) -> None:
        await self.link.close()
        await self.conn.close()

    async def _register(self) -> Holder:
        worker_id = uuid4()
        await self.link.fetch(REGISTER, self._lease(worker_id))
        return Holder(worker_id, self.now + LEASE_SECONDS)

    def _lease(self, worker_id: UUID) -> dict[str, Any]:
        return {
            "id": worker_id,
            "name": "m",
            "version": "",
            "concurrency": 1,
            "lease_seconds": LEASE_SECONDS,
            "in_flight": 0,
            "wake_mode": "poll",
            "draining": False,
            "stats": Jsonb({}),
        }

    @rule(seconds=st.sampled_from([1, RETRY_SECONDS, LEASE_SECONDS - 1, LEASE_SECONDS]))
    def advance(self, seconds: int) -> None:
        self.now += seconds
        self.runner.run(self._set_clock())

    async def _set_clock(self) -> None:
        await self.conn.execute(
            "UPDATE fake_clock.hand SET shows = '2030-01-01'::timestamptz + make_interval(secs => %s)", (self.now,)
        )

    @rule(key=st.sampled_from(DOMAINS), force=st.booleans())
    def submit(self, key: tuple[UUID, str], force: bool) -> None:
        row = self.rows.get(key)
        expected = row is None or row.status not in ("pending", "processing")

        async def run() -> bool:
            one = Submission(domain=key[1], force=force, max_attempts=MAX_ATTEMPTS)
            [answer] = await submit(self.conn, tenant_id=key[0], submissions=[one])
            return answer.queued

        assert self.runner.run(run()) is expected
        if row is None:
            self.rows[key] = Row(due=self.now)
        elif expected:
            row.status, row.attempt, row.crashes, row.due = "pending", 0, 0, self.now
        elif force and row.status == "pending":
            row.due = min(row.due, self.now)

    @rule(index=st.integers(0, 2), limit=st.integers(1, 6), lost=st.booleans())
    def claim(self, index: int, limit: int, lost: bool) -> None:
        """``lost``: the claim was executed, but its answer never came."""
        worker = self.workers[index]
        due = self._due()
        claims = self.runner.run(claim(self.link, worker_id=worker.id, limit=limit, watermarks={}, served_last=NIL))

        keys = self._taken(worker, claims, lost=lost)
        assert len(set(keys)) == len(keys) <= limit
        assert set(keys) <= due
        assert bool(keys) == bool(due)
        if limit >= 2:  # nobody's single row waits for another's many
            assert {tenant for tenant, _ in keys} == {tenant for tenant, _ in due}

    @rule(index=st.integers(0, 2), limit=st.integers(1, 6), tenant=st.sampled_from([TENANT, OTHER]), lost=st.booleans())
    def claim_lane(self, index: int, limit: int, tenant: UUID, lost: bool) -> None:
        """What is asked of one lane is given only where the queue is that lane."""
        worker = self.workers[index]
        due = self._due()
        is_alone = {owner for (owner, _), row in self.rows.items() if row.status == "pending"} == {tenant}
        claims = self.runner.run(
            claim_lane(self.link, worker_id=worker.id, limit=limit, lane=(tenant, 50), position=(BEGINNING, 0))
        )

        keys = self._taken(worker, claims, lost=lost)
        assert set(keys) <= due
        assert len(set(keys)) == len(keys) == (min(limit, len(due)) if is_alone else 0)

    def _due(self) -> set[tuple[UUID, str]]:
        return {key for key, row in self.rows.items() if row.status == "pending" and row.due <= self.now}

    def _taken(self, worker: Holder, claims: list[Claim], *, lost: bool) -> list[tuple[UUID, str]]:
        keys = [(one.tenant_id, one.domain) for one in claims]
        for key, one in zip(keys, claims, strict=True):
            row = self.rows[key]
            row.status, row.holder = "processing", worker.id
            row.token += 1
            row.attempt += 1
            assert (one.claim_token, one.attempt, one.crash_count) == (row.token, row.attempt, row.crashes)
        if not lost:
            worker.claims += claims
        return keys

    @rule(index=st.integers(0, 2))
    def renew(self, index: int) -> None:
        worker = self.workers[index]
        renewed = self.runner.run(self.link.fetch(RENEW, self._lease(worker.id)))
        assert bool(renewed) is (worker.lease_until > self.now)
        if renewed:
            worker.lease_until = self.now + LEASE_SECONDS

    @rule(index=st.integers(0, 2))
    def come_back_as_another(self, index: int) -> None:
        """As a worker does that lost its lease; what it held as the old one it may still try to write."""
        stale = self.workers[index]
        if stale.lease_until <= self.now:
            self.workers[index] = self.runner.run(self._register())
            self.workers[index].claims = stale.claims

    @rule(limit=st.integers(1, 10))
    def sweep(self, limit: int) -> None:
        alive = {worker.id for worker in self.workers if worker.lease_until > self.now}
        lost = {key for key, row in self.rows.items() if row.status == "processing" and row.holder not in alive}
        swept = self.runner.run(sweep_lost(self.link, limit=limit, silent=[], base_seconds=0, cap_seconds=0))

        assert len(swept) == min(limit, len(lost))
        by_domain = {(self._tenant_of(row.id), row.domain): row for row in swept}
        assert set(by_domain) <= lost
        for key in by_domain:
            row = self.rows[key]
            assert by_domain[key].final is (row.attempt >= MAX_ATTEMPTS)
            row.end("error" if row.attempt >= MAX_ATTEMPTS else "pending")
            row.crashes += 1
            row.due = self.now

    def _tenant_of(self, row_id: UUID) -> UUID:
        async def run() -> UUID:
            cur = await self.conn.execute("SELECT tenant_id FROM domains WHERE id = %s", (row_id,))
            [(tenant_id,)] = await cur.fetchall()
            return tenant_id

        return self.runner.run(run())

    @precondition(lambda self: any(worker.claims for worker in self.workers))
    @rule(
        data=st.data(),
        kind=st.sampled_from(["complete", "complete_empty", "retry", "fail", "release", "progress"]),
    )
    def write(self, data: st.DataObject, kind: str) -> None:
        """Several claims of one worker in one statement, current ones and stale ones together."""
        worker = data.draw(st.sampled_from([worker for worker in self.workers if worker.claims]))
        claims = data.draw(st.lists(st.sampled_from(worker.claims), min_size=1, unique_by=lambda one: one.id))
        current = {one.seq for one in claims if self._is_current(one)}

        assert self.runner.run(self._write(kind, claims)) == current
        for one in claims:
            if one.seq in current:
                self._apply(kind, self.rows[one.tenant_id, one.domain])

    def _is_current(self, one: Claim) -> bool:
        row = self.rows[one.tenant_id, one.domain]
        return row.status == "processing" and row.token == one.claim_token

    async def _write(self, kind: str, claims: list[Claim]) -> set[int]:
        match kind:
            case "complete":
                return await complete(self.link, [prepare_result(one, Result(title="t")) for one in claims])
            case "complete_empty":
                return await complete_empty(self.link, claims)
            case "retry":
                failure = Failure("slow", "slow", final=False, delay_seconds=RETRY_SECONDS)
                return await fail_or_retry(self.link, [(one, failure) for one in claims])
            case "fail":
                return await fail_or_retry(self.link, [(one, Failure("gone", "gone", final=True)) for one in claims])
            case "release":
                return await release(self.link, claims)
            case _:
                return await write_progress(self.link, [(one, True, 0.5, "half") for one in claims])

    def _apply(self, kind: str, row: Row) -> None:
        if kind in ("complete", "complete_empty"):
            row.end("completed")
            row.crashes = 0
        elif kind == "retry":
            row.end("pending")
            row.due = self.now + RETRY_SECONDS
        elif kind == "fail":
            row.end("error")
        elif kind == "release":
            row.end("pending")
            row.attempt -= 1

    @rule(index=st.integers(0, 2))
    def reconcile(self, index: int) -> None:
        """A worker gives back the rows in its name that it does not know of."""
        worker = self.workers[index]
        known = [one.id for one in worker.claims if self._is_current(one)]
        held = {(one.tenant_id, one.domain) for one in worker.claims if self._is_current(one)}
        unknown = [
            row
            for key, row in self.rows.items()
            if row.status == "processing" and row.holder == worker.id and key not in held
        ]

        given_back = self.runner.run(release_unknown(self.link, worker_id=worker.id, known=known, limit=100))

        assert given_back == len(unknown)
        for row in unknown:
            row.end("pending")
            row.attempt -= 1

    @rule(key=st.sampled_from(DOMAINS))
    def cancel(self, key: tuple[UUID, str]) -> None:
        row = self.rows.get(key)

        async def run() -> int:
            cur = await self.conn.execute("SELECT id FROM domains WHERE tenant_id = %s AND domain = %s", key)
            return len(await cancel(self.conn, ids=[row_id for (row_id,) in await cur.fetchall()]))

        expected = row is not None and row.status in ("pending", "processing")
        assert self.runner.run(run()) == expected
        if row is not None and expected:
            row.end("cancelled")

    @rule()
    def retry_everything(self) -> None:
        ended = [row for row in self.rows.values() if row.status in ("error", "cancelled")]
        assert len(self.runner.run(retry(self.conn, everything=True))) == len(ended)
        for row in ended:
            row.status, row.attempt, row.crashes, row.due = "pending", 0, 0, self.now

    @invariant()
    def the_table_is_as_the_model_says(self) -> None:
        if not self.workers:
            return
        found = self.runner.run(self._table())
        assert found == {key: (row.status, row.token, row.attempt, row.crashes) for key, row in self.rows.items()}

    async def _table(self) -> dict[tuple[UUID, str], tuple[Any, ...]]:
        cur = await self.conn.execute(
            "SELECT tenant_id, domain, status::text, claim_token, attempt, crash_count FROM domains"
        )
        return {(row[0], row[1]): row[2:] for row in await cur.fetchall()}

    async def _nothing_is_stranded(self) -> None:
        """Whatever happened before: a new worker, some time later, finishes every row that is still to be done."""
        self.now += 10 * LEASE_SECONDS
        await self._set_clock()
        while await sweep_lost(self.link, limit=100, silent=[], base_seconds=0, cap_seconds=0):
            pass
        worker = await self._register()
        while claims := await claim(self.link, worker_id=worker.id, limit=100, watermarks={}, served_last=NIL):
            await complete_empty(self.link, claims)
        assert {status for status, *_ in (await self._table()).values()} <= {"completed", "error", "cancelled"}


def test_any_order_of_steps_keeps_the_table_as_the_model_says(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(FAKE_CLOCK.encode())
    Protocol.conninfo = make_conninfo(database, options="-c search_path=fake_clock,pg_catalog,public")

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Protocol,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            database=None,
        ),
    )
