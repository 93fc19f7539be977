"""Who gets the next call: two draws, probes, panic, the ejection cap, slow start."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.resilience.balance import Balancer, BalanceRules, Choice, Kind
from gateway.domain.resilience.latency import Latency

RULES = BalanceRules()
NOW = 1_000.0


def known(ttfb_s: float = 0.03) -> Latency:
    """Return what calls cost a member that has just answered one."""
    latency = Latency()
    latency.observe(NOW, ttfb_s)
    return latency


@dataclass
class Member:
    """A member that is whatever a test says; ``test_balance_members.py`` has those that can be."""

    ready: bool = True
    room: bool = True
    in_flight: int = 0
    latency: Latency = field(default_factory=known)
    since: float = -inf
    tripped_by_rate: bool = False
    due_s: float = -1.0
    open_s: float = -1.0

    def due_for_s(self, now: float) -> float:
        return self.due_s

    def shut_for_s(self, now: float) -> float:
        return self.open_s


def shut(*, failed: int = 4, by_rate: bool = True, open_s: float = 0.0) -> Member:
    """Return a member with an open circuit, whose last calls failed *failed* times of 8."""
    member = Member(ready=False, tripped_by_rate=by_rate, open_s=open_s)
    for _ in range(failed):
        member.latency.failed(NOW, 0.0)
    return member


def slow(ttfb_s: float, **more: object) -> Member:
    return Member(latency=known(ttfb_s), **more)  # type: ignore[arg-type]


def balancer(*members: Member, draw: Callable[[], float] | None = None) -> Balancer:
    return Balancer(members, RULES, draw or random.Random(5).random)


def shares(members: list[Member], count: int = 4_000, *, tried: int = 0) -> Counter[tuple[int, Kind]]:
    """Return how often each member was chosen in which role by calls that may not be probes."""
    chooser = balancer(*members)
    choices = [chooser.choose(NOW, tried, False) for _ in range(count)]
    return Counter((choice.index, choice.kind) for choice in choices if choice)


def test_equal_members_get_equal_shares() -> None:
    """Every pair is drawn equally often."""
    counts = shares([slow(0.02) for _ in range(4)])
    # Equal costs: the first drawn is taken.
    assert all(900 < counts[index, Kind.READY] < 1_100 for index in range(4))


def test_of_two_the_one_with_the_lower_cost_is_taken() -> None:
    """Cost is time to first byte times the calls that would then be there."""
    assert shares([slow(0.02, in_flight=1), slow(0.05)]) == {(0, Kind.READY): 4_000}
    assert shares([slow(0.02, in_flight=3), slow(0.05)]) == {(1, Kind.READY): 4_000}


def test_the_worst_of_three_is_never_taken_the_others_are_both() -> None:
    """Two are drawn and not all looked at: whoever is best does not get everything."""
    counts = shares([slow(0.01), slow(0.02), slow(0.03)])
    assert set(counts) == {(0, Kind.READY), (1, Kind.READY)}
    assert counts[0, Kind.READY] == pytest.approx(4_000 * 2 / 3, rel=0.1)


def test_a_member_with_room_comes_before_a_faster_one_without() -> None:
    """And where none has room the lines are chosen among by cost."""
    assert shares([slow(0.01, room=False), slow(9.0), slow(0.01, room=False)]) == {(1, Kind.READY): 4_000}
    assert shares([slow(0.01, room=False), slow(9.0, room=False)]) == {(0, Kind.READY): 4_000}


def test_a_tried_member_comes_last() -> None:
    """Behind one that is slow and has no room, but before none at all."""
    assert shares([slow(0.01), slow(9.0, room=False)], tried=0b01) == {(1, Kind.READY): 4_000}
    assert shares([slow(0.01), slow(9.0)], tried=0b01) == {(1, Kind.READY): 4_000}
    assert shares([slow(0.01), slow(0.02)], tried=0b11) == {(0, Kind.READY): 4_000}
    assert shares([slow(0.01), shut()], tried=0b01) == {(0, Kind.READY): 4_000}


def test_others_left() -> None:
    """Only ready members that were not tried are others."""
    assert balancer(Member(), Member()).others_left(0b01)
    assert not balancer(Member(), Member()).others_left(0b11)
    assert not balancer(Member(), Member(ready=False, due_s=0.0)).others_left(0b01)


def test_a_cooled_member_gets_a_call_that_may_be_a_probe() -> None:
    """A call that may not, or was there before, goes to a ready one; if there is none, it goes all the same."""
    cooled = Member(ready=False, due_s=0.9)
    assert balancer(Member(), Member(), cooled).choose(NOW, 0, True) == Choice(2, Kind.PROBE)
    assert balancer(Member(), cooled).choose(NOW, 0, False) == Choice(0, Kind.READY)
    assert balancer(Member(), cooled).choose(NOW, 0b10, True) == Choice(0, Kind.READY)
    assert balancer(shut(by_rate=False), cooled).choose(NOW, 0b10, False) == Choice(1, Kind.PROBE)


@pytest.mark.parametrize("due_s", [1.0, inf])
def test_a_member_that_waits_in_vain_for_such_a_call_gets_any(due_s: float) -> None:
    """Or one that active probes found well; but none that was there before."""
    cooled = Member(ready=False, due_s=due_s)
    assert balancer(Member(), cooled).choose(NOW, 0, False) == Choice(1, Kind.PROBE)
    assert balancer(Member(), cooled).choose(NOW, 0b10, False) == Choice(0, Kind.READY)


def test_of_a_member_that_nobody_knows_one_call_finds_out() -> None:
    """The first that is drawn for it; the next ones go where something is known."""
    unknown = Member(latency=Latency())
    members = [slow(0.01), slow(0.01, in_flight=1), unknown]
    assert shares(members)[2, Kind.READY] == 1
    unknown.latency.failed(NOW, 0.001)
    assert shares(members)[2, Kind.READY] == 0
    unknown.latency, unknown.since = Latency(), NOW - 9.0
    assert shares(members)[2, Kind.READY] == 1, "also in its slow start"
    members[1] = shut()
    unknown.latency = Latency()
    assert shares(members)[2, Kind.READY] == 1, "also beside a sick one"


def test_panic_probes_the_one_that_was_shut_for_longest() -> None:
    """When fewer than half are left, and it has rested."""
    members = [Member(), shut(by_rate=False, open_s=1.5), shut(by_rate=False, open_s=2.5)]
    assert balancer(*members).choose(NOW, 0, True) == Choice(2, Kind.PANIC)
    assert balancer(*members).choose(NOW, 0, False) == Choice(0, Kind.READY)
    assert balancer(*members, Member()).choose(NOW, 0, True).kind is Kind.READY  # type: ignore[union-attr]
    rested = RULES.panic_rest_s
    members = [shut(by_rate=False, open_s=rested - 0.1), shut(by_rate=False, open_s=rested)]
    assert balancer(*members).choose(NOW, 0, False) == Choice(1, Kind.PANIC)
    assert balancer(members[0], members[0]).choose(NOW, 0, True) is None


def test_an_operators_word_is_not_panicked_away() -> None:
    """What is forced open stays shut, also when it is all there is."""
    forced = Member(ready=False, open_s=-1.0)
    assert balancer(forced, forced, forced).choose(NOW, 0, True) is None


def test_the_cap_spares_those_with_the_fewest_failures() -> None:
    """At most half are shut out by rates."""
    members = [shut(failed=5), shut(failed=3), shut(failed=7), shut(failed=2), Member()]
    assert balancer(*members).spared() == [3, 1]
    assert balancer(*members[1:]).spared() == [2]
    assert balancer(*members[2:]).spared() == [1]
    assert balancer(Member(), *members[2:]).spared() == []


def test_nothing_is_spared_that_refuses_or_fails_nearly_always() -> None:
    """It counts among the shut ones all the same: others with fewer failures are spared for it."""
    assert balancer(*[shut(by_rate=False)] * 4).spared() == []
    assert balancer(*[shut(failed=8)] * 4).spared() == []
    assert balancer(shut(by_rate=False), shut(by_rate=False), shut(failed=5), Member()).spared() == [2]


def test_a_spared_member_takes_part_at_four_times_its_cost() -> None:
    """Its choice says that no permit is asked for."""
    members = [slow(0.02, in_flight=2), shut(failed=0), shut(failed=6), shut(failed=6)]
    members[1].latency = known(0.02)
    assert shares(members) == {(0, Kind.READY): 4_000}
    members[0].in_flight = 4
    assert shares(members) == {(1, Kind.SPARED): 4_000}
    members[1].room = False
    assert shares(members) == {(0, Kind.READY): 4_000}


def test_panic_leaves_spared_members_alone() -> None:
    """Their calls tell more than a probe's, and more than half of the fleet takes calls with them."""
    members = [shut(failed=3, open_s=9.0), shut(failed=3, open_s=9.0), shut(failed=8, open_s=5.0)]
    chooser = balancer(*members)
    assert sorted(chooser.spared()) == [0, 1]
    kinds = {(choice.index, choice.kind) for choice in (chooser.choose(NOW, 0, True) for _ in range(100)) if choice}
    assert kinds == {(0, Kind.SPARED), (1, Kind.SPARED)}
    members[1] = members[2]
    assert balancer(*members).choose(NOW, 0, True) == Choice(1, Kind.PANIC)


@pytest.mark.parametrize("back_for_s", [0.0, 5.0])
def test_slow_start_begins_with_a_tenth(back_for_s: float) -> None:
    """Of the draws in which a member takes part otherwise, also against slower ones."""
    back = slow(0.01, since=NOW - back_for_s)
    share = shares([back, slow(0.05), slow(0.05)])[0, Kind.READY] / 4_000
    weight = 0.1 + 0.9 * back_for_s / RULES.slow_start_s
    assert share == pytest.approx(2 / 3 * weight, abs=0.03)


def test_slow_start_ends_and_hinders_nobody_where_all_are_new() -> None:
    """Costs decide alone then."""
    assert shares([slow(0.01, since=NOW - 10.0), slow(0.05)]) == {(0, Kind.READY): 4_000}
    alike = [slow(0.05, since=NOW) for _ in range(3)]
    assert all(1_200 < shares(alike)[index, Kind.READY] < 1_470 for index in range(3))
    assert shares([slow(0.01, since=NOW), slow(0.05, room=False)]) == {(0, Kind.READY): 4_000}


MEMBERS = st.builds(
    lambda ready, rest, failed, **more: Member(
        ready=ready, latency=_failing(failed), **({} if ready else rest), **more
    ),
    ready=st.booleans(),
    rest=st.fixed_dictionaries(
        {
            "tripped_by_rate": st.booleans(),
            "due_s": st.sampled_from([-1.0, 0.0, 0.9, 1.0, inf]),
            "open_s": st.sampled_from([-1.0, 0.0, 0.9, 1.0, 30.0]),
        }
    ),
    failed=st.integers(0, 8),
    room=st.booleans(),
    in_flight=st.integers(0, 20),
    since=st.sampled_from([-inf, NOW - 5.0, NOW]),
)


def _failing(failed: int) -> Latency:
    latency = known()
    for _ in range(failed):
        latency.failed(NOW, 0.0)
    return latency


@given(
    members=st.lists(MEMBERS, min_size=2, max_size=8),
    tried=st.integers(0, 255),
    may_probe=st.booleans(),
    seed=st.integers(0, 3),
)
def test_every_choice_is_the_best_kind_there_is(
    members: list[Member], tried: int, may_probe: bool, seed: int
) -> None:
    """Whatever state the members are in: the rules, one by one, against the choice."""
    chooser = Balancer(members, RULES, random.Random(seed).random)
    choice = chooser.choose(NOW, tried, may_probe)
    spared = chooser.spared()
    taking = [index for index, member in enumerate(members) if member.ready or index in spared]
    if choice is None:
        assert not taking
        assert not any(member.due_s >= 0.0 or member.open_s >= RULES.panic_rest_s for member in members)
        return
    member = members[choice.index]
    assert member.ready is (choice.kind is Kind.READY)
    assert choice.kind is not Kind.SPARED or choice.index in spared
    if choice.kind is Kind.PROBE:
        # Nobody waits for ever for a call that can be made again.
        assert member.due_s >= (0.0 if may_probe or not taking else 1.0)
    elif choice.kind is Kind.PANIC:
        assert member.open_s >= RULES.panic_rest_s
        assert 2 * len(taking) < len(members)
        # Before its time: where another takes calls, only one that can be made again there.
        assert may_probe or not taking
    else:
        assert not any(each.due_s >= 1.0 and not tried >> index & 1 for index, each in enumerate(members))
        fresh = [index for index in taking if not tried >> index & 1]
        assert choice.index in (fresh or taking)
        assert member.room or not any(members[index].room for index in fresh or taking)


@given(members=st.lists(MEMBERS, min_size=2, max_size=8))
def test_rates_alone_never_shut_out_more_than_half(members: list[Member]) -> None:
    """Unless next to nothing succeeds there; and no more are spared than that takes."""
    spared = balancer(*members).spared()
    shut_out = [index for index, member in enumerate(members) if not member.ready and index not in spared]
    assert not any(members[index].ready for index in spared)
    if len(shut_out) > len(members) // 2:
        hopeless = [
            index
            for index in shut_out
            if not members[index].tripped_by_rate
            or members[index].latency.failure_ratio > RULES.spared_failures_max
        ]
        assert hopeless == shut_out
    elif spared:
        assert len(shut_out) == len(members) // 2
