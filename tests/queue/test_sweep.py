from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from domain_queue.sweep import (
    LeaseWatch,
    find_silent,
    heal_clock,
    seconds_until_due,
    sweep_lost,
    sweep_rescans,
    tidy,
)
from tests.queue.helpers import TENANT, Conn, add_domains, claim_some, count, expire, open_link, register, row_of


async def test_rows_of_a_worker_whose_lease_ran_out_are_pending_again(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)
    worker_id = await register(conn)
    async with open_link(database) as link:
        await claim_some(link, worker_id=worker_id)
        assert await sweep_lost(link, limit=10, silent=[], base_seconds=5, cap_seconds=60) == []
        await expire(conn, worker_id)

        [lost] = await sweep_lost(link, limit=10, silent=[], base_seconds=5, cap_seconds=60)

    row = await row_of(conn, row_id)
    assert (lost.id, lost.worker_id, lost.final) == (row_id, worker_id, False)
    assert (row["status"], row["crash_count"], row["attempt"], row["claim_token"]) == ("pending", 1, 1, 2)
    assert 0 <= (row["available_at"] - row["updated_at"]).total_seconds() <= 5
    assert [entry["code"] for entry in row["errors"]] == ["worker_lost"]


async def test_a_worker_does_not_take_its_own_rows_back_while_its_handlers_run(database: str, conn: Conn) -> None:
    await add_domains(conn, 1)
    worker_id, other = await register(conn), await register(conn)
    async with open_link(database) as link:
        await claim_some(link, worker_id=worker_id)
        await expire(conn, worker_id)
        often = {"limit": 10, "silent": [worker_id], "base_seconds": 0, "cap_seconds": 0}

        assert await sweep_lost(link, sweeper=worker_id, **often) == []
        assert len(await sweep_lost(link, sweeper=other, **often)) == 1


async def test_rows_of_a_worker_that_was_never_registered_are_taken_back_too(database: str, conn: Conn) -> None:
    await add_domains(conn, 1)
    async with open_link(database) as link:
        await claim_some(link)

        assert len(await sweep_lost(link, limit=10, silent=[], base_seconds=0, cap_seconds=0)) == 1


async def test_a_row_that_takes_its_workers_down_ends_when_its_attempts_are_used_up(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1, max_attempts=3)
    async with open_link(database) as link:
        for _ in range(3):
            await claim_some(link)
            [lost] = await sweep_lost(link, limit=10, silent=[], base_seconds=0, cap_seconds=0)

    row = await row_of(conn, row_id)
    assert lost.final
    assert (row["status"], row["crash_count"], row["error_code"]) == ("error", 3, "worker_lost")
    assert len(row["errors"]) == 3


async def test_a_sweep_is_bounded_and_leaves_the_living_alone(database: str, conn: Conn) -> None:
    await add_domains(conn, 30)
    alive = await register(conn)
    async with open_link(database) as link:
        await claim_some(link, 10, worker_id=alive)
        await claim_some(link, 10, worker_id=uuid4())
        await claim_some(link, 10, worker_id=uuid4())

        sizes = [len(await sweep_lost(link, limit=7, silent=[], base_seconds=0, cap_seconds=0)) for _ in range(4)]

    assert sizes == [7, 7, 6, 0]
    assert await count(conn, "status = 'processing'") == 10


async def test_what_is_due_for_a_rescan_becomes_pending_with_its_results(database: str, conn: Conn) -> None:
    done = {"status": "completed", "rescan_every": "1 day", "title": "Old", "errors": '[{"code": "slow"}]'}
    await add_domains(conn, 5, available_at="2020-01-01", **done)
    await add_domains(conn, 3, prefix="later", available_at="2999-01-01", **done)
    await add_domains(conn, 3, prefix="once", status="completed", available_at="2020-01-01")
    async with open_link(database) as link:
        assert [await sweep_rescans(link, limit=4) for _ in range(3)] == [4, 1, 0]

    assert await count(conn, "status = 'pending' AND title = 'Old' AND errors = '[]'") == 5


async def test_a_look_tells_when_the_next_row_is_due(database: str, conn: Conn) -> None:
    async with open_link(database) as link:
        assert await seconds_until_due(link) is None
        await add_domains(conn, 1, prefix="rescan", status="completed", rescan_every="1 day", available_at="2999-01-01")
        assert (await seconds_until_due(link) or 0) > 1e9
        await conn.execute(
            "INSERT INTO domains (tenant_id, domain, status, available_at)"
            " VALUES (%s, 'retry.example', 'pending', now() + interval '1 minute')",
            (TENANT,),
        )
        assert 50 < (await seconds_until_due(link) or 0) <= 60
        await add_domains(conn, 1)
        assert await seconds_until_due(link) == 0


async def test_after_the_clock_was_set_back_rows_wait_no_longer_than_was_meant(database: str, conn: Conn) -> None:
    """The clock showed three hours more when these rows were written."""
    await conn.execute(
        "INSERT INTO domains (tenant_id, domain, status, available_at, updated_at) VALUES"
        " (%(t)s, 'due.example', 'pending', now() + interval '3 hours', now() + interval '3 hours'),"
        " (%(t)s, 'retry.example', 'pending', now() + interval '3 hours 30 seconds', now() + interval '3 hours'),"
        " (%(t)s, 'planned.example', 'pending', now() + interval '1 day', now())",
        {"t": TENANT},
    )
    await conn.execute(
        "INSERT INTO domains (tenant_id, domain, status, rescan_every, available_at, updated_at)"
        " VALUES (%s, 'rescan.example', 'completed', '1 hour', now() + interval '4 hours', now() + interval '3 hours')",
        (TENANT,),
    )
    async with open_link(database) as link:
        assert await heal_clock(link, limit=100) == 3

        assert [claim.domain for claim in await claim_some(link)] == ["due.example"]

    assert await count(conn, "domain = 'retry.example' AND available_at BETWEEN now() AND now() + interval '30 s'") == 1
    assert await count(conn, "domain = 'rescan.example' AND available_at < now() + interval '61 minutes'") == 1
    assert await count(conn, "domain = 'planned.example' AND available_at > now() + interval '23 hours'") == 1


async def test_a_lease_from_before_the_clock_was_set_back_is_not_believed_for_ever(database: str, conn: Conn) -> None:
    now = [0.0]
    watch = LeaseWatch(clock=lambda: now[0])
    await add_domains(conn, 1)
    gone = await register(conn, lease="3 hours")
    await conn.execute("UPDATE workers SET lease_seconds = 30")
    async with open_link(database) as link:
        await claim_some(link, worker_id=gone)
        assert await find_silent(link, watch) == []
        now[0] += 31

        silent = await find_silent(link, watch)

        assert silent == [gone]
        assert len(await sweep_lost(link, limit=10, silent=silent, base_seconds=0, cap_seconds=0)) == 1


def test_a_worker_that_renews_is_not_silent_however_its_lease_looks() -> None:
    now = [0.0]
    watch = LeaseWatch(clock=lambda: now[0])
    worker_id = uuid4()
    for second in range(100):
        now[0] += 20
        assert watch.observe([(worker_id, datetime(2026, 1, 1, 0, second % 60, second // 60, tzinfo=UTC), 30.0)]) == []


async def test_slots_and_rows_of_workers_long_gone_are_tidied_away(database: str, conn: Conn) -> None:
    gone, alive = await register(conn), await register(conn)
    for worker_id in (gone, alive):
        await conn.execute(
            "INSERT INTO concurrency_slots (key, slot, worker_id, domain_id, claim_token)"
            " VALUES (%s, 1, %s, gen_random_uuid(), 1)",
            (str(worker_id), worker_id),
        )
    await conn.execute("UPDATE workers SET lease_expires_at = now() - interval '2 days' WHERE id = %s", (gone,))
    async with open_link(database) as link:
        await tidy(link, [])

    cur = await conn.execute("SELECT worker_id FROM concurrency_slots UNION ALL SELECT id FROM workers")
    assert await cur.fetchall() == [(alive,), (alive,)]
