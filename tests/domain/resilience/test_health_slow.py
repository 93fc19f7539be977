"""Slow calls: counted when they have become slow, together with failed ones, and once."""

from __future__ import annotations

import pytest

from gateway.domain.resilience.health import Cause, Event, Health, HealthRules, Refused, State, Verdict
from tests.domain.resilience.health_states import RULES, health_in, permit_of, reason_of, run, run_slow


def counts(health: Health, now: float) -> tuple[int, int, int]:
    view = health.view(now)
    return view.calls, view.failed, view.slow


def test_an_endpoint_that_hangs_trips_before_its_calls_end() -> None:
    health = Health(RULES)
    run_slow(health, 2.0, times=19)
    assert health.state is State.CLOSED

    run_slow(health, 2.0)

    assert (health.state, reason_of(health)) == (State.OPEN, "slow_rate")
    assert health.tripped_by_rate


def test_slow_and_failed_calls_trip_it_together() -> None:
    """Neither of the two rates is reached: four of ten failed, and four were slow."""
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=4)
    run(health, Verdict.FAILED, 1.0, times=8)
    run_slow(health, 1.0, times=7)
    assert health.state is State.CLOSED

    run_slow(health, 1.0)

    assert (health.state, reason_of(health)) == (State.OPEN, "slow_rate")


def test_slow_calls_below_their_ratio_do_not_trip_it() -> None:
    health = Health(RULES)
    for good, slow in ((5, 19), (5, 19), (5, 19), (5, 19), (1, 3)):
        run(health, Verdict.OK, 1.0, times=good)
        run_slow(health, 1.0, times=slow)

    assert counts(health, 1.0) == (100, 0, 79)
    assert health.state is State.CLOSED


def test_a_slow_call_may_complete_the_minimum_for_the_failure_rate() -> None:
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=9)
    run(health, Verdict.FAILED, 1.0, times=10)
    run_slow(health, 1.0)

    assert (health.state, reason_of(health)) == (State.OPEN, "failure_rate")


def test_a_failure_may_complete_the_slow_rate() -> None:
    health = Health(HealthRules(failure_ratio=1.0))
    run(health, Verdict.OK, 1.0, times=4)
    run_slow(health, 1.0, times=15)
    run(health, Verdict.FAILED, 1.0)

    assert (health.state, reason_of(health)) == (State.OPEN, "slow_rate")


@pytest.mark.parametrize(
    ("verdict", "after"),
    [(Verdict.OK, (1, 0, 1)), (Verdict.FAILED, (1, 1, 0)), (Verdict.IGNORED, (1, 0, 1))],
)
def test_a_slow_call_that_ends_is_no_second_call(verdict: Verdict, after: tuple[int, int, int]) -> None:
    """A failure still is one; whoever gave up on a slow call has waited for it."""
    health = Health(RULES)
    [permit] = run_slow(health, 1.0)
    health.settle(permit, verdict, 3.0, was_slow=True)

    assert counts(health, 3.0) == after


def test_slow_calls_that_fail_reach_the_failure_rate() -> None:
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=10)
    permits = run_slow(health, 1.0, times=10)
    for permit in permits[:9]:
        health.settle(permit, Verdict.FAILED, 3.0, was_slow=True)
    assert health.state is State.CLOSED

    health.settle(permits[9], Verdict.FAILED, 3.0, was_slow=True)

    assert (health.state, reason_of(health)) == (State.OPEN, "failure_rate")


def test_a_failure_long_after_its_call_became_slow_is_a_call_of_its_own_time() -> None:
    """Else traffic that ebbs would leave failures of no calls."""
    health = Health(RULES)
    [permit] = run_slow(health, 1.0)
    health.settle(permit, Verdict.FAILED, 31.0, was_slow=True)

    assert counts(health, 31.0) == (1, 1, 0)


def test_a_slow_failure_to_connect_feeds_the_fast_trip() -> None:
    health = Health(RULES)
    for permit in run_slow(health, 1.0, times=5):
        health.settle(permit, Verdict.FAILED, 2.0, cause=Cause.CONNECT, was_slow=True)

    assert (health.state, reason_of(health)) == (State.OPEN, "connect_failures")


def test_a_slow_success_starts_the_count_of_failures_to_connect_again() -> None:
    health = Health(RULES)
    [permit] = run_slow(health, 1.0)
    run(health, Verdict.FAILED, 1.0, times=4, cause=Cause.CONNECT)
    health.settle(permit, Verdict.OK, 1.0, was_slow=True)

    assert health.view(1.0).connect_failures == 0


def test_a_slow_probe_has_failed_and_its_end_changes_nothing() -> None:
    health = health_in(State.HALF_OPEN)
    [permit] = run_slow(health, 3.0)
    assert (health.state, reason_of(health)) == (State.OPEN, "probe_slow")
    assert health.tripped_by_rate

    health.settle(permit, Verdict.OK, 3.5, was_slow=True)
    assert health.admit(4.0, 1.0) == Refused("open", 4.0), "twice the first time, as for any failed probe"


def test_a_probe_whose_lease_has_expired_is_not_slow() -> None:
    health = health_in(State.HALF_OPEN)
    permit = permit_of(health, 3.0, lease_s=1.0)
    health.note_slow(permit, 4.0)

    assert health.state is State.HALF_OPEN


def test_a_call_of_an_older_epoch_is_not_counted_as_slow() -> None:
    health = Health(RULES)
    permit = permit_of(health, 0.0)
    health.apply(Event.TRIP, 0.0)
    run(health, Verdict.OK, 2.5, times=3)
    health.note_slow(permit, 3.0)

    assert counts(health, 3.0) == (0, 0, 0)


def test_forced_states_count_no_slow_calls() -> None:
    health = health_in(State.FORCED_CLOSED)
    run_slow(health, 1.0, times=100)

    assert (health.state, counts(health, 1.0)) == (State.FORCED_CLOSED, (0, 0, 0))


def test_metrics_only_tells_that_slow_calls_would_have_tripped_it() -> None:
    health = health_in(State.METRICS_ONLY)
    run_slow(health, 1.0, times=20)

    assert (health.state, reason_of(health)) == (State.METRICS_ONLY, "slow_rate")
