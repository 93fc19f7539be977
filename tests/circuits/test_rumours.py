"""Rumours of circuits: heard by all others, never a storm, and never more than a hint."""

from __future__ import annotations

import pytest

from gateway.circuits.rumours import Rumours
from gateway.domain.hint import CircuitClosed, CircuitOpened
from gateway.domain.resilience.health import Change, Event, State
from gateway.store.signals import Audience

TRIPPED = Change(State.CLOSED, State.OPEN, Event.TRIP, "failure_rate")
CLOSED = Change(State.HALF_OPEN, State.CLOSED, Event.PROBES_PASSED, "probes_passed")
Said = CircuitOpened | CircuitClosed


class Client:
    """Notes what it is told of endpoints, as the RPC client would."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def suspect(self, label: str) -> None:
        self.told.append(("suspect", label))

    def peer_recovered(self, label: str) -> None:
        self.told.append(("recovered", label))


class Process:
    """One process among those of a network, in which a hint arrives at once, its own as well."""

    def __init__(self, network: Network, number: int) -> None:
        self.client = Client()
        self.number = number
        self.rumours = Rumours(network.publish, self.client, me=lambda: self.number, clock=lambda: network.now)


class Network:
    """All processes, their clock, and what was said."""

    def __init__(self, processes: int) -> None:
        self.now = 100.0
        self.said: list[tuple[Audience, Said]] = []
        self.processes = [Process(self, number) for number in range(1, processes + 1)]

    def publish(self, audience: Audience, hint: Said) -> None:
        self.said.append((audience, hint))
        if audience == "gateways":
            for process in self.processes:
                process.rumours.hear(hint)


def test_a_trip_makes_all_others_suspicious_and_a_recovery_hopeful() -> None:
    network = Network(3)
    finder, *others = network.processes
    finder.rumours.changed("e", TRIPPED)
    network.now += 5
    finder.rumours.changed("e", CLOSED)
    assert [other.client.told for other in others] == [[("suspect", "e"), ("recovered", "e")]] * 2
    assert finder.client.told == [], "it knows by itself"
    assert network.said == [
        ("gateways", CircuitOpened("e", 1)),
        ("workers", CircuitOpened("e", 1)),
        ("gateways", CircuitClosed("e", 1)),
        ("workers", CircuitClosed("e", 1)),
    ]


@pytest.mark.parametrize(
    "change",
    [
        Change(State.OPEN, State.HALF_OPEN, Event.COOLED, "cooled"),
        Change(State.HALF_OPEN, State.OPEN, Event.PROBE_FAILED, "probe_failed"),
        Change(State.METRICS_ONLY, State.METRICS_ONLY, Event.TRIP, "failure_rate"),
        *(
            Change(State.OPEN, after, event, "operator")
            for event, after in (
                (Event.FORCE_OPEN, State.FORCED_OPEN),
                (Event.FORCE_CLOSED, State.FORCED_CLOSED),
                (Event.METRICS_ONLY, State.METRICS_ONLY),
                (Event.RESET, State.CLOSED),
            )
        ),
    ],
    ids=lambda change: f"{change.event.name}-{change.after.name}",
)
def test_what_is_no_finding_is_not_said(change: Change) -> None:
    """An operator's word above all: it would make everybody suspect an endpoint that is well."""
    network = Network(1)
    network.processes[0].rumours.changed("e", change)
    assert network.said == []


def test_of_one_endpoint_one_thing_a_second() -> None:
    network = Network(1)
    [process] = network.processes
    for _ in range(50):
        process.rumours.changed("e", TRIPPED)
        process.rumours.changed("e", CLOSED)
        network.now += 0.1
    assert len(network.said) == 5 * 2, "five seconds, two audiences"


def test_another_endpoint_is_another_matter() -> None:
    network = Network(1)
    for endpoint in ("e", "f"):
        network.processes[0].rumours.changed(endpoint, TRIPPED)
    assert [hint.endpoint for audience, hint in network.said if audience == "gateways"] == ["e", "f"]


def test_what_everybody_has_heard_is_not_said_by_everybody() -> None:
    """Law: no storm.  A thousand processes that find the same thing at once say it once, not a million times."""
    network = Network(100)
    for process in network.processes:
        process.rumours.changed("e", TRIPPED)
    assert len(network.said) == 2
    network.now += 1
    network.processes[50].rumours.changed("e", CLOSED)
    assert len(network.said) == 4, "what it heard does not silence it for good"


def test_a_process_without_a_row_in_the_ledger_says_nothing() -> None:
    """Nobody could tell its words from their own; and it may call nobody yet."""
    network = Network(1)
    network.processes[0].number = 0
    network.processes[0].rumours.changed("e", TRIPPED)
    assert network.said == []


def test_what_is_remembered_is_bounded() -> None:
    network = Network(1)
    [process] = network.processes
    for number in range(5_000):
        process.rumours.hear(CircuitOpened(f"e{number}", 7))
    assert len(process.rumours._spoken) == 1_024
    assert "e4999" in process.rumours._spoken
