"""The board against a ledger: whatever happens, each lane is run in order, once, one at a time, and nothing is lost.

The ledger here is a dict; the feed is the shortest one that keeps the board's rules.  Reads are made in two steps, so
that jobs end between what the ledger showed and what the board is told.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.job import SUSPECTS_FROM, Job
from tests.support.examples import examples
from tests.workers.board_jobs import held_inside, job
from workers.board import Board
from workers.marks import Marks

LANES = ["a", "b", "c", None]
LANE_MAX = 3
BOUNDS = {"bounded": 2}
#: What may happen while an answer of the ledger is on its way.
MEANWHILE = ["end_some", "take_some", "enqueue_one", "drop_some", "sleep_some"]


class Ledger:
    """What is committed, by place; and transactions that have drawn places and not committed."""

    def __init__(self) -> None:
        self.next_place = 1
        self.next_xid = 1
        self.ready: dict[int, Job] = {}
        self.open: dict[int, list[Job]] = {}
        self.last_claim = 0
        self.claims: set[int] = set()

    def place(self) -> int:
        self.next_place += 1
        return self.next_place - 1

    @property
    def low(self) -> int:
        return min(self.open, default=self.next_xid)

    def claim(self, jobs: list[Job]) -> list[Job]:
        if not jobs:
            return jobs
        self.last_claim += 1
        self.claims.add(self.last_claim)
        return [msgspec.structs.replace(each, claim=self.last_claim) for each in jobs]


class Boards(RuleBasedStateMachine):
    """One partition, one priority a lane, one feed with a look and a read of lanes that may be under way."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ledger = Ledger()
        self.board = Board(LANE_MAX, bounds=BOUNDS)
        # So few that lanes are left out that sleep, or for which there was no room.
        self.marks = Marks(turned_away_max=3)
        self.skipped_max = 1
        self.fence = 1
        self.paused: frozenset[str] = frozenset()
        self.running: dict[int, Job] = {}
        #: Runs whose partition was dropped: whatever they bring, nothing is written.
        self.void: list[Job] = []
        self.done: list[int] = []
        #: Of each lane, the highest place that has run and was visible before others: later ones may not be lower
        #: unless they commit late.
        self.late: set[int] = set()
        self.due: dict[int, float] = {}

    # Enqueue

    @rule(
        lane=st.sampled_from(LANES),
        kind=st.sampled_from(["k", "k", "bounded", "paused"]),
        deaths=st.sampled_from([0, 0, 0, 2]),
        open_as=st.sampled_from([None, None, 1, 2]),
    )
    def enqueue(self, lane: str | None, kind: str, deaths: int, open_as: int | None) -> None:
        ledger = self.ledger
        if open_as is None:
            drawn = self._draft(lane, kind, deaths)
            ledger.next_xid += 1
            ledger.ready[drawn.place] = drawn
            return
        if open_as > len(ledger.open):
            ledger.open[ledger.next_xid] = []
            ledger.next_xid += 1
        sorted(ledger.open.items())[min(open_as, len(ledger.open)) - 1][1].append(
            self._draft(lane, kind, deaths)
        )

    def _draft(self, lane: str | None, kind: str, deaths: int) -> Job:
        priority = 1 if lane is None else LANES.index(lane) % 3
        return job(self.ledger.place(), lane, kind=kind, deaths=deaths, priority=priority)

    @rule(lane=st.sampled_from(["a", "b"]), count=st.integers(4, 9))
    def enqueue_many(self, lane: str, count: int) -> None:
        for _ in range(count):
            self.enqueue(lane, "k", 0, None)

    @precondition(lambda self: self.ledger.open)
    @rule(data=st.data())
    def commit(self, data: Any) -> None:
        for each in self.ledger.open.pop(data.draw(st.sampled_from(sorted(self.ledger.open)))):
            self.ledger.ready[each.place] = each
            self.late.add(each.place)

    # Feed: what happens in `between` happens while the ledger's answer is on its way

    @rule(limit=st.integers(1, 8), between=st.integers(0, 3), data=st.data())
    def look(self, limit: int, between: int, data: Any) -> None:
        fence = self.fence
        with self.board.reading():
            skip = set(self.board.spilled_lanes(self.skipped_max, self.marks.lanes))
            low, high = self.ledger.low, self.ledger.next_xid
            found = self._read(
                [
                    each
                    for _, each in sorted(self.ledger.ready.items())
                    if each.place > self.marks.floor
                    and each.place not in self.marks.known
                    and each.lane not in skip
                    and (each.lane is not None or each.kind not in self.paused)
                ][:limit]
            )
            self._meanwhile(between, data)
            if fence != self.fence:
                found_claims = {each.claim for each in found}
                for claim in found_claims:
                    self.board.claimed(claim)
                return
            for each in found:
                self.board.claimed(each.claim)
            for each in self.marks.read(found, low, high, cut=len(found) == limit):
                if not self.board.add(each, self.now):
                    self.marks.turned_away(each.place, each.lane or "")
            self.marks.forget(self.board.knows)

    @rule(between=st.integers(0, 3), data=st.data())
    def read_lanes(self, between: int, data: Any) -> None:
        with self.board.reading():
            self._read_lanes(self.board.hungry_lanes(10), between, data)

    def _read_lanes(self, lanes: dict[str, int], between: int, data: Any) -> None:
        floor = self.marks.floor
        found = {
            lane: self._read(
                [
                    each
                    for _, each in sorted(self.ledger.ready.items())
                    if each.lane == lane and each.place > behind
                ][: self.board.lane_rows]
            )
            for lane, behind in lanes.items()
        }
        self._meanwhile(between, data)
        for lane, jobs in found.items():
            exhausted = len(jobs) < self.board.lane_rows
            self.board.refilled(lane, jobs, exhausted=exhausted, now=self.now, floor=floor)

    @rule(longer_than_s=st.sampled_from([0.0, 0.0, 2.0]), lanes_max=st.sampled_from([0, 1, 9, 9]))
    def put_down(self, longer_than_s: float, lanes_max: int) -> None:
        before = self.board.asleep
        self.board.put_down(self.now, longer_than_s, lanes_max)
        assert self.board.asleep <= max(before, lanes_max)

    @rule(priority=st.integers(0, 2), lanes_max=st.integers(1, 3), between=st.integers(0, 3), data=st.data())
    def wake(self, priority: int, lanes_max: int, between: int, data: Any) -> None:
        """Read lanes that were asleep: those that are due, and none else."""
        with self.board.reading():
            due = self.board.classes_waking(self.now)
            lanes = self.board.waking_lanes(priority, self.now, lanes_max)
            assert len(lanes) <= lanes_max
            assert bool(lanes) == (priority in due)
            self._read_lanes(lanes, between, data)

    def _read(self, jobs: list[Job]) -> list[Job]:
        return self.ledger.claim(
            [
                msgspec.structs.replace(
                    each, fence=self.fence, wait_s=max(0.0, self.due.get(each.place, 0.0) - self.now)
                )
                for each in jobs
            ]
        )

    def _meanwhile(self, times: int, data: Any) -> None:
        for _ in range(times):
            getattr(self, data.draw(st.sampled_from(MEANWHILE)))(data)

    def end_some(self, data: Any) -> None:
        if self.running:
            self.end(data, data.draw(st.sampled_from(["done", "retry", "snooze"])))

    def take_some(self, data: Any) -> None:
        self.take(data.draw(st.integers(1, 3)))

    def enqueue_one(self, data: Any) -> None:
        self.enqueue(data.draw(st.sampled_from(LANES)), "k", 0, None)

    def drop_some(self, data: Any) -> None:
        self.drop_one(data)

    def sleep_some(self, data: Any) -> None:
        self.put_down(0.0, 9)

    # Run

    @rule(room=st.integers(0, 6))
    def take(self, room: int) -> None:
        ready = self.board.ready
        taken = self.board.take(self.now, room)
        assert len(taken) <= room
        if not self.paused and not any(each.kind == "bounded" for each in self.ledger.ready.values()):
            assert len(taken) >= min(room, ready), "what is ready can be started"
        for each in taken:
            assert each.place not in self.running
            # Exactly once: it was there when it was started (dropped by hand meanwhile is no fault).
            # (What an operator drops while it is read anew, nobody can tell from its new place.)
            assert each.place not in self.done or each.place != each.job_id, "run again after its end"
            assert each.kind not in self.paused
            assert self.due.get(each.place, 0.0) <= self.now, "started before it was due"
            if each.lane is not None:
                assert all(other.lane != each.lane for other in self.running.values()), (
                    "two of a lane at once"
                )
                before = [
                    other.place
                    for other in self.ledger.ready.values()
                    if other.lane == each.lane and other.place < each.place and other.place not in self.late
                ]
                assert not before, "passed over"
            self.running[each.place] = each
        assert sum(each.deaths >= SUSPECTS_FROM for each in self.running.values()) <= 1 + len(self.void)
        assert sum(each.kind == "bounded" for each in self.running.values()) <= BOUNDS["bounded"]

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(), fate=st.sampled_from(["done", "bury", "retry", "retry", "snooze", "gone", "unstart"])
    )
    def end(self, data: Any, fate: Any) -> None:
        place = data.draw(st.sampled_from(sorted(self.running)))
        each = self.running.pop(place)
        ledger = self.ledger
        if fate == "unstart":
            self.board.unstart(each)
            return
        if place not in ledger.ready:
            fate = "gone"
        elif fate == "retry":
            after_s = data.draw(st.sampled_from([0.0, 1.0, 5.0]))
            self.due[place] = self.now + after_s
            self.board.settled(each, "retry", self.now, after_s, attempts=each.attempts + 1)
            return
        elif fate == "gone":
            fate = "done"
        written = ledger.ready.pop(place, None)
        self.done.append(place)
        if fate == "snooze" and written is not None:
            anew = ledger.place()
            ledger.next_xid += 1
            ledger.ready[anew] = msgspec.structs.replace(written, place=anew)
        self.board.settled(each, fate, self.now)

    @precondition(lambda self: self.void)
    @rule(fate=st.sampled_from(["lost", "unstart"]))
    def end_void(self, fate: Any) -> None:
        each = self.void.pop()
        if fate == "unstart":
            self.board.unstart(each)
        else:
            self.board.settled(each, fate, self.now)

    # The rest of the world

    @rule(by_s=st.sampled_from([0.5, 1.0, 5.0]))
    def pass_time(self, by_s: float) -> None:
        self.now += by_s

    @rule(kinds=st.sampled_from([frozenset(), frozenset({"paused"}), frozenset({"paused", "bounded"})]))
    def pause(self, kinds: frozenset[str]) -> None:
        resumed = self.board.pause(kinds)
        assert resumed == self.paused - kinds
        self.paused = kinds
        if resumed:
            self.marks.reset()

    @precondition(lambda self: self.ledger.ready)
    @rule(data=st.data())
    def drop_one(self, data: Any) -> None:
        """An operator's word."""
        if not self.ledger.ready:
            return
        place = data.draw(st.sampled_from(sorted(self.ledger.ready)))
        dropped = self.ledger.ready[place]
        if place in self.running or any(dropped.job_id == other.job_id for other in self.running.values()):
            return
        del self.ledger.ready[place]
        self.done.append(place)
        self.board.forget(dropped.job_id)

    @rule(lost_by_a_settle=st.booleans(), data=st.data())
    def lose_the_partition(self, lost_by_a_settle: bool, data: Any) -> None:
        """Under another fence at once: everything is read anew, and what runs is nobody's."""
        if lost_by_a_settle and self.running:
            each = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
            self.board.settled(each, "lost", self.now)
        self.board.drop_partitions({0})
        self.void += self.running.values()
        self.running.clear()
        self.fence += 1
        self.marks = Marks()

    def read_all_lanes(self) -> None:
        self.read_lanes(between=0, data=None)
        for priority in range(3):
            self.wake(priority, 9, between=0, data=None)

    # Laws

    @invariant()
    def the_numbers_are_right(self) -> None:
        board = self.board
        places = {
            place
            for place, lane in board._places.items()
            if lane.state != "asleep" and (lane.running is None or lane.running.place != place)
        }
        assert board.buffered == len(places)
        assert board.running == len(self.running) + len(self.void) == board.running_of(0)
        for lane in board._lanes.values():
            assert lane.count() <= LANE_MAX
        asleep = [lane for lane in board._lanes.values() if lane.state == "asleep"]
        assert board.asleep == len(asleep)
        assert not any(lane.count() or lane.running for lane in asleep)
        assert sum(map(len, board._asleep._due)) <= 2 * board.asleep
        assert 0 <= board.held <= board.buffered
        assert (
            sum(lane.count() for lane in set(board._places.values()) if lane.state in {"held", "parked"})
            == board.held
        )
        for each in self.running.values():
            assert each.job_id in board

    @invariant()
    def claims_end_when_nothing_of_them_is_in_memory(self) -> None:
        self.ledger.claims.difference_update(self.board.claims_ended())
        inside = set(self.board._claims)
        assert self.ledger.claims == inside
        assert {each.claim for each in self.running.values()} <= inside

    def teardown(self) -> None:
        """Let everything come to its end: nothing is lost, and nothing is left behind."""
        for xid in list(self.ledger.open):
            for each in self.ledger.open.pop(xid):
                self.ledger.ready[each.place] = each
                self.late.add(each.place)
        for each in self.void:
            self.board.settled(each, "lost", self.now)
        self.void.clear()
        self.pause(frozenset())
        for _ in range(50 + 4 * len(self.ledger.ready)):
            self.now += 10.0
            for each in list(self.running.values()):
                del self.running[each.place]
                self.ledger.ready.pop(each.place, None)
                self.done.append(each.place)
                self.board.settled(each, "done", self.now)
            if not self.ledger.ready:
                break
            self.look(limit=8, between=0, data=None)
            self.read_all_lanes()
            self.take(6)
        assert not self.ledger.ready, "lost"
        self.now += 10.0
        self.read_all_lanes()
        self.claims_end_when_nothing_of_them_is_in_memory()
        assert not self.ledger.claims
        assert held_inside(self.board) == {}


Boards.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=50, deadline=None)
TestBoards = Boards.TestCase
