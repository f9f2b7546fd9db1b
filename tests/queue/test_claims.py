from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from domain_queue import DomainStatus
from domain_queue.claims import NIL, claim, claim_lane
from domain_queue.intake import _last_in_turn
from domain_queue.lanes import Watermarks
from tests.queue.helpers import (
    NO_WATERMARKS,
    TENANT,
    Conn,
    add_domains,
    add_tenant,
    claim_some,
    count,
    open_link,
    row_of,
)


async def test_a_claim_takes_due_rows_and_raises_attempt_and_token(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)
    worker_id = uuid4()

    async with open_link(database) as link:
        [claimed] = await claim_some(link, worker_id=worker_id)

    row = await row_of(conn, row_id)
    assert (claimed.id, claimed.attempt, claimed.claim_token) == (row_id, 1, 1)
    assert (row["status"], row["attempt"], row["claim_token"]) == (DomainStatus.PROCESSING, 1, 1)
    assert row["worker_id"] == worker_id
    assert row["claimed_at"] == row["started_at"] == claimed.claimed_at


async def test_rows_that_are_not_pending_or_not_due_are_left_alone(database: str, conn: Conn) -> None:
    for status in ("active", "processing", "completed", "error", "cancelled"):
        await add_domains(conn, 2, prefix=status, status=status)
    await add_domains(conn, 2, prefix="later", available_at="2999-01-01")

    async with open_link(database) as link:
        assert await claim_some(link) == []


async def test_a_row_put_in_by_hand_is_claimed_like_any_other(database: str, conn: Conn) -> None:
    await conn.execute(
        "INSERT INTO domains (tenant_id, domain, status) VALUES (%s, 'by-hand.example', 'pending')", (TENANT,)
    )

    async with open_link(database) as link:
        [claimed] = await claim_some(link)

    assert claimed.domain == "by-hand.example"


async def test_the_lower_priority_number_comes_first_then_who_is_due_longest(database: str, conn: Conn) -> None:
    await add_domains(conn, 1, prefix="late", priority=10, available_at="2020-01-02")
    await add_domains(conn, 1, prefix="early", priority=10, available_at="2020-01-01")
    await add_domains(conn, 1, prefix="background", priority=90, available_at="2019-01-01")
    await add_domains(conn, 1, prefix="urgent", priority=0)

    async with open_link(database) as link:
        order = [(await claim_some(link, 1))[0].domain for _ in range(4)]

    assert order == ["urgent1.example", "early1.example", "late1.example", "background1.example"]


async def test_a_tenant_with_many_rows_does_not_delay_another_tenants_single_row(database: str, conn: Conn) -> None:
    await add_domains(conn, 5000, available_at="2020-01-01", priority=0)
    other = await add_tenant(conn, "other")
    await add_domains(conn, 1, tenant_id=other, priority=100)

    async with open_link(database) as link:
        claims = await claim_some(link, 10)

    assert other in {claimed.tenant_id for claimed in claims}


async def test_tenants_share_a_claim_equally(database: str, conn: Conn) -> None:
    tenants = [TENANT, await add_tenant(conn, "b"), await add_tenant(conn, "c")]
    for tenant_id in tenants:
        await add_domains(conn, 100, tenant_id=tenant_id)

    async with open_link(database) as link:
        claims = await claim_some(link, 30)

    assert Counter(claimed.tenant_id for claimed in claims) == dict.fromkeys(tenants, 10)


async def test_a_tenant_whose_rows_all_wait_for_a_retry_takes_no_share(database: str, conn: Conn) -> None:
    other = await add_tenant(conn, "other")
    await add_domains(conn, 100, tenant_id=other, available_at="2999-01-01")
    await add_domains(conn, 100)

    async with open_link(database) as link:
        assert len(await claim_some(link, 50)) == 50


async def test_more_tenants_than_rows_wanted_are_served_in_turn(database: str, conn: Conn) -> None:
    tenants = [await add_tenant(conn, f"tenant {number}") for number in range(7)]
    for tenant_id in tenants:
        await add_domains(conn, 10, tenant_id=tenant_id)
    served = []
    served_last = NIL

    async with open_link(database) as link:
        for _ in range(7):
            claims = await claim(link, worker_id=uuid4(), limit=1, watermarks=NO_WATERMARKS, served_last=served_last)
            served_last = claims[-1].tenant_id
            served.append(served_last)

    assert sorted(served) == sorted(tenants)


async def test_every_priority_of_many_tenants_is_known_however_many_lanes_there_are(database: str, conn: Conn) -> None:
    tenants = [TENANT, *[await add_tenant(conn, f"tenant {number}") for number in range(4)]]
    for tenant_id in tenants:
        await conn.execute(
            "INSERT INTO domains (tenant_id, domain, status, priority)"
            " SELECT %s, 'p' || i || '.example', 'pending', i FROM generate_series(0, 100) AS i",
            (tenant_id,),
        )
    taken: dict[UUID, list[int]] = {tenant_id: [] for tenant_id in tenants}
    served_last = NIL

    async with open_link(database) as link:
        while claims := await claim(
            link, worker_id=uuid4(), limit=3, watermarks=NO_WATERMARKS, served_last=served_last
        ):
            served_last = _last_in_turn({claimed.tenant_id for claimed in claims}, served_last)
            for claimed in sorted(claims, key=lambda claimed: claimed.priority):
                taken[claimed.tenant_id].append(claimed.priority)

    assert all(priorities == list(range(101)) for priorities in taken.values())


async def test_concurrent_claims_never_take_the_same_row_and_take_all_of_them(database: str, conn: Conn) -> None:
    ids = await add_domains(conn, 2000)

    async def take() -> list[object]:
        taken: list[object] = []
        async with open_link(database) as link:
            while claims := await claim_some(link, 37):
                taken += [claimed.id for claimed in claims]
        return taken

    taken = [row_id for part in await asyncio.gather(*(take() for _ in range(6))) for row_id in part]

    assert sorted(taken) == sorted(ids)


async def test_a_claim_passes_over_rows_that_another_claim_has_locked(database: str, conn: Conn) -> None:
    ids = await add_domains(conn, 4)
    async with open_link(database) as link, conn.transaction():
        await conn.execute("SELECT FROM domains WHERE id = ANY(%s) FOR UPDATE", (ids[:2],))

        claims = await claim_some(link, 2)

    assert {claimed.id for claimed in claims} == set(ids[2:])


@pytest.mark.parametrize("prepare", [True, False])
async def test_no_more_rows_are_taken_than_asked_for_also_when_the_statement_is_prepared(
    database: str, conn: Conn, prepare: bool
) -> None:
    await add_domains(conn, 200)

    async with open_link(database, prepare=prepare) as link:
        sizes = [len(await claim_some(link, 7)) for _ in range(12)]

    assert sizes == [7] * 12
    assert await count(conn, "status = 'processing'") == 84


async def test_claims_from_the_watermark_skip_what_lies_below_and_the_next_full_claim_finds_it(
    database: str, conn: Conn
) -> None:
    now = [100.0]
    watermarks = Watermarks(clock=lambda: now[0])
    await add_domains(conn, 20)
    async with open_link(database) as link:
        first = await claim(link, worker_id=uuid4(), limit=5, watermarks=watermarks.choose(), served_last=NIL)
        watermarks.learn(first, asked=5, was_full_range=True, seconds=0.001)
        await add_domains(conn, 1, prefix="below", available_at="2020-01-01")

        second = await claim(link, worker_id=uuid4(), limit=5, watermarks=watermarks.choose(), served_last=NIL)
        now[0] += 2
        third = await claim(link, worker_id=uuid4(), limit=5, watermarks=watermarks.choose(), served_last=NIL)

    assert "below1.example" not in {claimed.domain for claimed in second}
    assert len(second) == 5
    assert "below1.example" in {claimed.domain for claimed in third}


def test_a_claim_from_the_watermark_that_found_too_little_is_followed_by_a_full_one() -> None:
    now = [100.0]
    watermarks = Watermarks(clock=lambda: now[0])
    watermarks.learn([], asked=5, was_full_range=True, seconds=0.0)

    watermarks.learn([], asked=5, was_full_range=False, seconds=0.0)

    assert watermarks.choose() == {}


LANE = (TENANT, 50)
BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), 0)


async def test_a_queue_of_one_lane_is_claimed_from_there_in_the_order_rows_are_due(database: str, conn: Conn) -> None:
    await add_domains(conn, 1, prefix="late", available_at="2020-01-02")
    await add_domains(conn, 1, prefix="early", available_at="2020-01-01")
    await add_domains(conn, 1, prefix="later", available_at="2999-01-01")
    for status in ("active", "processing", "completed", "error", "cancelled"):
        await add_domains(conn, 1, prefix=status, status=status)

    async with open_link(database) as link:
        found = [await claim_lane(link, worker_id=uuid4(), limit=1, lane=LANE, position=BEGINNING) for _ in range(3)]

    assert [[one.domain for one in claims] for claims in found] == [["early1.example"], ["late1.example"], []]
    assert {(one.attempt, one.claim_token) for claims in found for one in claims} == {(1, 1)}


@pytest.mark.parametrize("other", [{"priority": 49}, {"priority": 51}, {"priority": 49, "available_at": "2999-01-01"}])
async def test_a_lane_gives_nothing_while_another_has_rows(database: str, conn: Conn, other: dict[str, object]) -> None:
    await add_domains(conn, 5)
    await add_domains(conn, 1, prefix="other", **other)

    async with open_link(database) as link:
        assert await claim_lane(link, worker_id=uuid4(), limit=5, lane=LANE, position=BEGINNING) == []
        assert len(await claim_some(link)) == (5 if "available_at" in other else 6)


async def test_a_lane_gives_nothing_while_another_tenant_has_rows(database: str, conn: Conn) -> None:
    await add_domains(conn, 5)
    for name in ("one", "two"):  # below and above, whatever the ids
        await add_domains(conn, 1, prefix=name, tenant_id=await add_tenant(conn, name))

    async with open_link(database) as link:
        assert await claim_lane(link, worker_id=uuid4(), limit=5, lane=LANE, position=BEGINNING) == []


async def test_a_lane_passes_over_what_another_claim_has_locked_and_what_is_below_its_position(
    database: str, conn: Conn
) -> None:
    ids = await add_domains(conn, 4, available_at="2020-01-01")

    async with open_link(database) as link, conn.transaction():
        await conn.execute("SELECT FROM domains WHERE id = %s FOR UPDATE", (ids[1],))
        claims = await claim_lane(
            link, worker_id=uuid4(), limit=10, lane=LANE, position=(datetime(2020, 1, 1, tzinfo=UTC), 2)
        )

    assert {one.id for one in claims} == set(ids[2:])


async def test_no_more_rows_of_a_lane_are_taken_than_asked_for(database: str, conn: Conn) -> None:
    await add_domains(conn, 100)

    async with open_link(database) as link:
        for _ in range(8):  # prepared, by now
            claims = await claim_lane(link, worker_id=uuid4(), limit=7, lane=LANE, position=BEGINNING)
            assert len({one.id for one in claims}) == len(claims) == 7

    assert await count(conn, "status = 'processing'") == 56


def test_a_lane_is_the_only_one_while_all_claims_came_from_it() -> None:
    marks = Watermarks()
    assert marks.only_lane() is None
    marks._positions = {LANE: BEGINNING}
    assert marks.only_lane() == (LANE, BEGINNING)
    marks._positions[TENANT, 10] = BEGINNING
    assert marks.only_lane() is None


async def test_a_claim_does_not_wait_for_a_row_that_is_being_referenced(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)
    async with open_link(database) as link, conn.transaction():
        await conn.execute(
            "INSERT INTO domain_changes (tenant_id, domain_id, field) VALUES (%s, %s, 'title')", (TENANT, row_id)
        )

        claims = await asyncio.wait_for(claim_some(link), 5)

    assert len(claims) == 1
