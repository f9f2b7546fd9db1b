"""What one scan may do at once: two requests to the site, one address's turn, and so many seconds in all."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager

AddressSlot = Callable[[str], AbstractAsyncContextManager[None]]
REQUESTS_AT_ONCE = 2
#: Who waits longer than this for a site's crawl-delay does not keep others from the address.
LONG_WAIT_SECONDS = 5.0


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
        self._last_page = -math.inf
        self.connections: set[asyncio.Transport] = set()
        self.delay_seconds = 0.0  #: between the starts of two pages; the site's crawl-delay

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
        """Hold one of the site's two requests and the address's slot."""
        async with self._requests:
            await self._take(address)
            try:
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

    async def begin_page(self) -> bool:
        """Wait until the crawl-delay since the last page has passed; False, at once, where the scan ends before that.

        A page's redirects follow it at once, and robots.txt is no page: a delay that keeps a site from being asked for
        its rules, or a reader from arriving, would help nobody.
        """
        starts_at = self._next_page()
        if starts_at >= self._deadline:
            return False
        self._last_page = starts_at
        if starts_at - time.monotonic() > LONG_WAIT_SECONDS:
            await self._release_if_idle()
        await asyncio.sleep(starts_at - time.monotonic())
        return True

    async def _release_if_idle(self) -> None:
        """Let another scan have the address meanwhile."""
        async with self._turn:
            if self._using == 0:
                await self.release()

    def pages_left(self) -> float:
        """How many more pages can begin before the deadline; infinitely many without a crawl-delay."""
        left = self._deadline - self._next_page()
        if left <= 0:
            return 0
        return math.ceil(left / self.delay_seconds) if self.delay_seconds > 0 else math.inf

    def _next_page(self) -> float:
        return max(time.monotonic(), self._last_page + self.delay_seconds)

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
