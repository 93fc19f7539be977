"""How far one priority of one partition has been read from the ledger, and what may still come below that.  Pure.

Jobs are read by place.  But a place is drawn before its transaction commits: one that commits late shows a place below
others that were read already.  A look that began behind them would miss it, and could bring a job of its lane that was
asked for after it.  So every look begins at the *floor*, below which nothing can appear any more, and leaves out what
is known (``known``): what it brings is all that was new when it was made, up to the place at which it was cut.

The floor moves up to an earlier *mark*, the highest place read by then, once a look was begun after every transaction
had ended that ran when that mark was read: whoever drew a lower place than the mark did so before it, so its number is
below that read's ``high`` (``jobs_scan``).  A look that was cut at its limit proves nothing behind its last place.

What a look leaves out otherwise (spilled lanes, paused kinds) is not known here: the board reads spilled lanes by
themselves, and who resumes a kind calls ``reset``.  One look of a pair is under way at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from gateway.domain.job import Job

__all__ = ["KNOWN_MAX", "TURNED_AWAY_MAX", "Marks"]

#: Places that are remembered above the floor before those are forgotten that are in memory no more.  The floor stands
#: still while somebody's transaction stays open, whatever that does.
KNOWN_MAX = 2_000
#: Of these, places of jobs that were turned away and are in the ledger still.  One that is forgotten is shown again
#: by the next look, and as many of them as a look brings would hide what is behind them, for ever: so of those that are
#: more looks leave out the lane.
TURNED_AWAY_MAX = 10_000


class Marks:
    """The marks of one (partition, priority)."""

    __slots__ = (
        "_awaited", "_high", "_known", "_known_max", "_turned_away", "_turned_away_max", "cut", "floor", "lanes",
        "mark",
    )  # fmt: skip

    def __init__(self, turned_away_max: int = TURNED_AWAY_MAX) -> None:
        #: The highest place read.
        self.mark = 0
        #: At it and below it nothing can appear any more.  Looks begin behind it.
        self.floor = 0
        #: Whether the last look was cut, so that there is more behind the mark.
        self.cut = False
        #: Places read above the floor.
        self._known: set[int] = set()
        self._known_max = KNOWN_MAX
        #: Those of them whose lane had no room in memory.
        self._turned_away: set[int] = set()
        self._turned_away_max = turned_away_max
        #: Lanes that the next look is to leave out while the board can read them by themselves, each with the highest
        #: of its places that were turned away and are not remembered.  Once the floor has passed it they need not be.
        self.lanes: dict[str, int] = {}
        #: No transaction from here on had begun when the last look ended.
        self._high = 0
        #: The mark to which the floor will move, and the ``low`` of a look that allows it.
        self._awaited: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<Marks: floor {self.floor}, mark {self.mark}, {len(self._known)} known between>"

    @property
    def known(self) -> Collection[int]:
        """The places that the next look is to leave out."""
        return self._known

    def hinted(self, ids: Iterable[int]) -> bool:
        """Return whether a look would find one of these jobs, as far as ids say that.

        The id of a fresh job is its place.  Of one that joins its lane anew it is not, and no hint names that.
        """
        floor, known = self.floor, self._known
        return any(job_id > floor and job_id not in known for job_id in ids)

    def read(self, jobs: Sequence[Job], low: int, high: int, *, cut: bool) -> list[Job]:
        """Take note of a look's jobs, by place; return those that were not read before.

        *low*, *high*: between which transactions the look was made.  *cut*: it returned as many as were asked for.
        """
        self.cut = cut
        known, floor = self._known, self.floor
        fresh = [job for job in jobs if job.place > floor and job.place not in known]
        known.update([job.place for job in fresh])
        if jobs:
            self.mark = max(self.mark, jobs[-1].place)
        self._high = max(self._high, high)
        self._look_ended(low, jobs[-1].place if jobs and cut else None)
        if self._awaited is None and self.mark > self.floor:
            self._awaited = (self.mark, self._high)
        return fresh

    def turned_away(self, place: int, lane: str) -> None:
        """Hear that one that was read stays in the ledger alone."""
        if len(self._turned_away) < self._turned_away_max:
            self._turned_away.add(place)
        else:
            self.lanes[lane] = max(place, self.lanes.get(lane, 0))

    def forget(self, in_memory: Callable[[int], bool]) -> None:
        """Forget places of jobs that have ended, if there are many: no look that is still to be made shows them."""
        if len(self._known) > self._known_max:
            away = self._turned_away
            self._known = {place for place in self._known if place in away or in_memory(place)}
            self._known_max = max(KNOWN_MAX, 2 * len(self._known))

    def reset(self) -> None:
        """Look at everything anew, because looks left something out: what is in memory already, the board knows."""
        self.mark = self.floor = 0
        self.cut = False
        self._known, self._turned_away, self.lanes = set(), set(), {}
        self._awaited = None

    def _look_ended(self, low: int, cut_at: int | None) -> None:
        """A look has returned all that there is, up to the place at which it was cut."""
        if self._awaited is None or low < self._awaited[1]:
            return
        mark = self._awaited[0]
        if cut_at is None or cut_at >= mark:
            self._awaited = None
        else:
            mark = cut_at
        if mark > self.floor:
            self.floor = mark
            self._known = {place for place in self._known if place > mark}
            if self._turned_away:
                self._turned_away = {place for place in self._turned_away if place > mark}
            if self.lanes:
                self.lanes = {lane: place for lane, place in self.lanes.items() if place > mark}
