"""What bench.chat makes of samples: who is out, what was the limit, what was promised."""

from __future__ import annotations

import math

import pytest

from bench.chat.checker import Verdict
from bench.chat.standings import CLOSED, COMMON, Sample, Standings
from bench.report import Report

RIGHT = Verdict(asked=100)


def sample(rate: float = 1_000.0, **more: float) -> Sample:
    shares = {"own_share": 0.98, "outside_share": 0.2}
    return Sample(rate=rate, p50_ms=5.0, own_us=(300.0, 400.0), **{"p99_ms": 20.0, **shares, **more})


def report_of(standings: Standings) -> tuple[dict[str, float], str]:
    report = Report("bench.chat", quick=True)
    standings.report(report)
    return {goal.name: goal.measured for goal in report.goals}, "\n".join(report.notes)


@pytest.mark.parametrize("fault", ["lost", "doubled", "wrong", "refused"])
def test_a_contestant_that_is_fast_and_wrong_once_is_out(fault: str) -> None:
    """Whatever it reached before; and it is nobody's measure."""
    standings = Standings()
    standings.add(CLOSED, "ours", sample(3_000), RIGHT)
    standings.add(CLOSED, "bolt_async", sample(1_000), RIGHT)
    standings.add(CLOSED, "bolt_flask", sample(9_000), RIGHT)
    standings.add(CLOSED, "bolt_flask", sample(9_000), Verdict(asked=100, **{fault: 1}))
    assert standings.is_out(CLOSED, "bolt_flask")
    assert standings.of(CLOSED, "bolt_flask") == []
    goals, notes = report_of(standings)
    assert goals["turns/s to those of the best of the others"] == 3.0
    assert f"Bolt, Flask on gunicorn gevent is left out: 1 {fault} of 100 messages" in notes


def test_order_at_a_rate_is_told_and_throws_nobody_out() -> None:
    """Two messages of one conversation may have come over two connections."""
    standings = Standings()
    for _ in range(2):
        standings.add(COMMON, "bolt_async", sample(300, asked_rate=300.0), Verdict(asked=100, swapped=3))
    assert len(standings.of(COMMON, "bolt_async")) == 2
    _, notes = report_of(standings)
    assert "Bolt, AsyncApp on uvicorn: 6 answers out of order" in notes


def test_ours_is_held_against_the_best_of_those_who_promise_something() -> None:
    """The most turns, the least latency; not the ceiling's."""
    standings = Standings()
    for name, rate, p99_ms in (
        ("ours", 3_000, 10), ("bolt_async", 1_500, 40), ("chat_sdk", 600, 20), ("go", 16_000, 1)
    ):  # fmt: skip
        standings.add(CLOSED, name, sample(rate), RIGHT)
        standings.add(COMMON, name, sample(300, p99_ms=p99_ms, asked_rate=300.0), RIGHT)
    goals, _ = report_of(standings)
    assert goals["turns/s to those of the best of the others"] == 2.0
    assert goals["p99 at 300/s to that of the best of the others"] == 0.5


def test_without_anybody_to_compare_with_no_goal_is_kept() -> None:
    """Nothing is better than nothing."""
    standings = Standings()
    standings.add(CLOSED, "ours", sample(), RIGHT)
    goals, _ = report_of(standings)
    assert all(math.isnan(measured) for measured in goals.values())


@pytest.mark.parametrize(
    ("shares", "limit"),
    [
        ({"own_share": 0.95, "outside_share": 0.99}, ""),
        ({"own_share": 0.80, "outside_share": 0.96}, "limited by the generator"),
        (
            {"own_share": 0.80, "outside_share": 0.50, "stores_share": 0.46},
            "limited by its stores, which share a core with the generator",
        ),
        ({"own_share": 0.80, "outside_share": 0.50}, ""),
        ({"own_share": 0.30, "outside_share": 0.99, "asked_rate": 300.0, "late_p99_ms": 4.0}, ""),
        (
            {"own_share": 0.95, "asked_rate": 300.0, "late_p99_ms": 7.0},
            "limited by the generator: a hundredth of all messages left 7 ms late or more",
        ),
    ],
)
def test_a_generator_without_time_to_spare_is_told(shares: dict[str, float], limit: str) -> None:
    """Where the contestant had some; at a given rate nobody needs all of its core, but each instant is to be kept."""
    standings = Standings()
    standings.add(CLOSED, "bolt_async", sample(**shares), RIGHT)
    _, notes = report_of(standings)
    assert (limit in notes) if limit else "limited by" not in notes


def test_faults_in_scenes_are_counted_and_throw_nobody_out() -> None:
    """Of all rounds together."""
    standings = Standings()
    standings.add(CLOSED, "ours", sample(), RIGHT)
    standings.count("bursts", "ours", Verdict(asked=10, swapped=1))
    standings.count("bursts", "ours", Verdict(asked=10, lost=2))
    assert standings.counted["bursts"]["ours"] == Verdict(asked=20, swapped=1, lost=2)
    assert len(standings.of(CLOSED, "ours")) == 1
    goals, _ = report_of(standings)
    assert goals["ten messages at once in a conversation: faults of ours"] == 3
