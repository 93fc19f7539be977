"""The laws of the sliding count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.resilience.window import RateWindow


def test_a_call_is_counted_until_the_window_has_passed_over_it() -> None:
    window = RateWindow(10.0)
    window.add(100.0, failed=True)

    window.advance(109.9)
    assert (window.calls, window.failed) == (1, 1)
    window.advance(110.0)
    assert (window.calls, window.failed) == (0, 0)


def test_a_silence_longer_than_the_window_empties_it() -> None:
    window = RateWindow(10.0)
    for second in range(10):
        window.add(float(second), failed=False)

    window.add(5_000.0, failed=True)

    assert (window.calls, window.failed) == (1, 1)


def test_a_time_just_behind_the_newest_counts_as_new() -> None:
    window = RateWindow(10.0)
    window.add(100.0, failed=False)
    window.add(98.5, failed=True)

    assert (window.calls, window.failed) == (2, 1)


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60), st.floats(0, 50))
def test_it_agrees_with_a_list_of_all_calls(steps: list[tuple[float, bool]], pause_s: float) -> None:
    """Counting by bucket is counting the calls whose whole second is younger than the window."""
    window, calls, now = RateWindow(10.0), [], 0.0
    for step_s, failed in steps:
        now += step_s
        window.add(now, failed=failed)
        calls.append((int(now), failed))
    now += pause_s
    window.advance(now)

    live = [failed for second, failed in calls if second > int(now) - 10]
    assert (window.calls, window.failed) == (len(live), sum(live))
