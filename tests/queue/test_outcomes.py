from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from domain_queue import Claim, DomainStatus, Result, Submission, cancel, submit
from domain_queue.links import Link
from domain_queue.outcomes import (
    Failure,
    array_literal,
    complete,
    complete_empty,
    fail_or_retry,
    one_line,
    prepare_result,
    release,
    release_unknown,
    write_progress,
)
from domain_queue.sweep import sweep_lost
from tests.queue.helpers import TENANT, Conn, add_domains, claim_some, open_link, register, row_of

FULL = Result(
    title="A title",
    description='with "quotes", a \\ and ü',
    language="de",
    is_wordpress=True,
    wordpress_version="6.9",
    email_addresses=['a"b\\c@example.com', "info@example.com", "{,}"],
    phone_numbers=["+4930123456"],
    favicon_url="https://example.com/favicon.ico",
    logo_url="https://example.com/logo.svg",
    metadata={"domain": "d1.example", "nested": {"list": [1, None]}},
    http_validators={"https://example.com/": {"etag": "x"}},
)
COLUMNS = [name for name in Result.__slots__ if name != "metadata"]


async def _finish(link: Link, claims: list[Claim], result: Result, *, watched: tuple[str, ...] = ()) -> set[int]:
    return await complete(link, [prepare_result(claim, result) for claim in claims], watched=watched)


async def _write(link: Link, kind: str, claims: list[Claim]) -> set[int]:
    match kind:
        case "complete":
            return await _finish(link, claims, FULL)
        case "complete_empty":
            return await complete_empty(link, claims)
        case "retry":
            return await fail_or_retry(link, [(claim, Failure("slow", "Too slow", final=False)) for claim in claims])
        case "fail":
            return await fail_or_retry(link, [(claim, Failure("gone", "Is gone", final=True)) for claim in claims])
        case "release":
            return await release(link, claims)
        case _:
            return await write_progress(link, [(claim, True, 0.5, "reading") for claim in claims])


KINDS = ["complete", "complete_empty", "retry", "fail", "release", "progress"]


async def test_a_result_is_stored_in_full(database: str, conn: Conn) -> None:
    await add_domains(conn, 3)
    async with open_link(database) as link:
        claims = await claim_some(link)

        taken = await _finish(link, claims, FULL)

    row = await row_of(conn, claims[0].id)
    assert taken == {claim.seq for claim in claims}
    assert {name: row[name] for name in COLUMNS} == {name: getattr(FULL, name) for name in COLUMNS}
    assert row["domain_metadata"] == FULL.metadata
    assert (row["status"], row["progress"], row["step"]) == (DomainStatus.COMPLETED, 1, "done")
    assert row["completed_at"] is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ended_by", ["complete", "complete_empty", "retry", "fail", "release", "cancel", "sweep"])
async def test_no_write_of_a_claim_that_has_ended_gets_through(
    database: str, conn: Conn, kind: str, ended_by: str
) -> None:
    [row_id] = await add_domains(conn, 1)
    async with open_link(database) as link:
        claims = await claim_some(link)
        if ended_by == "cancel":
            await cancel(conn, ids=[row_id])
        elif ended_by == "sweep":  # the worker was never registered
            await sweep_lost(link, limit=10, silent=[], base_seconds=0, cap_seconds=0)
        else:
            await _write(link, ended_by, claims)
        before = await row_of(conn, row_id)

        taken = await _write(link, kind, claims)

    assert taken == set()
    assert await row_of(conn, row_id) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_the_next_holder_is_not_disturbed_by_the_last_one(database: str, conn: Conn, kind: str) -> None:
    [row_id] = await add_domains(conn, 1)
    async with open_link(database) as link:
        stale = await claim_some(link)
        await release(link, stale)
        fresh = await claim_some(link)
        before = await row_of(conn, row_id)

        assert await _write(link, kind, stale) == set()
        assert await row_of(conn, row_id) == before
        assert await _write(link, kind, fresh) == {fresh[0].seq}


async def test_a_failure_keeps_the_results_of_earlier_scans(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)
    async with open_link(database) as link:
        await _finish(link, await claim_some(link), FULL)
        await conn.execute("UPDATE domains SET status = 'pending' WHERE id = %s", (row_id,))

        await _write(link, "fail", await claim_some(link))

    row = await row_of(conn, row_id)
    assert (row["status"], row["error_code"], row["last_error"]) == (DomainStatus.ERROR, "gone", "Is gone")
    assert row["title"] == FULL.title
    assert row["domain_metadata"] == FULL.metadata


async def test_every_reason_is_kept_up_to_twenty_and_a_success_leaves_them_for_the_next_submit_to_clear(
    database: str, conn: Conn
) -> None:
    [row_id] = await add_domains(conn, 1, max_attempts=100)
    async with open_link(database) as link:
        for number in range(23):
            [claim] = await claim_some(link)
            await fail_or_retry(link, [(claim, Failure("slow", f"try {number}", final=False))])
        errors = (await row_of(conn, row_id))["errors"]
        await complete_empty(link, await claim_some(link))

    assert [entry["message"] for entry in errors] == [f"try {number}" for number in range(3, 23)]
    assert {"attempt", "at", "worker", "code", "message", "claimed_at"} == set(errors[0])
    row = await row_of(conn, row_id)
    assert (row["errors"], row["last_error"], row["error_code"], row["crash_count"]) == (errors, None, None, 0)

    await submit(conn, tenant_id=TENANT, submissions=[Submission(domain=row["domain"])])

    assert (await row_of(conn, row_id))["errors"] == []


async def test_a_retry_waits_for_its_delay(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)
    async with open_link(database) as link:
        [claim] = await claim_some(link)
        await fail_or_retry(link, [(claim, Failure("slow", "Too slow", final=False, delay_seconds=90))])

        assert await claim_some(link) == []

    row = await row_of(conn, row_id)
    assert (row["available_at"] - row["updated_at"]).total_seconds() == 90


async def test_a_release_gives_the_attempt_back_and_keeps_the_place(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)
    before = await row_of(conn, row_id)
    async with open_link(database) as link:
        await release(link, await claim_some(link))

    row = await row_of(conn, row_id)
    assert (row["attempt"], row["available_at"], row["errors"]) == (0, before["available_at"], [])


async def test_changed_fields_are_kept_when_there_was_an_earlier_result(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1)
    later = Result(title="Another", description=FULL.description, metadata={"seen": 2, "kept": 1}, language="de")
    async with open_link(database) as link:
        await _finish(
            link,
            await claim_some(link),
            Result(title="First", description=FULL.description, language="de", metadata={"seen": 1, "kept": 1}),
        )
        assert await _changes(conn) == {}
        await conn.execute("UPDATE domains SET status = 'pending' WHERE id = %s", (row_id,))

        await _finish(link, await claim_some(link), later, watched=("seen", "kept", "absent"))

    assert await _changes(conn) == {"title": ("First", "Another"), "seen": (1, 2)}


async def _changes(conn: Conn) -> dict[str, Any]:
    cur = await conn.execute("SELECT field, old_value, new_value FROM domain_changes")
    return {field: (old, new) for field, old, new in await cur.fetchall()}


async def test_a_completed_row_with_an_interval_is_due_again_after_it(database: str, conn: Conn) -> None:
    [row_id] = await add_domains(conn, 1, rescan_every="1 day")
    async with open_link(database) as link:
        await complete_empty(link, await claim_some(link))

    row = await row_of(conn, row_id)
    assert (row["available_at"] - row["completed_at"]).total_seconds() == 86_400


async def test_rows_in_the_workers_name_that_it_does_not_hold_are_given_back(database: str, conn: Conn) -> None:
    await add_domains(conn, 5)
    worker_id = await register(conn)
    async with open_link(database) as link:
        claims = await claim_some(link, worker_id=worker_id)
        known = [claim.id for claim in claims[:2]]
        others = await claim_some(link, worker_id=uuid4())

        given_back = await release_unknown(link, worker_id=worker_id, known=known, limit=100)

        assert (given_back, others) == (3, [])
        assert {claim.attempt for claim in await claim_some(link)} == {1}


async def test_progress_is_written_for_those_that_moved_and_confirmed_for_all_that_are_held(
    database: str, conn: Conn
) -> None:
    await add_domains(conn, 3)
    async with open_link(database) as link:
        moved, still, gone = await claim_some(link)
        await cancel(conn, ids=[gone.id])

        held = await write_progress(
            link, [(moved, True, 0.25, "reading"), (still, False, 0.0, "claimed"), (gone, False, 0.0, "claimed")]
        )

    row = await row_of(conn, moved.id)
    assert held == {moved.seq, still.seq}
    assert (row["progress"], row["step"]) == (0.25, "reading")


@pytest.mark.parametrize("metadata", [{"a": float("nan")}, {"a": {1, 2}}, {"a": float("inf")}])
def test_what_json_cannot_hold_is_refused_before_it_reaches_the_database(metadata: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        prepare_result(Claim._make([None] * len(Claim._fields)), Result(metadata=metadata))


@pytest.mark.parametrize("values", [[], ["a"], ['"'], ["\\"], ["a,b", "{}", " ", "NULL", ""], ["ü\n"]])
async def test_a_list_survives_its_text_form(conn: Conn, values: list[str]) -> None:
    cur = await conn.execute("SELECT %s::text[]", (array_literal(values),))

    assert await cur.fetchall() == [(values,)]


def test_a_message_is_one_line_that_postgres_can_store() -> None:
    assert one_line("a\0b\nc \ud800 " + "x" * 5000).startswith("a b c ? xxx")
    assert len(one_line("y" * 5000)) == 1000
