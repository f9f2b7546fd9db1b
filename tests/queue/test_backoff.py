import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain_queue import retry_delay

BASE = timedelta(seconds=5)
CAP = timedelta(hours=1)


@given(attempt=st.integers(-3, 10_000), seed=st.integers())
def test_a_delay_is_never_negative_and_never_above_its_ceiling(attempt: int, seed: int) -> None:
    delay = retry_delay(attempt, base=BASE, cap=CAP, rng=random.Random(seed))

    ceiling = min(CAP, BASE * 2 ** min(max(attempt - 1, 0), 20))
    assert timedelta(0) <= delay <= ceiling


def test_delays_fill_the_whole_range_so_that_failures_of_one_moment_do_not_return_together() -> None:
    rng = random.Random(1)
    delays = [retry_delay(3, base=BASE, cap=CAP, rng=rng) / BASE for _ in range(1000)]

    assert min(delays) < 0.2
    assert max(delays) > 3.8


@given(asked=st.integers(1, 10**7), seed=st.integers())
def test_what_a_site_asked_for_is_honoured_up_to_a_week(asked: int, seed: int) -> None:
    after = timedelta(seconds=asked)
    delay = retry_delay(1, base=BASE, cap=CAP, rng=random.Random(seed), at_least=after)

    assert delay >= min(after, timedelta(days=7))
    assert delay <= timedelta(days=7) + CAP
