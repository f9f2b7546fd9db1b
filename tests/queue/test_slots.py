from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest

from domain_queue.slots import Slots
from domain_queue.sweep import tidy
from tests.queue.helpers import Conn, add_domains, claim_some, expire, open_link, register


async def _slots_taken(conn: Conn) -> int:
    cur = await conn.execute("SELECT count(*) FROM concurrency_slots")
    [(number,)] = await cur.fetchall()
    return number


@pytest.mark.parametrize("limit", [1, 3])
async def test_never_more_than_the_limit_hold_a_key_over_all_workers(database: str, conn: Conn, limit: int) -> None:
    await add_domains(conn, 40)
    holding, most = 0, 0

    async def worker() -> None:
        nonlocal holding, most
        worker_id = await register(conn)
        async with open_link(database) as link, open_link(database) as own:
            slots = Slots(link, rng=random.Random(0))

            async def job(claim: object) -> None:
                nonlocal holding, most
                async with slots.hold("203.0.113.7", limit, worker_id=worker_id, claim=claim):  # type: ignore[arg-type]
                    holding += 1
                    most = max(most, holding)
                    await asyncio.sleep(0.001)
                    holding -= 1

            claims = await claim_some(own, 10, worker_id=worker_id)
            await asyncio.gather(*(job(claim) for claim in claims))

    await asyncio.gather(*(worker() for _ in range(4)))

    assert most == limit
    assert await _slots_taken(conn) == 0


async def test_other_keys_do_not_wait(database: str, conn: Conn) -> None:
    await add_domains(conn, 2)
    worker_id = await register(conn)
    async with open_link(database) as link:
        first, second = await claim_some(link, worker_id=worker_id)
        slots = Slots(link, rng=random.Random(0))
        async with (
            slots.hold("a", 1, worker_id=worker_id, claim=first),
            slots.hold("b", 1, worker_id=worker_id, claim=second),
        ):
            assert await _slots_taken(conn) == 2


async def test_a_slot_is_freed_when_its_holder_is_cancelled(database: str, conn: Conn) -> None:
    await add_domains(conn, 1)
    worker_id = await register(conn)
    held = asyncio.Event()
    async with open_link(database) as link:
        [claim] = await claim_some(link, worker_id=worker_id)
        slots = Slots(link, rng=random.Random(0))

        async def job() -> None:
            async with slots.hold("a", 1, worker_id=worker_id, claim=claim):
                held.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(job())
        await held.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await _slots_taken(conn) == 0


async def test_the_slots_of_a_dead_worker_are_free_when_its_lease_is_out_and_not_before(
    database: str, conn: Conn
) -> None:
    await add_domains(conn, 1)
    dead = await register(conn)
    alive = await register(conn)
    async with open_link(database) as link, open_link(database) as own:
        [claim] = await claim_some(link, worker_id=dead)
        await Slots(link, rng=random.Random(0))._take("a", 1, dead, claim)
        waiting = asyncio.create_task(_hold_once(Slots(own, rng=random.Random(0)), alive, claim))
        await tidy(link, [])
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done

        await expire(conn, dead)
        await tidy(link, [])

        await asyncio.wait_for(waiting, 10)


async def _hold_once(slots: Slots, worker_id: UUID, claim: object) -> None:
    async with slots.hold("a", 1, worker_id=worker_id, claim=claim):  # type: ignore[arg-type]
        pass


async def test_a_slot_that_cannot_be_freed_now_is_freed_later(database: str, conn: Conn) -> None:
    await add_domains(conn, 1)
    worker_id = await register(conn)
    async with open_link(database) as link:
        [claim] = await claim_some(link, worker_id=worker_id)
        slots = Slots(link, rng=random.Random(0))
        async with slots.hold("a", 1, worker_id=worker_id, claim=claim):
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'test' AND datname = current_database()"
            )
        await slots.free_unfreed()

    assert await _slots_taken(conn) == 0


async def test_a_connection_that_breaks_while_a_slot_is_taken_fails_no_job(database: str, conn: Conn) -> None:
    await add_domains(conn, 1)
    worker_id = await register(conn)
    async with open_link(database) as link:
        [claim] = await claim_some(link, worker_id=worker_id)
        slots = Slots(link, rng=random.Random(0))
        async with conn.transaction():
            await conn.execute("LOCK TABLE concurrency_slots")
            taking = asyncio.create_task(_hold_once(slots, worker_id, claim))
            while not await _terminated_while_waiting(conn):
                await asyncio.sleep(0.01)

        await asyncio.wait_for(taking, 10)

    assert await _slots_taken(conn) == 0


async def _terminated_while_waiting(conn: Conn) -> bool:
    cur = await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'test' AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    return await cur.fetchone() is not None
