"""The health of one endpoint: a circuit breaker as a state table.

Rules:

1. Whatever changes the state stands in ``TRANSITIONS``.  An event that is not listed for a state raises
   :exc:`IllegalEvent` and changes nothing.
2. A permit names the epoch that gave it; every event begins a new epoch.  A result whose permit is of an
   older epoch is dropped: a slow call admitted before the trip says nothing about the endpoint now, and must
   neither close a half-open circuit nor extend an open one.
3. Three verdicts.  ``IGNORED`` (killed, our own mistake, refused by our own pool) feeds nothing; a probe
   that ends so gives its lease back.
4. A half-open permit is a lease that expires: a caller that never comes back cannot hold the circuit
   half-open for ever.  The result of an expired lease is dropped.
5. Probes start with one; each that passes lets one more run at once; never more than are still needed to
   close.
6. A pushback (429) feeds the failure rate and never the fast trip, which counts failures to connect with no
   success between them.  As a probe's result it is a failure: an endpoint that refuses is not back.
7. ``FORCED_OPEN`` and ``FORCED_CLOSED`` count nothing; ``METRICS_ONLY`` counts, tells when it would have
   tripped, and admits everything.

Pure: time (monotonic seconds) and jitter (a draw from [0, 1)) are arguments.  No locks: an instance belongs
to one thread, and nothing here yields.  Deliberately absent: slow calls and active probes, which will feed
``settle`` too.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from gateway.domain.errors import SwitchboardError
from gateway.domain.resilience.window import RateWindow

__all__ = [
    "TRANSITIONS", "Cause", "Change", "Event", "Health", "HealthRules", "HealthView", "IllegalEvent",
    "Permit", "Refused", "State", "Verdict",
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


class Verdict(Enum):
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


class HealthRules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that decide, with the defaults of ``RpcSettings``."""

    window_s: float = 10.0
    calls_min: int = 20
    failure_ratio: float = 0.5
    connect_failures_max: int = 5
    open_base_s: float = 5.0
    open_max_s: float = 300.0
    probes: int = 3


class Permit(msgspec.Struct, frozen=True, gc=False):
    """The right to make one call.  ``lease`` is 0 unless it is a probe's."""

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
    calls: int
    failed: int
    connect_failures: int
    open_for_s: float
    probes_running: int
    probes_passed: int


class Health:
    """One endpoint's state.  ``admit`` before a call, ``settle`` after it, ``apply`` for an operator's
    word."""

    __slots__ = (
        "_closed_at", "_connect_failures", "_lease_last", "_leases", "_open_s", "_open_until", "_passed",
        "_permit", "_rules", "_trips", "_window", "last_change", "state",
    )  # fmt: skip

    def __init__(self, rules: HealthRules) -> None:
        self._rules = rules
        self._window = RateWindow(rules.window_s)
        self._permit = Permit(1)  # every plain permit of an epoch is the same value: none is made per call
        self._connect_failures = 0
        self._leases: dict[int, float] = {}  # lease -> when it expires
        self._lease_last = 0
        self._passed = 0
        self._trips = 0
        self._open_s = 0.0
        self._open_until = 0.0
        self._closed_at = 0.0
        self.state = State.CLOSED
        self.last_change: Change | None = None

    def __repr__(self) -> str:
        window = self._window
        return f"<Health {self.state.value} epoch={self._permit.epoch} failed={window.failed}/{window.calls}>"

    def admit(self, now: float, *, lease_s: float) -> Permit | Refused:
        """Return a permit, or why there is none.  *lease_s* is how long a probe may take at most."""
        state = self.state
        if state is State.CLOSED or state is State.FORCED_CLOSED or state is State.METRICS_ONLY:
            return self._permit
        if state is State.FORCED_OPEN:
            return Refused("forced_open", self._rules.open_base_s)
        if state is State.OPEN:
            if now < self._open_until:
                return Refused("open", self._open_until - now)
            self.apply(Event.COOLED, now=now)
        return self._lease(now, lease_s)

    def settle(
        self, permit: Permit, verdict: Verdict, *, now: float, jitter: float = 0.0, cause: Cause = Cause.CALL
    ) -> None:
        """Take the result of the call that *permit* allowed."""
        if permit.epoch != self._permit.epoch:
            return
        if permit.lease:
            self._settle_probe(permit.lease, verdict, now, jitter)
        elif verdict is not Verdict.IGNORED and self.state in COUNTING:
            self._count(verdict, cause, now, jitter)

    def apply(self, event: Event, *, now: float, jitter: float = 0.0, reason: str = "") -> None:
        """Let *event* happen, or raise :exc:`IllegalEvent` and change nothing."""
        before = self.state
        after = TRANSITIONS.get((before, event))
        if after is None:
            raise IllegalEvent(f"{event.name} cannot happen in {before.name}", reason="illegal_event")
        self.state = after
        self.last_change = Change(before, after, event, reason or event.value)
        self._permit = Permit(self._permit.epoch + 1)
        self._leases.clear()
        self._passed = 0
        self._connect_failures = 0
        self._window.clear()
        if after is State.OPEN:
            self._open(before, now, jitter)
        elif after is State.CLOSED:
            self._closed_at = now

    def view(self, now: float) -> HealthView:
        """Return what a person wants to see at *now*."""
        self._window.advance(now)
        return HealthView(
            state=self.state,
            calls=self._window.calls,
            failed=self._window.failed,
            connect_failures=self._connect_failures,
            open_for_s=max(0.0, self._open_until - now) if self.state is State.OPEN else 0.0,
            probes_running=len(self._leases),
            probes_passed=self._passed,
        )

    def _open(self, before: State, now: float, jitter: float) -> None:
        # Passing its probes is not enough to be forgiven: a flapping endpoint is shut out for longer each
        # time, until it has stayed closed for as long as it was last open.
        if before is State.CLOSED and now - self._closed_at >= self._open_s:
            self._trips = 0
        # Capped exponent: 2**1100 raises.  Equal jitter: half is certain, so that no draw means
        # "try at once".
        ceiling_s = min(self._rules.open_max_s, self._rules.open_base_s * 2 ** min(self._trips, 32))
        self._open_s = ceiling_s * (0.5 + jitter / 2)
        self._open_until = now + self._open_s
        self._trips += 1

    def _lease(self, now: float, lease_s: float) -> Permit | Refused:
        for lease in [lease for lease, expires_at in self._leases.items() if expires_at <= now]:
            del self._leases[lease]
        if len(self._leases) >= min(1 + self._passed, self._rules.probes - self._passed):
            return Refused("probing", max(0.0, min(self._leases.values()) - now))
        self._lease_last += 1
        self._leases[self._lease_last] = now + lease_s
        return Permit(self._permit.epoch, self._lease_last)

    def _settle_probe(self, lease: int, verdict: Verdict, now: float, jitter: float) -> None:
        expires_at = self._leases.pop(lease, None)
        if expires_at is None or expires_at <= now or verdict is Verdict.IGNORED:
            return
        if verdict is Verdict.FAILED:
            self.apply(Event.PROBE_FAILED, now=now, jitter=jitter)
            return
        self._passed += 1
        if self._passed >= self._rules.probes:
            self.apply(Event.PROBES_PASSED, now=now)

    def _count(self, verdict: Verdict, cause: Cause, now: float, jitter: float) -> None:
        window = self._window
        if verdict is Verdict.OK:
            self._connect_failures = 0
            window.add(now, failed=False)
            return
        window.add(now, failed=True)
        if cause is Cause.CONNECT:
            self._connect_failures += 1
            if self._connect_failures >= self._rules.connect_failures_max:
                self.apply(Event.TRIP, now=now, jitter=jitter, reason="connect_failures")
                return
        rules = self._rules
        if window.calls >= rules.calls_min and window.failed >= rules.failure_ratio * window.calls:
            self.apply(Event.TRIP, now=now, jitter=jitter, reason="failure_rate")
