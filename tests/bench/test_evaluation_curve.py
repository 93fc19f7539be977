"""Curves of latency: which rates are asked for, what is read off them, and who is thrown out."""

from __future__ import annotations

import time
from contextlib import closing

import gevent
import pytest

from bench.answers import WrongAnswer
from bench.evaluation.measure import Taken
from bench.evaluation.measures.curve import COMMON, GRID, Curve, Step, climbed, highest, rates
from tests.bench.served import REFUSED, RIGHT, Answering, Served, Standing, line


def taken(answering: Answering, *grid: int) -> Taken:
    curve = Curve(line(), ["served"], settle_s=0.02, step_s=0.2, capacity_s=[0.3], grid=grid)
    with closing(Served(answering)) as served:
        return curve.take("served", Standing(served))


@pytest.mark.usefixtures("wrk")
def test_a_curve_goes_up_to_where_a_contestant_falls_behind() -> None:
    """Of the grid's rates those that its closed loop says, and none behind the first that was too much."""
    at = [0.0]

    def one_after_the_other(_: int) -> bytes:
        # 200 a second, whoever asks; a closed loop of 4 never has more than 20 ms in line.
        at[0] = max(at[0], time.monotonic())
        if at[0] - time.monotonic() > 0.022:
            return REFUSED
        at[0] += 0.005
        gevent.sleep(at[0] - time.monotonic())
        return RIGHT

    result = taken(one_after_the_other, 20, 250, 255, 1_000)
    # wrk's clock may begin some answers late.
    assert result.values["capacity_rate"] <= 300
    assert [row["rate"] for row in result.rows] == [20, 250]
    assert result.rows[0]["done_share"] == 1.0
    # How many in time depends on how much of the machine there is; a refusal is none of them.
    assert 0.0 < result.rows[-1]["done_share"] < 0.99
    assert result.values["rate"] < 250
    assert not any(note.startswith("served well") for note in result.notes)
    assert not result.at_least


@pytest.mark.usefixtures("wrk")
def test_a_wrong_answer_among_right_ones_throws_a_contestant_out() -> None:
    """Though whole answers were right before, and all that wrk has seen."""
    began = time.monotonic()
    with pytest.raises(WrongAnswer, match=r"[\d,]+ wrong statuses or lengths"):
        taken(lambda _: RIGHT if time.monotonic() < began + 0.6 else RIGHT[:-1].replace(b"5", b"4"), *GRID)


@pytest.mark.usefixtures("wrk")
def test_who_was_never_too_slow_is_told() -> None:
    """The rate that is told was the last one that was asked, and says nothing of the next."""
    result = taken(lambda _: RIGHT, 20, 40)
    assert result.values["rate"] == 40
    assert "served well at the highest rate that was asked: it can do more" in result.notes
    assert result.at_least


@pytest.mark.parametrize(
    ("p99s", "told", "asked"),
    [
        # An accident at an easy rate; and the end, which is there again.
        ([[20, 1], [2], [30, 11]], [1, 2, 11], [1, 1, 2, 3, 3]),
        # The better one counts, whichever came first; behind the end nothing is asked twice.
        ([[1], [12, 90], [40]], [1, 12, 40], [1, 2, 2, 3]),
        # Whoever fell behind, twice, is asked for nothing more.
        ([[1], [1_000, 999], [1]], [1, 999], [1, 2, 2]),
        # Whoever fell behind once goes on.
        ([[1], [1_000, 3], [4]], [1, 3, 4], [1, 2, 2, 3]),
    ],
)
def test_the_first_rate_that_is_not_well_is_asked_for_twice(
    p99s: list[list[float]], told: list[float], asked: list[int]
) -> None:
    """One slow moment of the machine is not a contestant's end."""
    answers = [iter(each) for each in p99s]
    calls = []

    def step(rate: int) -> Step:
        calls.append(rate)
        p99_ms = next(answers[rate - 1])
        return Step({"rate": rate, "p99_ms": p99_ms}, (), p99_ms > 300)

    assert [each.row["p99_ms"] for each in climbed([1, 2, 3], step)] == told
    assert calls == asked


def test_rates_are_of_one_grid_and_near_the_end() -> None:
    """Whoever can is asked for the common one; few are asked for rates that say nothing."""
    for capacity in (900, 4_000, 21_000, 70_000):
        asked = list(rates(capacity))
        assert set(asked) <= set(GRID)
        assert asked == sorted(asked)
        assert (COMMON in asked) == (capacity * 1.7 >= COMMON)
        assert len(asked) <= 10
        assert sum(0.6 * capacity < rate < 1.4 * capacity for rate in asked) >= 3


@pytest.mark.parametrize(
    ("p99s", "rate"),
    [
        ([1.0, 2.0, 4.0], 4_000),
        ([11.0, 20.0, 300.0], 0),
        ([1.0, 1.0, 100.0], 3_000),
        # What is well behind the first that was not well does not count, nor where nothing was before it.
        ([20.0, 1.0, 100.0], 0),
        ([1.0, 100.0, 1.0], 1_500),
        ([1.0, 10.0, 1_000.0], 2_000),
    ],
)
def test_the_rate_is_read_off_where_p99_first_reaches_its_bound(p99s: list[float], rate: float) -> None:
    """Between two rates that were measured, on a logarithmic scale: up to there every rate was well."""
    rows = [{"rate": at, "p99_ms": p99} for at, p99 in zip([1_000, 2_000, 4_000], p99s, strict=True)]
    assert highest(rows) == pytest.approx(rate)
