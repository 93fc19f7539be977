"""A health driven at random beside a model that keeps every call and every lease in lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.resilience.health import (
    TRANSITIONS,
    Cause,
    Event,
    Health,
    HealthRules,
    Permit,
    Refused,
    State,
    Verdict,
)
from gateway.domain.resilience.health_table import COMMANDS
from tests.support.examples import examples

RULES = HealthRules(
    window_s=10.0, calls_min=4, connect_failures_max=3, open_base_s=2.0, open_max_s=16.0, probes=3,
    probe_failures_max=2, probe_successes=2,
)  # fmt: skip
LEASE_S = 4.0
JITTERS = st.sampled_from([0.0, 0.5, 0.999])
COUNTING = (State.CLOSED, State.METRICS_ONLY)


@dataclass(slots=True, eq=False)
class Call:
    """One call that was admitted: by which epoch, until when as a probe, and whether it was noted as slow."""

    permit: Permit
    expires_at: float
    was_slow: bool = False


@dataclass(slots=True, eq=False)
class Counted:
    """One call in the model's window."""

    second: int
    kind: str


class HealthMachine(RuleBasedStateMachine):
    """Every input that there is, in any order, at any pace."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.health = Health(RULES)
        self.calls: list[Call] = []
        self.began_epoch()

    def began_epoch(self) -> None:
        """Forget what an event of the table makes void."""
        self.change = self.health.last_change
        self.counted: list[Counted] = []
        self.in_a_row = self.failed_in_a_row = 0
        self.passed = self.connect_failures = self.active_failed = self.active_passed = 0
        self.live: list[Call] = []  # calls whose result still counts
        self.suspected_until = 0.0

    def snapshot(self) -> Any:
        """Return everything that can be seen."""
        return repr(self.health), self.health.view(self.now), self.health.last_change, self.health.open_to_all

    def expect(self, event: Event, reason: str) -> None:
        """The table's event happened just now, and for this reason."""
        change = self.health.last_change
        assert change is not None
        assert change is not self.change
        assert (change.event, change.reason) == (event, reason)
        assert TRANSITIONS[change.before, event] is change.after is self.health.state
        self.began_epoch()

    def window(self) -> list[str]:
        return [call.kind for call in self.counted if call.second > int(self.now) - 10]

    def enough(self, count: int) -> int:
        return max(2, count // 4) if self.now < self.suspected_until else count

    def expect_trip_by_rate(self) -> None:
        kinds, enough = self.window(), self.enough(RULES.calls_min)
        failed, good = kinds.count("failed"), kinds.count("ok")
        if len(kinds) >= enough and failed / len(kinds) >= 0.5:
            self.expect(Event.TRIP, "failure_rate")
        elif len(kinds) >= enough and (len(kinds) - good) / len(kinds) >= 0.8:
            self.expect(Event.TRIP, "slow_rate")
        elif self.failed_in_a_row >= enough or (len(kinds) >= enough and self.in_a_row >= enough):
            self.expect(Event.TRIP, "in_a_row")

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    def admit(self) -> Call | None:
        view = self.health.view(self.now)
        state, due, open_for_s = view.state, view.due, view.open_for_s
        permit = self.health.admit(self.now, LEASE_S)
        if state is State.OPEN and not open_for_s:
            self.expect(Event.COOLED, "cooled")
        running = sum(self.now < call.expires_at for call in self.live)
        if state in (State.FORCED_OPEN, State.OPEN, State.HALF_OPEN):
            free = running < 1 + self.passed and running < RULES.probes - self.passed
            admits = free and state is not State.FORCED_OPEN and not open_for_s
            assert isinstance(permit, Permit) is admits is due
            assert isinstance(permit, Refused) or permit.lease
        else:
            assert not due
            assert isinstance(permit, Permit)
            assert not permit.lease
        if isinstance(permit, Refused):
            assert permit.retry_after_s > 0
            return None
        call = Call(permit, self.now + LEASE_S if permit.lease else float("inf"))
        self.live.append(call)
        return call

    @rule()
    def call_comes(self) -> None:
        call = self.admit()
        if call is not None:
            self.calls.append(call)

    @rule(
        count=st.integers(1, 4), verdict=st.sampled_from([Verdict.OK, Verdict.FAILED]), cause=st.sampled_from(Cause),
    )  # fmt: skip
    def calls_end_at_once(self, count: int, verdict: Verdict, cause: Cause) -> None:
        for _ in range(count):
            call = self.admit()
            if call is not None:
                self.end(call, verdict, cause, 0.0)

    @rule(count=st.integers(1, 4))
    def calls_hang(self, count: int) -> None:
        for _ in range(count):
            call = self.admit()
            if call is not None:
                self.calls.append(call)
                self.note_slow(call, 0.0)

    @rule()
    def the_open_time_passes(self) -> None:
        self.now += self.health.view(self.now).open_for_s

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), jitter=JITTERS)
    def call_is_slow(self, data: st.DataObject, jitter: float) -> None:
        call = data.draw(st.sampled_from(self.calls))
        if not call.was_slow:
            self.note_slow(call, jitter)

    def note_slow(self, call: Call, jitter: float) -> None:
        before = self.snapshot()
        call.was_slow = True
        self.health.note_slow(call.permit, self.now, jitter)
        if call not in self.live or self.health.state is State.FORCED_CLOSED:
            assert self.snapshot() == before
        elif call.permit.lease:
            self.live.remove(call)
            if self.now < call.expires_at:
                self.expect(Event.PROBE_FAILED, "probe_slow")
        else:
            self.counted.append(Counted(int(self.now), "slow"))
            self.in_a_row += 1
            self.expect_trip_by_rate()

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(), verdict=st.sampled_from(Verdict), cause=st.sampled_from(Cause), jitter=JITTERS,
    )  # fmt: skip
    def call_ends(self, data: st.DataObject, verdict: Verdict, cause: Cause, jitter: float) -> None:
        call = data.draw(st.sampled_from(self.calls))
        self.calls.remove(call)
        self.end(call, verdict, cause, jitter)

    def end(self, call: Call, verdict: Verdict, cause: Cause, jitter: float) -> None:
        before = self.snapshot()
        self.health.settle(call.permit, verdict, self.now, jitter, cause, call.was_slow)
        if call not in self.live or self.health.state is State.FORCED_CLOSED:
            assert self.snapshot() == before
            return
        self.live.remove(call)
        if call.permit.lease:
            self.probe_ended(call, verdict, cause)
        elif verdict is not Verdict.IGNORED:
            self.count(call, verdict, cause)

    def probe_ended(self, call: Call, verdict: Verdict, cause: Cause) -> None:
        if self.now >= call.expires_at or verdict is Verdict.IGNORED:
            return
        if verdict is Verdict.FAILED:
            self.expect(Event.PROBE_FAILED, "probe_unreachable" if cause is Cause.CONNECT else "probe_failed")
            return
        self.passed += 1
        if self.passed == RULES.probes:
            self.expect(Event.PROBES_PASSED, "probes_passed")

    def count(self, call: Call, verdict: Verdict, cause: Cause) -> None:
        if verdict is Verdict.OK:
            self.connect_failures = self.failed_in_a_row = 0
            if not call.was_slow:
                self.counted.append(Counted(int(self.now), "ok"))
                self.in_a_row = 0
            return
        noted = [c for c in self.counted if c.kind == "slow" and c.second > int(self.now) - 10]
        if call.was_slow and noted:
            noted[0].kind = "failed"
        else:
            self.counted.append(Counted(int(self.now), "failed"))
        if cause is not Cause.PUSHBACK:
            self.failed_in_a_row += 1
            self.in_a_row += not call.was_slow
        if cause is Cause.CONNECT:
            self.connect_failures += 1
            if self.connect_failures >= self.enough(RULES.connect_failures_max):
                self.expect(Event.TRIP, "connect_failures")
                return
        self.expect_trip_by_rate()

    @rule(ok=st.booleans(), jitter=JITTERS)
    def active_probe_ends(self, ok: bool, jitter: float) -> None:
        state, contradicted = self.health.state, self.health.view(self.now).contradicted
        self.active_failed = 0 if ok else self.active_failed + 1
        self.active_passed = self.active_passed + 1 if ok else 0
        self.health.probed(ok, self.now, jitter)
        if state in COUNTING and self.active_failed == RULES.probe_failures_max:
            self.expect(Event.TRIP, "probes")
        elif state is State.OPEN and self.active_passed >= RULES.probe_successes and not contradicted:
            self.expect(Event.COOLED, "probes")

    @rule()
    def a_peer_trips(self) -> None:
        self.health.suspect(self.now)
        self.suspected_until = self.now + RULES.window_s

    @rule()
    def a_peer_recovers(self) -> None:
        state = self.health.state
        self.health.peer_recovered(self.now)
        self.suspected_until = 0.0
        if state is State.OPEN:
            self.expect(Event.COOLED, "peer")

    @rule()
    def the_balancer_panics(self) -> None:
        if self.health.cool(self.now, "panic"):
            self.expect(Event.COOLED, "panic")

    @rule(command=st.sampled_from(sorted(COMMANDS, key=lambda event: event.value)), of_ten=st.integers(0, 9))
    def an_operator_speaks(self, command: Event, of_ten: int) -> None:
        if of_ten:
            return  # each word makes void what was counted: spoken often, it would leave nothing to be seen
        self.health.apply(command, self.now, reason="operator")
        self.expect(command, "operator")

    @precondition(lambda self: self.health.state in (State.FORCED_OPEN, State.FORCED_CLOSED))
    @rule()
    def an_operator_takes_the_word_back(self) -> None:
        self.health.apply(Event.RESET, self.now, reason="operator")
        self.expect(Event.RESET, "operator")

    @invariant()
    def it_shows_what_the_model_counted(self) -> None:
        view, kinds = self.health.view(self.now), self.window()
        assert (view.calls, view.failed, view.slow) == (
            len(kinds),
            kinds.count("failed"),
            kinds.count("slow"),
        )
        assert (view.connect_failures, view.probes_passed) == (self.connect_failures, self.passed)
        assert (view.active_failed, view.active_passed) == (self.active_failed, self.active_passed)
        assert view.suspected is (self.now < self.suspected_until)

    @invariant()
    def nothing_changed_unexpectedly(self) -> None:
        assert self.health.last_change is self.change

    @invariant()
    def never_more_probes_than_are_still_needed(self) -> None:
        running = sum(self.now < call.expires_at for call in self.live if call.permit.lease)
        assert running <= min(RULES.probes - self.passed, self.health.view(self.now).probes_running)

    @invariant()
    def only_what_is_shut_by_itself_was_tripped_by_a_rate(self) -> None:
        health = self.health
        shut = health.state in (State.OPEN, State.HALF_OPEN)
        assert shut or not health.tripped_by_rate
        assert (health.due_for_s(self.now) >= 0.0) is health.due(self.now)
        assert shut or not health.due(self.now)

    @invariant()
    def open_always_ends(self) -> None:
        health, view = self.health, self.health.view(self.now)
        assert health.open_to_all is (view.state not in (State.OPEN, State.HALF_OPEN, State.FORCED_OPEN))
        if view.state is State.OPEN:
            assert 0 <= view.open_for_s <= RULES.open_max_s
            assert view.trips >= 1
            # A hair later, because two roundings are between the two numbers.
            assert health.due(self.now + view.open_for_s + 1e-6)
        elif view.state is State.HALF_OPEN:
            assert health.due(self.now + LEASE_S), "lost probes hold no lease for ever"


TestHealth = HealthMachine.TestCase
TestHealth.settings = settings(max_examples=examples(150), stateful_step_count=80, deadline=None)
