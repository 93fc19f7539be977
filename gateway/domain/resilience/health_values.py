"""What goes into an endpoint's health and comes out of it: rules, permits, refusals, changes, and the view."""

from __future__ import annotations

import msgspec

from gateway.domain.resilience.health_table import Event, State

__all__ = ["Change", "HealthRules", "HealthView", "Permit", "Refused"]


class HealthRules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that decide, with the defaults of ``RpcSettings``."""

    window_s: float = 10.0
    #: Fewer calls than this in the window never trip by a rate.
    calls_min: int = 20
    failure_ratio: float = 0.5
    #: The share of slow and failed calls together.
    slow_ratio: float = 0.8
    #: Calls in a row that found no connection.
    connect_failures_max: int = 5
    open_base_s: float = 5.0
    open_max_s: float = 300.0
    #: Calls that must pass in half-open.
    probes: int = 3
    #: Active probes in a row that trip a closed circuit.
    probe_failures_max: int = 3
    #: Active probes in a row that end an open circuit's time early.
    probe_successes: int = 2


class Permit(msgspec.Struct, frozen=True, gc=False):
    """The right to make one call.  ``lease`` is 0 unless the call is a probe of a half-open circuit."""

    epoch: int
    lease: int = 0


class Refused(msgspec.Struct, frozen=True, gc=False):
    """No call now; ``reason`` is ``open``, ``probing`` or ``forced_open``."""

    reason: str
    retry_after_s: float


class Change(msgspec.Struct, frozen=True):
    """The last event that happened; ``reason`` is a short stable word."""

    before: State
    after: State
    event: Event
    reason: str


class HealthView(msgspec.Struct, frozen=True):
    """What a person is shown."""

    state: State
    #: Why it came to that state; empty if nothing ever happened.
    reason: str
    #: The window: all calls, those that failed, and those that were slow and have not failed.
    calls: int
    failed: int
    slow: int
    connect_failures: int
    #: Another process says that it tripped there: fewer failures are enough here, too.
    suspected: bool
    open_for_s: float
    #: How often in a row it has opened without being forgiven: each doubles the time.
    trips: int
    #: The next call would be a probe.
    due: bool
    probes_running: int
    probes_passed: int
    #: Active probes in a row.
    active_failed: int
    active_passed: int
    #: Active probes passed while calls failed: they may not end an open circuit's time until it has closed once.
    contradicted: bool
