"""What calls do to an endpoint's health: trips, open times, permits and probes."""

from __future__ import annotations

from math import inf

import pytest

from gateway.domain.resilience.health import Cause, Event, Health, Permit, Refused, State, Verdict
from tests.domain.resilience.health_states import RULES, health_in, permit_of, reason_of, run, run_slow


def test_half_of_twenty_calls_failing_trips_it() -> None:
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=10)
    run(health, Verdict.FAILED, 1.0, times=9)
    assert health.state is State.CLOSED

    run(health, Verdict.FAILED, 1.0)

    assert health.state is State.OPEN
    assert reason_of(health) == "failure_rate"


def test_twenty_bad_calls_in_a_row_trip_it_whatever_came_before() -> None:
    """An endpoint that was busy and well must not be called for seconds when it hangs."""
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=1_000)
    run(health, Verdict.FAILED, 1.0, times=19)
    assert health.state is State.CLOSED

    run(health, Verdict.FAILED, 1.0)

    assert health.state is State.OPEN
    assert reason_of(health) == "in_a_row"


def test_a_good_call_or_a_pushback_is_not_in_that_row() -> None:
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=1_000)
    for _ in range(3):
        run(health, Verdict.FAILED, 1.0, times=19)
        run(health, Verdict.OK, 1.0)
    run(health, Verdict.FAILED, 1.0, times=19)
    run(health, Verdict.FAILED, 1.0, times=5, cause=Cause.PUSHBACK)

    assert health.state is State.CLOSED


def test_calls_that_hang_are_in_that_row() -> None:
    health = Health(RULES)
    run(health, Verdict.OK, 1.0, times=1_000)
    for _ in range(20):
        health.note_slow(permit_of(health, 1.0), 1.1)

    assert reason_of(health) == "in_a_row"


@pytest.mark.parametrize("pause_s", [1.0, 3_600.0])
def test_twenty_failures_in_a_row_trip_it_however_long_they_took(pause_s: float) -> None:
    """At one call a second there are never twenty in the window."""
    health = Health(RULES)
    for number in range(19):
        run(health, Verdict.FAILED, number * pause_s)
    assert health.state is State.CLOSED

    run(health, Verdict.FAILED, 19 * pause_s)

    assert (health.state, reason_of(health), health.tripped_by_rate) == (State.OPEN, "in_a_row", True)


@pytest.mark.parametrize("was_slow", [False, True])
def test_an_answer_begins_that_long_row_anew(was_slow: bool) -> None:
    """However late it came."""
    health = Health(RULES)
    for number in range(38):
        run(health, Verdict.FAILED, float(number))
        if number == 18:
            [permit] = run_slow(health, 18.0) if was_slow else [permit_of(health, 18.0)]
            health.settle(permit, Verdict.OK, 18.0, was_slow=was_slow)

    assert health.state is State.CLOSED
    run(health, Verdict.FAILED, 38.0)
    assert reason_of(health) == "in_a_row"


def test_who_answers_late_but_well_and_is_seldom_called_stays_closed() -> None:
    health = Health(RULES)
    for number in range(100):
        [permit] = run_slow(health, 60.0 * number)
        health.settle(permit, Verdict.OK, 60.0 * number + 5.0, was_slow=True)

    assert health.state is State.CLOSED


def test_calls_that_hang_until_they_fail_are_in_the_long_row() -> None:
    """Once each, though they were noted as slow before."""
    health = Health(RULES)
    for number in range(20):
        assert health.state is State.CLOSED
        [permit] = run_slow(health, 60.0 * number)
        health.settle(permit, Verdict.FAILED, 60.0 * number + 5.0, was_slow=True)

    assert reason_of(health) == "in_a_row"


def test_pushbacks_are_not_in_the_long_row() -> None:
    health = Health(RULES)
    for number in range(100):
        run(health, Verdict.FAILED, float(number), cause=Cause.PUSHBACK)

    assert health.state is State.CLOSED


def test_fewer_than_the_minimum_of_calls_never_trips() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=19)

    assert health.state is State.CLOSED


def test_failures_that_left_the_window_do_not_count() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=18)
    run(health, Verdict.OK, 11.5)
    run(health, Verdict.FAILED, 11.5, times=18)

    assert health.state is State.CLOSED


def test_five_failures_to_connect_trip_it_at_once() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=5, cause=Cause.CONNECT)

    assert health.state is State.OPEN
    assert reason_of(health) == "connect_failures"


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

    assert health.admit(1.0, 1.0) == Refused("open", 1.5)
    assert isinstance(health.admit(2.5, 1.0), Permit)
    assert health.state is State.HALF_OPEN


def test_jitter_is_equal_half_is_certain_and_half_is_drawn() -> None:
    shortest, longest = Health(RULES), Health(RULES)
    shortest.apply(Event.TRIP, 0.0, jitter=0.0)
    longest.apply(Event.TRIP, 0.0, jitter=1.0)

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
        health.apply(Event.TRIP, 2.5 + closed_s)
        return health.view(2.5 + closed_s).open_for_s

    assert open_again_after(2.4) == 5.0
    assert open_again_after(2.5) == 2.5


def test_a_result_of_an_older_epoch_changes_nothing() -> None:
    """A slow call admitted before the trip must neither close a half-open circuit nor extend an open one."""
    health = Health(RULES)
    early = [permit_of(health, 0.0) for _ in range(10)]
    health.apply(Event.TRIP, 0.0)
    for permit in early[:5]:
        health.settle(permit, Verdict.FAILED, 1.0)
    assert health.view(1.0).open_for_s == 1.5

    permit_of(health, 2.5)
    for permit in early[5:]:
        health.settle(permit, Verdict.OK, 2.6)
    assert (health.state, health.view(2.6).probes_passed) == (State.HALF_OPEN, 0)


def test_a_result_from_before_the_trip_does_not_count_when_the_circuit_has_closed_again() -> None:
    health = Health(RULES)
    early = [permit_of(health, 0.0) for _ in range(20)]
    health.apply(Event.TRIP, 0.0)
    run(health, Verdict.OK, 2.5, times=3)
    assert health.state is State.CLOSED
    for permit in early:
        health.settle(permit, Verdict.FAILED, 2.6, cause=Cause.CONNECT)

    assert (health.state, health.view(2.6).calls) == (State.CLOSED, 0)


def test_probes_start_with_one_and_never_exceed_what_is_needed_to_close() -> None:
    health = health_in(State.HALF_OPEN)
    first = permit_of(health, 3.0)
    assert health.admit(3.0, 30.0) == Refused("probing", 30.0)

    health.settle(first, Verdict.OK, 3.1)
    pair = [permit_of(health, 3.1), permit_of(health, 3.1)]
    assert isinstance(health.admit(3.1, 30.0), Refused)

    for permit in pair:
        health.settle(permit, Verdict.OK, 3.2)
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
    assert isinstance(health.admit(3.9, 1.0), Refused)

    second = permit_of(health, 4.0)
    health.settle(lost, Verdict.FAILED, 4.1)

    assert health.state is State.HALF_OPEN, "the result of an expired lease is dropped"
    health.settle(second, Verdict.OK, 4.1)
    assert health.view(4.1).probes_passed == 1


def test_a_result_that_comes_after_its_lease_is_dropped_even_if_nobody_took_its_place() -> None:
    health = health_in(State.HALF_OPEN)
    health.settle(permit_of(health, 3.0, lease_s=1.0), Verdict.FAILED, 4.0)

    assert health.state is State.HALF_OPEN
    assert health.view(4.0).probes_running == 0


def test_the_same_probe_settled_twice_counts_once() -> None:
    health = health_in(State.HALF_OPEN)
    permit = permit_of(health, 3.0)
    health.settle(permit, Verdict.OK, 3.0)
    health.settle(permit, Verdict.OK, 3.0)

    assert health.view(3.0).probes_passed == 1


def test_forced_states_count_nothing_and_stay() -> None:
    health = health_in(State.FORCED_CLOSED)
    run(health, Verdict.FAILED, 1.0, times=100, cause=Cause.CONNECT)
    assert (health.state, health.view(1.0).calls) == (State.FORCED_CLOSED, 0)

    health.apply(Event.FORCE_OPEN, 1.0)
    assert health.admit(10_000.0, 1.0) == Refused("forced_open", 5.0)


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
    health.apply(Event.RESET, 1.0)
    run(health, Verdict.FAILED, 1.0, times=4, cause=Cause.CONNECT)

    assert health.state is State.CLOSED


@pytest.mark.parametrize("state", list(State))
def test_due_says_whether_a_call_would_be_a_probe(state: State) -> None:
    """In every state, and it takes nothing itself."""
    for now in (1.0, 2.5):
        health = health_in(state)
        health.due(now)
        due = health.due(now)
        assert health.view(now).due is due
        permit = health.admit(now, 1.0)

        assert due is (isinstance(permit, Permit) and permit.lease > 0)


def test_it_is_due_again_when_a_lease_has_expired_and_not_before() -> None:
    health = health_in(State.HALF_OPEN)
    permit_of(health, 3.0, lease_s=1.0)

    assert (health.due(3.9), health.due(4.0)) == (False, True)


def test_it_says_for_how_long_a_call_might_have_been_a_probe() -> None:
    """In half-open from the open time's end on, also when a probe came and went meanwhile."""
    health = health_in(State.OPEN)
    assert (health.due_for_s(2.4), health.due_for_s(2.5), health.due_for_s(4.0)) == (-1.0, 0.0, 1.5)

    permit = permit_of(health, 4.0)
    assert health.due_for_s(4.5) == -1.0, "there is no lease"
    health.settle(permit, Verdict.OK, 5.0)
    assert health.due_for_s(5.0) == 2.5

    health.apply(Event.FORCE_OPEN, 6.0)
    assert health.due_for_s(1e6) == -1.0


def test_a_time_that_was_ended_early_counts_from_there() -> None:
    health = health_in(State.OPEN)
    health.cool(1.0, "panic")
    assert (health.due_for_s(0.9), health.due_for_s(2.0)) == (0.0, 1.0), "a clock that was read just before"


def test_what_active_probes_found_well_is_due_without_end() -> None:
    """Nobody ventures anything by calling it; when the time alone has passed somebody does."""
    health = health_in(State.OPEN)
    for _ in range(RULES.probe_successes):
        health.probed(ok=True, now=1.0)
    assert health.due_for_s(1.0) == inf

    run(health, Verdict.FAILED, 1.0)
    assert health.state is State.OPEN
    assert health.due_for_s(1_000.0) < 1_000.0


def test_closed_at_is_when_it_was_last_let_in_again() -> None:
    health = Health(RULES)
    assert health.closed_at == float("-inf")
    health.apply(Event.RESET, 1.0)
    assert health.closed_at == float("-inf"), "it was not shut"

    health.apply(Event.TRIP, 2.0)
    run(health, Verdict.OK, 4.5, times=3)
    assert health.closed_at == 4.5

    health.apply(Event.FORCE_OPEN, 5.0)
    health.apply(Event.FORCE_CLOSED, 6.0)
    health.apply(Event.RESET, 7.0)
    assert health.closed_at == 6.0, "what comes after a forced opening starts slowly, too"


def test_it_says_for_how_long_it_has_been_open_by_itself() -> None:
    health = health_in(State.OPEN)
    assert health.shut_for_s(1.5) == 1.5

    run(health, Verdict.FAILED, 2.5)
    assert health.shut_for_s(4.0) == 1.5, "since it opened last"
    permit_of(health, 7.5)
    assert health.shut_for_s(8.0) == -1.0, "half-open"
    health.apply(Event.FORCE_OPEN, 3.0)
    assert health.shut_for_s(4.0) == -1.0, "an operator's word"


@pytest.mark.parametrize(
    ("cause", "times", "by_rate"),
    [(Cause.CALL, 20, True), (Cause.PUSHBACK, 20, True), (Cause.CONNECT, 5, False)],
)
def test_it_knows_whether_calls_or_connections_shut_it_out(cause: Cause, times: int, by_rate: bool) -> None:
    """What connects and fails may be our own load; what does not connect is away."""
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=times, cause=cause)
    assert health.tripped_by_rate is by_rate


@pytest.mark.parametrize("event", [Event.FORCE_OPEN, Event.FORCE_CLOSED, Event.METRICS_ONLY, Event.RESET])
@pytest.mark.parametrize("cooled", [False, True])
def test_an_operators_word_takes_the_place_of_what_shut_it_out(event: Event, cooled: bool) -> None:
    """Else a member that is forced open would be taken for one that its rates shut out."""
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=20)
    if cooled:
        permit_of(health, 100.0)
    assert health.tripped_by_rate

    health.apply(event, 101.0)

    assert not health.tripped_by_rate


def test_what_has_closed_is_shut_by_nothing() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=20)
    run(health, Verdict.OK, 100.0, times=3)

    assert (health.state, health.tripped_by_rate) == (State.CLOSED, False)


@pytest.mark.parametrize(
    ("cause", "by_rate", "reason"),
    [(Cause.CALL, True, "probe_failed"), (Cause.CONNECT, False, "probe_unreachable")],
)
def test_a_failed_probe_says_so_anew(cause: Cause, by_rate: bool, reason: str) -> None:
    health = health_in(State.HALF_OPEN)
    run(health, Verdict.FAILED, 3.0, cause=cause)

    assert (health.tripped_by_rate, reason_of(health)) == (by_rate, reason)
