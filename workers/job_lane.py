"""One lane of jobs in a worker's memory: the next job, those behind it, and the one that runs.  Pure.

A job without a lane is alone in one that has no name.  The deque is made for the second job only: most lanes never hold
two, and nothing that a laneless job needs may cost more than it is worth.
"""

from __future__ import annotations

from bisect import bisect
from collections import deque
from operator import attrgetter
from typing import Literal

from gateway.domain.job import Job

__all__ = ["JobLane", "Spill", "State"]

#: idle: nothing to start, or not offered yet; ready, suspect: in line to start, the latter one at a time; held: its
#: head is not due; parked: its head's kind is paused or has no room; running: its head is behind one that runs; asleep:
#: its head is not due for long, and in the ledger alone.
State = Literal["idle", "ready", "suspect", "held", "parked", "running", "asleep"]

_place = attrgetter("place")


class Spill:
    """What a lane that is longer than memory knows of its rest in the ledger."""

    __slots__ = ("behind", "floor", "more", "reading")

    def __init__(self, behind: int) -> None:
        #: Of the jobs up to this place all that were read are in memory, or were; from it on none is.
        self.behind = behind
        #: Up to this place there is nothing more to come, whenever it commits: the next read begins behind it.
        self.floor = 0
        #: Whether one was turned away, or may have been passed over, since the read that is under way was asked for.
        self.more = True
        self.reading = False


class JobLane:
    """A lane; the board keeps its numbers."""

    __slots__ = ("fence", "head", "name", "partition", "rest", "running", "spill", "state", "until")

    def __init__(self, job: Job) -> None:
        self.name = job.lane
        self.partition = job.partition
        self.fence = job.fence
        #: The next one to start.
        self.head: Job | None = job
        #: Those behind it, by place.
        self.rest: deque[Job] | None = None
        self.running: Job | None = None
        self.spill: Spill | None = None
        self.state: State = "idle"
        #: Of one that is held or asleep: when its head is due.
        self.until = 0.0

    def __repr__(self) -> str:
        return f"<JobLane {self.name!r} {self.state}: {len(self.waiting())} waiting>"

    def count(self) -> int:
        """Return how many jobs wait in memory."""
        if self.head is None:
            return 0
        return 1 + len(self.rest) if self.rest else 1

    def waiting(self) -> list[Job]:
        """Return the jobs that wait in memory, by place."""
        if self.head is None:
            return []
        return [self.head, *(self.rest or ())]

    def last_place(self) -> int:
        """Return the place of the last one that waits; there is one."""
        assert self.head is not None, "asked of lanes with jobs only"
        return (self.rest[-1] if self.rest else self.head).place

    def insert(self, job: Job) -> None:
        """Put a job where its place is."""
        head, rest = self.head, self.rest
        if head is None:
            self.head = job
            return
        if rest is None:
            rest = self.rest = deque()
        if job.place < head.place:
            rest.appendleft(head)
            self.head = job
        elif not rest or job.place > rest[-1].place:
            rest.append(job)
        else:
            rest.insert(bisect(rest, job.place, key=_place), job)

    def remove(self, job: Job) -> None:
        """Take a waiting job out."""
        if job is self.head:
            self.head = self.rest.popleft() if self.rest else None
        else:
            assert self.rest is not None, "it waits behind the head"
            self.rest.remove(job)
