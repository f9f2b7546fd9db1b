from uuid import uuid4

from domain_queue import DomainStatus, oldest_pending, pending_position, queue_depths, workers_alive
from tests.queue.helpers import TENANT, Conn, add_domains, add_tenant, expire, register


async def test_depths_name_every_status(conn: Conn) -> None:
    other = await add_tenant(conn, "other")
    await add_domains(conn, 3)
    await add_domains(conn, 2, tenant_id=other, status="error")

    assert await queue_depths(conn) == dict.fromkeys(DomainStatus, 0) | {"pending": 3, "error": 2}
    assert (await queue_depths(conn, TENANT))[DomainStatus.ERROR] == 0


async def test_a_position_counts_what_the_same_tenant_has_before(conn: Conn) -> None:
    other = await add_tenant(conn, "other")
    await add_domains(conn, 5, tenant_id=other, prefix="o", available_at="2020-01-01")
    await add_domains(conn, 2, prefix="first", priority=1)
    [third] = await add_domains(conn, 1, available_at="2020-01-01")
    [done] = await add_domains(conn, 1, prefix="done", status="completed")

    assert await pending_position(conn, third) == 3
    assert await pending_position(conn, done) is None
    assert await pending_position(conn, uuid4()) is None


async def test_workers_whose_lease_ran_out_are_not_alive(conn: Conn) -> None:
    alive, gone = await register(conn), await register(conn)
    await expire(conn, gone)

    assert [worker.id for worker in await workers_alive(conn)] == [alive]


async def test_the_oldest_pending_row_is_the_one_due_longest_not_one_in_backoff(conn: Conn) -> None:
    assert await oldest_pending(conn) is None
    await add_domains(conn, 1, prefix="later", available_at="2999-01-01")
    assert await oldest_pending(conn) is None
    await add_domains(conn, 2, priority=1)
    await add_domains(conn, 1, prefix="old", priority=9, available_at="2020-01-01")

    oldest = await oldest_pending(conn)

    assert oldest is not None
    assert oldest.domain == "old1.example"
    assert oldest.age_seconds > 1e8
