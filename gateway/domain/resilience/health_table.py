"""The states of an endpoint's health, and which event leads from which to which.

Whatever changes the state stands in ``TRANSITIONS``.  An event that is not listed for a state cannot happen in it.
The numbers that make events happen are the business of :mod:`gateway.domain.resilience.health`.
"""

from __future__ import annotations

from enum import Enum

from gateway.domain.errors import SwitchboardError

__all__ = [
    "COMMANDS", "COUNTING", "OPEN_TO_ALL", "TRANSITIONS", "Cause", "Event", "IllegalEvent", "State", "Verdict",
]  # fmt: skip


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"
    METRICS_ONLY = "metrics_only"


class Event(Enum):
    # What the circuit does by itself.
    TRIP = "trip"
    COOLED = "cooled"
    PROBES_PASSED = "probes_passed"
    PROBE_FAILED = "probe_failed"
    # What an operator says.
    FORCE_OPEN = "force_open"
    FORCE_CLOSED = "force_closed"
    METRICS_ONLY = "metrics_only"
    RESET = "reset"


#: An operator's word holds in every state, and saying it twice is harmless.
COMMANDS = {
    Event.FORCE_OPEN: State.FORCED_OPEN,
    Event.FORCE_CLOSED: State.FORCED_CLOSED,
    Event.METRICS_ONLY: State.METRICS_ONLY,
    Event.RESET: State.CLOSED,
}

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.TRIP): State.OPEN,
    (State.OPEN, Event.COOLED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.PROBES_PASSED): State.CLOSED,
    (State.HALF_OPEN, Event.PROBE_FAILED): State.OPEN,
    # Told, not obeyed.
    (State.METRICS_ONLY, Event.TRIP): State.METRICS_ONLY,
    **{(state, command): after for state in State for command, after in COMMANDS.items()},
}

#: States in which results are counted.
COUNTING = frozenset({State.CLOSED, State.METRICS_ONLY})

#: States that admit every call.
OPEN_TO_ALL = frozenset({State.CLOSED, State.FORCED_CLOSED, State.METRICS_ONLY})


class Verdict(Enum):
    """What the end of a call says about its endpoint."""

    OK = "ok"
    FAILED = "failed"
    IGNORED = "ignored"


class Cause(Enum):
    """What kind of failure it was."""

    CALL = "call"
    CONNECT = "connect"
    PUSHBACK = "pushback"


class IllegalEvent(SwitchboardError):
    """An event that the table does not list for the present state: a mistake of ours."""
