"""The breaker's table, pair by pair, and its seven rules."""

from __future__ import annotations

import itertools

import pytest

from gateway.domain.resilience.health import (
    TRANSITIONS,
    Cause,
    Event,
    Health,
    HealthRules,
    IllegalEvent,
    Permit,
    Refused,
    State,
    Verdict,
)

RULES = HealthRules()
LEGAL = {
    (State.CLOSED, Event.TRIP): State.OPEN,
    (State.OPEN, Event.COOLED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.PROBES_PASSED): State.CLOSED,
    (State.HALF_OPEN, Event.PROBE_FAILED): State.OPEN,
    (State.METRICS_ONLY, Event.TRIP): State.METRICS_ONLY,
}
COMMANDED = {
    Event.FORCE_OPEN: State.FORCED_OPEN,
    Event.FORCE_CLOSED: State.FORCED_CLOSED,
    Event.METRICS_ONLY: State.METRICS_ONLY,
    Event.RESET: State.CLOSED,
}


def health_in(state: State, rules: HealthRules = RULES) -> Health:
    """Return a health that came to *state* at time 0 by legal events, with jitter 0 (it opens for 2.5 s)."""
    road = {
        State.CLOSED: [],
        State.OPEN: [Event.TRIP],
        State.HALF_OPEN: [Event.TRIP, Event.COOLED],
        State.FORCED_OPEN: [Event.FORCE_OPEN],
        State.FORCED_CLOSED: [Event.FORCE_CLOSED],
        State.METRICS_ONLY: [Event.METRICS_ONLY],
    }
    health = Health(rules)
    for event in road[state]:
        health.apply(event, now=0.0)
    assert health.state is state
    return health


def permit_of(health: Health, now: float, lease_s: float = 30.0) -> Permit:
    permit = health.admit(now, lease_s=lease_s)
    assert isinstance(permit, Permit)
    return permit


def run(health: Health, verdict: Verdict, now: float, *, times: int = 1, cause: Cause = Cause.CALL) -> None:
    for _ in range(times):
        health.settle(permit_of(health, now), verdict, now=now, cause=cause)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_of_state_and_event(state: State, event: Event) -> None:
    """A listed pair leads where the table says; any other raises and changes nothing."""
    health = health_in(state)
    before = (repr(health), health.view(0.0), health.last_change)
    expected = COMMANDED.get(event) or LEGAL.get((state, event))

    if expected is None:
        with pytest.raises(IllegalEvent):
            health.apply(event, now=1.0)
        assert (repr(health), health.view(0.0), health.last_change) == before
    else:
        health.apply(event, now=1.0)
        assert health.state is expected
        assert health.last_change is not None
        assert (health.last_change.before, health.last_change.after) == (state, expected)


def test_the_table_lists_nothing_else() -> None:
    assert len(TRANSITIONS) == len(LEGAL) + len(COMMANDED) * len(State)


@pytest.mark.parametrize(
    ("state", "admits"),
    [
        (State.CLOSED, True), (State.OPEN, False), (State.HALF_OPEN, True),
        (State.FORCED_OPEN, False), (State.FORCED_CLOSED, True), (State.METRICS_ONLY, True),
    ],
)  # fmt: skip
def test_who_admits(state: State, admits: bool) -> None:
    assert isinstance(health_in(state).admit(1.0, lease_s=1.0), Permit) is admits


def test_half_of_twenty_calls_failing_trips_it() -> None:
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=10)
    run(health, Verdict.FAILED, 1.0, times=9)
    assert health.state is State.CLOSED

    run(health, Verdict.FAILED, 1.0)

    assert health.state is State.OPEN
    assert health.last_change is not None
    assert health.last_change.reason == "failure_rate"


def test_fewer_than_the_minimum_of_calls_never_trips() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=19)

    assert health.state is State.CLOSED


def test_failures_that_left_the_window_do_not_count() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=19)
    run(health, Verdict.FAILED, 11.5, times=19)

    assert health.state is State.CLOSED


def test_five_failures_to_connect_trip_it_at_once() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=5, cause=Cause.CONNECT)

    assert health.state is State.OPEN
    assert health.last_change is not None
    assert health.last_change.reason == "connect_failures"


def test_a_success_between_failures_to_connect_starts_their_count_again() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=4, cause=Cause.CONNECT)
    run(health, Verdict.OK, 1.0)
    run(health, Verdict.FAILED, 1.0, times=4, cause=Cause.CONNECT)

    assert health.state is State.CLOSED


def test_pushback_feeds_the_rate_and_never_the_fast_trip() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=19, cause=Cause.PUSHBACK)
    assert health.state is State.CLOSED

    run(health, Verdict.FAILED, 1.0, cause=Cause.PUSHBACK)
    assert health.state is State.OPEN


def test_an_ignored_result_feeds_nothing() -> None:
    health = Health(RULES)
    run(health, Verdict.IGNORED, 1.0, times=100, cause=Cause.CONNECT)

    assert health.view(1.0).calls == 0
    assert health.state is State.CLOSED


def test_open_refuses_until_its_time_has_passed_and_says_how_long() -> None:
    health = health_in(State.OPEN)

    assert health.admit(1.0, lease_s=1.0) == Refused("open", 1.5)
    assert isinstance(health.admit(2.5, lease_s=1.0), Permit)
    assert health.state is State.HALF_OPEN


def test_jitter_is_equal_half_is_certain_and_half_is_drawn() -> None:
    shortest, longest = Health(RULES), Health(RULES)
    shortest.apply(Event.TRIP, now=0.0, jitter=0.0)
    longest.apply(Event.TRIP, now=0.0, jitter=1.0)

    assert (shortest.view(0.0).open_for_s, longest.view(0.0).open_for_s) == (2.5, 5.0)


def test_open_time_doubles_with_each_failed_probe_up_to_its_cap() -> None:
    health, now, open_s = health_in(State.OPEN), 0.0, []
    for _ in range(1200):
        open_s.append(health.view(now).open_for_s)
        now += health.view(now).open_for_s
        run(health, Verdict.FAILED, now)

    assert open_s[:8] == [2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 150.0, 150.0]
    assert open_s[-1] == 150.0, "2**1100 must not overflow"


def test_a_flapping_endpoint_is_forgiven_only_after_staying_closed_as_long_as_it_was_open() -> None:
    def open_again_after(closed_s: float) -> float:
        health = health_in(State.OPEN)
        run(health, Verdict.OK, 2.5, times=3)
        assert health.state is State.CLOSED
        health.apply(Event.TRIP, now=2.5 + closed_s)
        return health.view(2.5 + closed_s).open_for_s

    assert open_again_after(2.4) == 5.0
    assert open_again_after(2.5) == 2.5


def test_a_result_of_an_older_epoch_changes_nothing() -> None:
    """A slow call admitted before the trip must neither close a half-open circuit nor extend an open one."""
    health = Health(RULES)
    early = [permit_of(health, 0.0) for _ in range(10)]
    health.apply(Event.TRIP, now=0.0)
    for permit in early[:5]:
        health.settle(permit, Verdict.FAILED, now=1.0)
    assert health.view(1.0).open_for_s == 1.5

    permit_of(health, 2.5)
    for permit in early[5:]:
        health.settle(permit, Verdict.OK, now=2.6)
    assert (health.state, health.view(2.6).probes_passed) == (State.HALF_OPEN, 0)


def test_a_result_from_before_the_trip_does_not_count_when_the_circuit_has_closed_again() -> None:
    health = Health(RULES)
    early = [permit_of(health, 0.0) for _ in range(20)]
    health.apply(Event.TRIP, now=0.0)
    run(health, Verdict.OK, 2.5, times=3)
    assert health.state is State.CLOSED
    for permit in early:
        health.settle(permit, Verdict.FAILED, now=2.6, cause=Cause.CONNECT)

    assert (health.state, health.view(2.6).calls) == (State.CLOSED, 0)


def test_probes_start_with_one_and_never_exceed_what_is_needed_to_close() -> None:
    health = health_in(State.HALF_OPEN)
    first = permit_of(health, 3.0)
    assert health.admit(3.0, lease_s=30.0) == Refused("probing", 30.0)

    health.settle(first, Verdict.OK, now=3.1)
    pair = [permit_of(health, 3.1), permit_of(health, 3.1)]
    assert isinstance(health.admit(3.1, lease_s=30.0), Refused)

    for permit in pair:
        health.settle(permit, Verdict.OK, now=3.2)
    assert health.state is State.CLOSED


@pytest.mark.parametrize("cause", list(Cause))
def test_a_failed_probe_opens_it_again_whatever_the_cause(cause: Cause) -> None:
    health = health_in(State.HALF_OPEN)
    run(health, Verdict.FAILED, 3.0, cause=cause)

    assert health.state is State.OPEN


def test_a_killed_probe_gives_its_lease_back_and_decides_nothing() -> None:
    health = health_in(State.HALF_OPEN)
    run(health, Verdict.IGNORED, 3.0, times=50)

    assert health.state is State.HALF_OPEN
    assert health.view(3.0).probes_running == 0


def test_a_probe_that_never_comes_back_loses_its_lease() -> None:
    health = health_in(State.HALF_OPEN)
    lost = permit_of(health, 3.0, lease_s=1.0)
    assert isinstance(health.admit(3.9, lease_s=1.0), Refused)

    second = permit_of(health, 4.0)
    health.settle(lost, Verdict.FAILED, now=4.1)

    assert health.state is State.HALF_OPEN, "the result of an expired lease is dropped"
    health.settle(second, Verdict.OK, now=4.1)
    assert health.view(4.1).probes_passed == 1


def test_a_result_that_comes_after_its_lease_is_dropped_even_if_nobody_took_its_place() -> None:
    health = health_in(State.HALF_OPEN)
    health.settle(permit_of(health, 3.0, lease_s=1.0), Verdict.FAILED, now=4.0)

    assert health.state is State.HALF_OPEN
    assert health.view(4.0).probes_running == 0


def test_the_same_probe_settled_twice_counts_once() -> None:
    health = health_in(State.HALF_OPEN)
    permit = permit_of(health, 3.0)
    health.settle(permit, Verdict.OK, now=3.0)
    health.settle(permit, Verdict.OK, now=3.0)

    assert health.view(3.0).probes_passed == 1


def test_forced_states_count_nothing_and_stay() -> None:
    health = health_in(State.FORCED_CLOSED)
    run(health, Verdict.FAILED, 1.0, times=100, cause=Cause.CONNECT)
    assert (health.state, health.view(1.0).calls) == (State.FORCED_CLOSED, 0)

    health.apply(Event.FORCE_OPEN, now=1.0)
    assert health.admit(10_000.0, lease_s=1.0) == Refused("forced_open", 5.0)


def test_metrics_only_tells_that_it_would_have_tripped_and_admits_everything() -> None:
    health = health_in(State.METRICS_ONLY)
    run(health, Verdict.FAILED, 1.0, times=20)

    assert health.last_change is not None
    assert (health.last_change.event, health.last_change.reason) == (Event.TRIP, "failure_rate")
    assert health.state is State.METRICS_ONLY
    assert health.view(1.0).calls == 0, "told once a window, not once a call"
    permit_of(health, 1.0)


def test_a_reset_closes_it_with_nothing_remembered() -> None:
    health = health_in(State.OPEN)
    health.apply(Event.RESET, now=1.0)
    run(health, Verdict.FAILED, 1.0, times=4, cause=Cause.CONNECT)

    assert health.state is State.CLOSED
