"""Whole scenes, a second or two long: orders arrive, and calls are counted where they end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from bench.report import Report
from bench.rpc import curves, failing, overload, sick
from bench.rpc.backend import SLOT_S
from bench.rpc.load import GOOD
from bench.rpc.stage import play


@pytest.fixture(scope="module")
def ill() -> sick.Seen:
    plan = sick.Plan(disturbed=True, rate=50, warm_s=0.2, well_s=0.3, slow_s=0.5, dead_s=0.5, back_s=0.4)
    return play(sick.scene, plan)


@pytest.fixture(scope="module")
def overrun() -> overload.Seen:
    return play(overload.scene, overload.Plan(loads=(0.5, 2.0), step_s=0.6))


def test_a_sick_backend_is_seen_by_its_own_counter(ill: sick.Seen) -> None:
    """While it is dead nothing arrives; the others' callers notice nothing at all."""
    assert ill.others_outcomes == {GOOD: 3 * 85}
    assert sum(ill.sick_outcomes.values()) == 85
    assert set(ill.sick_outcomes) > {GOOD}
    first, last = round(ill.dead_at_s / SLOT_S), round(ill.back_at_s / SLOT_S)
    dead = ill.sick.arrived[first + 1 : last - 1]
    assert dead
    assert sum(dead) == 0
    assert sum(ill.sick.arrived[: first - 4]) > 0
    assert 0 < ill.p50_ms <= ill.p99_ms


def test_nothing_happens_in_a_run_that_is_not_disturbed() -> None:
    """It is what the other one is held against."""
    plan = sick.Plan(disturbed=False, rate=50, warm_s=0.1, well_s=0.2, slow_s=0.2, dead_s=0.2, back_s=0.2)
    seen = play(sick.scene, plan)
    assert seen.sick_outcomes == {GOOD: 40}
    assert seen.recovers_s == 0.0


def test_one_of_three_fails_and_its_failures_are_counted() -> None:
    """By callers as errors, by backends as attempts."""
    seen = play(failing.one_of_three, failing.Plan(failing_s=0.5))
    assert sum(seen.outcomes.values()) == sum(seen.series.offered) == 100
    assert set(seen.outcomes) <= {GOOD, "status 500"} | {name for name in seen.outcomes if name.startswith("breaker")}
    assert seen.error_percent == 100 - seen.outcomes[GOOD]
    # Those that met the failing one were tried again elsewhere.
    assert sum(seen.series.arrived) > 100


@pytest.mark.parametrize("breakers", [True, False])
def test_an_outage_fails_all_calls_and_counts_attempts(breakers: bool) -> None:
    """Only without circuit breakers does every call arrive."""
    seen = play(failing.outage, failing.Plan(failing_s=0.5, breakers=breakers))
    assert GOOD not in seen.outcomes
    assert sum(seen.outcomes.values()) == 100
    assert (sum(seen.series.arrived) >= 100) is not breakers


def test_overload_is_more_than_the_backend_can_do(overrun: overload.Seen) -> None:
    """Below its capacity all is answered; above it no more than that."""
    calm, over = overrun.steps
    assert calm.goodput == pytest.approx(0.5 * overload.CAPACITY, rel=0.25)
    assert over.goodput < 1.2 * overload.CAPACITY
    assert sum(overrun.outcomes.values()) == sum(overrun.series.offered) == round(2.5 * overload.CAPACITY * 0.6)


@pytest.mark.slow
def test_pictures_are_drawn_from_a_report(ill: sick.Seen, overrun: overload.Seen, tmp_path: Path) -> None:
    """From its JSON alone, so that an old one can be drawn again.  Slow: matplotlib is installed for it."""
    report = Report("bench.rpc", quick=True)
    report.add("sick", {"undisturbed": [], "disturbed": ill})
    report.add("overload", {"guarded": overrun, "unguarded": overrun})
    report.write(tmp_path / "report.json")
    assert curves.draw(tmp_path / "report.json", tmp_path / "pictures") == ""
    for name in (curves.RECOVERY, curves.OVERLOAD):
        assert (tmp_path / "pictures" / name).read_bytes().startswith(b"\x89PNG")


def test_a_scene_that_fails_ends_the_benchmark() -> None:
    """Rather than leave a hole in its report."""
    with pytest.raises(subprocess.CalledProcessError):
        play(failing.one_of_three, msgspec.structs.replace(failing.Plan(), rate="none"))  # type: ignore[arg-type]
