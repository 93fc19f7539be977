"""The plan of a run: a fixed rate over all users, pauses within bounds; what says that the generator fell behind."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from bench.locust.plan import instant_s, period_s
from bench.locust.watch import LATE_START_S_MAX, SHARE_MAX, Clock, Watch

USERS, RATE = 200, 50.0


def instants(user: int, draws: random.Random) -> list[float]:
    planned = (instant_s(n, user, users=USERS, rate=RATE, draw=draws.random()) for n in range(-1, 20))
    return [at_s for at_s in planned if at_s >= 0]


def test_the_rate_is_fixed_from_the_first_second_to_the_last() -> None:
    """In each of ten seconds, whoever it is that speaks."""
    draws = random.Random(1)
    all_s = [at_s for user in range(USERS) for at_s in instants(user, draws)]
    counts = [sum(second <= at_s < second + 1 for at_s in all_s) for second in range(10)]
    assert sum(counts) == pytest.approx(10 * RATE, rel=0.05)
    assert all(0.7 * RATE <= count <= 1.3 * RATE for count in counts)


def test_everybody_thinks_between_two_messages() -> None:
    """Half to one and a half of the mean, and not the same each time."""
    draws, mean_s = random.Random(2), period_s(USERS, RATE)
    for user in range(USERS):
        times = instants(user, draws)
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert 0.5 * mean_s <= min(pauses) < max(pauses) <= 1.5 * mean_s


def watched(late_s: list[float], *, busy_s: float = 1.0, waited_s: float = 0.0) -> str:
    watch = Watch()
    for each in late_s:
        watch.woke(each)
    return watch.generator(Clock(0.0, 5.0, 7.0), Clock(10.0, 5.0 + busy_s, 7.0 + waited_s), messages=100).limit


def test_a_generator_with_time_to_spare_is_no_limit() -> None:
    """Nor is one message that left late."""
    assert watched([0.001] * 200 + [0.4]) == ""


def test_a_generator_without_time_is_the_limit() -> None:
    """Whether it used its core, or others did."""
    assert "it used 96% of its core" in watched([0.001], busy_s=10 * SHARE_MAX + 0.1)
    assert "waited for it for 80% of the time" in watched([0.001], busy_s=1.6, waited_s=8.0)


def test_a_generator_that_is_late_is_the_limit() -> None:
    """Though it had time: then others had the core when it was needed."""
    limit = watched([0.001] * 97 + [LATE_START_S_MAX + 0.01] * 3)
    assert limit.startswith("limited by the generator: a hundredth of all messages left 60 ms late or more")


def test_the_clock_tells_work_from_waiting() -> None:
    """What a process does counts as busy; a sleep is neither."""
    began = Clock.now()
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    ended = Clock.now()
    assert ended.busy_s - began.busy_s >= 0.02
    assert ended.busy_s - began.busy_s + ended.waited_s - began.waited_s <= 1.05 * (ended.at_s - began.at_s) + 0.01
