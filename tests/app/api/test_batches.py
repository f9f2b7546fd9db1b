"""Batches over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.api.cursors import write_cursor
from domain_queue import DomainStatus, Fail, Job, Result
from tests.support.web import BATCHES, WebServer, drain, succeed

Connection = psycopg.AsyncConnection[tuple[object, ...]]


async def submit(web: WebServer, domains: list[str], **fields: Any) -> dict[str, Any]:
    reply = await web.client.post(f"{BATCHES}/batch", json={"domains": domains, **fields})
    assert reply.status_code == 202, reply.text
    return dict(reply.json())


async def status(web: WebServer, batch: dict[str, Any], **query: Any) -> dict[str, Any]:
    reply = await web.client.get(batch["status_url"], params=query)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def fail_even(job: Job) -> Result:
    """A handler that fails on names with an even digit."""
    if any(digit in job.claim.domain for digit in "02468"):
        raise Fail("no_such_domain", "The domain does not exist.")
    return await succeed(job)


async def test_a_batch_merges_duplicates_and_tells_every_refused_line_with_its_number(web: WebServer) -> None:
    batch = await submit(
        web, ["example.com", "localhost", "HTTPS://www.example.com/x", "example.org", "10.0.0.1", "example.com"]
    )

    assert set(batch) == {"batch_id", "status_url", "job_count", "created_at", "duplicates", "rejected"}
    assert batch["job_count"] == 2
    assert batch["duplicates"] == 2
    assert [(line["line"], line["input"]) for line in batch["rejected"]] == [(2, "localhost"), (5, "10.0.0.1")]
    assert all(line["code"] and line["message"] for line in batch["rejected"])


async def test_the_batch_status_pages_through_its_domains_in_the_order_submitted(web: WebServer) -> None:
    names = [f"site-{number}.com" for number in range(25)][::-1]
    batch = await submit(web, names)

    seen, cursor = [], None
    while True:
        page = await status(web, batch, limit=10, **({"cursor": cursor} if cursor else {}))
        seen += [row["domain"] for row in page["domains"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == names
    assert page["total_domains"] == 25
    assert page["status"] == "pending"
    assert page["progress"] == 0


STATUS_ORDER = {word: number for number, word in enumerate(DomainStatus)}


def by_end(row: dict[str, Any]) -> tuple[bool, str]:
    """What has not ended comes after everything that has."""
    return row["completed_at"] is None, row["completed_at"] or ""


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("domain", lambda row: row["domain"]),
        ("status", lambda row: STATUS_ORDER[row["status"]]),
        ("completed_at", by_end),
    ],
)
async def test_every_order_of_a_batch_pages_through_all_its_domains_once(
    web: WebServer, conn: Connection, sort: str, key: Callable[[dict[str, Any]], Any]
) -> None:
    batch = await submit(web, [f"site-{number}.com" for number in range(23)][::-1])
    await conn.execute("""
        UPDATE domains
        SET status = (ARRAY['pending', 'processing', 'completed', 'error', 'cancelled']::domain_status[])[seq % 5 + 1],
            completed_at = CASE WHEN seq % 5 > 1 THEN now() - make_interval(mins => (seq % 3)::int) END
    """)

    up = await all_rows(web, batch, sort=sort)
    down = await all_rows(web, batch, sort=f"-{sort}")

    assert len({row["domain"] for row in up}) == len(up) == 23
    assert [key(row) for row in up] == sorted(key(row) for row in up)
    if sort == "completed_at":
        ended = [row["completed_at"] for row in down if row["completed_at"]]
        assert ended == sorted(ended, reverse=True)
        assert [row["completed_at"] for row in down[len(ended) :]] == [None] * (23 - len(ended))
        assert {row["domain"] for row in down} == {row["domain"] for row in up}
    else:
        assert down == up[::-1]


async def all_rows(web: WebServer, batch: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    """The domains of a batch, page after page of four."""
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = await status(web, batch, limit=4, **query, **({"cursor": cursor} if cursor else {}))
        rows += page["domains"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


async def test_a_batch_with_failures_is_partial_then_retried_and_completed(web: WebServer, database: str) -> None:
    batch = await submit(web, [f"site-{number}.com" for number in range(10)])
    await drain(database, fail_even)
    partial = await status(web, batch, status="error")

    retried = await web.client.post(f"{BATCHES}/batch/{batch['batch_id']}/retry")
    await drain(database)
    completed = await status(web, batch)

    assert partial["status"] == "partial"
    assert (partial["completed_domains"], partial["failed_domains"], partial["progress"]) == (5, 5, 1)
    assert len(partial["domains"]) == 5
    assert partial["domains"][0]["error"] == {"code": "no_such_domain", "message": "The domain does not exist."}
    assert retried.json()["changed"] == 5
    assert (completed["status"], completed["completed_domains"]) == ("completed", 10)
    assert completed["domains"][0]["title"]
    assert completed["domains"][0]["email_addresses"] == ["info@example.com"]


async def test_cancelling_a_batch_ends_what_has_not_begun_and_leaves_the_rest(web: WebServer, database: str) -> None:
    first = await submit(web, ["a.com", "b.com"])
    await drain(database)
    batch = await submit(web, ["c.com", "d.com"])

    cancelled = await web.client.post(f"{BATCHES}/batch/{batch['batch_id']}/cancel")

    assert cancelled.json()["changed"] == 2
    assert (await status(web, batch))["status"] == "cancelled"
    assert (await status(web, first))["status"] == "completed"


async def test_a_batch_of_nonsense_is_refused_with_its_lines_and_leaves_nothing_behind(
    web: WebServer, conn: Connection
) -> None:
    reply = await web.client.post(f"{BATCHES}/batch", json={"domains": ["localhost", "x y"]})

    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "no_valid_domains"
    assert [detail["line"] for detail in reply.json()["error"]["details"]] == [1, 2]
    [(count,)] = await (await conn.execute("SELECT count(*) FROM batches")).fetchall()
    assert count == 0


async def test_a_batch_takes_ten_thousand_domains_at_once_and_not_one_more(web: WebServer) -> None:
    names = [f"site-{number}.com" for number in range(10_000)]

    batch = await submit(web, names)
    too_many = await web.client.post(f"{BATCHES}/batch", json={"domains": [*names, "one-more.com"]})

    assert batch["job_count"] == 10_000
    assert too_many.status_code == 422


async def test_the_same_key_makes_one_batch_even_when_it_is_sent_many_times_at_once(
    web: WebServer, conn: Connection
) -> None:
    import asyncio

    async def send() -> str:
        reply = await web.client.post(
            f"{BATCHES}/batch", json={"domains": ["example.com"]}, headers={"Idempotency-Key": "k"}
        )
        return str(reply.json()["batch_id"])

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send()) for _ in range(6)]

    assert len({task.result() for task in tasks}) == 1
    [(count,)] = await (await conn.execute("SELECT count(*) FROM batches")).fetchall()
    assert count == 1


async def test_an_unknown_batch_is_404_for_every_action(web: WebServer) -> None:
    path = f"{BATCHES}/batch/{uuid.uuid4()}"

    assert (await web.client.get(f"{path}/status")).status_code == 404
    assert (await web.client.post(f"{path}/retry")).status_code == 404
    assert (await web.client.post(f"{path}/cancel")).status_code == 404


async def test_a_cursor_that_is_none_is_refused(web: WebServer) -> None:
    batch = await submit(web, ["example.com"])

    for cursor in ("x", "-1", "99999999999", "²"):
        reply = await web.client.get(batch["status_url"], params={"cursor": cursor})
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "invalid_cursor"), cursor
    other = write_cursor("domain", "example.com", 1)
    for sort, cursor in {
        "status": other,
        "-status": write_cursor("-status", ["pending"], 1),
        "domain": write_cursor("domain", None, 1),
        "completed_at": write_cursor("completed_at", "yesterday", 1),
        "-domain": write_cursor("-domain", "a", 2**70),
    }.items():
        reply = await web.client.get(batch["status_url"], params={"cursor": cursor, "sort": sort})
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "invalid_cursor"), sort
    assert (await web.client.get(batch["status_url"], params={"cursor": other, "sort": "domain"})).status_code == 200
