"""The health of one endpoint: a circuit breaker whose inputs are calls, active probes and other processes' hints.

Rules:

1. Whatever changes the state stands in ``TRANSITIONS`` (``health_table.py``).  An event that is not listed for a
   state raises :exc:`IllegalEvent` and changes nothing.
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
7. A slow call counts when it has become slow, not when it ends: an endpoint that hangs trips before its calls
   time out.  Failed and slow calls together feed the slow rate, each once: half dead and half slow is sick.
8. As many failed or slow calls in a row as a rate needs at least trip too: ten good seconds behind them say nothing for
   an endpoint that hangs now.  As many failures with no answer between them trip however long they took: who calls
   seldom never has enough in a window.  Slow answers are answers there.  A pushback does not count in either row.
9. Active probes may trip a closed circuit and end an open one's time early.  Only calls close it: a health page
   that smiles while calls hang says nothing for them.  Contradicted so once, probes end no open time any more until
   the circuit has closed.
10. Others' words close nothing and open nothing.  ``suspect`` makes fewer failures enough for a window's time;
   ``cool`` (the balancer, when too few endpoints are left) and ``peer_recovered`` end an open time early.  It was not
   this endpoint that asked for that probe: if it fails, the next open time is no longer than the last.
11. ``FORCED_OPEN`` and ``FORCED_CLOSED`` count nothing; ``METRICS_ONLY`` counts, tells when it would have
    tripped, and admits everything.

Pure: time (monotonic seconds) and jitter (a draw from [0, 1)) are arguments.  No locks: an instance belongs
to one thread, and nothing here yields.  Deliberately absent: timers.  Who watches calls, sends active probes and
hears hints is the shell's business.
"""

from __future__ import annotations

from math import inf

from gateway.domain.resilience.health_table import (
    COUNTING,
    OPEN_TO_ALL,
    TRANSITIONS,
    Cause,
    Event,
    IllegalEvent,
    State,
    Verdict,
)
from gateway.domain.resilience.health_values import Change, HealthRules, HealthView, Permit, Refused
from gateway.domain.resilience.leases import Leases
from gateway.domain.resilience.window import RateWindow

__all__ = [
    "TRANSITIONS", "Cause", "Change", "Event", "Health", "HealthRules", "HealthView", "IllegalEvent",
    "Permit", "Refused", "State", "Verdict",
]  # fmt: skip

# What runs once a call reads these as globals: a member of an Enum costs twice as much.
_OK = Verdict.OK
_IGNORED = Verdict.IGNORED

_COOLED_BY_TIME = Event.COOLED.value
_COOLED_BY_PROBES = "probes"
_COOLED_BY_PEER = "peer"
#: Reasons for having opened that are the calls' own failing or being slow.
_RATES = frozenset({"failure_rate", "slow_rate", "in_a_row", "probe_failed", "probe_slow"})


class Health:
    """One endpoint's state.  ``admit`` before a call, ``note_slow`` when it takes too long, ``settle`` after it,
    ``apply`` for an operator's word."""

    __slots__ = (
        "_active_failed", "_active_passed", "_bad_in_a_row", "_connect_failures", "_contradicted", "_cooled_by",
        "_counting", "_epoch", "_failed_in_a_row", "_leases", "_open_s", "_open_until", "_opened_at", "_permit",
        "_rules", "_suspected_until", "_trips", "_window", "closed_at", "last_change", "open_to_all", "state",
        "tripped_by_rate",
    )  # fmt: skip

    def __init__(self, rules: HealthRules) -> None:
        self._rules = rules
        self._window = RateWindow(rules.window_s)
        self._leases = Leases(rules.probes)
        self._epoch = 1
        self._permit = Permit(1)  # every plain permit of an epoch is the same value: none is made per call
        self._counting = True
        self._connect_failures = 0
        self._bad_in_a_row = 0  # failed or slow, until a call goes well in time
        self._failed_in_a_row = 0  # until a call goes well; those that found no connection are among them
        self._active_failed = 0
        self._active_passed = 0
        self._contradicted = False
        self._cooled_by = _COOLED_BY_TIME
        self._suspected_until = -inf
        self._trips = 0
        self._open_s = 0.0
        self._open_until = 0.0  # in half-open: when calls might become probes
        self._opened_at = 0.0
        self.state = State.CLOSED
        #: Every call is admitted without a question.
        self.open_to_all = True
        #: When calls were last let in again after it had been shut; ``-inf`` if it never was.
        self.closed_at = -inf
        #: It is shut because calls failed or were slow, and not because of refused connections, probes or an
        #: operator's word.
        self.tripped_by_rate = False
        self.last_change: Change | None = None

    def __repr__(self) -> str:
        window = self._window
        counts = f"failed={window.failed}/{window.calls} slow={window.slow}"
        return f"<Health {self.state.value} epoch={self._epoch} {counts}>"

    def admit(self, now: float, lease_s: float) -> Permit | Refused:
        """Return a permit, or why there is none.  *lease_s* is how long a probe may take at most."""
        if self.open_to_all:
            return self._permit
        if self.state is State.FORCED_OPEN:
            return Refused("forced_open", self._rules.open_base_s)
        if self.state is State.OPEN:
            if now < self._open_until:
                return Refused("open", self._open_until - now)
            self.apply(Event.COOLED, now=now)
        lease = self._leases.take(now, lease_s)
        return Permit(self._epoch, lease) if lease else Refused("probing", self._leases.wait_s(now))

    def settle(
        self,
        permit: Permit,
        verdict: Verdict,
        now: float,
        jitter: float = 0.0,
        cause: Cause = Cause.CALL,
        was_slow: bool = False,
    ) -> None:
        """Take the result of the call that *permit* allowed; *was_slow* says that ``note_slow`` counted it."""
        if permit.epoch != self._epoch:
            return
        if permit.lease:
            self._settle_probe(permit.lease, verdict, now, jitter, cause)
        elif verdict is _IGNORED or not self._counting:
            return
        elif verdict is _OK:
            if self._failed_in_a_row:
                self._failed_in_a_row = self._connect_failures = 0
            if not was_slow:
                self._bad_in_a_row = 0
                self._window.add(now)
        else:
            self._count_failure(cause, was_slow, now, jitter)

    def note_slow(self, permit: Permit, now: float, jitter: float = 0.0) -> None:
        """Count the call that *permit* allowed, still in flight, as a slow one.  Once a call."""
        if permit.epoch != self._epoch:
            return
        if permit.lease:
            if self._leases.end(permit.lease, now):
                self.apply(Event.PROBE_FAILED, now=now, jitter=jitter, reason="probe_slow")
        elif self._counting:
            self._window.add_slow(now)
            self._bad_in_a_row += 1
            self._trip_by_rate(now, jitter)

    def probed(self, ok: bool, now: float, jitter: float = 0.0) -> None:
        """Take the result of an active probe."""
        rules = self._rules
        self._active_failed = 0 if ok else self._active_failed + 1
        self._active_passed = self._active_passed + 1 if ok else 0
        if self._counting and self._active_failed >= rules.probe_failures_max:
            self.apply(Event.TRIP, now=now, jitter=jitter, reason="probes")
        elif self._active_passed >= rules.probe_successes and not self._contradicted:
            self.cool(now, _COOLED_BY_PROBES)

    def suspect(self, now: float) -> None:
        """Hear that another process tripped: for a window's time fewer failures are enough here."""
        self._suspected_until = now + self._rules.window_s

    def peer_recovered(self, now: float) -> None:
        """Hear that another process closed its circuit: ours need not wait to try."""
        self._suspected_until = -inf
        self.cool(now, _COOLED_BY_PEER)

    def cool(self, now: float, reason: str) -> bool:
        """End an open circuit's time now; False, and nothing happened, if it is not open by itself."""
        if self.state is not State.OPEN:
            return False
        self.apply(Event.COOLED, now=now, reason=reason)
        return True

    def due(self, now: float) -> bool:
        """Return whether a call would be a probe now: its time has come, and there is a lease."""
        if self.state is State.OPEN:
            return now >= self._open_until
        return self.state is State.HALF_OPEN and self._leases.free(now)

    def due_for_s(self, now: float) -> float:
        """Return for how long calls might have been probes; -1 if one would be none now.

        Infinite where active probes say that it is well: such a probe is no venture.
        """
        if not self.due(now):
            return -1.0
        if self.state is State.HALF_OPEN and self._cooled_by == _COOLED_BY_PROBES:
            return inf
        return max(0.0, now - self._open_until)

    def shut_for_s(self, now: float) -> float:
        """Return for how long it has been open by itself; -1 if it is not."""
        return now - self._opened_at if self.state is State.OPEN else -1.0

    def apply(self, event: Event, now: float, jitter: float = 0.0, reason: str = "") -> None:
        """Let *event* happen, or raise :exc:`IllegalEvent` and change nothing."""
        before = self.state
        after = TRANSITIONS.get((before, event))
        if after is None:
            raise IllegalEvent(f"{event.name} cannot happen in {before.name}", reason="illegal_event")
        was_open_to_all = self.open_to_all
        self.state = after
        self.open_to_all = after in OPEN_TO_ALL
        self.last_change = Change(before, after, event, reason or event.value)
        self._begin_epoch()
        if after is State.OPEN:
            self._open(event, now, jitter)
        elif after is State.HALF_OPEN:
            self._cooled_by = self.last_change.reason
            self._open_until = min(self._open_until, now)
        else:
            # Whatever shut it out before is over, also where an operator now does.
            self.tripped_by_rate = False
            if self.open_to_all and not was_open_to_all:
                self.closed_at = now
                self._contradicted = False

    def view(self, now: float) -> HealthView:
        """Return what a person wants to see at *now*."""
        window, change = self._window, self.last_change
        window.advance(now)
        return HealthView(
            state=self.state,
            reason=change.reason if change is not None else "",
            calls=window.calls,
            failed=window.failed,
            slow=window.slow,
            connect_failures=self._connect_failures,
            suspected=now < self._suspected_until,
            open_for_s=max(0.0, self._open_until - now) if self.state is State.OPEN else 0.0,
            trips=self._trips,
            due=self.due(now),
            probes_running=self._leases.running,
            probes_passed=self._leases.passed,
            active_failed=self._active_failed,
            active_passed=self._active_passed,
            contradicted=self._contradicted,
        )

    def _begin_epoch(self) -> None:
        self._epoch += 1
        self._permit = Permit(self._epoch)
        self._counting = self.state in COUNTING
        self._leases.clear()
        self._window.clear()
        self._connect_failures = self._bad_in_a_row = self._failed_in_a_row = 0
        self._active_failed = self._active_passed = 0
        # What the hint was about has been decided here now.
        self._suspected_until = -inf

    def _open(self, event: Event, now: float, jitter: float) -> None:
        assert self.last_change is not None
        self.tripped_by_rate = self.last_change.reason in _RATES
        if event is Event.TRIP:
            # Passing its probes is not enough to be forgiven: a flapping endpoint is shut out for longer each
            # time, until it has stayed closed for as long as it was last open.
            if now - self.closed_at >= self._open_s:
                self._trips = 0
        elif self._cooled_by == _COOLED_BY_PROBES:
            self._contradicted = True
        elif self._cooled_by != _COOLED_BY_TIME:
            self._trips -= 1
        # Capped exponent: 2**1100 raises.  Equal jitter: half is certain, so that no draw means
        # "try at once".
        ceiling_s = min(self._rules.open_max_s, self._rules.open_base_s * 2 ** min(self._trips, 32))
        self._open_s = ceiling_s * (0.5 + jitter / 2)
        self._opened_at = now
        self._open_until = now + self._open_s
        self._trips += 1

    def _settle_probe(self, lease: int, verdict: Verdict, now: float, jitter: float, cause: Cause) -> None:
        if not self._leases.end(lease, now) or verdict is _IGNORED:
            return
        if verdict is _OK:
            if self._leases.enough_passed():
                self.apply(Event.PROBES_PASSED, now=now)
        else:
            reason = "probe_unreachable" if cause is Cause.CONNECT else "probe_failed"
            self.apply(Event.PROBE_FAILED, now=now, jitter=jitter, reason=reason)

    def _count_failure(self, cause: Cause, was_slow: bool, now: float, jitter: float) -> None:
        if was_slow:
            self._window.fail_slow(now)
        else:
            self._window.add_failed(now)
            if cause is not Cause.PUSHBACK:
                self._bad_in_a_row += 1
        if cause is not Cause.PUSHBACK:
            self._failed_in_a_row += 1
        if cause is Cause.CONNECT:
            self._connect_failures += 1
            if self._connect_failures >= self._enough(self._rules.connect_failures_max, now):
                self.apply(Event.TRIP, now=now, jitter=jitter, reason="connect_failures")
                return
        self._trip_by_rate(now, jitter)

    def _trip_by_rate(self, now: float, jitter: float) -> None:
        reason = self._why_trip(self._enough(self._rules.calls_min, now))
        if reason:
            self.apply(Event.TRIP, now=now, jitter=jitter, reason=reason)

    def _why_trip(self, calls_min: int) -> str:
        window, rules = self._window, self._rules
        if window.calls >= calls_min:
            if window.failed >= rules.failure_ratio * window.calls:
                return "failure_rate"
            if window.failed + window.slow >= rules.slow_ratio * window.calls:
                return "slow_rate"
            if self._bad_in_a_row >= calls_min:
                return "in_a_row"
        return "in_a_row" if self._failed_in_a_row >= calls_min else ""

    def _enough(self, count: int, now: float) -> int:
        if now >= self._suspected_until:
            return count
        # Two at least: one failure is an accident, whatever others say.
        return min(count, max(2, count // 4))
