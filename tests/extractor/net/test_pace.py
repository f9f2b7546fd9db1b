"""What one scan may do at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from extractor.fetch import Pace


class Slots:
    """One slot for each address, and a log of who holds what."""

    def __init__(self) -> None:
        self.locks: dict[str, asyncio.Lock] = {}
        self.log: list[str] = []

    @asynccontextmanager
    async def slot(self, address: str) -> AsyncIterator[None]:
        async with self.locks.setdefault(address, asyncio.Lock()):
            self.log.append(f"+{address}")
            yield
            self.log.append(f"-{address}")


async def test_no_more_than_two_requests_run_at_once() -> None:
    pace = Pace(60)
    running = Counter[str]()

    async def request() -> None:
        async with pace.request_to("1.1.1.1"):
            running["now"] += 1
            running["most"] = max(running["most"], running["now"])
            await asyncio.sleep(0.01)
            running["now"] -= 1

    await asyncio.gather(*(request() for _ in range(8)))

    assert running["most"] == 2


async def test_an_addresss_slot_is_taken_once_and_given_back_at_the_end() -> None:
    slots = Slots()
    pace = Pace(60, slots.slot)
    for _ in range(3):
        async with pace.request_to("1.1.1.1"):
            assert slots.log == ["+1.1.1.1"]

    await pace.finish()

    assert slots.log == ["+1.1.1.1", "-1.1.1.1"]


async def test_one_slot_is_given_back_before_another_is_taken() -> None:
    slots = Slots()
    pace = Pace(60, slots.slot)
    async with pace.request_to("1.1.1.1"):
        second = asyncio.create_task(_use(pace, "2.2.2.2"))
        await asyncio.sleep(0.01)
        assert slots.log == ["+1.1.1.1"], "the other address waits until this request is done"
    await second
    await pace.finish()

    assert slots.log == ["+1.1.1.1", "-1.1.1.1", "+2.2.2.2", "-2.2.2.2"]


async def test_scans_that_cross_each_others_addresses_do_not_lock_up() -> None:
    slots = Slots()
    one, two = Pace(60, slots.slot), Pace(60, slots.slot)

    async def scan(pace: Pace, first: str, then: str) -> None:
        await _use(pace, first)
        await _use(pace, then)
        await pace.finish()

    async with asyncio.timeout(10):
        await asyncio.gather(*(scan(p, a, b) for p, a, b in ((one, "1", "2"), (two, "2", "1"))))


async def test_waiting_for_an_address_is_not_counted_as_scanning() -> None:
    slots = Slots()
    pace = Pace(5, slots.slot)
    lock = slots.locks.setdefault("1.1.1.1", asyncio.Lock())
    await lock.acquire()
    waiting = asyncio.create_task(_use(pace, "1.1.1.1"))
    await asyncio.sleep(0.3)
    lock.release()
    await waiting

    assert pace.remaining_seconds() > 4.8


async def test_the_crawl_delay_lies_between_two_pages() -> None:
    pace = Pace(60)
    pace.delay_seconds = 0.2
    started = time.monotonic()

    assert await asyncio.gather(*(pace.begin_page() for _ in range(3))) == [True] * 3
    assert time.monotonic() - started >= 0.4


async def test_others_have_the_address_while_a_scan_waits_out_a_long_crawl_delay() -> None:
    slots = Slots()
    pace = Pace(100, slots.slot)
    assert await pace.begin_page()
    await _use(pace, "1.1.1.1")
    pace.delay_seconds = 60

    waiting = asyncio.create_task(pace.begin_page())
    async with asyncio.timeout(10):
        while slots.locks["1.1.1.1"].locked():
            await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert slots.log == ["+1.1.1.1", "-1.1.1.1"]


async def test_no_page_begins_that_the_crawl_delay_moves_beyond_the_deadline() -> None:
    pace = Pace(10)
    assert pace.pages_left() == math.inf
    assert await pace.begin_page()
    pace.delay_seconds = 4
    assert pace.pages_left() == 2, "after 4 and 8 seconds"
    pace.delay_seconds = 60

    assert pace.pages_left() == 0
    assert not await pace.begin_page()


async def test_a_cancelled_request_leaves_the_scan_usable() -> None:
    slots = Slots()
    pace = Pace(60, slots.slot)
    lock = slots.locks.setdefault("1.1.1.1", asyncio.Lock())
    await lock.acquire()
    waiting = asyncio.create_task(_use(pace, "1.1.1.1"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    lock.release()

    async with asyncio.timeout(10):
        await _use(pace, "1.1.1.1")
        await pace.finish()

    assert not lock.locked()


async def _use(pace: Pace, address: str) -> None:
    async with pace.request_to(address):
        await asyncio.sleep(0)
