"""How far one priority of one partition has been read from the ledger, and what may still come below that.  Pure.

Jobs are read by place, from the *mark*, the highest one read, on.  But a place is drawn before its transaction commits:
one that commits late shows a place below the mark.  So looks are made from the *floor* as well, every now and then and
when a hint names a job that the mark has passed; below the floor nothing can appear any more.

The floor moves up to an earlier mark once a look from the floor was begun after every transaction had ended that ran
when that mark was read: whoever drew a lower place than the mark did so before it, so its number is below that read's
``high`` (``jobs_scan``).  A look that was cut at its limit proves nothing behind the last place that it returned, and
the next one goes on from there: what is known and stays (held lanes, long runs) must not hide what is late behind it.

What a look leaves out (spilled lanes, paused kinds) is not known here: the board reads spilled lanes by themselves, and
who resumes a kind calls ``reset``.  One look of a pair is under way at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.domain.job import Job

__all__ = ["SEEN_MAX", "Marks"]

#: Places that are remembered above the floor.  It stands still while somebody's transaction stays open, whatever that
#: does; what is forgotten may be read again, and the board knows it if it is still there.
SEEN_MAX = 10_000


class Marks:
    """The marks of one (partition, priority)."""

    __slots__ = ("_awaited", "_high", "_seen", "_swept", "floor", "mark")

    def __init__(self) -> None:
        #: The highest place read.
        self.mark = 0
        #: At it and below it nothing can appear any more.
        self.floor = 0
        #: Places read above the floor.
        self._seen: set[int] = set()
        #: Behind it the next look from the floor goes on where the last one was cut; 0: it begins at the floor.
        self._swept = 0
        #: No transaction from here on had begun when the last look ended.
        self._high = 0
        #: The mark to which the floor will move, and the ``low`` of a look that allows it.
        self._awaited: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<Marks: floor {self.floor}, mark {self.mark}, {len(self._seen)} seen between>"

    def behind(self, again: bool) -> int:
        """Return the place behind which to look: to look *again* from the floor, or to go on."""
        return max(self.floor, self._swept) if again else self.mark

    def hinted(self, ids: Iterable[int]) -> bool:
        """Return whether one of the jobs may have come late, so that only a look from the floor finds it.

        The id of a fresh job is its place.  Of one that joins its lane anew it is not, and no hint names that.
        """
        floor, mark, seen = self.floor, self.mark, self._seen
        return any(floor < job_id <= mark and job_id not in seen for job_id in ids)

    def read(self, jobs: Sequence[Job], low: int, high: int, *, from_floor: bool, cut: bool) -> list[Job]:
        """Take note of a look's jobs, by place; return those that were not read before.

        *low*, *high*: between which transactions the look was made.  *from_floor*: it was made behind ``behind(True)``.
        *cut*: it returned as many as were asked for.
        """
        seen, floor = self._seen, self.floor
        fresh = [job for job in jobs if job.place > floor and job.place not in seen]
        seen.update([job.place for job in fresh])
        if jobs:
            self.mark = max(self.mark, jobs[-1].place)
        self._high = max(self._high, high)
        if from_floor:
            self._look_ended(low, jobs[-1].place if jobs and cut else None)
        if self._awaited is None and self.mark > self.floor:
            self._awaited = (self.mark, self._high)
        if len(self._seen) > SEEN_MAX:
            self._seen = set(sorted(self._seen)[SEEN_MAX // 2 :])
        return fresh

    def reset(self) -> None:
        """Look at everything anew, because looks left something out: what is in memory already, the board knows."""
        self.mark = self.floor = self._swept = 0
        self._seen = set()
        self._awaited = None

    def _look_ended(self, low: int, cut_at: int | None) -> None:
        """A look from the floor has returned all that there is, up to the place at which it was cut."""
        whole = self._swept <= self.floor
        self._swept = 0 if cut_at is None or cut_at >= self.mark else cut_at
        if self._awaited is None or not whole or low < self._awaited[1]:
            return
        mark = self._awaited[0]
        if cut_at is None or cut_at >= mark:
            self._awaited = None
        else:
            mark = cut_at
        if mark > self.floor:
            self.floor = mark
            self._seen = {place for place in self._seen if place > mark}
