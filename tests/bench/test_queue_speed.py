"""What rounds of bench.queue say together."""

from __future__ import annotations

import math

import pytest

from bench.needs import NEEDS
from bench.queue.contestants import CONTESTANTS, OURS, PRICES, Contestant
from bench.queue.drain import Sample
from bench.queue.speed import Speeds
from bench.report import Report


def sample(rate: float, *, stores: float = 0.5, strangers: float = 0.0) -> Sample:
    return Sample(
        rate=rate, worker_us=10, stores_us=10, worker_share=1, stores_share=stores, strangers_share=strangers
    )


def contestant(name: str, goal: float = 0.0) -> Contestant:
    return Contestant(name=name, title=name.upper(), enqueue=(), worker=(), jobs=1, goal=goal)


def test_goals_are_ratios_of_medians(capsys: pytest.CaptureFixture[str]) -> None:
    """Who was thrown out keeps no promise, and lets nobody keep one."""
    speeds = Speeds(
        {each.name: each for each in (contestant(OURS), contestant("a", 2.0), contestant("b", 5.0))}
    )
    speeds.samples = {
        OURS: [sample(300), sample(100), sample(900)],
        "a": [sample(100, stores=0.95), sample(100), sample(50, strangers=0.4)],
        "b": [sample(1)],
    }
    speeds.out["b"] = "1 lost of 10 jobs"
    report = Report("bench.queue", quick=False)
    speeds.report(report, "speed")
    speeds.print("Drained")
    of_a, of_b = report.goals
    assert (of_a.measured, of_a.ok) == (3.0, True)
    assert math.isnan(of_b.measured)
    assert not of_b.ok
    assert any("A: the stores used up to 95%" in note for note in report.notes)
    assert any("disturbed: other processes used up to 40%" in note for note in report.notes)
    assert any("B is left out: 1 lost of 10 jobs" in note for note in report.notes)
    assert "ours: 3.00x" in capsys.readouterr().out


def test_whoever_fails_keeps_no_promise() -> None:
    """Ours too."""
    speeds = Speeds({each.name: each for each in (contestant(OURS), contestant("a", 2.0))})
    speeds.samples = {OURS: [sample(300)], "a": [sample(10)]}
    speeds.out[OURS] = "2 repeated of 10 jobs"
    report = Report("bench.queue", quick=False)
    speeds.report(report, "speed")
    assert not report.goals[0].ok


def test_a_part_that_failed_is_a_goal_missed() -> None:
    """A run without an answer must not look like one with a good answer."""
    report = Report("bench.queue", quick=True)
    report.failed("latency", "3 of 10 jobs did not run")
    assert [goal.ok for goal in report.goals] == [False]
    assert report.notes == ["latency: 3 of 10 jobs did not run"]


def test_contestants_need_what_exists() -> None:
    """By name, in bench/needs.py; ours needs nothing that must be installed."""
    assert all(set(each.needs) <= set(NEEDS) for each in CONTESTANTS.values())
    assert all(not each.needs and each.ledger for each in PRICES.values())
    assert all(each.env.get("PYTHONPATH") for name, each in CONTESTANTS.items() if name != "bullmq")


def test_a_part_may_promise_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What it says is printed all the same."""
    report = Report("bench.queue", quick=True)
    report.note("prices: told, not promised")
    report.print()
    assert "told, not promised" in capsys.readouterr().out
