from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from domain_queue import Fail, Job, LeaseLost, Result, Retry, Submission, Worker, WorkerConfig, cancel, submit
from migrations import migrate
from tests.queue.helpers import (
    TENANT,
    Conn,
    add_domains,
    config,
    count,
    expire,
    open_link,
    register,
    row_of,
    running,
    until,
)
from tests.support.servers import OwnServer


def submission(domain: str) -> list[Submission]:
    return [Submission(domain=domain)]


async def ends(conn: Conn, condition: str, number: int = 1, *, seconds: float = 20) -> None:
    async def has_ended() -> bool:
        return await count(conn, condition) == number

    await until(has_ended, seconds=seconds)


async def succeed(job: Job) -> Result | None:
    return Result(title=job.claim.domain, metadata={"domain": job.claim.domain})


async def test_every_row_is_handled_once_and_its_result_stored(database: str, conn: Conn) -> None:
    await add_domains(conn, 500)
    handled: list[str] = []

    async def handle(job: Job) -> Result | None:
        handled.append(job.claim.domain)
        await asyncio.sleep(0)
        return await succeed(job)

    worker = Worker(config(database, drain=True, concurrency=50), handle)
    await asyncio.wait_for(worker.run(asyncio.Event()), 30)

    assert len(handled) == len(set(handled)) == 500
    assert await count(conn, "status = 'completed' AND title = domain AND attempt = 1 AND claim_token = 2") == 500
    assert worker.stats.counters.completed == 500
    assert worker.stats.in_flight == 0


async def test_a_commit_wakes_an_idle_worker_long_before_it_would_look_again(database: str, conn: Conn) -> None:
    async with running(config(database, poll_seconds=600), succeed) as worker:
        await until(_is_idle(worker))
        started = time.monotonic()
        await submit(conn, tenant_id=TENANT, submissions=submission("a.example"))
        await ends(conn, "status = 'completed'")

        assert time.monotonic() - started < 4  # the next look of its own comes after five seconds


async def test_a_worker_that_knew_one_lane_serves_another_at_the_next_commit(database: str, conn: Conn) -> None:
    [(other,)] = await (await conn.execute("INSERT INTO tenants (name) VALUES ('other') RETURNING id")).fetchall()
    async with running(config(database, poll_seconds=600), succeed) as worker:
        await until(_is_idle(worker))
        for number, tenant_id in enumerate([TENANT, TENANT, other, TENANT], 1):
            started = time.monotonic()
            await submit(conn, tenant_id=tenant_id, submissions=submission(f"a{number}.example"))
            await ends(conn, "status = 'completed'", number)

            assert time.monotonic() - started < 4  # the next look of its own comes after five seconds


async def test_a_row_that_waits_elsewhere_costs_a_busy_worker_neither_watermarks_nor_statements(
    database: str, conn: Conn
) -> None:
    await add_domains(conn, 300)
    await add_domains(conn, 1, prefix="later", priority=10, available_at="2999-01-01")
    asked: list[bool] = []
    worker = Worker(config(database, concurrency=10, batch_size=10), succeed)
    choose = worker._intake._watermarks.choose

    def noted() -> object:
        positions = choose()
        asked.append(bool(positions))
        return positions

    worker._intake._watermarks.choose = noted  # type: ignore[method-assign, assignment]
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    await ends(conn, "status = 'completed'", 300)
    stop.set()
    await task

    assert asked.count(False) * 3 < asked.count(True)


async def test_a_drained_queue_is_noticed_when_the_last_outcome_is_written(database: str, conn: Conn) -> None:
    await add_domains(conn, 3)

    async def handle(job: Job) -> Result | None:
        await asyncio.sleep(0.2)
        return None

    worker = Worker(config(database, drain=True), handle)
    worker._intake._idle_seconds = lambda due_in: 600.0  # type: ignore[method-assign]
    await asyncio.wait_for(worker.run(asyncio.Event()), 20)

    assert await count(conn, "status = 'completed'") == 3


async def test_sessions_settle_how_times_are_written_and_that_plans_are_made_once(database: str, conn: Conn) -> None:
    async with open_link(database) as link:
        [settled] = await link.fetch("SELECT current_setting('timezone'), current_setting('plan_cache_mode')", {})
    assert settled == ("UTC", "force_generic_plan")
    async with open_link(database, prepare=False) as link:  # perhaps a pooler's session, which others use next
        [(mode,)] = await link.fetch("SELECT current_setting('plan_cache_mode')", {})
    assert mode == "auto"


def _is_idle(worker: Worker):  # type: ignore[no-untyped-def]
    async def is_idle() -> bool:
        return worker.stats.wake_mode == "listen" and worker.stats.counters.claim_calls > 0

    return is_idle


async def test_with_notifications_silenced_rows_are_still_processed(database: str, conn: Conn) -> None:
    nowhere = psycopg.conninfo.make_conninfo(database, host="/nowhere")
    async with running(config(database, listen_conninfo=nowhere, poll_seconds=0.2), succeed) as worker:
        await submit(conn, tenant_id=TENANT, submissions=submission("a.example"), quiet=True)
        await ends(conn, "status = 'completed'")

        assert worker.stats.wake_mode == "poll"


async def test_a_retry_comes_back_when_it_is_due_and_attempts_run_out(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1, max_attempts=3)

    async def handle(job: Job) -> Result | None:
        raise Retry("slow", f"attempt {job.claim.attempt}")

    async with running(config(database), handle):
        await ends(conn, "status = 'error'")

    row = await row_of(conn, row_id)
    assert (row["error_code"], row["attempt"], row["crash_count"]) == ("slow", 3, 0)
    assert [entry["message"] for entry in row["errors"]] == ["attempt 1", "attempt 2", "attempt 3"]


async def test_a_permanent_error_is_not_retried(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)

    async def handle(job: Job) -> Result | None:
        raise Fail("no_such_domain", "There is no such domain.")

    async with running(config(database), handle):
        await ends(conn, "status = 'error'")

    row = await row_of(conn, row_id)
    assert (row["attempt"], row["error_code"]) == (1, "no_such_domain")


async def test_what_a_site_asks_for_by_retry_after_is_waited_for(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)

    async def handle(job: Job) -> Result | None:
        raise Retry("rate_limited", "Too many", after=timedelta(minutes=10))

    async with running(config(database), handle):
        await ends(conn, "status = 'pending' AND attempt = 1")

    row = await row_of(conn, row_id)
    assert row["available_at"] - row["updated_at"] >= timedelta(minutes=10)


async def test_a_handler_that_breaks_is_tried_again_with_its_error_named(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1, max_attempts=1)

    async def handle(job: Job) -> Result | None:
        raise KeyError("nonsense")

    async with running(config(database), handle):
        await ends(conn, "status = 'error'")

    row = await row_of(conn, row_id)
    assert (row["error_code"], row["last_error"]) == ("internal_error", "KeyError: 'nonsense'")


async def test_a_handler_that_takes_too_long_is_cancelled_and_retried(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1, max_attempts=1)

    async def handle(job: Job) -> Result | None:
        await asyncio.Event().wait()
        return None

    async with running(config(database, handler_timeout_seconds=0.2), handle) as worker:
        await ends(conn, "status = 'error'")
        assert worker.stats.counters.timed_out == 1

    assert (await row_of(conn, row_id))["error_code"] == "timed_out"


@pytest.mark.parametrize(
    "result",
    [
        Result(title="a\0b"),
        Result(title="\ud800"),
        Result(metadata={"a": "\0"}),
        Result(metadata={"a": {1}}),
        Result(email_addresses=["\0"]),
    ],
)
async def test_a_result_that_cannot_be_stored_fails_alone(database: str, conn: Conn, result: Result) -> None:
    await add_domains(conn, 1, prefix="bad")
    await add_domains(conn, 20)

    async def handle(job: Job) -> Result | None:
        return result if job.claim.domain.startswith("bad") else await succeed(job)

    worker = Worker(config(database, drain=True, concurrency=50), handle)
    await asyncio.wait_for(worker.run(asyncio.Event()), 30)

    assert await count(conn, "status = 'completed'") == 20
    assert await count(conn, "status = 'error' AND error_code = 'unstorable_result' AND domain = 'bad1.example'") == 1


@pytest.mark.parametrize("listens", [True, False])
async def test_cancelling_a_row_in_processing_cancels_its_handler(database: str, conn: Conn, listens: bool) -> None:
    [row_id] = await add_domains(conn, 1)
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> Result | None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return None

    listen = database if listens else psycopg.conninfo.make_conninfo(database, host="/nowhere")
    async with running(config(database, listen_conninfo=listen), handle) as worker:
        await asyncio.wait_for(started.wait(), 10)
        await cancel(conn, ids=[row_id])
        await asyncio.wait_for(stopped.wait(), 10)

        async def is_counted() -> bool:
            return worker.stats.counters.cancelled == 1 and worker.stats.in_flight == 0

        await until(is_counted)

    assert (await row_of(conn, row_id))["status"] == "cancelled"


async def test_progress_is_seen_while_the_handler_runs(database: str, conn: Conn) -> None:
    await add_domains(conn, 1)
    release = asyncio.Event()

    async def handle(job: Job) -> Result | None:
        job.report_progress(0.5, "reading pages")
        await release.wait()
        return None

    async with running(config(database), handle):
        await ends(conn, "progress = 0.5 AND step = 'reading pages' AND status = 'processing'")
        release.set()
        await ends(conn, "progress = 1 AND status = 'completed'")


async def test_a_stop_lets_handlers_finish_and_gives_back_the_rest_with_their_attempt(
    database: str, conn: Conn
) -> None:
    await add_domains(conn, 2)
    started = asyncio.Semaphore(0)
    release = asyncio.Event()

    async def handle(job: Job) -> Result | None:
        started.release()
        if job.claim.domain == "d1.example":
            await release.wait()
        else:
            await asyncio.Event().wait()
        return None

    async with running(config(database, shutdown_seconds=0.3), handle) as worker:
        await started.acquire()
        await started.acquire()
        release.set()

    assert await count(conn, "status = 'completed' AND domain = 'd1.example'") == 1
    assert await count(conn, "status = 'pending' AND domain = 'd2.example' AND attempt = 0 AND errors = '[]'") == 1
    assert (worker.stats.counters.completed, worker.stats.counters.released) == (1, 1)
    cur = await conn.execute("SELECT count(*) FROM workers WHERE lease_expires_at > now() OR stopped_at IS NULL")
    assert await cur.fetchall() == [(0,)]


async def test_a_handler_that_ignores_its_cancellation_does_not_hold_up_a_stop_for_ever(
    database: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain_queue.worker.ABANDON_SECONDS", 0.2)
    await add_domains(conn, 1)
    started, release = asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> Result | None:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return None

    async with running(config(database, shutdown_seconds=0.1), handle):
        await asyncio.wait_for(started.wait(), 10)

    assert await count(conn, "status = 'pending' AND attempt = 0") == 1
    release.set()
    await asyncio.sleep(0)


async def test_a_handler_that_was_told_its_lease_is_lost_writes_nothing(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)

    async def handle(job: Job) -> Result | None:
        raise LeaseLost

    async with running(config(database), handle) as worker:

        async def is_counted() -> bool:
            return worker.stats.counters.cancelled == 1

        await until(is_counted)
        assert (await row_of(conn, row_id))["errors"] == []


async def test_a_lease_that_was_taken_away_stops_the_handlers_and_the_worker_goes_on_under_another_id(
    database: str, conn: Conn
) -> None:
    await add_domains(conn, 1)
    seen: list[Job] = []

    async def handle(job: Job) -> Result | None:
        seen.append(job)
        if len(seen) == 1:
            await asyncio.Event().wait()
        return None

    async with running(config(database, lease_seconds=2), handle) as worker:

        async def has_begun() -> bool:
            return bool(seen)

        await until(has_begun)
        await expire(conn, seen[0].worker_id)
        await ends(conn, "status = 'completed'")

        assert worker.stats.lease_losses == 1
        assert seen[1].worker_id != seen[0].worker_id
        assert worker.stats.worker_id == seen[1].worker_id


async def test_a_blocked_event_loop_does_not_lose_the_lease(database: str, conn: Conn) -> None:
    await add_domains(conn, 1)

    async def handle(job: Job) -> Result | None:
        time.sleep(3)
        return None

    async with running(config(database, lease_seconds=2), handle) as worker:
        await ends(conn, "status = 'completed' AND attempt = 1")

        assert worker.stats.lease_losses == 0
        assert worker.stats.counters.late_writes == 0


async def test_a_slow_database_slows_claiming_and_memory_stays_flat(database: str, conn: Conn) -> None:
    await add_domains(conn, 3000)
    async with await psycopg.AsyncConnection.connect(database) as blocker:
        await blocker.execute("LOCK TABLE domain_changes IN ACCESS EXCLUSIVE MODE")  # what a completion writes to
        async with running(config(database, concurrency=100, flush_rows=50, statement_seconds=30), succeed) as worker:

            async def is_full() -> bool:
                return worker.stats.unrecorded >= 100

            await until(is_full)
            await asyncio.sleep(0.3)
            assert worker.stats.unrecorded <= 300
            assert worker.stats.counters.claimed <= 400

            await blocker.rollback()
            await ends(conn, "status = 'completed'", 3000)


async def test_context_of_one_handler_is_not_seen_by_one_that_waits(database: str, conn: Conn) -> None:
    await add_domains(conn, 30)
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    leaks: list[str] = []

    async def handle(job: Job) -> Result | None:
        await asyncio.sleep(0)
        leaks.extend([variable.get()] if variable.get("") not in ("", job.claim.domain) else [])
        variable.set(job.claim.domain)
        await asyncio.sleep(0.001)
        leaks.extend([variable.get()] if variable.get() != job.claim.domain else [])
        return None

    worker = Worker(config(database, drain=True), handle)
    await asyncio.wait_for(worker.run(asyncio.Event()), 30)

    assert leaks == []


async def test_a_timeout_inside_a_handler_cancels_that_handler_alone(database: str, conn: Conn) -> None:
    await add_domains(conn, 20)

    async def handle(job: Job) -> Result | None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return Result(title="timed out inside")
        return None

    worker = Worker(config(database, drain=True, concurrency=20), handle)
    await asyncio.wait_for(worker.run(asyncio.Event()), 30)

    assert await count(conn, "title = 'timed out inside'") == 20


async def test_an_address_is_not_hit_by_more_than_its_limit_over_several_workers(database: str, conn: Conn) -> None:
    await add_domains(conn, 24)
    holding, most = 0, 0

    async def handle(job: Job) -> Result | None:
        nonlocal holding, most
        async with job.slot("203.0.113.9", 2):
            holding += 1
            most = max(most, holding)
            await asyncio.sleep(0.002)
            holding -= 1
        return None

    workers = [Worker(config(database, drain=True, concurrency=8), handle) for _ in range(3)]
    await asyncio.wait_for(asyncio.gather(*(worker.run(asyncio.Event()) for worker in workers)), 40)

    assert most == 2
    assert await count(conn, "status = 'completed'") == 24


@pytest.fixture
def unvacuumed_database() -> Iterator[str]:
    """On a server of its own without autovacuum, whose transactions the server counts with everybody's."""
    with OwnServer(settings=["autovacuum=off", "fsync=off"]) as server:
        conninfo = server.create_database("unvacuumed")
        with psycopg.connect(conninfo, autocommit=True) as conn:
            migrate(conn)
        yield conninfo


async def test_an_idle_worker_costs_at_most_one_transaction_a_second(unvacuumed_database: str) -> None:
    """Counted from another database, after the worker's sessions have ended and so reported all they did."""
    database = unvacuumed_database
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]

    async def ask(query: str) -> int:
        async with await psycopg.AsyncConnection.connect(database, dbname="postgres", autocommit=True) as elsewhere:
            cur = await elsewhere.execute(query.encode(), (name,))
            [(number,)] = await cur.fetchall()
        return number

    async def nobody_is_connected() -> bool:
        return not await ask("SELECT count(*) FROM pg_stat_activity WHERE datname = %s")

    async def spent_in(seconds: float) -> int:
        before = await ask("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s")
        async with running(config(database, poll_seconds=60, lease_seconds=30), succeed) as worker:
            await until(_is_idle(worker))
            await asyncio.sleep(seconds)
        await until(nobody_is_connected)
        return await ask("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s") - before

    await until(nobody_is_connected)
    assert await spent_in(7) - await spent_in(0.2) <= 7  # what starting and stopping costs is in both


@pytest.mark.parametrize(
    "wrong",
    [{"concurrency": 0}, {"poll_seconds": 0}, {"lease_seconds": -1}, {"batch_size": 0}, {"backoff_cap_seconds": 0}],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WorkerConfig(conninfo="", **wrong)  # type: ignore[arg-type]


async def test_a_claim_does_not_wait_for_the_upkeep_done_for_all(database: str, conn: Conn) -> None:
    """Tidying is held up by a lock on its table, and what is due is handled all the same."""
    started = asyncio.Event()

    async def handle(_: Job) -> Result | None:
        started.set()
        return None

    await add_domains(conn, 1)
    async with await psycopg.AsyncConnection.connect(database) as holder:
        await holder.execute("LOCK TABLE concurrency_slots IN ACCESS EXCLUSIVE MODE")
        async with running(config(database), handle):
            await asyncio.wait_for(started.wait(), 5)
            await holder.rollback()


async def test_the_more_workers_there_are_the_fewer_notifications_each_sends(database: str, conn: Conn) -> None:
    """Each one wakes every session that listens to anything, and they would grow with the square of the workers."""

    async def handle(_: Job) -> Result | None:
        await asyncio.sleep(0.02)
        return None

    async def heard_from(jobs: int) -> int:
        await add_domains(conn, jobs, prefix=f"of{jobs}-")
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as ear:
            await ear.execute("LISTEN domains_finished")
            async with running(config(database, concurrency=1), handle):
                await ends(conn, "status = 'completed'", await count(conn, "true"))
            return len([notification async for notification in ear.notifies(timeout=0.1)])

    alone = await heard_from(60)
    for _ in range(100):
        await register(conn)
    assert await heard_from(61) <= alone / 3
