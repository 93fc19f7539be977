"""Keeps the board filled from the ledger: who is hungry, how much may be read, and what was read.

    a hint, a full look, room ─▶ hungry pairs ─▶ one statement ─▶ marks (what is new) ─▶ board ─▶ wake the dispatcher

A pair is a partition and a priority: what is read behind one floor.  It is hungry

- when a hint names a job that was not read;
- every ``jobs.poll_s``: what no hint told of;
- as long as a look at it was cut at its limit.

Each look begins at the floor and leaves out what was read (``Marks`` says why).  While a kind is paused it leaves out
jobs of it and what stands behind them in their lanes, too, so that they fill no memory; what is resumed is read anew.
A job that it holds back may also be dropped, and what stood behind it be below the floor by then.  So what a look
brings goes into memory only if the last job of its lane below the floor is known there, or there is none; otherwise the
lane is read by itself, from its beginning.  If nothing more comes of the lane, a look anew finds what stood behind.

What waits for its next try fills no memory either, or lanes in retry would in the end leave no room for others.  One
whose head is not due for long is put to sleep: only its name is kept, and it is read by lane when its head is due, as
there is room (``workers/spilled.py`` says why).  A job in no lane that waits for long is in the ledger alone
(``gateway/jobs/endings.py``).

What was read is added only while its partition is ours under the fence of the read.  Which of it may run, and when, is
the board's.  One statement is under way at a time: the next one finds more to do at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

import gevent
from gevent.event import Event

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import PARTITIONS, Job
from gateway.domain.resilience.priority import Priority
from gateway.settings.jobs import JobSettings
from gateway.store.ledger import jobs as rows
from gateway.store.ledger.jobs import Pull, Scan
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database
from workers.board import Board
from workers.marks import Marks
from workers.pace import rows_each

__all__ = ["Feed"]

#: A partition and a priority.
Pair = tuple[int, int]

#: Seconds after which a statement that failed, or found what it wants locked, is tried again.
_PAUSE_S = 0.25
#: Lanes that one look leaves out because they are spilled.
_SKIPPED_MAX = 200
#: Startable lanes of a class below which it may read although the board is full: of others.
_FEW = 32
#: Seconds from which on a lane sleeps while it waits for its head's next try; and from which on it does when more jobs
#: are held than ``jobs.jobs_buffered_max``.  To read it again costs more than to keep it for a moment.
_LONG_S = 10.0
_LONG_WHEN_MANY_S = 1.0
#: Lanes that may sleep, by ``jobs.jobs_buffered_max``: 400,000 of half a kilobyte each.  Others wait in memory.
_ASLEEP_FACTOR = 100
#: Rows that a lane which wakes is taken to have: mostly the one that failed, and what was said since.
_LANE_ROWS_GUESSED = 4
#: What is held in memory (short retries, full kinds) is bounded as well: by so many times
#: ``jobs.jobs_buffered_max`` in all, and by one more for each class above the least important one, so that what fills
#: memory without ever starting hides nothing more important than itself.
_HELD_FACTOR = 10
#: Seconds between two looks anew while a kind is paused: what stood in a lane behind a job of it was left out, and that
#: job may have been dropped.  At those partitions of which one was, and at one more, because word of it may be lost: to
#: look at all would read again whatever sleeps.
_ANEW_EVERY_S = 30.0


class Feed:
    """Reads jobs of the partitions that this worker owns."""

    def __init__(
        self,
        database: Database,
        process: Callable[[], Process],
        settings: JobSettings,
        board: Board,
        *,
        fences: Mapping[int, int],
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._process = process
        self._settings = settings
        self._board = board
        #: Of the partitions that may be read now, by partition.
        self._fences = fences
        #: There may be something to be started.
        self._wake = wake
        self._clock = clock
        self._marks: dict[Pair, Marks] = {}
        #: Pairs to be looked at, in this order.
        self._hungry: dict[Pair, None] = {}
        #: Jobs read by one statement, if there is room for so many.
        self._portion = min(settings.batch_rows_max, max(1, settings.jobs_buffered_max // 2))
        self._paused: frozenset[str] = frozenset()
        #: Places of paused kinds that ran when these were paused: what comes behind them in their lanes may be read.
        self._finishing: list[int] = []
        self._anew_at = 0.0
        #: Partitions of which a job was dropped since the last look anew, and the one that is looked at without that.
        self._dropped: set[int] = set()
        self._in_turn = 0
        #: How often some were begun anew.
        self._begun = 0
        #: When all are to be looked at, and when the next job is due to join its lane.
        self._full_look_at = 0.0
        self._promote_at = 0.0
        #: When the next lane that sleeps is to be read; and whether one that is has found no room.
        self._waking_at = math.inf
        self._crowded = False
        self._something = Event()

    def __repr__(self) -> str:
        return f"<Feed of {len(self._marks)} pairs, {len(self._hungry)} hungry>"

    def taken(self, partitions: Iterable[int]) -> None:
        """Read these partitions from now on."""
        for partition in partitions:
            for priority in Priority:
                self._marks[partition, priority] = Marks()
                self._hungry[partition, priority] = None
        self._promote_at = 0.0
        self._something.set()

    def released(self, partition: int) -> None:
        """Read this partition no more."""
        for priority in Priority:
            self._marks.pop((partition, priority), None)
            self._hungry.pop((partition, priority), None)

    def hint(self, partition: int, priority: Priority, ids: Sequence[int]) -> None:
        """Hear of jobs that are committed; none named: look."""
        pair = (partition, priority)
        marks = self._marks.get(pair)
        if marks is not None and (not ids or marks.hinted(ids)):
            self._hungry[pair] = None
            self._something.set()

    def due_in(self, seconds: float) -> None:
        """Hear that a job is scheduled that will join its lane then."""
        at = self._clock() + seconds
        if at < self._promote_at:
            self._promote_at = at
            self._something.set()

    def dropped(self, partition: int, job_id: int) -> None:
        """Hear that somebody dropped a job."""
        self._board.forget(job_id)
        if self._paused:
            self._dropped.add(partition)

    def pause(self, kinds: frozenset[str]) -> None:
        """Start none of *kinds*, and all others; what is resumed is read anew."""
        self._paused = kinds
        self._anew_at = self._clock() + _ANEW_EVERY_S
        if self._board.pause(kinds):
            self._begin_anew(range(PARTITIONS))
            self._something.set()
        self._finishing = self._board.running_places(kinds)
        self._wake()

    def eaten(self) -> None:
        """Hear that jobs were taken from the board.  On the path of each start."""
        if self._board.hungry or ((self._hungry or self._crowded) and self._room() >= self._portion):
            self._something.set()

    def read_forever(self) -> None:
        """Read until killed.  To be supervised."""
        while True:
            now = self._clock()
            self._something.wait(max(0.0, min(self._full_look_at, self._promote_at, self._waking_at) - now))
            self._something.clear()
            try:
                self._round()
            except StoreUnavailable:
                gevent.sleep(_PAUSE_S)
                self._something.set()

    def _round(self) -> None:
        """One look at what is due, hungry, spilled or waking."""
        now = self._clock()
        self._put_down(now)
        if now >= self._full_look_at:
            self._full_look_at = now + self._settings.poll_s
            self._promote_at = min(self._promote_at, now)
            self._hungry.update(dict.fromkeys(self._marks))
            if self._paused and now >= self._anew_at:
                self._anew_at = now + _ANEW_EVERY_S
                self._in_turn = (self._in_turn + 1) % PARTITIONS
                self._begin_anew({self._in_turn, *self._dropped})
        if now >= self._promote_at:
            self._promote()
        # Many at once or none: a statement for a handful of rows costs nearly as much.  As many for what is new as for
        # what wakes, or a flood of the one would starve the other.
        room = self._portion if self._room() >= self._portion else 0
        if pulls := self._pulls(room):
            self._look(pulls)
        self._refill(self._board.hungry_lanes(max(1, self._settings.batch_rows_max // self._board.lane_rows)))
        roused = self._rouse(room, now)
        self._refill(roused)
        at = self._board.next_waking()
        late = at is not None and at <= now
        if late and roused:
            self._something.set()
        self._crowded = late and not roused
        self._waking_at = math.inf if late or at is None else at

    def _put_down(self, now: float) -> None:
        """Let sleep what waits for long."""
        jobs_max = self._settings.jobs_buffered_max
        long_s = _LONG_S if self._board.held <= jobs_max else _LONG_WHEN_MANY_S
        self._board.put_down(now, long_s, _ASLEEP_FACTOR * jobs_max)

    def _rouse(self, room: int, now: float) -> dict[str, int]:
        """Return lanes whose head is due by now, as many as there is room for, to be read."""
        classes = self._board.classes_waking(now)
        lanes: dict[str, int] = {}
        for priority in classes:
            rows_max = max(room // len(classes), self._few(priority))
            if rows_max > 0:
                lanes |= self._board.waking_lanes(priority, now, max(1, rows_max // _LANE_ROWS_GUESSED))
        return lanes

    def _begin_anew(self, partitions: Container[int]) -> None:
        """Look at everything of these again, because looks left something out.

        One that is under way leaves it out still, and begins where the last one was to: it brings nothing, or what it
        has left out would come behind what it has brought.
        """
        self._begun += 1
        self._dropped.clear()
        for pair, marks in self._marks.items():
            if pair[0] in partitions:
                marks.reset()
                self._hungry[pair] = None

    def _promote(self) -> None:
        """Let due jobs join their lanes."""
        self._promote_at = self._full_look_at
        if not self._fences:
            return
        partitions, rows_max = list(self._fences), self._settings.batch_rows_max
        promoted, next_s = self._database.run(lambda cursor: rows.promote(cursor, partitions, rows_max))
        if promoted:
            self._hungry.update(dict.fromkeys(self._marks))
        if next_s is not None:
            # One that is due and was not promoted is locked by somebody: asking again at once would only ask.
            wait_s = next_s if promoted or next_s > 0 else _PAUSE_S
            self._promote_at = min(self._promote_at, self._clock() + max(0.0, wait_s))

    def _room(self) -> int:
        """Return how many jobs more the board may hold: of those that wait for nothing else than room."""
        board, jobs_max = self._board, self._settings.jobs_buffered_max
        return min(jobs_max - board.buffered + board.held, _HELD_FACTOR * jobs_max - board.buffered)

    def _pulls(self, room: int) -> dict[Pair, Pull]:
        """Return what is to be read in one statement, by pair."""
        pulls: dict[Pair, Pull] = {}
        by_class: dict[int, list[Pair]] = {}
        for pair in self._hungry:
            by_class.setdefault(pair[1], []).append(pair)
        for priority, pairs in sorted(by_class.items()):
            rows_max = max(room // len(by_class), self._few(priority))
            if rows_max <= 0:
                continue
            looked_at = pairs[:rows_max]
            marks = [self._marks[pair] for pair in looked_at]
            each = rows_each([mark.mark if mark.cut else None for mark in marks], rows_max)
            for pair, mark, rows_here in zip(looked_at, marks, each, strict=True):
                del self._hungry[pair]
                pulls[pair] = Pull(*pair, mark.floor, rows_here)
        return pulls

    def _few(self, priority: int) -> int:
        """Return how many jobs of a class may be read whatever room the others leave.

        A class of which hardly anything is at hand need not wait until what the others have at hand is done.
        """
        bound = (_HELD_FACTOR + max(Priority) - priority) * self._settings.jobs_buffered_max
        return _FEW if self._board.ready_of(priority) < _FEW and self._board.buffered < bound else 0

    def _look(self, pulls: Mapping[Pair, Pull]) -> None:
        fences, begun = dict(self._fences), self._begun
        known = [place for pair in pulls for place in self._marks[pair].known]
        away = [lane for pair in pulls for lane in self._marks[pair].lanes]
        skip_lanes = self._board.spilled_lanes(_SKIPPED_MAX, away)
        self._finishing = [place for place in self._finishing if self._board.knows(place)]
        with self._board.reading():
            try:
                scan = self._database.run(
                    lambda cursor: rows.scan(
                        cursor,
                        self._process(),
                        list(pulls.values()),
                        fences,
                        known=known,
                        skip_lanes=skip_lanes,
                        skip_kinds=list(self._paused),
                        finishing=self._finishing,
                    )
                )
            except BaseException:
                self._hungry.update(dict.fromkeys(pair for pair in pulls if pair in self._marks))
                raise
            if scan.jobs:
                self._board.claimed(scan.jobs[0].claim)
            if begun == self._begun:
                self._add(scan, pulls, fences)
        self._wake()

    def _add(self, scan: Scan, pulls: Mapping[Pair, Pull], fences: Mapping[int, int]) -> None:
        board, now = self._board, self._clock()
        found = _by_pair(scan)
        for pair, pull in pulls.items():
            marks, (partition, _) = self._marks.get(pair), pair
            if marks is None or self._fences.get(partition) != fences.get(partition):
                continue
            jobs = []
            for job in found.get(pair, []):
                if job.place > pull.behind:
                    jobs.append(job)
                else:
                    board.passed_over(job)
            cut = len(jobs) >= pull.rows_max
            for job in marks.read(jobs, scan.low, scan.high, cut=cut):
                if not board.add(job, now):
                    marks.turned_away(job.place, job.lane or "")
            marks.forget(board.knows)
            if cut:
                self._hungry[pair] = None
                self._something.set()

    def _refill(self, lanes: Mapping[str, int]) -> None:
        """Read lanes of which memory holds a piece that has run low, or nothing, each from behind its place on."""
        if not lanes:
            return
        board, lane_rows = self._board, self._board.lane_rows
        fences = dict(self._fences)
        floors = {pair: marks.floor for pair, marks in self._marks.items()}
        found: dict[str, list[Job]] = {}
        failed = True
        with board.reading():
            try:
                jobs = self._database.run(
                    lambda cursor: rows.scan_lanes(cursor, self._process(), lanes, fences, lane_rows)
                )
                if jobs:
                    board.claimed(jobs[0].claim)
                for job in jobs:
                    if self._fences.get(job.partition) == job.fence:
                        found.setdefault(job.lane or "", []).append(job)
                failed = False
            finally:
                now = self._clock()
                for lane in lanes:
                    read = found.get(lane, [])
                    of_lane = self._before_paused(read)
                    floor = floors.get((of_lane[0].partition, of_lane[0].priority), 0) if of_lane else 0
                    ends = len(read) < lane_rows or len(of_lane) < len(read)
                    board.refilled(lane, of_lane, exhausted=not failed and ends, now=now, floor=floor)
        self._wake()
        if board.hungry:
            self._something.set()

    def _before_paused(self, of_lane: list[Job]) -> list[Job]:
        """Return those in front of the first one of a paused kind, as looks do; in memory it is as all others."""
        if self._paused:
            for number, job in enumerate(of_lane):
                if job.kind in self._paused and not self._board.knows(job.place):
                    return of_lane[:number]
        return of_lane


def _by_pair(scan: Scan) -> dict[Pair, list[Job]]:
    found: dict[Pair, list[Job]] = {}
    for job in scan.jobs:
        found.setdefault((job.partition, job.priority), []).append(job)
    return found
