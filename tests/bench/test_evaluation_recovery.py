"""When a contestant is back, after a stall or an overload: pure."""

from __future__ import annotations

import pytest

from bench.evaluation.arrivals.orders import Bin
from bench.evaluation.measures.recovery import back_s

LONGEST_S = 4.0


def course(*p99_ms: float, right: int = 10) -> list[Bin]:
    """Return bins of a tenth of a second."""
    return [
        Bin(at_s=number / 10, asked=10, right=right, refused=0, p99_ms=each, answered=right)
        for number, each in enumerate(p99_ms)
    ]


def back(bins: list[Bin], before_ms: float, over_s: float = 0.15) -> float:
    return back_s(bins, over_s, before_ms=before_ms, bin_s=0.1, longest_s=LONGEST_S)


@pytest.mark.parametrize(
    ("p99_ms", "after_s"),
    [
        pytest.param([3_000, 20, 20, 20, 20, 20, 20], 0.0, id="with the bin in which it is over"),
        pytest.param([3_000, 900, 500, 21, 20, 20, 20, 20, 20, 20], 0.25, id="when it is at most twice as high"),
        pytest.param([3_000, 20, 900, 900, 900, 20, 20, 20, 20, 20], 0.35, id="one good bin is nothing"),
        pytest.param([3_000, 20, 900, 20, 20, 20, 20], 0.0, id="nor is one bad one"),
        pytest.param([3_000, 900, 900, 900, 900, 900, 900], LONGEST_S, id="never"),
        pytest.param([3_000, 900, 900, 900, 20, 20], LONGEST_S, id="too late to be seen"),
    ],
)
def test_it_is_back_with_the_first_tenth_that_others_follow(p99_ms: list[float], after_s: float) -> None:
    """A tenth of a second's p99 is one answer's."""
    assert back(course(*p99_ms), before_ms=10.1) == pytest.approx(after_s)


def test_the_bin_before_the_end_is_not_behind_it() -> None:
    """Where the end lies on the border of two; three tenths are not quite three tenths."""
    assert back(course(*[1.0] * 8), before_ms=1.0, over_s=0.1 + 0.2) == 0.0
    assert back(course(1, 1, 1, 900, 1, 1, 1, 1, 1), before_ms=1.0, over_s=0.1 + 0.2) == pytest.approx(0.1)


def test_who_refuses_is_not_back() -> None:
    """However fast."""
    assert back(course(*[1.0] * 10, right=9), before_ms=1.0) == LONGEST_S


def test_milliseconds_are_nothing_to_wait_for() -> None:
    """Twice of next to nothing is next to nothing."""
    assert back(course(*[9.0] * 10), before_ms=0.5) == 0.0
