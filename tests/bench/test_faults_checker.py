"""The checker of the kill campaign: each promise of jobs has a history that breaks it, and is told."""

from __future__ import annotations

import pytest

from bench.faults.checker import Asked, Mishap, Verdict, judge
from bench.queue.records import Step

THREE = Asked({0: 3})
#: Process 66 is killed at second 5.
KILL = Mishap("worker", 5.0, 5.1, (66,))
REDIS = Mishap("redis", 5.0, 5.1)
POSTGRES = Mishap("postgres", 5.0, 6.0)
#: Process 66 stands still from second 5 to 13.
PAUSE = Mishap("pause", 5.0, 13.0, (66,))


def begins(number: int, at: float, pid: int = 66, *, deaths: int = 0, asked: int = 0, lane: int = 0) -> Step:
    return Step(lane, number, pid, deaths, asked, ends=False, at=at)


def ends(number: int, at: float, pid: int = 66, *, deaths: int = 0, asked: int = 0, lane: int = 0) -> Step:
    return Step(lane, number, pid, deaths, asked, ends=True, at=at)


def ran(
    number: int, at: float, pid: int = 66, *, deaths: int = 0, asked: int = 0, lane: int = 0
) -> list[Step]:
    """A whole run of a tenth of a second."""
    return [
        begins(number, at, pid, deaths=deaths, asked=asked, lane=lane),
        ends(number, at + 0.1, pid, deaths=deaths, asked=asked, lane=lane),
    ]


def broken(verdict: Verdict) -> dict[str, int]:
    """Return how many violations there are of each promise that is broken."""
    found = {what: len(getattr(verdict, what)) for what in ("lost", "disorder", "needless", "hidden")}
    return {what: count for what, count in found.items() if count}


def test_a_history_without_faults_has_none() -> None:
    """One run for each."""
    verdict = judge(THREE, [*ran(0, 1), *ran(1, 2), *ran(2, 3)], [])
    assert broken(verdict) == {}
    assert (verdict.jobs, verdict.runs, verdict.repeats) == (3, 3, 0)


def test_lanes_owe_each_other_nothing() -> None:
    """They run side by side, in any order."""
    steps = [begins(0, 1, lane=1), *ran(0, 1), *ran(1, 2), ends(0, 9, lane=1)]
    assert broken(judge(Asked({0: 2, 1: 1}), steps, [])) == {}


@pytest.mark.parametrize(
    "steps",
    [
        [*ran(0, 1), *ran(1, 2)],
        # Begun is not run.
        [*ran(0, 1), *ran(1, 2), begins(2, 3)],
        [],
    ],
)
def test_what_did_not_run_to_an_end_is_lost(steps: list[Step]) -> None:
    """Each job counts."""
    assert broken(judge(THREE, steps, []))["lost"] == (1 if steps else 3)


def test_what_nobody_asked_for_is_told() -> None:
    """It would hide a loss in a count."""
    assert broken(judge(THREE, [*ran(0, 1), *ran(1, 2), *ran(2, 3), *ran(3, 4)], [])) == {"disorder": 2}


def test_a_job_that_begins_behind_a_later_one_is_out_of_order() -> None:
    """Told once, and not for each that follows."""
    assert broken(judge(THREE, [*ran(1, 1), *ran(0, 2), *ran(2, 3)], [])) == {"disorder": 1}


@pytest.mark.parametrize(("mishap", "count"), [(None, 1), (REDIS, 1), (KILL, 0), (POSTGRES, 0), (PAUSE, 0)])
def test_one_of_a_lane_at_a_time(mishap: Mishap | None, count: int) -> None:
    """Unless who ran the other one was cut short: then it cannot have said that it ended.

    That its settlement was committed all the same is possible only just after its end, so it is the next one here.
    """
    steps = [begins(0, 4.99), *ran(1, 14, 77), ends(0, 14.2), *ran(2, 15, 77)]
    assert broken(judge(THREE, steps, [mishap] if mishap else [])) == ({"disorder": count} if count else {})


def test_what_was_in_flight_at_a_kill_may_run_again() -> None:
    """It says so, and the lane goes on behind it."""
    steps = [*ran(0, 1), begins(1, 4.9), *ran(1, 6, 77, deaths=1), *ran(2, 7, 77)]
    verdict = judge(THREE, steps, [KILL])
    assert broken(verdict) == {}
    assert verdict.repeats == 1


def test_what_had_just_ended_may_not_have_been_settled() -> None:
    """A settlement is committed within a moment of the end; later than that it is needless to run it again."""
    again = [*ran(0, 6, 77, deaths=1), *ran(1, 7, 77), *ran(2, 8, 77)]
    for mishap in (KILL, POSTGRES):
        assert broken(judge(THREE, [*ran(0, 4.8), *again], [mishap])) == {}
        assert broken(judge(THREE, [*ran(0, 1), *again], [mishap])) == {"needless": 1}


@pytest.mark.parametrize(
    "mishaps",
    [[], [REDIS], [Mishap("worker", 5.0, 5.1, (77,))], [Mishap("worker", 9.0, 9.1, (66,))]],
)
def test_a_repeat_without_a_kill_of_its_process_is_needless(mishaps: list[Mishap]) -> None:
    """Somebody else's death, Redis's, or one that came after it, is no reason."""
    steps = [*ran(0, 4.8), *ran(0, 6, 88, deaths=1), *ran(1, 7, 88), *ran(2, 8, 88)]
    assert broken(judge(THREE, steps, mishaps)) == {"needless": 1}


def test_a_repeat_that_does_not_say_so_is_hidden() -> None:
    """A handler must be able to know."""
    steps = [begins(0, 4.9), *ran(0, 6, 77), *ran(1, 7, 77), *ran(2, 8, 77)]
    assert broken(judge(THREE, steps, [KILL])) == {"hidden": 1}


def test_what_a_paused_process_had_decided_on_is_excused_for_a_moment() -> None:
    """It finds out that it is dead when it looks; later it must not begin anything of its former lanes."""
    before = [*ran(0, 4.0), *ran(1, 12, 77), *ran(2, 12.5, 77)]
    verdict = judge(THREE, [*before, begins(1, 13.5)], [PAUSE])
    assert broken(verdict) == {}
    assert broken(judge(THREE, [*before, begins(1, 16)], [PAUSE])) == {"disorder": 1}


def test_what_nobody_knew_of_may_run_or_not() -> None:
    """Job 1 was asked for twice: its second try is the one that was promised."""
    asked = Asked({0: 3}, frozenset({(0, 1, 0)}))
    second, last = ran(1, 3, asked=1), ran(2, 4)
    assert broken(judge(asked, [*ran(0, 1), *ran(1, 2), *second, *last], [])) == {}
    assert broken(judge(asked, [*ran(0, 1), *second, *last], [])) == {}
    assert broken(judge(asked, [*ran(0, 1), *ran(1, 2), *last], [])) == {"lost": 1}
