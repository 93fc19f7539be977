"""Lanes of which memory holds a piece, or nothing but the name: their rest is in the ledger alone.  Pure.

spilled   longer than its piece in memory: what comes behind that is turned away, and read by lane when it has run low
asleep    its head is not due for long: nothing of it is in memory, all that is read of it is turned away, and it is
          read by lane when its head is due, or was dropped by hand

A lane whose head waits for its next try holds back nothing but itself, however many such lanes there are: a platform
that is down for an hour makes one of each of its conversations.  In memory they would, in the end, leave no room for
others.  They are remembered, and not left out by looks, because a look would have to leave out what is behind such a
head too, and ask for one at every row; and no floor could move past what nobody has read.  Remembered, a lane costs
some hundred bytes, whatever its payloads are, and a look nothing: what it brings of the lane it brings once.  Looks
leave such a lane out only where more was turned away than can be remembered (``Marks.lanes``): what is then committed
late in front of its head is not seen before that is due, and runs before it all the same.

Nothing of a lane that sleeps is claimed, or a process that dies would leave behind claims of everything that waits,
and nobody could count its death in time.  That the job behind such a head was not running is to be seen by the head:
it was tried, and is ready (``jobs_orphan``).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable

from gateway.domain.job import Job
from gateway.domain.resilience.priority import Priority
from workers.job_lane import JobLane, Spill

__all__ = ["Asleep", "Nap", "Spilled", "nap_of", "read_from"]


class Nap(Spill):
    """What is remembered of a lane that is asleep; its rest in the ledger begins with its head."""

    __slots__ = ("job_id", "place", "priority")

    def __init__(self, head: Job, floor: int) -> None:
        super().__init__(head.place - 1)
        self.floor = min(floor, self.behind)
        self.place = head.place
        self.job_id = head.job_id
        self.priority = head.priority


class Spilled:
    """Lanes that are longer than their piece in memory."""

    def __init__(self, low: int) -> None:
        """*low*: how many a lane has in memory when it is read again."""
        self._low = low
        self._lanes: dict[str, JobLane] = {}
        self._hungry: dict[str, JobLane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def hungry(self) -> bool:
        """Whether one has run low."""
        return bool(self._hungry)

    def lanes(self) -> Iterable[JobLane]:
        """All of them."""
        return self._lanes.values()

    def put(self, lane: JobLane) -> None:
        """Take in a lane that has a spill."""
        self._lanes[_name(lane)] = lane

    def remove(self, lane: JobLane) -> None:
        """Forget a lane, if it is here."""
        name = _name(lane)
        self._lanes.pop(name, None)
        self._hungry.pop(name, None)

    def spill(self, lane: JobLane, behind: int) -> None:
        """Note that there is more of a lane behind a place."""
        if lane.spill is None:
            lane.spill = Spill(behind)
            self.put(lane)
        spill = lane.spill
        spill.behind, spill.floor, spill.more = behind, min(spill.floor, behind), True

    def read_anew(self, lane: JobLane) -> None:
        """Have a lane be read from its beginning, if it is not read by itself anyway."""
        if lane.spill is None:
            last = lane.running if lane.head is None else lane.waiting()[-1]
            self.spill(lane, 0 if last is None else last.place)
            self.feel(lane)

    def feel(self, lane: JobLane) -> None:
        """Find out whether a lane has run low."""
        if not _spill(lane).reading and lane.count() <= self._low:
            self._hungry[_name(lane)] = lane

    def left_out(self, lanes_max: int, others: Iterable[JobLane]) -> list[str]:
        """Return names of lanes that a look leaves out: up to so many, and *others* that are spilled or asleep."""
        lanes = {name: self._lanes[name] for name in itertools.islice(self._lanes, lanes_max)}
        lanes |= {_name(lane): lane for lane in others if lane.spill is not None}
        for lane in lanes.values():
            _spill(lane).more = True
        return list(lanes)

    def read(self, lanes_max: int) -> dict[str, int]:
        """Return lanes that have run low, each with the place behind which it is read now."""
        names = list(itertools.islice(self._hungry, lanes_max))
        return {name: read_from(self._hungry.pop(name)) for name in names}


class Asleep:
    """Lanes of which nothing is in memory until their head is due."""

    def __init__(self) -> None:
        #: By class, when each is due.  What was roused before is found out when its time comes.
        self._due: tuple[list[tuple[float, int, JobLane]], ...] = tuple([] for _ in Priority)
        self._serial = itertools.count()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, lane: JobLane, head: Job, until: float) -> None:
        """Let a lane sleep whose *head* is due at *until*."""
        lane.spill = Nap(head, 0 if lane.spill is None else lane.spill.floor)
        lane.state = "asleep"
        self._count += 1
        self._until(lane, until)

    def rouse(self, lane: JobLane) -> None:
        """Take a lane out; it is idle then, and spilled."""
        lane.state = "idle"
        self._count -= 1
        if sum(map(len, self._due)) > 2 * self._count:
            for entries in self._due:
                entries[:] = [entry for entry in entries if _stands(entry)]
                heapq.heapify(entries)

    def hasten(self, lane: JobLane) -> None:
        """Have a lane be due now."""
        self._until(lane, float("-inf"))

    def next_due(self) -> float | None:
        """Return when the next one is due."""
        nexts = [entries[0][0] for entries in self._due if self._first_stands(entries)]
        return min(nexts, default=None)

    def classes_due(self, now: float) -> list[int]:
        """Return the classes of which one is due."""
        return [
            priority
            for priority, entries in enumerate(self._due)
            if self._first_stands(entries) and entries[0][0] <= now
        ]

    def due(self, priority: int, now: float, lanes_max: int) -> list[JobLane]:
        """Rouse up to so many lanes of a class that are due, and return them."""
        entries = self._due[priority]
        lanes: list[JobLane] = []
        while len(lanes) < lanes_max and self._first_stands(entries) and entries[0][0] <= now:
            lane = heapq.heappop(entries)[2]
            self.rouse(lane)
            lanes.append(lane)
        return lanes

    def _until(self, lane: JobLane, until: float) -> None:
        lane.until = until
        heapq.heappush(self._due[nap_of(lane).priority], (until, next(self._serial), lane))

    def _first_stands(self, entries: list[tuple[float, int, JobLane]]) -> bool:
        while entries and not _stands(entries[0]):
            heapq.heappop(entries)
        return bool(entries)


def nap_of(lane: JobLane) -> Nap:
    """Return what is remembered of a lane that is asleep, or was until now."""
    nap = lane.spill
    assert isinstance(nap, Nap), "asked of lanes that were asleep only"
    return nap


def read_from(lane: JobLane) -> int:
    """Note that a lane is read from here on; return the place behind which."""
    spill = _spill(lane)
    spill.reading, spill.more = True, False
    return spill.floor


def _stands(entry: tuple[float, int, JobLane]) -> bool:
    until, _, lane = entry
    return lane.state == "asleep" and lane.until == until


def _name(lane: JobLane) -> str:
    assert lane.name is not None, "a laneless job is alone"
    return lane.name


def _spill(lane: JobLane) -> Spill:
    assert lane.spill is not None, "its rest is in the ledger"
    return lane.spill
