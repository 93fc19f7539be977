"""The leases of a half-open circuit, one half-open after another."""

from __future__ import annotations

from gateway.domain.resilience.health import Event, Health, Refused, State, Verdict
from gateway.domain.resilience.leases import Leases
from tests.domain.resilience.health_states import RULES, health_in, permit_of, run


def test_when_two_of_three_have_passed_only_one_more_runs() -> None:
    leases = Leases(3)
    for now in (1.0, 2.0):
        assert leases.end(leases.take(now, 10.0), now)
        assert not leases.enough_passed()

    assert leases.take(3.0, 10.0)
    assert not leases.take(3.0, 10.0)


def test_expired_leases_are_not_kept() -> None:
    leases = Leases(3)
    for second in range(100):
        assert leases.take(float(second), 1.0)

    assert leases.running == 1


def test_no_number_is_given_twice() -> None:
    """Else the late result of a lost probe would be taken for another's."""
    leases = Leases(3)
    first = leases.take(1.0, 10.0)
    leases.clear()

    assert leases.take(1.0, 10.0) > first


def test_probes_that_passed_do_not_count_in_the_next_half_open() -> None:
    health = health_in(State.HALF_OPEN)
    run(health, Verdict.OK, 3.0, times=2)
    run(health, Verdict.FAILED, 3.0)
    now = 3.0 + health.view(3.0).open_for_s

    permit_of(health, now)
    assert isinstance(health.admit(now, 30.0), Refused), "it starts with one again"
    assert health.view(now).probes_passed == 0


def test_it_closes_as_often_as_it_trips() -> None:
    health, now = Health(RULES), 0.0
    for _ in range(5):
        health.apply(Event.TRIP, now)
        now += health.view(now).open_for_s
        run(health, Verdict.OK, now, times=3)
        assert health.state is State.CLOSED


def test_probes_that_were_running_hold_no_lease_of_the_next_half_open() -> None:
    health = health_in(State.HALF_OPEN)
    run(health, Verdict.OK, 3.0)
    lost, failing = permit_of(health, 3.0), permit_of(health, 3.0)
    health.settle(failing, Verdict.FAILED, 3.0)
    now = 3.0 + health.view(3.0).open_for_s

    running = permit_of(health, now)
    health.settle(lost, Verdict.FAILED, now)
    assert health.state is State.HALF_OPEN
    health.settle(running, Verdict.OK, now)
    assert health.view(now).probes_passed == 1
