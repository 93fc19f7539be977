"""A health in any state, and calls that end as a test wants."""

from __future__ import annotations

from gateway.domain.resilience.health import Cause, Event, Health, HealthRules, Permit, State, Verdict

RULES = HealthRules()


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
        health.apply(event, 0.0)
    assert health.state is state
    return health


def permit_of(health: Health, now: float, lease_s: float = 30.0) -> Permit:
    """Return a permit that there must be."""
    permit = health.admit(now, lease_s)
    assert isinstance(permit, Permit)
    return permit


def run(health: Health, verdict: Verdict, now: float, *, times: int = 1, cause: Cause = Cause.CALL) -> None:
    """Make calls that take no time."""
    for _ in range(times):
        health.settle(permit_of(health, now), verdict, now, cause=cause)


def run_slow(health: Health, now: float, *, times: int = 1) -> list[Permit]:
    """Make calls that have just become slow, and return the permits of those that still run."""
    permits = []
    for _ in range(times):
        permit = permit_of(health, now)
        health.note_slow(permit, now)
        permits.append(permit)
    return permits


def reason_of(health: Health) -> str:
    """Return why the last change was."""
    assert health.last_change is not None
    return health.last_change.reason
