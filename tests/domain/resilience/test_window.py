"""The laws of the sliding count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.resilience.window import RateWindow


def sums(window: RateWindow) -> tuple[int, int, int]:
    return window.calls, window.failed, window.slow


def test_a_call_is_counted_until_the_window_has_passed_over_it() -> None:
    window = RateWindow(10.0)
    window.add_failed(100.0)
    window.add_slow(100.0)

    window.advance(109.9)
    assert sums(window) == (2, 1, 1)
    window.advance(110.0)
    assert sums(window) == (0, 0, 0)


def test_a_silence_longer_than_the_window_empties_it() -> None:
    window = RateWindow(10.0)
    for second in range(10):
        window.add(float(second))

    window.add_failed(5_000.0)

    assert sums(window) == (1, 1, 0)


def test_a_time_just_behind_the_newest_counts_as_new() -> None:
    window = RateWindow(10.0)
    window.add(100.0)
    window.add_failed(98.5)

    window.advance(109.9)
    assert sums(window) == (2, 1, 0)


def test_a_look_at_a_time_behind_the_newest_moves_nothing_back() -> None:
    window = RateWindow(10.0)
    window.add(100.0)
    window.advance(98.5)

    window.advance(109.9)
    assert sums(window) == (1, 0, 0)


def test_of_several_slow_calls_the_one_noted_first_fails_first() -> None:
    window = RateWindow(10.0)
    window.add_slow(101.0)
    window.add_slow(105.0)
    window.fail_slow(105.0)
    assert sums(window) == (2, 1, 1)

    window.advance(111.0)
    assert sums(window) == (1, 0, 1)


def test_clearing_forgets_everything() -> None:
    window = RateWindow(10.0)
    window.add_failed(100.0)
    window.add_slow(100.0)
    window.clear()
    window.advance(105.0)

    assert sums(window) == (0, 0, 0)


def test_a_slow_call_that_fails_leaves_when_it_was_counted_and_not_when_it_failed() -> None:
    window = RateWindow(10.0)
    window.add_slow(100.0)
    window.fail_slow(108.0)
    assert sums(window) == (1, 1, 0)

    window.advance(110.0)
    assert sums(window) == (0, 0, 0)


# Buckets whose length is exact in binary: no call changes its bucket by rounding.
@pytest.mark.parametrize("window_s", [10.0, 2.5, 20.0])
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(["ok", "failed", "slow", "fail_slow"])), max_size=60
    ),
    pause=st.floats(0, 5),
)
def test_it_agrees_with_a_list_of_all_calls(
    window_s: float, steps: list[tuple[float, str]], pause: float
) -> None:
    """Counting by bucket is counting the calls whose bucket is younger than the window."""
    per_s = 10 / window_s
    window, now = RateWindow(window_s), 0.0
    calls: list[list[object]] = []  # [bucket, kind]

    def live() -> list[list[object]]:
        return [call for call in calls if call[0] > int(now * per_s) - 10]

    for step, kind in steps:
        now += step / per_s
        if kind == "ok":
            window.add(now)
        elif kind == "failed":
            window.add_failed(now)
        elif kind == "slow":
            window.add_slow(now)
        else:
            window.fail_slow(now)
            slow = next((call for call in live() if call[1] == "slow"), None)
            if slow is not None:
                slow[1] = "failed"
                continue
        calls.append([int(now * per_s), "failed" if kind == "fail_slow" else kind])
    now += pause / per_s
    window.advance(now)

    kinds = [kind for _, kind in live()]
    assert sums(window) == (len(kinds), kinds.count("failed"), kinds.count("slow"))
