"""What a worker remembers of the lanes between two claims: where each one's live rows begin.

A lane is the rows of one tenant at one priority, in the order they are due. Claimed rows leave dead entries at the
head of the lane's part of the index, and while an old snapshot is open nobody may remove them: a claim that starts at
the head walks all of them again. So a claim starts at the lane's watermark, the position of the last row that was
claimed there. A row may appear below it (inserted by hand, committed late, given back by another
worker), so a claim from the very beginning runs at least once a second and whenever one from the watermarks
found less than it was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from domain_queue.models import Claim

Lane = tuple[UUID, int]  #: tenant and priority
Position = tuple[datetime, int]  #: due time and ``seq``

FULL_RANGE_SECONDS = 1.0  # no due row stays below a watermark longer than this
FULL_RANGE_SHARE = 10.0  # a claim from the beginning that took long may take this part of the time again
MOST_LANES = 10_000  # beyond, the oldest are forgotten: they cost a walk, nothing else


_position: Callable[[Claim], Position] = attrgetter("available_at", "seq")


class Watermarks:
    """Positions by lane, and when they may not be used."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._positions: dict[Lane, Position] = {}
        self._clock = clock
        self._full_range_at = clock()

    def forget(self) -> None:
        """The next claim starts from the beginning of every lane."""
        self._full_range_at = self._clock()

    def only_lane(self) -> tuple[Lane, Position] | None:
        """The lane that every claim so far came from, and its watermark; None if there were several, or none yet."""
        return next(iter(self._positions.items())) if len(self._positions) == 1 else None

    def choose(self) -> dict[Lane, Position]:
        """The positions to claim from; empty for a claim from the beginning of every lane."""
        return {} if self._clock() >= self._full_range_at else self._positions

    def learn(self, claims: Sequence[Claim], *, asked: int, was_full_range: bool, seconds: float) -> None:
        """Take note of what a claim returned, which took ``seconds``."""
        found = len(claims)
        # One step for each row: an int is hashed and compared faster than a UUID.
        last = {(claim.tenant_id.int, claim.priority): claim for claim in sorted(claims, key=_position)}
        for claim in last.values():
            lane = (claim.tenant_id, claim.priority)
            position = _position(claim)
            if was_full_range or lane not in self._positions or position > self._positions[lane]:
                self._positions[lane] = position
        if was_full_range:
            self._full_range_at = self._clock() + max(FULL_RANGE_SECONDS, FULL_RANGE_SHARE * seconds)
        elif found < asked:
            self.forget()
        while len(self._positions) > MOST_LANES:
            self._positions.pop(next(iter(self._positions)))
