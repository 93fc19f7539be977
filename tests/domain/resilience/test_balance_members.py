"""The balancer over members as they are: whom it chooses may be called, and whoever is well again is called again."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.resilience.balance import Kind
from gateway.domain.resilience.health import Event, State, Verdict
from tests.domain.resilience.health_states import permit_of
from tests.domain.resilience.members import RULES, Attempt, Fleet, Mood
from tests.support.examples import examples


def tripped(fleet: Fleet, *indexes: int) -> None:
    """Let these members fail until their circuits open, and then be well."""
    for index in indexes:
        fleet.members[index].mood = Mood.FAILING
    while any(fleet.members[index].health.state is State.CLOSED for index in indexes):
        fleet.call()
        fleet.now += 0.05
        assert fleet.now < 1_100.0
    for index in indexes:
        fleet.members[index].mood = Mood.WELL


def states(fleet: Fleet) -> list[State]:
    return [member.health.state for member in fleet.members]


# Shut by themselves and shut by an operator


def test_whom_an_operator_forced_open_is_not_spared_although_rates_had_shut_it_out() -> None:
    """Both of two have tripped, so one is more than half."""
    fleet = Fleet(2)
    for member in fleet.members:
        for _ in range(3):
            member.health.settle(permit_of(member.health, fleet.now), Verdict.FAILED, fleet.now)
            member.latency.failed(fleet.now, 0.0)
            member.latency.observe(fleet.now, 0.005)
        member.health.settle(permit_of(member.health, fleet.now), Verdict.FAILED, fleet.now)
    assert states(fleet) == [State.OPEN] * 2
    assert len(fleet.balancer.spared()) == 1

    for member in fleet.members:
        member.health.apply(Event.FORCE_OPEN, fleet.now)

    assert fleet.balancer.spared() == []
    fleet.run(60.0, pause_s=0.01, may_probe=True)
    assert [member.calls for member in fleet.members] == [0, 0]


def test_whom_an_operator_forced_open_counts_among_the_shut_ones() -> None:
    """The others are spared for it: somebody must take the calls."""
    fleet = Fleet(2)
    tripped(fleet, 0)
    fleet.members[1].health.apply(Event.FORCE_OPEN, fleet.now)

    assert fleet.balancer.spared() == [0]
    begun = fleet.begin(may_probe=False)
    assert begun is not None
    assert (begun[0].index, begun[0].kind) == (0, Kind.SPARED)


# Coming back


@pytest.mark.parametrize("pause_s", [0.01, 0.4])
def test_a_copy_comes_back_to_a_service_whose_calls_cannot_be_made_again(pause_s: float) -> None:
    """A second after its open time at the latest, with the next calls."""
    fleet = Fleet(2)
    tripped(fleet, 0)
    open_s = fleet.members[0].health.view(fleet.now).open_for_s
    calls = fleet.members[0].calls

    fleet.run(open_s + 0.9, pause_s=pause_s)
    assert fleet.members[0].calls == calls, "left to a call that can be made again"
    assert fleet.run(0.2 + 4 * pause_s, pause_s=pause_s)[False] == 0

    assert states(fleet) == [State.CLOSED] * 2


def test_a_call_that_can_be_made_again_is_the_probe_at_once() -> None:
    fleet = Fleet(2)
    tripped(fleet, 0)
    fleet.now += fleet.members[0].health.view(fleet.now).open_for_s

    for _ in range(RULES.probes):
        assert fleet.call(may_probe=True)
    assert states(fleet) == [State.CLOSED] * 2


def test_a_copy_that_active_probes_find_well_comes_back_with_any_call() -> None:
    fleet = Fleet(2)
    tripped(fleet, 0)
    for _ in range(RULES.probe_successes):
        fleet.members[0].health.probed(ok=True, now=fleet.now)

    for _ in range(RULES.probes):
        assert fleet.call()
    assert states(fleet) == [State.CLOSED] * 2


def test_a_copy_that_stays_sick_costs_a_service_without_repeatable_calls_a_probe_for_each_open_time() -> None:
    """Open for 2, 4 and then 8 s, and a second each until anybody's call finds out: 13 in two minutes."""
    fleet = Fleet(2)
    tripped(fleet, 0)
    fleet.members[0].mood = Mood.FAILING
    assert fleet.run(120.0, pause_s=0.05)[False] <= 14


# Who is not known, or has failed


def test_calls_made_one_by_one_go_to_both_of_two_that_are_well() -> None:
    """Neither has any advantage but the first draw."""
    fleet, rng = Fleet(2), Random(3)
    for _ in range(2_000):
        for member in fleet.members:
            member.takes_s = 0.004 + 0.002 * rng.random()
        assert fleet.call()

    assert min(member.calls for member in fleet.members) >= 500


def test_one_that_failed_its_first_call_is_called_again() -> None:
    """When time has healed it: nothing else can, for it is not called."""
    fleet = Fleet(2)
    first = fleet.begin(may_probe=False)
    assert first is not None
    failing = first[1].member
    failing.mood = Mood.FAILING
    fleet.end(first[1], 0.001)
    failing.mood = Mood.WELL
    fleet.run(9.0, pause_s=0.001)
    assert failing.calls == 1

    calls = sum(fleet.run(11.0, pause_s=0.001).values())

    assert failing.calls >= calls / 3


def test_one_that_failed_once_among_many_is_called_again() -> None:
    """Sooner: its estimate has come down meanwhile."""
    fleet = Fleet(2)
    fleet.run(2.0, pause_s=0.001)
    begun = fleet.begin(may_probe=False)
    assert begun is not None
    failing = begun[1].member
    failing.mood = Mood.FAILING
    fleet.end(begun[1], 0.001)
    failing.mood = Mood.WELL
    before = failing.calls

    calls = sum(fleet.run(20.0, pause_s=0.001).values())

    assert failing.calls - before >= calls / 4


def test_one_that_hangs_is_not_asked_anew_by_each_call_without_patience() -> None:
    """What became of those calls nobody hears: they say nothing against it."""
    fleet = Fleet(2)
    trials = 0
    for _ in range(1_000):
        begun = fleet.begin(may_probe=False)
        assert begun is not None
        choice, attempt = begun
        fleet.now += 0.05
        if choice.index == 0:
            trials += 1
            attempt.member.gate.leave("")
        else:
            fleet.end(attempt, 0.005)

    assert trials <= 6, "one in ten seconds"


# Every order of events


class FleetMachine(RuleBasedStateMachine):
    """Members that are well and are not, operators, active probes, calls that overlap.  ``Fleet`` asserts what each
    choice must be."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet(4, slots_max=3)
        self.under_way: list[Attempt] = []

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.5, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.fleet.now += seconds

    @rule(index=st.integers(0, 3), mood=st.sampled_from(Mood))
    def a_mood_changes(self, index: int, mood: Mood) -> None:
        self.fleet.members[index].mood = mood

    @rule(
        index=st.integers(0, 3),
        event=st.sampled_from([Event.FORCE_OPEN, Event.FORCE_CLOSED, Event.METRICS_ONLY, Event.RESET]),
    )
    def an_operator_speaks(self, index: int, event: Event) -> None:
        self.fleet.members[index].health.apply(event, self.fleet.now)

    @rule(index=st.integers(0, 3), times=st.integers(1, 3))
    def active_probes(self, index: int, times: int) -> None:
        member = self.fleet.members[index]
        for _ in range(times):
            member.health.probed(member.mood is Mood.WELL, self.fleet.now)

    @rule(count=st.integers(1, 8), may_probe=st.booleans())
    def calls_one_by_one(self, count: int, may_probe: bool) -> None:
        for _ in range(count):
            self.checked(may_probe, 0, kept=False)

    @rule(may_probe=st.booleans(), tried=st.integers(0, 15))
    def a_call_begins(self, may_probe: bool, tried: int) -> None:
        self.checked(may_probe, tried, kept=True)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def a_call_ends(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self.under_way))
        self.under_way.remove(attempt)
        self.fleet.end(attempt, 0.02)

    def checked(self, may_probe: bool, tried: int, *, kept: bool) -> None:
        fleet, now = self.fleet, self.fleet.now
        spared = fleet.balancer.spared()
        taking = [index for index, member in enumerate(fleet.members) if member.ready or index in spared]
        due_s = [member.due_for_s(now) for member in fleet.members]
        begun = fleet.begin(may_probe=may_probe, tried=tried)
        if begun is None:
            assert not taking
            assert max(due_s) < 0.0
            return
        choice, attempt = begun
        if choice.kind is Kind.PROBE:
            assert due_s[choice.index] >= (0.0 if may_probe or not taking else 1.0)
        elif choice.kind is Kind.PANIC:
            assert may_probe or not taking
        elif not tried:
            least_s = 0.0 if may_probe else 1.0
            assert max(due_s) < least_s, "whoever is due comes first"
        if kept:
            self.under_way.append(attempt)
        else:
            fleet.end(attempt, 0.02)

    @invariant()
    def what_is_spared_is_shut_by_its_own_calls(self) -> None:
        for index in self.fleet.balancer.spared():
            assert self.fleet.members[index].health.state in (State.OPEN, State.HALF_OPEN)


TestFleet = FleetMachine.TestCase
TestFleet.settings = settings(max_examples=examples(100), stateful_step_count=60, deadline=None)


@settings(max_examples=60, deadline=None)
@given(
    moods=st.lists(st.lists(st.sampled_from(Mood), min_size=3, max_size=3), min_size=1, max_size=5),
    may_probe=st.booleans(),
    seed=st.integers(0, 9),
)
def test_whatever_happened_all_come_back_when_all_are_well(
    moods: list[list[Mood]], may_probe: bool, seed: int
) -> None:
    """Also where no call can be made again."""
    fleet = Fleet(3, seed=seed)
    for each in moods:
        for member, mood in zip(fleet.members, each, strict=True):
            member.mood = mood
        fleet.run(3.0, pause_s=0.05, may_probe=may_probe)
    for member in fleet.members:
        member.mood = Mood.WELL
    # The longest open time, a second for each of them, and what three probes each take.
    fleet.run(RULES.open_max_s + 5.0, pause_s=0.05, may_probe=may_probe)

    assert states(fleet) == [State.CLOSED] * 3
    calls = [member.calls for member in fleet.members]
    fleet.run(60.0, pause_s=0.05, may_probe=may_probe)
    assert min(member.calls - before for member, before in zip(fleet.members, calls, strict=True)) > 100
