"""Marks: every job that commits, in whatever order, is read, and once."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.domain.job import Job
from tests.support.examples import examples
from workers.marks import KNOWN_MAX, Marks


def job(place: int, job_id: int | None = None) -> Job:
    return Job(
        job_id=place if job_id is None else job_id, place=place, partition=0, fence=1, priority=1, kind="k", lane=None,
        payload="{}", attempts=0, deaths=0, wait_s=0.0, keep_s=0.0, trace_id="", age_s=0.0, claim=1,
    )  # fmt: skip


def places(jobs: list[Job]) -> list[int]:
    return [job.place for job in jobs]


def test_a_look_leaves_out_what_was_read() -> None:
    marks = Marks()
    assert (marks.floor, set(marks.known)) == (0, set())
    assert places(marks.read([job(3), job(7)], 10, 12, cut=False)) == [3, 7]
    assert (marks.floor, set(marks.known)) == (0, {3, 7})
    assert places(marks.read([job(3), job(5)], 10, 12, cut=False)) == [5], "were it shown nevertheless"


def test_a_hint_tells_whether_a_look_would_find_something() -> None:
    marks = Marks()
    marks.read([job(3), job(7)], 10, 12, cut=False)
    assert not marks.hinted([]), "that only says: look"
    assert not marks.hinted([3, 7]), "these are known"
    assert marks.hinted([3, 8])
    assert marks.hinted([5]), "it was committed late"
    marks.read([job(5)], 12, 12, cut=False)
    assert not marks.hinted([5])


def test_the_floor_waits_for_the_transactions_that_ran_when_the_mark_was_read() -> None:
    marks = Marks()
    marks.read([job(7)], 10, 12, cut=False)
    marks.read([], 11, 13, cut=False)
    assert marks.floor == 0, "11 still ran, and may have drawn a place before 7"
    marks.read([], 12, 13, cut=False)
    assert (marks.floor, set(marks.known)) == (7, set())
    assert not marks.hinted([5]), "nothing comes there any more"


def test_a_look_that_was_cut_proves_what_it_returned() -> None:
    marks = Marks()
    marks.read([job(3), job(9)], 10, 12, cut=False)
    marks.read([job(5)], 20, 20, cut=True)
    assert (marks.floor, set(marks.known)) == (5, {9})
    marks.read([job(7)], 20, 20, cut=False)
    assert marks.floor == 9


def test_a_job_that_joins_its_lane_anew_is_another_reading() -> None:
    marks = Marks()
    marks.read([job(3)], 10, 12, cut=False)
    assert places(marks.read([job(5, job_id=3)], 12, 12, cut=False)) == [5]


def test_what_is_known_has_a_bound_while_the_floor_stands_still() -> None:
    """Law: what is in memory stays known, or looks would bring nothing else; of the rest no look shows anything."""
    marks = Marks()
    in_memory = {5, 6, 7}
    for first in range(0, 4 * KNOWN_MAX, 500):
        marks.read([job(place) for place in range(first + 1, first + 501)], 1, 9, cut=True)
        marks.forget(in_memory.__contains__)
        assert len(marks.known) <= KNOWN_MAX
        assert in_memory <= set(marks.known)
    assert marks.floor == 0


def test_what_is_known_is_not_gone_through_again_and_again_when_much_of_it_is_in_memory() -> None:
    asked = []
    marks = Marks()
    for first in range(0, 4 * KNOWN_MAX, 500):
        marks.read([job(place) for place in range(first + 1, first + 501)], 1, 9, cut=True)
        marks.forget(lambda place: not asked.append(place))
    assert len(marks.known) == 4 * KNOWN_MAX
    assert len(asked) <= 2 * len(marks.known), "each time twice as many"


def test_of_what_is_turned_away_and_not_remembered_the_lane_is_left_out_until_the_floor_has_passed_it() -> None:
    marks = Marks(turned_away_max=2)
    marks.read([job(place) for place in (3, 5, 7, 9)], 1, 9, cut=False)
    for place, lane in (3, "a"), (5, "a"), (7, "b"), (9, "b"):
        marks.turned_away(place, lane)
    assert marks.lanes == {"b": 9}, "two are remembered"
    marks.read([job(11)], 1, 9, cut=False)
    assert marks.lanes == {"b": 9}
    marks.read([], 9, 9, cut=False)
    assert (marks.floor, marks.lanes) == (9, {})
    marks.turned_away(11, "c")
    assert marks.lanes == {}, "there is room again"


def test_reset_reads_everything_anew() -> None:
    marks = Marks()
    marks.read([job(3), job(7)], 10, 12, cut=False)
    marks.read([], 12, 12, cut=False)
    marks.reset()
    assert (marks.floor, set(marks.known)) == (0, set())
    assert places(marks.read([job(2), job(3), job(7)], 12, 12, cut=False)) == [2, 3, 7]


class LateCommits(RuleBasedStateMachine):
    """Transactions draw a number, then places, and commit in any order; looks have any limit; jobs end, or stay."""

    def __init__(self) -> None:
        super().__init__()
        self.marks = Marks()
        self.next_xid = 1
        self.next_place = 1
        self.open: dict[int, list[int]] = {}
        self.visible: set[int] = set()
        self.committed: set[int] = set()
        self.read_once: set[int] = set()

    @rule()
    def begin(self) -> None:
        self.open[self.next_xid] = []
        self.next_xid += 1

    @rule(data=st.data())
    def draw(self, data: Any) -> None:
        if self.open:
            self.open[data.draw(st.sampled_from(sorted(self.open)))].append(self.next_place)
            self.next_place += 1

    @rule(data=st.data())
    def commit(self, data: Any) -> None:
        if self.open:
            drawn = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
            self.visible.update(drawn)
            self.committed.update(drawn)

    @rule(data=st.data())
    def roll_back(self, data: Any) -> None:
        if self.open:
            self.open.pop(data.draw(st.sampled_from(sorted(self.open))))

    @rule(data=st.data())
    def end(self, data: Any) -> None:
        """A job that was read is done."""
        if known := sorted(self.visible & self.read_once):
            self.visible.discard(data.draw(st.sampled_from(known)))

    @rule(limit=st.integers(1, 6), data=st.data())
    def look(self, limit: int, data: Any) -> None:
        low = min(self.open, default=self.next_xid)
        # Others may have begun before the look ended.
        high = self.next_xid + data.draw(st.integers(0, 2), label="begun meanwhile")
        self.next_xid = high
        found = self.shown()[:limit]
        fresh = self.marks.read([job(place) for place in found], low, high, cut=len(found) == limit)
        assert places(fresh) == found, "what is left out is what is known"
        assert not self.read_once.intersection(found), "read twice"
        last = found[-1] if len(found) == limit else self.next_place
        assert all(place in self.read_once or place > last for place in self.visible - set(found)), (
            "passed over"
        )
        self.read_once.update(found)

    @rule()
    def forget(self) -> None:
        """As if there were many."""
        self.marks._known_max = 0
        self.marks.forget(self.visible.__contains__)

    def shown(self) -> list[int]:
        known = set(self.marks.known)
        return sorted(place for place in self.visible if place > self.marks.floor and place not in known)

    @invariant()
    def nothing_comes_below_the_floor(self) -> None:
        waiting = self.visible - self.read_once
        running = {place for drawn in self.open.values() for place in drawn}
        assert min(waiting | running, default=self.marks.floor + 1) > self.marks.floor

    @invariant()
    def a_hint_of_what_is_new_is_heard(self) -> None:
        assert all(self.marks.hinted([place]) for place in self.visible - self.read_once)
        assert not self.marks.hinted(self.visible & self.read_once)

    def teardown(self) -> None:
        """Looks find everything, whoever still has a transaction open."""
        for _ in range(len(self.committed) + 2):
            found = self.shown()[:3]
            low = min(self.open, default=self.next_xid)
            fresh = self.marks.read([job(place) for place in found], low, self.next_xid, cut=len(found) == 3)
            self.read_once.update(places(fresh))
        assert self.read_once == self.committed
        if not self.open:
            assert self.marks.floor == self.marks.mark
            assert not self.marks.known


LateCommits.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)
TestLateCommits = LateCommits.TestCase
