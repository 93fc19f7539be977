"""Active probes, the balancer's panic and other processes' hints: what they may do, and what only calls do."""

from __future__ import annotations

import pytest

from gateway.domain.resilience.health import Cause, Event, Health, HealthRules, State, Verdict
from tests.domain.resilience.health_states import RULES, health_in, permit_of, reason_of, run, run_slow


def probe(health: Health, *results: bool, now: float = 1.0) -> None:
    for ok in results:
        health.probed(ok, now)


def test_only_active_probes_that_fail_in_a_row_trip_it() -> None:
    health = Health(RULES)
    probe(health, False, False, True, False, False)
    assert health.state is State.CLOSED

    probe(health, False)

    assert (health.state, reason_of(health)) == (State.OPEN, "probes")
    assert not health.tripped_by_rate


def test_only_active_probes_that_pass_in_a_row_end_its_time() -> None:
    health = health_in(State.OPEN)
    probe(health, True, False, True)
    assert health.state is State.OPEN

    probe(health, True)

    assert (health.state, reason_of(health)) == (State.HALF_OPEN, "probes")
    assert health.due(1.0)


def test_active_probes_never_close_it() -> None:
    """The grey failure: the health page answers, and calls hang."""
    health = health_in(State.OPEN)
    probe(health, *[True] * 100)
    assert health.state is State.HALF_OPEN

    run(health, Verdict.OK, 1.0, times=3)
    assert health.state is State.CLOSED


def test_results_of_active_probes_of_an_older_state_do_not_count_in_the_next() -> None:
    health = Health(RULES)
    probe(health, True)
    health.apply(Event.TRIP, 0.0)
    probe(health, True)
    assert health.state is State.OPEN


@pytest.mark.parametrize("slow", [False, True])
def test_active_probes_that_calls_contradicted_are_not_believed_until_it_has_closed_once(slow: bool) -> None:
    health = health_in(State.OPEN)
    probe(health, True, True)
    if slow:
        run_slow(health, 1.0)
    else:
        run(health, Verdict.FAILED, 1.0)
    assert health.view(1.0).contradicted

    probe(health, *[True] * 100)
    assert health.state is State.OPEN
    now = 1.0 + health.view(1.0).open_for_s
    run(health, Verdict.FAILED, now)
    probe(health, True, True, now=now)
    assert health.state is State.OPEN, "a failure of its own time's probe gives no right back"

    run(health, Verdict.OK, now + health.view(now).open_for_s, times=3)
    assert health.state is State.CLOSED
    health.apply(Event.TRIP, 100.0)
    probe(health, True, True, now=100.0)
    assert health.state is State.HALF_OPEN


def test_a_probe_that_fails_after_its_time_has_passed_contradicts_nobody() -> None:
    health = health_in(State.OPEN)
    run(health, Verdict.FAILED, 2.5)

    probe(health, True, True, now=3.0)
    assert health.state is State.HALF_OPEN


def open_times(health: Health, early: str, times: int) -> list[float]:
    """End its open time early, let the probe fail, and return the open times that follow."""
    after = []
    for _ in range(times):
        if early == "panic":
            assert health.cool(1.0, "panic")
        elif early == "peer":
            health.peer_recovered(1.0)
        else:
            probe(health, True, True)
        run(health, Verdict.FAILED, 1.0)
        after.append(health.view(1.0).open_for_s)
        if early == "probes":
            break
    return after


def test_a_probe_that_others_wanted_and_that_fails_does_not_double_the_next_open_time() -> None:
    assert open_times(health_in(State.OPEN), "panic", 4) == [2.5] * 4
    assert open_times(health_in(State.OPEN), "peer", 4) == [2.5] * 4


def test_a_probe_that_active_probes_wanted_and_that_fails_doubles_it() -> None:
    assert open_times(health_in(State.OPEN), "probes", 1) == [5.0]


def test_a_panic_does_not_hide_failures_of_the_circuits_own_time() -> None:
    health = health_in(State.OPEN)
    open_times(health, "panic", 1)
    run(health, Verdict.FAILED, 3.5)

    assert health.view(3.5).open_for_s == 5.0


@pytest.mark.parametrize(("calls_min", "enough"), [(20, 5), (40, 10), (8, 2), (5, 2), (2, 2), (1, 1)])
def test_who_is_suspected_needs_a_quarter_of_the_calls_but_two(calls_min: int, enough: int) -> None:
    health = Health(HealthRules(calls_min=calls_min))
    health.suspect(0.5)
    run(health, Verdict.FAILED, 1.0, times=enough - 1)
    assert health.state is State.CLOSED

    run(health, Verdict.FAILED, 1.0)
    assert (health.state, reason_of(health)) == (State.OPEN, "failure_rate")


@pytest.mark.parametrize(("failures_max", "enough"), [(12, 3), (5, 2), (1, 1)])
def test_who_is_suspected_needs_a_quarter_of_the_refused_connections(failures_max: int, enough: int) -> None:
    health = Health(HealthRules(connect_failures_max=failures_max))
    health.suspect(0.5)
    run(health, Verdict.FAILED, 1.0, times=enough - 1, cause=Cause.CONNECT)
    assert health.state is State.CLOSED

    run(health, Verdict.FAILED, 1.0, cause=Cause.CONNECT)
    assert health.state is State.OPEN


def test_suspicion_alone_opens_nothing_whatever_was_counted_before() -> None:
    health = Health(RULES)
    run(health, Verdict.FAILED, 1.0, times=19)
    health.suspect(1.0)
    run(health, Verdict.OK, 1.0)

    assert health.state is State.CLOSED
    assert health.view(1.0).suspected


def test_suspicion_lasts_for_a_windows_time() -> None:
    health = Health(RULES)
    health.suspect(1.0)
    run(health, Verdict.FAILED, 11.0, times=19)

    assert (health.state, health.view(11.0).suspected) == (State.CLOSED, False)


def test_suspicion_ends_when_the_peer_has_recovered_or_our_own_circuit_has_decided() -> None:
    recovered, decided = Health(RULES), Health(RULES)
    recovered.suspect(1.0)
    recovered.peer_recovered(1.5)
    decided.suspect(1.0)
    decided.apply(Event.TRIP, 1.0)
    run(decided, Verdict.OK, 3.5, times=3)
    for health in (recovered, decided):
        run(health, Verdict.FAILED, 4.0, times=19)
        assert health.state is State.CLOSED


def test_a_peers_recovery_closes_nothing() -> None:
    health = health_in(State.OPEN)
    for _ in range(10):
        health.peer_recovered(1.0)
    assert health.state is State.HALF_OPEN

    lost = permit_of(health, 1.0)
    health.peer_recovered(1.0)
    assert not health.due(1.0), "nor does it give a second lease"
    health.settle(lost, Verdict.OK, 1.0)
    assert health.view(1.0).probes_passed == 1
