from __future__ import annotations

import asyncio
from collections import Counter

import psycopg

from domain_queue import Listener, Notifier
from domain_queue.outcomes import Failure, complete_empty, fail_or_retry
from domain_queue.sweep import heal_clock, sweep_lost, sweep_rescans
from tests.queue.helpers import Conn, add_domains, claim_some, open_link, until


async def _listening(conn: Conn) -> int:
    cur = await conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'listen' AND datname = current_database()"
    )
    [(number,)] = await cur.fetchall()
    return number


async def test_a_listener_is_believed_when_it_has_heard_itself_and_wakes_at_once_then_for_each_notification(
    database: str, conn: Conn
) -> None:
    woken = asyncio.Event()
    async with Listener(database, ["domains_pending"], woken.set) as listener:
        assert await listener.settled() == "listen"
        assert listener.proven
        await asyncio.wait_for(woken.wait(), 10)
        woken.clear()

        await conn.execute("SELECT pg_notify('domains_pending', '')")

        await asyncio.wait_for(woken.wait(), 10)


async def test_a_listener_whose_connection_is_killed_comes_back_and_wakes_for_what_it_missed(
    database: str, conn: Conn
) -> None:
    wakes = 0

    def on_wake() -> None:
        nonlocal wakes
        wakes += 1

    async with Listener(database, ["domains_pending"], on_wake) as listener:
        await listener.settled()
        before = wakes
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listen'")

        async def is_back() -> bool:
            return wakes > before and listener.reconnects == 1 and listener.proven

        await until(is_back)


async def test_a_listener_that_cannot_connect_says_poll_and_keeps_trying(database: str) -> None:
    nowhere = psycopg.conninfo.make_conninfo(database, host="/nowhere")
    async with Listener(nowhere, ["domains_pending"], lambda: None) as listener:
        assert await listener.settled() == "poll"

        async def has_tried_again() -> bool:
            return listener.reconnects >= 3

        await until(has_tried_again)


async def test_a_listener_that_has_stopped_leaves_no_connection_behind(database: str, conn: Conn) -> None:
    async with Listener(database, ["domains_pending"], lambda: None) as listener:
        await listener.settled()
        assert await _listening(conn) == 1

    async def is_gone() -> bool:
        return await _listening(conn) == 0

    await until(is_gone)


async def test_a_session_that_forgot_its_channels_is_noticed_by_a_ping(database: str, conn: Conn) -> None:
    async with Listener(database, ["domains_pending"], lambda: None, ping_seconds=0.05) as listener:
        await listener.settled()
        listener._channels = ("domains_pending", "never_listened_to")

        async def is_noticed() -> bool:
            return listener.reconnects >= 1

        await until(is_noticed)


async def test_many_notifications_become_few_and_the_last_one_is_not_lost(database: str) -> None:
    heard: Counter[str] = Counter()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as listening:
        await listening.execute("LISTEN domains_finished")
        async with Notifier(database, "domains_finished") as notifier:
            for _ in range(1000):
                notifier.notify()
            await asyncio.sleep(0)
            notifier.notify()
        await listening.execute("SELECT pg_notify('domains_finished', 'end')")
        async for notice in listening.notifies(timeout=10):
            heard[notice.payload] += 1
            if notice.payload == "end":
                break

    assert 1 <= heard[""] <= 3


async def test_a_worker_that_finds_nothing_does_not_wake_itself(database: str, conn: Conn) -> None:
    async with open_link(database) as link:
        await conn.execute("LISTEN domains_pending")
        await claim_some(link)
        await sweep_lost(link, limit=10, silent=[], base_seconds=0, cap_seconds=0)
        await sweep_rescans(link, limit=10)
        await heal_clock(link, limit=10)
        await complete_empty(link, [])
        await conn.execute("SELECT pg_notify('domains_pending', 'end')")

        assert [notice.payload async for notice in conn.notifies(timeout=10, stop_after=1)] == ["end"]


async def test_no_write_of_a_worker_notifies_in_its_own_commit_except_to_give_rows_back(
    database: str, conn: Conn
) -> None:
    await add_domains(conn, 10, rescan_every="1 day")
    async with open_link(database) as link:
        await conn.execute("LISTEN domains_pending")
        first, second, *others = await claim_some(link)
        await complete_empty(link, others)
        await fail_or_retry(
            link, [(first, Failure("slow", "slow", final=False)), (second, Failure("a", "b", final=True))]
        )
        await claim_some(link)
        await sweep_lost(link, limit=10, silent=[], base_seconds=0, cap_seconds=0)
        await conn.execute("UPDATE domains SET available_at = now() WHERE status = 'completed'")
        assert await sweep_rescans(link, limit=10) > 0
        await conn.execute("SELECT pg_notify('domains_pending', 'end')")

        assert [notice.payload async for notice in conn.notifies(timeout=10, stop_after=1)] == ["end"]


async def test_whoever_sets_a_row_to_pending_by_hand_wakes_the_workers(conn: Conn) -> None:
    await add_domains(conn, 1, status="error")
    await conn.execute("LISTEN domains_pending")
    await conn.execute("UPDATE domains SET status = 'pending'")

    assert [notice.payload async for notice in conn.notifies(timeout=10, stop_after=1)] == [""]


async def test_a_notifier_without_a_database_never_raises(database: str) -> None:
    async with Notifier(psycopg.conninfo.make_conninfo(database, host="/nowhere"), "domains_finished") as notifier:
        notifier.notify()
        await asyncio.sleep(0.05)
