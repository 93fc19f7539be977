"""What takes say together: order, places, medians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pytest

from bench.evaluation.measure import Plot, Taken
from bench.evaluation.results import Measured
from bench.evaluation.standings import measured
from tests.bench.evaluating import Noted, taken


def stood(
    rates: Mapping[str, Sequence[float]],
    better: Literal["more", "less"] = "more",
    out: Mapping[str, str] | None = None,
) -> Measured:
    takes = {name: [taken(rate) for rate in each] for name, each in rates.items()}
    return measured(Noted(better=better), takes, out or {})


def test_the_best_is_first() -> None:
    """By medians; least and greatest are told beside them."""
    more = stood({"node": [5, 6, 99], "ours": [7, 7.5, 8], "go": [1, 2, 3]})
    assert [result.contestant for result in more.results] == ["ours", "node", "go"]
    assert (more.results[1].least, more.results[1].median, more.results[1].greatest) == (5, 6, 99)
    less = stood({"node": [5, 6, 99], "ours": [7, 7.5, 8], "go": [1, 2, 3]}, "less")
    assert [result.contestant for result in less.results] == ["go", "node", "ours"]


@pytest.mark.parametrize(
    ("rates", "better", "place"),
    [
        ({"ours": [10, 11, 12], "go": [7, 8, 9], "node": [1]}, "more", 1),
        ({"ours": [10, 11, 12], "go": [13, 14, 15], "node": [1]}, "more", 2),
        ({"ours": [10, 11, 12], "go": [13, 14, 15], "node": [12.1]}, "more", 3),
        # Their worst is our best: nobody can say who is faster.
        ({"ours": [10, 11, 12], "go": [12, 14, 15], "node": [12, 20]}, "more", 1),
        ({"ours": [10, 11, 12], "go": [12.1, 14, 15], "node": [11, 20]}, "more", 2),
        ({"ours": [10, 11, 12], "go": [7, 8, 9.9], "node": [10, 10]}, "less", 2),
        ({"ours": [10], "go": [10], "node": [10]}, "less", 1),
        ({"go": [1], "node": [2]}, "more", 0),
        # First of one is no place.
        ({"ours": [1]}, "more", 0),
    ],
)
def test_who_touches_our_spread_shares_our_place(
    rates: Mapping[str, Sequence[float]], better: Literal["more", "less"], place: int
) -> None:
    """Only who is better in the worst round than we are in our best is before us."""
    assert stood(rates, better).place == place


def test_who_is_out_has_no_result() -> None:
    """Ours too, and then it has no place."""
    found = stood({"ours": [10], "go": [5]}, out={"ours": "3 wrong lengths"})
    assert [result.contestant for result in found.results] == ["go"]
    assert found.place == 0
    assert found.out == {"ours": "3 wrong lengths"}


def test_notes_say_how_often() -> None:
    """One disturbed take of three is not three."""
    takes = [taken(1, "disturbed"), taken(2), taken(3, "disturbed", "limited by the generator")]
    found = measured(Noted(), {"ours": takes}, {})
    assert found.results[0].notes == ["disturbed, 2 of 3 takes", "limited by the generator, 1 of 3 takes"]


def test_each_number_has_its_own_median() -> None:
    """Also one that not every take has."""
    takes = [taken(1, p99_ms=9.0), taken(2, p99_ms=1.0), taken(3, p99_ms=5.0, back_s=1.0)]
    assert measured(Noted(), {"ours": takes}, {}).results[0].values == {"rate": 2, "p99_ms": 5.0, "back_s": 1.0}


def test_points_of_a_curve_are_put_together_by_where_they_are() -> None:
    """Rounds may have gone different lengths; a point of the luckiest one alone is left out."""
    plot = Plot(x="rate", x_title="", y="p99_ms", y_title="")
    curves = [{1000: 1.0, 2000: 2.0}, {1000: 3.0, 2000: 8.0, 5000: 9.0}, {1000: 2.0, 2000: 4.0}]
    takes = [Taken(values={"rate": 1}, rows=[{"rate": r, "p99_ms": p} for r, p in each.items()]) for each in curves]
    found = measured(Noted(plot=plot), {"ours": takes, "go": takes[:2], "node": takes[1:2]}, {})
    ours, go, node = (each.rows for each in found.results)
    assert ours == [{"rate": 1000, "p99_ms": 2.0}, {"rate": 2000, "p99_ms": 4.0}]
    assert go == [{"rate": 1000, "p99_ms": 2.0}, {"rate": 2000, "p99_ms": 5.0}]
    assert [row["rate"] for row in node] == [1000, 2000, 5000]
