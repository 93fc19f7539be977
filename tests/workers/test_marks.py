"""Marks: every job that commits, in whatever order, is read, and once."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.domain.job import Job
from workers.marks import SEEN_MAX, Marks


def job(place: int, job_id: int | None = None) -> Job:
    return Job(
        job_id=place if job_id is None else job_id, place=place, partition=0, fence=1, priority=1, kind="k", lane=None,
        payload="{}", attempts=0, deaths=0, wait_s=0.0, keep_s=0.0, trace_id="", age_s=0.0, claim=1,
    )  # fmt: skip


def places(jobs: list[Job]) -> list[int]:
    return [job.place for job in jobs]


def test_reading_on_goes_from_the_mark() -> None:
    marks = Marks()
    assert marks.behind(again=False) == 0
    assert places(marks.read([job(3), job(7)], 10, 10, from_floor=False, cut=False)) == [3, 7]
    assert marks.behind(again=False) == 7
    assert marks.behind(again=True) == 0


def test_a_hint_of_a_job_that_the_mark_has_passed_asks_for_a_look_from_the_floor() -> None:
    marks = Marks()
    marks.read([job(3), job(7)], 10, 12, from_floor=False, cut=False)
    assert not marks.hinted([]), "that only says: look"
    assert not marks.hinted([8, 9]), "these come by going on"
    assert not marks.hinted([3, 7]), "these are known"
    assert marks.hinted([9, 5])
    assert places(marks.read([job(3), job(5), job(7)], 12, 12, from_floor=True, cut=False)) == [5]
    assert not marks.hinted([5])


def test_the_floor_waits_for_the_transactions_that_ran_when_the_mark_was_read() -> None:
    marks = Marks()
    marks.read([job(7)], 10, 12, from_floor=False, cut=False)
    marks.read([job(7)], 11, 13, from_floor=True, cut=False)
    assert marks.floor == 0, "11 still ran, and may have drawn a place before 7"
    marks.read([job(7)], 12, 13, from_floor=True, cut=False)
    assert marks.floor == 7
    assert not marks.hinted([5]), "nothing comes there any more"


def test_only_a_look_from_the_floor_moves_it() -> None:
    """Law: going on from the mark has not seen what came late below it."""
    marks = Marks()
    marks.read([job(7)], 10, 12, from_floor=False, cut=False)
    marks.read([job(9)], 20, 20, from_floor=False, cut=False)
    assert marks.floor == 0


def test_a_look_that_was_cut_proves_what_it_returned() -> None:
    marks = Marks()
    marks.read([job(3), job(7), job(9)], 10, 12, from_floor=False, cut=False)
    marks.read([job(3)], 20, 20, from_floor=True, cut=True)
    assert marks.floor == 3
    assert marks.behind(again=True) == 3
    marks.read([job(7), job(9)], 20, 20, from_floor=True, cut=False)
    assert marks.floor == 9


def test_the_next_look_goes_on_where_one_was_cut_although_the_floor_cannot_move() -> None:
    """Law: jobs that are known and stay must not hide a late one behind them while some transaction stays open."""
    marks = Marks()
    marks.read([job(3), job(7), job(9)], 10, 12, from_floor=False, cut=False)
    marks.read([job(3), job(7)], 10, 14, from_floor=True, cut=True)
    assert (marks.floor, marks.behind(again=True)) == (0, 7)
    assert places(marks.read([job(8), job(9)], 10, 14, from_floor=True, cut=False)) == [8]
    assert marks.behind(again=True) == 0, "and then from the floor again"


def test_the_second_half_of_a_look_alone_does_not_move_the_floor() -> None:
    marks = Marks()
    marks.read([job(3), job(7), job(9)], 10, 12, from_floor=False, cut=False)
    marks.read([job(3), job(7)], 10, 14, from_floor=True, cut=True)
    marks.read([job(9)], 14, 14, from_floor=True, cut=False)
    assert marks.floor == 0, "something may have come between 0 and 7 since"
    marks.read([job(3), job(7), job(9)], 14, 14, from_floor=True, cut=False)
    assert marks.floor == 9


def test_a_job_that_joins_its_lane_anew_is_another_reading() -> None:
    marks = Marks()
    marks.read([job(3)], 10, 12, from_floor=False, cut=False)
    assert places(marks.read([job(5, job_id=3)], 12, 12, from_floor=False, cut=False)) == [5]


def test_what_is_remembered_has_a_bound_while_the_floor_stands_still() -> None:
    marks = Marks()
    for first in range(0, 4 * SEEN_MAX, 500):
        marks.read([job(place) for place in range(first + 1, first + 501)], 1, 9, from_floor=False, cut=True)
        assert len(marks._seen) <= SEEN_MAX
    assert not marks.hinted([4 * SEEN_MAX]), "the latest are known"


def test_reset_reads_everything_anew() -> None:
    marks = Marks()
    marks.read([job(3), job(7)], 10, 12, from_floor=False, cut=False)
    marks.read([job(3), job(7)], 12, 12, from_floor=True, cut=False)
    marks.reset()
    assert marks.behind(again=False) == marks.behind(again=True) == 0
    assert places(marks.read([job(2), job(3), job(7)], 12, 12, from_floor=False, cut=False)) == [2, 3, 7]


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

    @rule(again=st.booleans(), limit=st.integers(1, 6), data=st.data())
    def look(self, again: bool, limit: int, data: Any) -> None:
        low = min(self.open, default=self.next_xid)
        # Others may have begun before the look ended.
        high = self.next_xid + data.draw(st.integers(0, 2), label="begun meanwhile")
        self.next_xid = high
        behind = self.marks.behind(again)
        found = sorted(place for place in self.visible if place > behind)[:limit]
        cut = len(found) == limit
        fresh = places(self.marks.read([job(place) for place in found], low, high, from_floor=again, cut=cut))
        assert not self.read_once.intersection(fresh), "read twice"
        self.read_once.update(fresh)

    @invariant()
    def nothing_comes_below_the_floor(self) -> None:
        waiting = self.visible - self.read_once
        running = {place for drawn in self.open.values() for place in drawn}
        assert min(waiting | running, default=self.marks.floor + 1) > self.marks.floor

    @invariant()
    def what_is_late_is_known_to_be_when_it_is_hinted(self) -> None:
        late = {place for place in self.visible - self.read_once if place <= self.marks.mark}
        assert all(self.marks.hinted([place]) for place in late)
        assert not self.marks.hinted(self.visible & self.read_once)

    def teardown(self) -> None:
        """Looks that go on find everything, whoever still has a transaction open."""
        for _ in range(len(self.committed) + 2):
            for again in (True, False):
                low = min(self.open, default=self.next_xid)
                found = sorted(place for place in self.visible if place > self.marks.behind(again))[:3]
                fresh = self.marks.read(
                    [job(place) for place in found], low, self.next_xid, from_floor=again, cut=len(found) == 3
                )
                self.read_once.update(places(fresh))
        assert self.read_once == self.committed
        if not self.open:
            assert self.marks.floor == self.marks.mark
            assert not self.marks._seen


LateCommits.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLateCommits = LateCommits.TestCase
