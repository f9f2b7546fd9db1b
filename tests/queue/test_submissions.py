from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from domain_queue import DomainStatus, Submission, cancel, retry, submit
from domain_queue.outcomes import Failure, complete_empty, fail_or_retry
from tests.queue.helpers import TENANT, Conn, add_domains, add_tenant, claim_some, count, open_link, row_of, until


def _submissions(*domains: str, **changes: object) -> list[Submission]:
    return [Submission(domain=domain, **changes) for domain in domains]  # type: ignore[arg-type]


async def test_answers_come_in_the_order_of_the_submissions_and_one_domain_is_one_job(conn: Conn) -> None:
    answers = await submit(conn, tenant_id=TENANT, submissions=_submissions("b.example", "a.example", "b.example"))

    assert [answer.domain for answer in answers] == ["b.example", "a.example", "b.example"]
    assert answers[0].id == answers[2].id
    assert all(answer.queued and answer.status is DomainStatus.PENDING for answer in answers)
    assert await count(conn) == 2


async def test_nothing_submitted_is_nothing_done(conn: Conn) -> None:
    assert await submit(conn, tenant_id=TENANT, submissions=[]) == []


@pytest.mark.parametrize("status", ["pending", "processing"])
async def test_a_row_in_the_queue_is_returned_as_it_is(conn: Conn, status: str) -> None:
    [row_id] = await add_domains(conn, 1, status=status, priority=7)
    before = await row_of(conn, row_id)

    [answer] = await submit(conn, tenant_id=TENANT, submissions=_submissions("d1.example", priority=1))

    assert (answer.id, answer.queued, answer.status) == (row_id, False, status)
    assert await row_of(conn, row_id) == before


@pytest.mark.parametrize("status", ["active", "completed", "error", "cancelled"])
async def test_a_row_at_rest_is_queued_again_and_keeps_its_old_result(conn: Conn, status: str) -> None:
    [row_id] = await add_domains(
        conn,
        1,
        status=status,
        title="Old",
        attempt=3,
        crash_count=2,
        error_code="slow",
        last_error="Slow",
        claim_token=9,
    )

    [answer] = await submit(conn, tenant_id=TENANT, submissions=_submissions("d1.example", max_pages=9))

    row = await row_of(conn, row_id)
    assert (answer.id, answer.queued) == (row_id, True)
    assert (row["status"], row["max_pages"], row["title"], row["claim_token"]) == ("pending", 9, "Old", 9)
    assert (row["attempt"], row["crash_count"], row["error_code"], row["last_error"]) == (0, 0, None, None)


async def test_force_makes_a_waiting_retry_due_now_and_leaves_a_held_row_alone(conn: Conn) -> None:
    await add_domains(conn, 1, prefix="waiting", available_at="2999-01-01")
    await add_domains(conn, 1, prefix="held", status="processing", available_at="2999-01-01")

    await submit(conn, tenant_id=TENANT, submissions=_submissions("waiting1.example", "held1.example", force=True))

    assert await count(conn, "available_at <= now() AND domain = 'waiting1.example' AND force") == 1
    assert await count(conn, "available_at > now() AND domain = 'held1.example' AND NOT force") == 1


async def test_the_same_domain_of_two_tenants_is_two_jobs(conn: Conn) -> None:
    other = await add_tenant(conn, "other")

    [mine] = await submit(conn, tenant_id=TENANT, submissions=_submissions("a.example"))
    [theirs] = await submit(conn, tenant_id=other, submissions=_submissions("a.example"))

    assert mine.id != theirs.id


async def test_an_interval_is_kept_until_another_is_given(conn: Conn) -> None:
    every = timedelta(days=7)
    [first] = await submit(conn, tenant_id=TENANT, submissions=_submissions("a.example", rescan_every=every))
    await conn.execute("UPDATE domains SET status = 'completed'")
    await submit(conn, tenant_id=TENANT, submissions=_submissions("a.example"))

    assert (await row_of(conn, first.id))["rescan_every"] == every


async def test_a_batch_knows_every_domain_it_was_given_also_one_that_was_queued_already(conn: Conn) -> None:
    batch_id = uuid4()
    await conn.execute("INSERT INTO batches (id, tenant_id, max_pages) VALUES (%s, %s, 5)", (batch_id, TENANT))
    await add_domains(conn, 1)

    answers = await submit(
        conn, tenant_id=TENANT, submissions=_submissions("new.example", "d1.example"), batch_id=batch_id
    )

    cur = await conn.execute("SELECT domain_id FROM batch_items WHERE batch_id = %s ORDER BY position", (batch_id,))
    assert [row_id for (row_id,) in await cur.fetchall()] == [answer.id for answer in answers]


async def test_a_value_out_of_range_writes_nothing(conn: Conn) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await submit(
            conn, tenant_id=TENANT, submissions=[Submission(domain="a.example"), Submission(domain="b", max_pages=0)]
        )

    assert await count(conn) == 0


async def test_many_submitters_of_the_same_domains_in_another_order_do_not_deadlock(database: str, conn: Conn) -> None:
    domains = [f"s{number}.example" for number in range(200)]

    async def one(order: int) -> list[UUID]:
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as mine:
            names = domains if order % 2 else domains[::-1]
            answers = await submit(mine, tenant_id=TENANT, submissions=_submissions(*names))
            return sorted(answer.id for answer in answers)

    answers = await asyncio.gather(*(one(order) for order in range(6)))

    assert len({tuple(ids) for ids in answers}) == 1
    assert await count(conn) == 200


@pytest.mark.parametrize("quiet", [False, True])
async def test_the_commit_wakes_listeners_unless_it_is_asked_to_be_quiet(
    database: str, conn: Conn, quiet: bool
) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as listening:
        await listening.execute("LISTEN domains_pending")
        async with conn.transaction():
            await submit(conn, tenant_id=TENANT, submissions=_submissions("a.example"), quiet=quiet)
        await conn.execute("SELECT pg_notify('domains_pending', 'end')")

        heard = [notice.payload async for notice in listening.notifies(timeout=10, stop_after=1 if quiet else 2)]

    assert heard == (["end"] if quiet else ["", "end"])


@pytest.mark.parametrize("status", ["pending", "processing"])
async def test_cancel_ends_rows_in_the_queue(conn: Conn, status: str) -> None:
    ids = await add_domains(conn, 2, status=status)
    await add_domains(conn, 1, prefix="other", status=status)

    assert sorted(await cancel(conn, ids=ids)) == sorted(ids)

    assert await count(conn, "status = 'cancelled' AND claim_token = 1 AND completed_at IS NOT NULL") == 2
    assert await count(conn, f"status = '{status}'") == 1


async def test_cancel_leaves_rows_alone_that_have_ended_or_belong_to_another_tenant(conn: Conn) -> None:
    other = await add_tenant(conn, "other")
    ended = await add_domains(conn, 1, status="completed")
    foreign = await add_domains(conn, 1, tenant_id=other)

    assert await cancel(conn, tenant_id=TENANT, ids=ended + foreign) == []


async def test_a_batch_is_cancelled_and_retried_as_a_whole(conn: Conn) -> None:
    batch_id = uuid4()
    await conn.execute("INSERT INTO batches (id, tenant_id, max_pages) VALUES (%s, %s, 5)", (batch_id, TENANT))
    answers = await submit(
        conn, tenant_id=TENANT, submissions=_submissions("a.example", "b.example"), batch_id=batch_id
    )
    await add_domains(conn, 1)
    ids = sorted(answer.id for answer in answers)

    assert sorted(await cancel(conn, batch_id=batch_id)) == ids
    assert sorted(await retry(conn, batch_id=batch_id)) == ids
    assert await count(conn, "status = 'pending'") == 3


async def test_retry_redrives_one_or_many_or_all_of_an_error_code(database: str, conn: Conn) -> None:
    await add_domains(conn, 6)
    async with open_link(database) as link:
        claims = await claim_some(link)
        codes = ["timeout", "timeout", "refused", "refused", "refused", "gone"]
        await fail_or_retry(
            link, [(claim, Failure(code, code, final=True)) for claim, code in zip(claims, codes, strict=True)]
        )

    assert len(await retry(conn, ids=[claims[0].id])) == 1
    assert len(await retry(conn, error_code="timeout")) == 1
    assert len(await retry(conn, tenant_id=TENANT, error_code="refused")) == 3
    assert len(await retry(conn, everything=True)) == 1
    assert await count(conn, "status = 'pending' AND attempt = 0 AND errors = '[]' AND error_code IS NULL") == 6


async def test_retry_without_a_choice_is_refused(conn: Conn) -> None:
    with pytest.raises(ValueError, match="everything"):
        await retry(conn, tenant_id=TENANT)


async def test_submitters_under_row_level_security_reach_their_own_rows_only(database: str, conn: Conn) -> None:
    other = await add_tenant(conn, "other")
    await add_domains(conn, 1, tenant_id=other, prefix="theirs", status="error")
    async with conn.transaction():
        await conn.execute("SET LOCAL ROLE scrapersky_tenant")
        await conn.execute("SELECT set_config('app.tenant_id', %s, true)", (str(TENANT),))
        [answer] = await submit(conn, tenant_id=TENANT, submissions=_submissions("mine.example", force=True))
        assert await cancel(conn, ids=[answer.id]) == [answer.id]
        assert await retry(conn, everything=True) == [answer.id]

    assert await count(conn, "status = 'error'") == 1


async def test_a_row_submitted_while_it_completes_is_never_lost(database: str, conn: Conn) -> None:
    """Either the old run counts, or a new one is queued: the row cannot end up neither pending nor completed."""
    await add_domains(conn, 1)
    async with open_link(database) as link:
        for _ in range(20):
            claims = await claim_some(link)
            done, answers = await asyncio.gather(
                complete_empty(link, claims),
                submit(conn, tenant_id=TENANT, submissions=_submissions("d1.example")),
            )
            assert done
            if not answers[0].queued:
                await submit(conn, tenant_id=TENANT, submissions=_submissions("d1.example"))

            async def is_pending() -> bool:
                return await count(conn, "status = 'pending'") == 1

            await until(is_pending)
