"""The laws of the rolling quantile, against a sorted list of all durations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.resilience.quantile import RELATIVE_ERROR, RollingQuantile

#: What the buckets tell apart: 15 microseconds to 17 minutes.
LEAST_S, MOST_S = 2.0**-16, 2.0**10
durations = st.one_of(
    st.floats(LEAST_S, MOST_S, exclude_max=True),
    st.floats(-16, 9.99).map(lambda exponent: 2.0**exponent),
)
shares = st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0])


def nearest_rank(values: list[float], q: float) -> float:
    return sorted(values)[math.ceil(q * len(values)) - 1]


@given(st.lists(durations, min_size=1, max_size=200), shares)
def test_it_is_the_quantile_of_the_sorted_list_but_for_its_relative_error(values: list[float], q: float) -> None:
    quantile = RollingQuantile(samples_min=1)
    for value_s in values:
        quantile.add(1.0, value_s)

    expected = nearest_rank(values, q)
    assert quantile.value(1.0, q) == pytest.approx(expected, rel=RELATIVE_ERROR + 1e-9)


def test_its_error_is_under_five_percent() -> None:
    assert RELATIVE_ERROR < 0.05


@given(st.lists(st.tuples(st.floats(0, 5), durations), min_size=1, max_size=60), st.floats(0, 12), shares)
def test_it_tells_of_the_window_s_slices_and_of_nothing_else(
    steps: list[tuple[float, float]], pause_s: float, q: float
) -> None:
    """A duration is told of for as long as its slice, a fifth of the window counted from the first use, is among
    the last five."""
    quantile, now, seen = RollingQuantile(10.0, samples_min=1), 0.0, []
    for step_s, value_s in steps:
        quantile.add(now, value_s)
        seen.append((now // 2.0, value_s))
        now += step_s
    now += pause_s
    live = [value_s for number, value_s in seen if number > now // 2.0 - 5]
    told = quantile.value(now, q)

    assert quantile.samples == len(live)
    if live:
        assert told == pytest.approx(nearest_rank(live, q), rel=RELATIVE_ERROR + 1e-9)
    else:
        assert told is None


def test_fewer_than_the_minimum_say_nothing() -> None:
    quantile = RollingQuantile()
    assert quantile.value(0.0, 0.95) is None
    for _ in range(49):
        quantile.add(0.0, 0.1)
    assert quantile.value(0.0, 0.95) is None

    quantile.add(0.0, 0.1)
    assert quantile.value(0.0, 0.95) == pytest.approx(0.1, rel=RELATIVE_ERROR)


def test_when_too_few_are_left_in_the_window_it_says_nothing_again() -> None:
    quantile = RollingQuantile()
    for _ in range(50):
        quantile.add(0.0, 0.1)
    assert quantile.value(9.9, 0.95) is not None

    assert quantile.value(10.0, 0.95) is None
    assert quantile.samples == 0


def test_nothing_at_all_has_no_quantile_even_without_a_minimum() -> None:
    assert RollingQuantile(samples_min=0).value(0.0, 0.5) is None


def test_a_silence_of_an_hour_forgets_everything_and_what_comes_then_counts() -> None:
    quantile = RollingQuantile(samples_min=1)
    for second in range(10):
        quantile.add(float(second), 5.0)
    quantile.add(3600.0, 0.1)

    assert quantile.value(3600.0, 0.95) == pytest.approx(0.1, rel=RELATIVE_ERROR)
    assert repr(quantile) == "<RollingQuantile samples=1>"


def test_a_time_just_behind_the_newest_counts_as_new() -> None:
    quantile = RollingQuantile(samples_min=2)
    quantile.add(99.0, 1.0)
    quantile.add(101.5, 1.0)
    quantile.add(100.5, 1.0)

    assert quantile.value(109.0, 0.5) is not None, "of the three only the first is too old"
    assert quantile.samples == 2


@pytest.mark.parametrize(
    ("value_s", "bound_s"),
    [
        (-1.0, LEAST_S), (0.0, LEAST_S), (1e-300, LEAST_S), (LEAST_S, LEAST_S),
        (math.nextafter(MOST_S, 0), MOST_S), (MOST_S, MOST_S), (1.5 * MOST_S, MOST_S), (1e300, MOST_S),
        (math.inf, MOST_S), (math.nan, MOST_S),
    ],
)  # fmt: skip
def test_what_lies_outside_its_bounds_counts_as_the_bound(value_s: float, bound_s: float) -> None:
    quantile = RollingQuantile(samples_min=1)
    quantile.add(0.0, value_s)

    # The bucket begins at the bound, and tells of its middle.
    assert quantile.value(0.0, 1.0) == pytest.approx(bound_s * (1 + RELATIVE_ERROR))


def test_a_value_is_told_again_for_a_hundredth_of_the_window() -> None:
    """It is asked for with every call that may be hedged, and finding it costs more than the rest of the call's
    bookkeeping."""
    quantile = RollingQuantile(10.0, samples_min=1)
    quantile.add(0.0, 0.1)
    assert quantile.value(0.0, 0.95) == pytest.approx(0.1, rel=RELATIVE_ERROR)
    quantile.add(0.05, 10.0)

    assert quantile.value(0.09, 0.95) == pytest.approx(0.1, rel=RELATIVE_ERROR)
    assert quantile.value(0.1, 0.95) == pytest.approx(10.0, rel=RELATIVE_ERROR)


def test_another_share_is_another_question() -> None:
    quantile = RollingQuantile(samples_min=1)
    quantile.add(0.0, 0.1)
    quantile.add(0.0, 10.0)

    assert quantile.value(0.0, 0.5) == pytest.approx(0.1, rel=RELATIVE_ERROR)
    assert quantile.value(0.0, 1.0) == pytest.approx(10.0, rel=RELATIVE_ERROR)


def test_a_held_value_does_not_outlive_its_slices() -> None:
    quantile = RollingQuantile(10.0, samples_min=1)
    quantile.add(0.0, 10.0)
    quantile.add(2.0, 0.1)
    assert quantile.value(9.99, 1.0) == pytest.approx(10.0, rel=RELATIVE_ERROR)

    assert quantile.value(10.0, 1.0) == pytest.approx(0.1, rel=RELATIVE_ERROR)
