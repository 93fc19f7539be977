"""The jobs that a worker has in its hands: which wait, which run, and which lane may start its next one.  Pure.

Rules:

- A lane's next job starts only after the last one was settled, in the order of places.  A job that commits late, with a
  place before others that were read already, takes its place among those that wait.
- Everything is known by its place, not by its id: a snoozed job joins its lane anew under the same id, and its new
  reading may come before the end of the old one was told.
- Memory holds a bounded piece of each lane.  A longer one is *spilled*: what comes behind the piece is turned away, and
  read again by lane when the piece has run low (``hungry_lanes``, ``refilled``).
- Of a lane whose head waits for long memory holds nothing: it is *asleep* (``put_down``), what is read of it is turned
  away, and it is read by lane when its head is due (``waking_lanes``, ``refilled``).
- What the ledger showed and what memory forgot may cross: a job can be read before its settle is committed, and arrive
  after.  So each read stands inside ``reading()``, from before its statement until its jobs were added.
- Looks leave out ``spilled_lanes()``; asked for before ``hungry_lanes()`` and its read, or the lane stays spilled for
  one more read.
- A partition whose jobs are dropped keeps counting those that run; whatever becomes of them, they do not come back.
- Kinds with a bound are counted here, from ``take`` to ``settled``, so that who finds its kind full waits in its lane
  and costs nobody a start.
- Nothing is kept of what is neither in memory, running, spilled nor asleep: an empty board has empty dicts.

Times are monotonic seconds, given by the caller.  Absent: the ledger, its marks, the lease, and who owns what.  This is
on the path of each job, so what happens once a job is written without the calls that would be prettier.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from gateway.domain.job import PARTITIONS, SUSPECTS_FROM, Job
from workers.job_lane import JobLane
from workers.spilled import Asleep, Nap, Spilled, nap_of, read_from
from workers.startable import Startable

__all__ = ["Board", "Ending"]

#: What became of a run: as it was written; gone: it had been dropped or written before; lost: the partition is not ours
#: any more.
Ending = Literal["done", "retry", "snooze", "bury", "gone", "lost"]


class Board:
    """Jobs in memory."""

    def __init__(self, lane_buffered_max: int, *, bounds: Mapping[str, int] | None = None) -> None:
        """*bounds*: how many of a kind may be between ``take`` and ``settled`` at once, where that has a bound."""
        self._lane_max = lane_buffered_max
        self._bounded = bool(bounds)
        self._starts = Startable(bounds or {})
        #: Of every job that waits or runs, unless its partition was dropped: its lane, by place.  Of a lane that sleeps
        #: its head's.
        self._places: dict[int, JobLane] = {}
        self._lanes: dict[str, JobLane] = {}
        self._spilled = Spilled(lane_buffered_max // 4)
        self._asleep = Asleep()
        #: Places by id, of jobs whose place is not their id.
        self._rejoined: dict[int, int] = {}
        #: Place and fence of jobs that run although their partition was dropped.
        self._dropped: set[tuple[int, int]] = set()
        #: Jobs in memory or running, by claim.
        self._claims: dict[int, int] = {}
        self._claims_ended: set[int] = set()
        self._readings = 0
        #: Places that ended while something was being read.
        self._ended: set[int] = set()
        self._running_of = [0] * PARTITIONS
        #: Jobs that wait in memory, held ones included.
        self.buffered = 0
        self.running = 0

    def __repr__(self) -> str:
        return (
            f"<Board: {self.ready} ready, {self.buffered} buffered, {self.held} of them held, "
            f"{self.running} running, {len(self._spilled)} lanes spilled, {self.asleep} asleep>"
        )

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._places or job_id in self._rejoined

    def knows(self, place: int) -> bool:
        """Return whether the job of this place waits or runs here, or is the head of a lane that is asleep."""
        return place in self._places

    @property
    def ready(self) -> int:
        """Jobs that could be started now: lanes whose head may."""
        return self._starts.ready

    @property
    def held(self) -> int:
        """Jobs in lanes whose head is not due, or of a kind that is paused or full: what they wait for is not room."""
        return self._starts.held

    @property
    def asleep(self) -> int:
        """Lanes of which nothing is in memory until their head is due."""
        return len(self._asleep)

    @property
    def hungry(self) -> bool:
        """Whether a spilled lane has run low, and ``hungry_lanes`` would name it."""
        return self._spilled.hungry

    def ready_of(self, priority: int) -> int:
        """Return how many lanes of a class have a job that could be started now."""
        return self._starts.ready_of(priority)

    def running_places(self, kinds: Collection[str]) -> list[int]:
        """Return the places of jobs of *kinds* that run."""
        running = [lane.running for lane in self._lanes.values()]
        return [job.place for job in running if job is not None and job.kind in kinds]

    def running_of(self, partition: int) -> int:
        """Return how many jobs of the partition run."""
        return self._running_of[partition]

    def next_release(self, now: float) -> float | None:
        """Return when the next held lane may go on; *now* for one that may already.  ``take`` lets it."""
        return self._starts.next_release(now)

    def pause(self, kinds: frozenset[str]) -> frozenset[str]:
        """Start none of *kinds*; return the kinds that were paused and are no more, whose looks must begin anew."""
        return self._starts.pause(kinds)

    # Reading

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Around each read of the ledger, from before its statement until its jobs were added.

        What ends meanwhile is remembered, because the ledger may have shown it before.
        """
        self._readings += 1
        try:
            yield
        finally:
            self._readings -= 1
            if not self._readings:
                self._ended.clear()

    def claimed(self, claim: int) -> None:
        """Know of a claim, some of whose jobs may not be added: with none in memory it has ended."""
        if claim not in self._claims:
            self._claims_ended.add(claim)

    def claims_ended(self) -> list[int]:
        """Return claims of which nothing is in memory or running any more; each is named once."""
        if not self._claims_ended:
            return []
        ended, self._claims_ended = self._claims_ended, set()
        return [claim for claim in ended if claim not in self._claims]

    def add(self, job: Job, now: float) -> bool:
        """Take in a job that was read; False: its lane has no room, and the job stays in the ledger alone."""
        place = job.place
        if place in self._places or (self._ended and place in self._ended):
            self.claimed(job.claim)
            return True
        name = job.lane
        if name is not None and name in self._lanes:
            return self._join(self._lanes[name], job, now)
        lane = JobLane(job)
        if name is not None:
            self._lanes[name] = lane
        self._note(job, lane, now)
        self._starts.offer(lane)
        return True

    def passed_over(self, job: Job) -> None:
        """Hear of a job in front of what is about to be added: if looks left it out, its lane is read by itself."""
        if job.lane is None or job.place in self._places or job.place in self._ended:
            return
        if job.lane not in self._lanes:
            lane = self._lanes[job.lane] = JobLane(job)
            lane.remove(job)
        self._spilled.read_anew(self._lanes[job.lane])

    def spilled_lanes(self, lanes_max: int, others: Iterable[str] = ()) -> list[str]:
        """Return lanes that a look should leave out, with *others* that it may: all it would bring is turned away."""
        return self._spilled.left_out(lanes_max, [lane for name in others if (lane := self._lanes.get(name))])

    def hungry_lanes(self, lanes_max: int) -> dict[str, int]:
        """Return spilled lanes that have run low, each with the place behind which it is to be read.

        ``lane_rows`` rows of each, and then ``refilled``, whatever came of it: until then it is not named again.
        """
        return self._spilled.read(lanes_max)

    def waking_lanes(self, priority: int, now: float, lanes_max: int) -> dict[str, int]:
        """Return lanes of a class that were asleep until now: as ``hungry_lanes``."""
        lanes = self._asleep.due(priority, now, lanes_max)
        for lane in lanes:
            self._roused(lane)
        return {lane.name or "": read_from(lane) for lane in lanes}

    def classes_waking(self, now: float) -> list[int]:
        """Return the classes of which ``waking_lanes`` would name one."""
        return self._asleep.classes_due(now)

    def next_waking(self) -> float | None:
        """Return when the next lane that is asleep is to be read."""
        return self._asleep.next_due()

    @property
    def lane_rows(self) -> int:
        """Rows of a lane to be read at a time: what it may hold, and the one that runs."""
        return self._lane_max + 1

    def refilled(self, name: str, jobs: Sequence[Job], *, exhausted: bool, now: float, floor: int = 0) -> None:
        """Take in what was read of a hungry lane, by place.

        *exhausted*: there were fewer rows than asked for.  *floor*: up to this place all that can ever come was visible
        before the read began (the floor of its partition and priority); it spares the next read what is known.
        """
        lane = self._lanes.get(name)
        spill = None if lane is None else lane.spill
        if lane is None or spill is None or not spill.reading:
            # Its partition was dropped meanwhile.
            for job in jobs:
                self.claimed(job.claim)
            return
        for job in jobs:
            if job.place in self._places or job.place in self._ended:
                self.claimed(job.claim)
            elif job.place > spill.behind and lane.count() >= self._lane_max:
                self.claimed(job.claim)
                exhausted = False
                break
            else:
                self._keep(lane, job, now)
            spill.behind = max(spill.behind, job.place) if lane.count() < self._lane_max else lane.last_place()
        spill.reading = False
        if exhausted and not spill.more:
            lane.spill = None
            self._spilled.remove(lane)
            if lane.state == "idle":
                del self._lanes[name]
            return
        if jobs:
            spill.floor = max(spill.floor, min(floor, spill.behind))
        self._spilled.feel(lane)

    # Running

    def take(self, now: float, room: int) -> list[Job]:
        """Return up to *room* jobs to be started, which run from here on."""
        lanes = self._starts.take(now, room)
        jobs = []
        running_of = self._running_of
        for lane in lanes:
            job, rest = lane.head, lane.rest
            assert job is not None, "only lanes with a next job are startable"
            lane.head = rest.popleft() if rest else None
            lane.running = job
            lane.state = "running"
            running_of[job.partition] += 1
            if lane.spill is not None:
                self._spilled.feel(lane)
            jobs.append(job)
        self.buffered -= len(jobs)
        self.running += len(jobs)
        return jobs

    def settled(self, job: Job, fate: Ending, now: float, after_s: float = 0.0, attempts: int | None = None) -> None:
        """Hear what became of a run, after it was committed.

        A retry stays the head of its lane, which is held for *after_s*; *attempts* is what its next try is told.  Lost
        is its whole partition, as far as it is in memory.

        :raises ValueError: this job does not run.
        """
        lane = self._ran(job)
        if lane is None:
            return
        if fate == "retry":
            if attempts is not None:
                job = msgspec.structs.replace(job, attempts=attempts)
            if after_s > 0:
                self._starts.due[job.place] = now + after_s
            self._back(lane, job)
            return
        if fate == "lost":
            # Not among the ended: should the partition come back, the job will be read again.
            self._remove(job)
            self._go_on(lane)
            self.drop_partitions({job.partition}, fence=job.fence)
            return
        if self._readings:
            self._ended.add(job.place)
        self._remove(job)
        self._go_on(lane)

    def unstart(self, job: Job) -> None:
        """Take a job back that was not run after all: it is the head again, and first of its class.

        :raises ValueError: this job does not run.
        """
        lane = self._ran(job)
        if lane is not None:
            self._back(lane, job, first=True)

    # Forgetting

    def put_down(self, now: float, longer_than_s: float, lanes_max: int) -> None:
        """Let lanes sleep whose head is not due for longer than that, as long as no more than so many do.

        To be called now and then: it looks at those that are held since it was called before.
        """
        for lane in list(self._starts.newly_held):
            if lane.until - now > longer_than_s and len(self._asleep) < lanes_max:
                self._sleep(lane)
        self._starts.newly_held.clear()

    def drop_partitions(self, partitions: Collection[int], *, fence: int | None = None) -> None:
        """Forget everything of these that does not run; with *fence*, only what was read under none higher.

        Only once they are not ours any more: read again under the same fence, what runs would run twice.  Several
        together: each time all that is in memory is walked through.
        """
        lanes = {
            lane
            for lane in (*self._places.values(), *self._spilled.lanes())
            if lane.partition in partitions and (fence is None or lane.fence <= fence)
        }
        for lane in lanes:
            if lane.state == "asleep":
                self._rouse(lane)
            if lane.running is not None:
                del self._places[lane.running.place]
                self._unname(lane.running)
                self._dropped.add((lane.running.place, lane.running.fence))
            if lane.name is not None:
                del self._lanes[lane.name]
                self._spilled.remove(lane)
        self._starts.withdraw_all(lanes)
        for lane in lanes:
            for job in lane.waiting():
                self._remove(job)
                self.buffered -= 1

    def forget(self, job_id: int) -> None:
        """Forget a job that an operator dropped; one that runs will be found gone."""
        place = self._rejoined.get(job_id, job_id)
        if self._readings:
            self._ended.add(place)
        lane = self._places.get(place)
        if lane is None:
            return
        if lane.state == "asleep":
            self._asleep.hasten(lane)
            return
        job = next((job for job in lane.waiting() if job.place == place), None)
        if job is None:
            return
        running = lane.running is not None
        if not running:
            self._starts.withdraw(lane)
        lane.remove(job)
        self._remove(job)
        self.buffered -= 1
        if not running:
            self._go_on(lane)
        if lane.spill is not None:
            self._spilled.feel(lane)

    # Inside

    def _join(self, lane: JobLane, job: Job, now: float) -> bool:
        spill = lane.spill
        if spill is not None:
            if job.place > spill.behind:
                spill.more = True
                self.claimed(job.claim)
                return False
            if lane.state == "asleep":
                # Committed late, it comes before the one that is waited for.
                self._rouse(lane)
        elif lane.count() >= self._lane_max and job.place > (last := lane.last_place()):
            self._spilled.spill(lane, last)
            self.claimed(job.claim)
            return False
        self._keep(lane, job, now)
        return True

    def _keep(self, lane: JobLane, job: Job, now: float) -> None:
        """Put a job into a lane that exists, and its last one out if it holds too many now."""
        head = lane.head
        if head is not None and lane.running is None and job.place < head.place:
            self._starts.withdraw(lane)
        elif lane.state in {"held", "parked"}:
            self._starts.held += 1
        lane.insert(job)
        self._note(job, lane, now)
        if lane.state == "idle":
            self._starts.offer(lane)
        self._bound(lane)

    def _bound(self, lane: JobLane) -> None:
        if lane.count() <= self._lane_max:
            return
        assert lane.rest, "a lane may hold at least one"
        last = lane.rest.pop()
        self._remove(last)
        self.buffered -= 1
        if lane.state in {"held", "parked"}:
            self._starts.held -= 1
        self._spilled.spill(lane, lane.last_place())

    def _sleep(self, lane: JobLane) -> None:
        head, until, waiting = lane.head, lane.until, lane.waiting()
        assert head is not None, "it is held for its head"
        self._starts.withdraw(lane)
        del self._starts.due[head.place]
        for job in waiting[1:]:
            self._remove(job)
        self._unclaim(head.claim)
        self.buffered -= len(waiting)
        lane.head = lane.rest = None
        self._spilled.remove(lane)
        self._asleep.put(lane, head, until)

    def _rouse(self, lane: JobLane) -> None:
        self._asleep.rouse(lane)
        self._roused(lane)

    def _roused(self, lane: JobLane) -> None:
        nap = nap_of(lane)
        del self._places[nap.place]
        self._unname(nap)
        self._spilled.put(lane)

    def _note(self, job: Job, lane: JobLane, now: float) -> None:
        place, claim = job.place, job.claim
        self._places[place] = lane
        self._claims[claim] = self._claims.get(claim, 0) + 1
        if place != job.job_id:
            self._rejoined[job.job_id] = place
        if job.wait_s > 0:
            self._starts.due[place] = now + job.wait_s
        self.buffered += 1

    def _remove(self, job: Job) -> None:
        """Forget a job; its lane and the numbers are the caller's."""
        place, claim = job.place, job.claim
        self._places.pop(place, None)
        if self._starts.due:
            self._starts.due.pop(place, None)
        if place != job.job_id:
            self._unname(job)
        self._unclaim(claim)

    def _unname(self, job: Job | Nap) -> None:
        if self._rejoined.get(job.job_id) == job.place:
            del self._rejoined[job.job_id]

    def _unclaim(self, claim: int) -> None:
        left = self._claims[claim] - 1
        if left:
            self._claims[claim] = left
        else:
            del self._claims[claim]
            self._claims_ended.add(claim)

    def _ran(self, job: Job) -> JobLane | None:
        """Count a run as over; return its lane, or None: its partition was dropped."""
        lane = self._places.get(job.place)
        if lane is None or lane.running is not job:
            if (job.place, job.fence) not in self._dropped:
                raise ValueError(f"job {job.job_id} does not run")
            self._dropped.remove((job.place, job.fence))
            self._unclaim(job.claim)
            lane = None
        else:
            lane.running = None
            lane.state = "idle"
        self.running -= 1
        self._running_of[job.partition] -= 1
        if job.deaths >= SUSPECTS_FROM:
            self._starts.suspect_runs = False
        if self._bounded:
            self._starts.ended(job.kind)
        return lane

    def _back(self, lane: JobLane, job: Job, *, first: bool = False) -> None:
        """Put a job that ran back into its lane."""
        lane.insert(job)
        self.buffered += 1
        self._starts.offer(lane, first=first)
        self._bound(lane)

    def _go_on(self, lane: JobLane) -> None:
        if lane.head is not None:
            self._starts.offer(lane)
        elif lane.spill is None and lane.name is not None:
            del self._lanes[lane.name]
