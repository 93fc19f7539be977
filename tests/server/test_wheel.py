"""Deadlines of many things: each is reported once, in time, whatever moved; and moving leaves nothing behind."""

from __future__ import annotations

import gc
import math
import sys

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.server.wheel import UNWATCHED, Wheel

TICK_S = 0.1
ITEMS = 6


class Item:
    """As small as the wheel allows."""

    __slots__ = ("deadline", "due_tick", "name")

    def __init__(self, name: int = 0, deadline: float = math.inf) -> None:
        self.name = name
        self.deadline = deadline
        self.due_tick = UNWATCHED


class WheelModel(RuleBasedStateMachine):
    """The wheel beside a set of names that is looked through one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.wheel: Wheel[Item] = Wheel(TICK_S)
        self.items = [Item(name) for name in range(ITEMS)]
        #: Names that are to be reported.
        self.watched: set[int] = set()
        #: When the wheel was told of each.
        self.told_at: dict[int, float] = {}

    @rule(name=st.integers(0, ITEMS - 1), patience_s=st.floats(-1.0, 30.0))
    def sets_a_deadline(self, name: int, patience_s: float) -> None:
        """Any deadline, told to the wheel: a new item, an earlier time, or a needless call."""
        item = self.items[name]
        item.deadline = self.now + patience_s
        self.wheel.watch(item)
        self.watched.add(name)
        self.told_at[name] = self.now

    @precondition(lambda self: self.watched)
    @rule(data=st.data(), longer_s=st.floats(0.0, 30.0) | st.just(math.inf))
    def moves_later(self, data: st.DataObject, longer_s: float) -> None:
        """A plain store, of which the wheel learns by itself."""
        item = self.items[data.draw(st.sampled_from(sorted(self.watched)))]
        item.deadline += longer_s

    @rule(name=st.integers(0, ITEMS - 1))
    def says_never(self, name: int) -> None:
        """No deadline; that an item with none is watched makes no difference."""
        self.items[name].deadline = math.inf
        self.wheel.watch(self.items[name])

    @rule(name=st.integers(0, ITEMS - 1))
    def forgets(self, name: int) -> None:
        """Forgotten once or twice, known or not."""
        self.wheel.forget(self.items[name])
        self.wheel.forget(self.items[name])
        self.watched.discard(name)

    @rule(pass_s=st.floats(0.0, 0.25) | st.floats(0.0, 40.0) | st.just(TICK_S) | st.just(1e6))
    def time_passes(self, pass_s: float) -> None:
        """Whatever is reported was due, and whatever is due for a tick was reported."""
        self.now += pass_s
        self.looks()

    @precondition(lambda self: any(self.items[name].deadline < math.inf for name in self.watched))
    @rule(data=st.data(), ulps=st.integers(-2, 2))
    def a_deadline_is_now(self, data: st.DataObject, ulps: int) -> None:
        """The very edge of a deadline, and the floating-point numbers around it."""
        item = self.items[data.draw(st.sampled_from(sorted(self.watched)))]
        assume(self.now <= item.deadline < math.inf)
        now = item.deadline
        for _ in range(abs(ulps)):
            now = math.nextafter(now, math.inf if ulps > 0 else -math.inf)
        self.now = max(self.now, now)
        self.looks()

    def looks(self) -> None:
        reported = [item.name for item in self.wheel.expired(self.now)]
        assert len(reported) == len(set(reported))
        assert set(reported) <= self.watched
        assert all(self.items[name].deadline <= self.now for name in reported)
        self.watched -= set(reported)
        # A deadline that was in the past when it was told is a tick late from then on.
        late = {
            name
            for name in self.watched
            if max(self.items[name].deadline, self.told_at[name]) < self.now - TICK_S * (1 + 1e-6)
        }
        assert not late

    @invariant()
    def knows_no_others(self) -> None:
        """Nothing forgotten or reported is kept, and no item twice; one with no deadline may have left already."""
        kept = {name for name in self.watched if self.items[name].deadline < math.inf}
        assert len(kept) <= self.wheel.watched <= len(self.watched)


TestWheelModel = WheelModel.TestCase


def test_an_item_comes_at_its_deadline_and_not_before():
    wheel: Wheel[Item] = Wheel(1.0)
    item = Item(deadline=100.5)
    wheel.watch(item)

    assert wheel.expired(100.0) == []
    assert wheel.expired(100.49) == []
    assert wheel.expired(101.0) == [item]
    assert wheel.expired(200.0) == []
    assert wheel.watched == 0


def test_a_later_deadline_needs_no_call_and_an_earlier_one_does():
    wheel: Wheel[Item] = Wheel(1.0)
    patient, hasty = Item(deadline=110.0), Item(deadline=160.0)
    wheel.watch(patient)
    wheel.watch(hasty)

    patient.deadline = 130.0
    hasty.deadline = 105.0
    wheel.watch(hasty)

    assert wheel.expired(110.0) == [hasty]
    assert wheel.expired(129.0) == []
    assert wheel.expired(130.0) == [patient]


def test_an_item_without_a_deadline_leaves_the_wheel():
    wheel: Wheel[Item] = Wheel(1.0)
    item = Item()
    wheel.watch(item)
    assert wheel.watched == 0

    item.deadline = 10.0
    wheel.watch(item)
    item.deadline = math.inf
    assert wheel.expired(10.0) == []
    assert wheel.watched == 0
    assert item.due_tick == UNWATCHED


def test_what_was_reported_comes_again_only_when_it_is_watched_again():
    wheel: Wheel[Item] = Wheel(1.0)
    item = Item(deadline=10.0)
    wheel.watch(item)
    assert wheel.expired(10.0) == [item]

    item.deadline = 20.0
    assert wheel.expired(30.0) == []
    wheel.watch(item)
    assert wheel.expired(31.0) == [item]


def test_one_item_forgets_another_of_the_same_tick_while_they_are_gone_through():
    wheel: Wheel[Item] = Wheel(1.0)
    pair = [Item(name, deadline=10.0) for name in range(2)]
    for item in pair:
        wheel.watch(item)

    first, second = wheel.expired(10.0)
    wheel.forget(second)
    first.deadline = 20.0
    wheel.watch(first)
    assert wheel.expired(20.0) == [first]


def test_a_time_that_goes_back_reports_nothing_and_loses_nothing():
    wheel: Wheel[Item] = Wheel(1.0)
    assert wheel.expired(100.0) == []
    item = Item(deadline=51.0)
    wheel.watch(item)

    assert wheel.expired(50.0) == []
    assert wheel.expired(101.0) == [item]


@pytest.mark.parametrize("tick_s", [0.0, -1.0, math.nan])
def test_a_tick_takes_time(tick_s: float):
    with pytest.raises(ValueError, match="tick_s"):
        Wheel(tick_s)


def footprint_bytes(wheel: Wheel[Item]) -> int:
    """The bytes of the containers that the wheel keeps, items apart."""
    (buckets,) = (held for held in gc.get_referents(wheel) if isinstance(held, dict))
    return sys.getsizeof(buckets) + sum(map(sys.getsizeof, buckets.values()))


def test_a_million_moves_leave_as_much_behind_as_none():
    """Later without a word, earlier with one, to ever new ticks, and forgotten: nothing of it stays."""
    wheel: Wheel[Item] = Wheel(TICK_S)
    items = [Item(name) for name in range(100)]
    now = 1_000.0
    for item in items:
        item.deadline = now + 60 + item.name
        wheel.watch(item)
    before_bytes = footprint_bytes(wheel)
    for move in range(250_000):
        item = items[move % 100]
        item.deadline = now + 3_600 + move * TICK_S
        item.deadline = now + 3_600 - move % 30_000 * TICK_S
        wheel.watch(item)
        item.deadline = math.inf
        wheel.forget(item)
        item.deadline = now + 1
        wheel.watch(item)
        if move % 1_000 == 0:
            now += TICK_S
            for over in wheel.expired(now):
                over.deadline = now + 60
                wheel.watch(over)

    assert wheel.watched == 100
    assert footprint_bytes(wheel) <= 2 * before_bytes


def test_a_wheel_that_slept_for_long_does_not_count_the_ticks():
    """The first look of a machine that has been up for years, and one after a long pause, are as short as any."""
    wheel: Wheel[Item] = Wheel(1e-9)
    item = Item(deadline=2e9)
    wheel.watch(item)

    assert wheel.expired(1e9) == []
    assert wheel.expired(3e9) == [item]


def test_a_deadline_before_the_beginning_of_time_is_in_the_past_like_any_other():
    """Seconds after a machine's start, "a minute ago" is negative."""
    wheel: Wheel[Item] = Wheel(1.0)
    item = Item(deadline=-1.0)
    wheel.watch(item)
    wheel.forget(item)
    assert wheel.watched == 0

    wheel.watch(item)
    assert wheel.expired(5.0) == [item]
