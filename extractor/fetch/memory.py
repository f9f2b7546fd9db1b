"""How much of the memory may be pages that were fetched and are not read yet."""

from __future__ import annotations

import asyncio
import weakref

#: Every request may hold this much; only what goes beyond is counted.
SMALL_BODY_BYTES = 512 * 1024
#: Of all larger bodies together, beyond their first SMALL_BODY_BYTES.
LARGE_BODIES_BYTES = 128 * 1024 * 1024
#: How long a large body waits for room; then the page is cut where it is.
WAIT_SECONDS = 5.0


class BodyMemory:
    """Room for large bodies, shared by all requests of a process.

    Two hundred sites that all send five megabytes, faster than the pages can be read, would take a gigabyte; so a body
    that grows large first takes room for all it may become, and its connection is not read from until there is some.
    """

    def __init__(self, limit: int = LARGE_BODIES_BYTES) -> None:
        self.free = limit
        self._limit = limit
        self._given = asyncio.Event()

    async def take(self, size: int) -> bool:
        """Take room; False where none came free in time."""
        size = min(size, self._limit)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self.free < size:
                    self._given.clear()
                    await self._given.wait()
        except TimeoutError:
            return False
        self.free -= size
        return True

    def give(self, size: int) -> None:
        """Give room back."""
        self.free += size
        self._given.set()

    def keep_for(self, owner: object, size: int) -> None:
        """Give room back when ``owner`` is dropped."""
        weakref.finalize(owner, self.give, size).atexit = False
