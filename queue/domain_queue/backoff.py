"""How long a failed attempt waits before the next one."""

from __future__ import annotations

import random
from datetime import timedelta

LONGEST_RETRY_AFTER = timedelta(days=7)  # a site that asks for more is not worth waiting for


def retry_delay(
    attempt: int, *, base: timedelta, cap: timedelta, rng: random.Random, at_least: timedelta | None = None
) -> timedelta:
    """Full jitter: uniform in [0, min(cap, base * 2**(attempt - 1))), and never below ``at_least``.

    ``attempt`` counts from 1. ``at_least`` (a site's Retry-After) may exceed ``cap``, up to seven days; up to a
    tenth of it is added at random, so that all who were told the same moment do not come back together.

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015).
    """
    exponent = min(max(attempt, 1) - 1, 30)  # unbounded, 2**exponent overflows timedelta
    ceiling = min(cap, timedelta(seconds=min(base.total_seconds() * 2.0**exponent, cap.total_seconds())))
    delay = ceiling * rng.random()
    if at_least is None or at_least <= timedelta(0):
        return delay
    asked = min(at_least, LONGEST_RETRY_AFTER)
    return max(delay, asked + min(asked, cap) * (0.1 * rng.random()))
