"""The circuit's table, pair by pair."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from gateway.domain.resilience.health import TRANSITIONS, Change, Event, Health, IllegalEvent, Permit, State
from tests.domain.resilience.health_states import health_in

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


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_of_state_and_event(state: State, event: Event) -> None:
    """A listed pair leads where the table says; any other raises and changes nothing."""
    health = health_in(state)
    before = (repr(health), health.view(0.0), health.last_change)
    expected = COMMANDED.get(event) or LEGAL.get((state, event))

    if expected is None:
        with pytest.raises(IllegalEvent):
            health.apply(event, 1.0)
        assert (repr(health), health.view(0.0), health.last_change) == before
    else:
        health.apply(event, 1.0)
        assert health.state is expected
        assert health.last_change is not None
        assert (health.last_change.before, health.last_change.after) == (state, expected)


def test_the_table_lists_nothing_else() -> None:
    assert len(TRANSITIONS) == len(LEGAL) + len(COMMANDED) * len(State)


@pytest.mark.parametrize(
    ("state", "to_all", "admits"),
    [
        (State.CLOSED, True, True), (State.OPEN, False, False), (State.HALF_OPEN, False, True),
        (State.FORCED_OPEN, False, False), (State.FORCED_CLOSED, True, True), (State.METRICS_ONLY, True, True),
    ],
)  # fmt: skip
def test_who_admits(state: State, to_all: bool, admits: bool) -> None:
    health = health_in(state)

    assert health.open_to_all is to_all
    assert isinstance(health.admit(1.0, 1.0), Permit) is admits


INPUTS: dict[str, Callable[[Health], object]] = {
    "two active probes pass": lambda health: [health.probed(True, 1.0) for _ in range(2)],
    "three active probes fail": lambda health: [health.probed(False, 1.0) for _ in range(3)],
    "a peer trips": lambda health: health.suspect(1.0),
    "a peer recovers": lambda health: health.peer_recovered(1.0),
    "the balancer panics": lambda health: health.cool(1.0, "panic"),
}
EFFECTS = {
    (State.CLOSED, "three active probes fail"): (Event.TRIP, State.OPEN, "probes"),
    (State.METRICS_ONLY, "three active probes fail"): (Event.TRIP, State.METRICS_ONLY, "probes"),
    (State.OPEN, "two active probes pass"): (Event.COOLED, State.HALF_OPEN, "probes"),
    (State.OPEN, "a peer recovers"): (Event.COOLED, State.HALF_OPEN, "peer"),
    (State.OPEN, "the balancer panics"): (Event.COOLED, State.HALF_OPEN, "panic"),
}


@pytest.mark.parametrize(("state", "source"), list(itertools.product(State, INPUTS)))
def test_what_probes_peers_and_the_balancer_do_in_every_state(state: State, source: str) -> None:
    """They close nothing, undo no operator's word, and only failing probes open anything."""
    health = health_in(state)
    before = (repr(health), health.last_change)
    INPUTS[source](health)

    effect = EFFECTS.get((state, source))
    if effect is None:
        assert (repr(health), health.last_change) == before
    else:
        event, after, reason = effect
        assert health.last_change == Change(state, after, event, reason)
        assert health.state is after


def test_the_balancer_is_told_whether_it_was_obeyed() -> None:
    assert [state for state in State if health_in(state).cool(1.0, "panic")] == [State.OPEN]
