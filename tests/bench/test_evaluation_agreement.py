"""Two runs beside each other: who agrees, whose order is another one, and what is printed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from bench.evaluation import report
from bench.evaluation.agreement import Agreement, agreements
from bench.evaluation.results import Measured, Results
from bench.evaluation.standings import measured
from bench.evaluation.table import compared
from tests.bench.evaluating import Noted, taken
from tests.bench.evaluation_sample import sample, without

Rates = Mapping[str, Sequence[float]]


def a_run(rates: Rates, better: Literal["more", "less"] = "more", name: str = "echo") -> Results:
    return without(sample(), measures=[_measure(rates, better, name)])


def _measure(rates: Rates, better: Literal["more", "less"], name: str) -> Measured:
    takes = {who: [taken(rate) for rate in each] for who, each in rates.items()}
    return measured(Noted(name, better=better), takes, {})


def agreement(first: Rates, second: Rates, better: Literal["more", "less"] = "more") -> Agreement:
    (found,) = agreements(a_run(first, better), a_run(second, better))
    return found


def names(pairs: Sequence[tuple[msgspec.Struct, msgspec.Struct]]) -> list[tuple[str, str]]:
    return [(one.contestant, other.contestant) for one, other in pairs]  # type: ignore[attr-defined]


def test_runs_agree_where_their_spreads_touch() -> None:
    """Below, above, at one point, inside; who is in one of them alone is not counted."""
    found = agreement(
        {"ours": [10, 12], "go": [5, 6], "node": [3, 4], "plug": [1, 2], "aleph": [1, 1], "phoenix": [1, 4]},
        {"ours": [12, 14], "go": [6.1, 7], "node": [2, 2.9], "plug": [0.5, 1], "fastapi": [1, 1], "phoenix": [2, 3]},
    )
    assert found.both_n == 5
    assert names(found.apart) == [("go", "go"), ("node", "node")]


@pytest.mark.parametrize(
    ("better", "turned"),
    [("more", [("ours", "go")]), ("less", [("go", "ours")])],
)
def test_order_counts_where_the_first_run_saw_one(
    better: Literal["more", "less"], turned: list[tuple[str, str]]
) -> None:
    """go and node touched each other at first: either may be before the other."""
    first = {"ours": [10, 12], "go": [5, 7], "node": [6, 7]}
    found = agreement(first, {"ours": [7], "go": [8], "node": [6.5]}, better)
    assert found.pairs_n == 2
    assert names(found.turned) == turned
    assert agreement(first, {"ours": [9], "go": [7], "node": [6]}, better).turned == []


def test_only_measures_of_both_are_told() -> None:
    """A quick run has fewer."""
    rates = {"ours": [1.0]}
    both = [_measure(rates, "more", "echo"), _measure(rates, "more", "kvs_get")]
    found = agreements(without(sample(), measures=both), a_run(rates, name="kvs_get"))
    assert len(found) == 1


def test_it_is_told_in_words() -> None:
    """Who differs is named with both figures, and so is a pair that has changed places."""
    first = a_run({"ours": [10, 12], "go": [5, 6]})
    said = "\n".join(compared(first, a_run({"ours": [4, 4], "go": [5, 6]})))
    assert "1 of 2 agree within their spreads, 0 of 1 pairs that are apart in the first run are in order" in said
    assert "Switchboard: 11 (10 to 12), then 4 (4 to 4)" in said
    assert "turned: Switchboard was before Go, net/http" in said
    assert said.endswith("In all: 1 of 2 agree, 0 of 1 pairs are in order.")


def test_runs_without_spreads_are_not_said_to_disagree() -> None:
    """Two figures of one take each are never the same; what they say is an order."""
    said = "\n".join(compared(a_run({"ours": [10], "go": [5]}), a_run({"ours": [11], "go": [6]})))
    assert said.startswith("Both runs have one take each, so no spreads")
    assert "agree within" not in said
    assert said.endswith("In all: 1 of 1 pairs are in order.")


def test_what_is_no_run_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Which file, and what was expected of it."""
    with pytest.raises(SystemExit, match=r"expected the JSON of a run at .*nowhere\.json: No such file"):
        report.compare(tmp_path / "nowhere.json", tmp_path / "nowhere.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(SystemExit, match=r"expected the JSON of a run in .*other\.json"):
        report.compare(tmp_path / "other.json", tmp_path / "other.json")
