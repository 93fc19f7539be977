"""Which lane may start its next job: by class, and not before it is due, while its kind is paused or has no room, or
beside another suspect.  Pure.

Rules:

- Classes share the room 16 : 4 : 1 while they all wait; what one does not use passes on.  Counted over calls, so that
  it holds for a worker that takes one job at a time as well.
- Within a class the lane that became startable first is first: a lane with a long backlog goes to the end after each of
  its jobs, so that one message is not behind a thousand old ones of others.
- A suspect was in the hands of processes that died.  One runs at a time: an innocent one that ran beside the guilty
  would count the next death with it.  It goes before the others, because there is never more than one.
- A kind may have a bound: lanes whose head finds it full are parked, and each end of that kind lets one of them go on.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Mapping

from gateway.domain.job import SUSPECTS_FROM
from workers.job_lane import JobLane

__all__ = ["SHARES", "Startable"]

#: Jobs of each class, high to low, in one round while all of them wait.
SHARES = (16, 4, 1)


class Startable:
    """Lanes that have a next job and run none."""

    def __init__(self, bounds: Mapping[str, int]) -> None:
        #: How many of a kind may run at once; and how many do, of those kinds alone.
        self._bounds = bounds
        self._running: dict[str, int] = {}
        self._classes: tuple[deque[JobLane], ...] = tuple(deque() for _ in SHARES)
        self._credits = list(SHARES)
        self._suspects: deque[JobLane] = deque()
        self.suspect_runs = False
        #: When waiting jobs are due, by place.  The board removes them.
        self.due: dict[int, float] = {}
        self._releases: list[tuple[float, int, JobLane]] = []
        self._serial = itertools.count()
        self._lanes_held = 0
        #: Lanes that are held since the board last looked which of them are to sleep.
        self.newly_held: dict[JobLane, None] = {}
        self._paused: frozenset[str] = frozenset()
        self._parked: dict[str, dict[JobLane, None]] = {}
        #: Jobs in lanes that are held or parked.
        self.held = 0

    @property
    def ready(self) -> int:
        """Lanes of which a job could be started now."""
        high, normal, low = self._classes
        suspect = 1 if self._suspects and not self.suspect_runs else 0
        return len(high) + len(normal) + len(low) + suspect

    def ready_of(self, priority: int) -> int:
        """Lanes of a class of which a job could be started now."""
        return len(self._classes[priority])

    def offer(self, lane: JobLane, *, first: bool = False) -> None:
        """Let an idle lane with a head wait for its start: at the end of its class, or *first*."""
        head = lane.head
        assert head is not None, "only lanes with a next job are offered"
        if self.due and head.place in self.due:
            self._hold(lane, self.due[head.place])
        elif self._barred(head.kind):
            self._park(lane, head.kind)
        elif head.deaths >= SUSPECTS_FROM:
            lane.state = "suspect"
            self._suspects.append(lane)
        else:
            lane.state = "ready"
            queue = self._classes[head.priority]
            if first:
                queue.appendleft(lane)
            else:
                queue.append(lane)

    def withdraw(self, lane: JobLane) -> None:
        """Take one lane out; it is idle then."""
        assert lane.head is not None, "only lanes with a next job are offered"
        if lane.state == "ready":
            self._classes[lane.head.priority].remove(lane)
        elif lane.state == "suspect":
            self._suspects.remove(lane)
        else:
            self._unhold(lane)
            self._tidy()
        lane.state = "idle"
        self._let_on(lane.head.kind)

    def withdraw_all(self, lanes: Iterable[JobLane]) -> None:
        """Take many lanes out at once."""
        for lane in lanes:
            if lane.state in {"held", "parked"}:
                self._unhold(lane)
            lane.state = "idle"
        for queue in (*self._classes, self._suspects):
            kept = [lane for lane in queue if lane.state != "idle"]
            queue.clear()
            queue.extend(kept)
        self._tidy()
        for kind in [*self._parked]:
            self._let_on(kind)

    def take(self, now: float, room: int) -> list[JobLane]:
        """Take out up to *room* lanes that may start their head."""
        if self._releases and self._releases[0][0] <= now:
            self._release(now)
        lanes: list[JobLane] = []
        if room > 0 and self._suspects and not self.suspect_runs:
            self._draw(self._suspects, 1, lanes)
            self.suspect_runs = bool(lanes)
        while room > len(lanes):
            waiting = [number for number, queue in enumerate(self._classes) if queue]
            if not waiting:
                break
            if len(waiting) == 1:
                self._draw(self._classes[waiting[0]], room - len(lanes), lanes)
                break
            if not any(self._credits[number] for number in waiting):
                self._credits = list(SHARES)
            for number in waiting:
                before = len(lanes)
                self._draw(self._classes[number], min(self._credits[number], room - before), lanes)
                self._credits[number] -= len(lanes) - before
        return lanes

    def pause(self, kinds: frozenset[str]) -> frozenset[str]:
        """Hold back lanes whose head is of *kinds*, and no others; return the kinds that were held back so far."""
        resumed, added, self._paused = self._paused - kinds, kinds - self._paused, kinds
        for kind in resumed:
            self._let_on(kind, lanes_max=None)
        if added:
            for queue in (*self._classes, self._suspects):
                lanes = list(queue)
                queue.clear()
                for lane in lanes:
                    self.offer(lane)
        return resumed

    def ended(self, kind: str) -> None:
        """Count one run of a kind less."""
        if kind in self._running:
            self._running[kind] -= 1
            if not self._running[kind]:
                del self._running[kind]
            self._let_on(kind, lanes_max=1)

    def next_release(self, now: float) -> float | None:
        """Return when the next held lane is due; *now* for one that is already."""
        while self._releases and not self._stands(self._releases[0]):
            heapq.heappop(self._releases)
        return max(now, self._releases[0][0]) if self._releases else None

    def _draw(self, queue: deque[JobLane], room: int, lanes: list[JobLane]) -> None:
        if self._bounds:
            self._draw_bounded(queue, room, lanes)
        elif room >= len(queue):
            lanes.extend(queue)
            queue.clear()
        else:
            popleft = queue.popleft
            lanes.extend([popleft() for _ in range(room)])

    def _draw_bounded(self, queue: deque[JobLane], room: int, lanes: list[JobLane]) -> None:
        until = len(lanes) + room
        while queue and len(lanes) < until:
            lane = queue.popleft()
            assert lane.head is not None, "only lanes with a next job are offered"
            kind = lane.head.kind
            if kind in self._bounds:
                if self._barred(kind):
                    self._park(lane, kind)
                    continue
                self._running[kind] = self._running.get(kind, 0) + 1
            lanes.append(lane)

    def _barred(self, kind: str) -> bool:
        if self._running and self._running.get(kind, 0) >= self._bounds.get(kind, 1):
            return True
        return kind in self._paused

    def _park(self, lane: JobLane, kind: str) -> None:
        lane.state = "parked"
        self._parked.setdefault(kind, {})[lane] = None
        self.held += lane.count()

    def _let_on(self, kind: str, lanes_max: int | None = None) -> None:
        """Let parked lanes of a kind go on, as many as there is room for if nobody else takes it."""
        parked = self._parked.get(kind)
        if not parked or kind in self._paused:
            return
        room = self._bounds.get(kind, len(parked)) - self._running.get(kind, 0)
        for lane in list(itertools.islice(parked, room if lanes_max is None else min(room, lanes_max))):
            self._unhold(lane)
            self.offer(lane)

    def _hold(self, lane: JobLane, until: float) -> None:
        lane.state = "held"
        lane.until = until
        heapq.heappush(self._releases, (until, next(self._serial), lane))
        if lane.name is not None:
            self.newly_held[lane] = None
        self._lanes_held += 1
        self.held += lane.count()

    def _unhold(self, lane: JobLane) -> None:
        self.held -= lane.count()
        if lane.state == "held":
            self._lanes_held -= 1
            self.newly_held.pop(lane, None)
            lane.state = "idle"
            return
        assert lane.head is not None, "it is parked for its head"
        parked = self._parked[lane.head.kind]
        del parked[lane]
        if not parked:
            del self._parked[lane.head.kind]

    def _release(self, now: float) -> None:
        while self._releases and self._releases[0][0] <= now:
            entry = heapq.heappop(self._releases)
            if self._stands(entry):
                lane = entry[2]
                self._unhold(lane)
                assert lane.head is not None, "it is held for its head"
                self.due.pop(lane.head.place, None)
                self.offer(lane)

    def _stands(self, entry: tuple[float, int, JobLane]) -> bool:
        until, _, lane = entry
        return lane.state == "held" and lane.until == until

    def _tidy(self) -> None:
        # Entries of lanes that are held no more are found out when they are due; until then they must not pile up.
        if len(self._releases) > 2 * self._lanes_held:
            self._releases = [entry for entry in self._releases if self._stands(entry)]
            heapq.heapify(self._releases)
