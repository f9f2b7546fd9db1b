"""What one scan may do at once: two requests to the site, one address's turn, and so many seconds in all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager

AddressSlot = Callable[[str], AbstractAsyncContextManager[None]]
REQUESTS_AT_ONCE = 2


class Pace:
    """The clock and the turns of one scan.

    At most one address's slot is held at any time: whoever needs another waits until the requests to the present one
    are done and gives its slot back first. Nobody holds one while waiting for another, so scans cannot lock each other.
    """

    def __init__(self, scan_seconds: float, address_slot: AddressSlot | None = None) -> None:
        self._deadline = time.monotonic() + scan_seconds
        self._address_slot = address_slot
        self._requests = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._turn = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
        self._held: AsyncExitStack | None = None
        self._address: str | None = None
        self._using = 0
        self._next_request = 0.0
        self.connections: set[asyncio.Transport] = set()
        self.delay_seconds = 0.0  #: between the starts of two requests; the site's crawl-delay

    def remaining_seconds(self) -> float:
        """Seconds until the scan's deadline, never below zero."""
        return max(0.0, self._deadline - time.monotonic())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time in here is the machine's own, not the site's, and does not count."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._deadline += time.monotonic() - started

    @asynccontextmanager
    async def request_to(self, address: str) -> AsyncIterator[None]:
        """Hold one of the site's two requests and the address's slot, not before the crawl-delay has passed."""
        async with self._requests:
            await self._take(address)
            try:
                await self._wait_out_the_delay()
                yield
            finally:
                self._using -= 1
                if self._using == 0:
                    self._idle.set()

    async def _take(self, address: str) -> None:
        async with self._turn:
            if self._address_slot is not None and address != self._address:
                await self._idle.wait()
                with self.paused():
                    await self.release()
                    self._held = AsyncExitStack()
                    await self._held.enter_async_context(self._address_slot(address))
                    self._address = address
            self._using += 1
            self._idle.clear()

    async def _wait_out_the_delay(self) -> None:
        if self.delay_seconds <= 0:
            return
        now = time.monotonic()
        starts_at = max(now, self._next_request)
        self._next_request = starts_at + self.delay_seconds
        await asyncio.sleep(starts_at - now)

    async def finish(self) -> None:
        """End the scan's use of the site: give the slot back and close the connections kept alive.

        Left to the pool, each would stay open for seconds, and at a hundred sites a second they would add up.
        """
        for transport in self.connections:
            transport.abort()
        self.connections.clear()
        await self.release()

    async def release(self) -> None:
        """Give the slot back, if one is held."""
        held, self._held, self._address = self._held, None, None
        if held is not None:
            await held.aclose()
