"""What a call would cost: the peak-EWMA, failures, what time heals, and who is not known yet."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.resilience.latency import RECENT_CALLS, Latency

NOW = 1_000.0


def known(ttfb_s: float = 0.05, at: float = 0.0) -> Latency:
    latency = Latency()
    latency.observe(at, ttfb_s)
    return latency


# The estimate


def test_it_jumps_up_and_comes_down_with_time() -> None:
    """A peak counts at once; a tenth of it is left after 23 s, with fast calls or without any."""
    quiet, called = Latency(), Latency()
    for latency in (quiet, called):
        latency.observe(0.0, 0.001)
        latency.observe(0.5, 1.0)
        assert latency.cost(0.5, 0) == pytest.approx(1.0, rel=0.01)
    for step in range(2_300):
        called.observe(0.5 + step / 100, 0.001)
    assert quiet.cost(23.5, 0) == pytest.approx(0.1, rel=0.02)
    assert called.cost(23.5, 0) == pytest.approx(0.1, rel=0.02)


def test_a_sample_of_an_instant_before_replaces_nothing() -> None:
    """Callers read the clock and wait their turn: time may seem to go back."""
    latency = known(1.0, at=10.0)
    latency.failed(10.0, 0.0)
    latency.observe(7.0, 0.001)
    latency.failed(7.0, 0.0)
    assert latency.cost(10.0, 0) == pytest.approx(3 * 1.0, rel=0.01)


def test_costs_still_tell_by_calls_after_a_long_silence() -> None:
    """Where every estimate has decayed to nothing."""
    latency = known()
    assert latency.cost(1e9, 3) > latency.cost(1e9, 2) > 0


# Failures


def test_a_failure_never_makes_a_member_look_faster() -> None:
    """One that fails at once costs twice as much; one that fails late, what it took besides."""
    latency = known()
    latency.failed(0.0, 0.001)
    assert latency.cost(0.0, 0) == pytest.approx(2 * 0.05, rel=0.01)
    latency.failed(0.0, 2.0)
    assert latency.cost(0.0, 0) == pytest.approx(3 * 2.0, rel=0.01)


def test_the_estimate_does_not_fall_while_calls_fail() -> None:
    """Nothing was heard that would speak for it."""
    latency = known()
    for second in range(60):
        latency.failed(float(second), 0.001)
    assert latency.cost(59.0, 0) == pytest.approx(9 * 0.05, rel=0.01)


def test_failures_are_those_of_the_last_eight_calls() -> None:
    """Older ones are forgotten."""
    latency = known(0.03)
    for _ in range(40):
        latency.failed(0.0, 0.0)
    assert latency.failure_ratio == 1.0
    assert latency.cost(0.0, 0) == pytest.approx(9 * 0.03, rel=0.01)
    for _ in range(2):
        latency.observe(0.0, 0.03)
    assert latency.failure_ratio == 0.75
    for _ in range(6):
        latency.observe(0.0, 0.03)
    assert latency.failure_ratio == 0.0
    assert latency.cost(0.0, 0) == pytest.approx(0.03, rel=0.01)


def times_failed(latency: Latency, now: float) -> float:
    """Return by how much failures make it dearer, beside one that has none."""
    return latency.cost(now, 0) / known(0.05, at=0.0).cost(now, 0) - 1.0


def test_time_heals_as_calls_do() -> None:
    """An eighth of ten seconds for each of eight calls."""
    latency = known()
    for _ in range(8):
        latency.failed(0.0, 0.0)
    left = [times_failed(latency, now) for now in (0.0, 1.2, 1.3, 2.6, 8.8, 9.9, 10.0, 1e9)]
    assert left == pytest.approx([8, 8, 7, 6, 1, 1, 0, 0])


def test_what_time_has_healed_does_not_come_back_with_a_good_call() -> None:
    """The call counts as one beside what the silence counted."""
    latency = known()
    for _ in range(8):
        latency.failed(0.0, 0.0)
    latency.observe(6.3, 0.05)
    assert latency.failure_ratio == 2 / RECENT_CALLS
    latency.failed(6.3, 0.0)
    latency.observe(30.0, 0.05)
    assert latency.failure_ratio == 0.0


def test_a_failure_after_a_silence_confirms_what_was_remembered() -> None:
    """A dead member that is probed once a minute has not been well meanwhile."""
    latency = known()
    for _ in range(8):
        latency.failed(0.0, 0.0)
    assert latency.failure_ratio == 1.0, "however long ago"
    latency.failed(60.0, 0.0)
    assert latency.failure_ratio == 1.0
    assert latency.cost(60.0, 0) == pytest.approx(9 * 0.05, rel=0.01)


@given(outcomes=st.lists(st.booleans(), max_size=20), calls=st.integers(0, 5))
def test_a_silence_makes_nobody_dearer(outcomes: list[bool], calls: int) -> None:
    latency = known()
    for well in outcomes:
        latency.observe(0.0, 0.05) if well else latency.failed(0.0, 0.01)
    costs = [latency.cost(tenth / 10, calls) for tenth in range(150)]
    assert all(before >= after > 0.0 for before, after in pairwise(costs))


# Nobody knows it yet


def test_one_call_that_has_it_for_itself_costs_nothing() -> None:
    """Beside others the default counts, and does not come down while nothing is heard."""
    latency = Latency()
    assert latency.cost(NOW, 0) == 0.0
    assert latency.cost(NOW, 1) == pytest.approx(2 * 0.03, rel=0.01)
    latency.begin_trial(NOW)
    assert latency.cost(NOW, 0) == latency.cost(NOW + 9.9, 0) == pytest.approx(0.03, rel=0.01)
    assert latency.cost(NOW + 60.0, 1) == pytest.approx(2 * 0.03, rel=0.01)
    assert latency.cost(NOW + 10.0, 0) == 0.0, "what became of the first may never be heard"


def test_the_first_answer_takes_the_place_of_the_default() -> None:
    """Also behind a failure, which says nothing about time if it came at once."""
    for fails in (False, True):
        latency = Latency()
        latency.begin_trial(NOW)
        if fails:
            latency.failed(NOW, 0.001)
        latency.observe(NOW + 1.0, 0.002)
        assert latency.cost(NOW + 1.0, 1) == pytest.approx(2 * 0.0021 * (1 + fails))
        assert latency.cost(NOW + 1e6, 0) > 0.0


def test_one_that_failed_first_costs_nothing_again_when_time_has_healed_it() -> None:
    """And when it then is well, nothing is left of it."""
    latency = Latency()
    latency.begin_trial(NOW)
    latency.failed(NOW, 0.001)
    assert latency.cost(NOW + 9.9, 0) == pytest.approx(2 * 0.03, rel=0.01)
    assert latency.cost(NOW + 10.0, 0) == 0.0
    latency.begin_trial(NOW + 10.0)
    latency.observe(NOW + 10.1, 0.005)
    assert latency.cost(NOW + 10.1, 0) == pytest.approx(0.0051)


def test_a_late_failure_is_something_to_know() -> None:
    """An answer that comes at once afterwards does not cover it."""
    latency = Latency()
    latency.failed(NOW, 2.0)
    latency.observe(NOW + 0.1, 0.005)
    assert latency.cost(NOW + 0.1, 0) > 1.0
    assert latency.cost(NOW + 1e6, 0) > 0.0


def test_it_says_what_it_knows() -> None:
    assert repr(Latency()) == "<Latency 30.0 ms failed=0/8>"
