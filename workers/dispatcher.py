"""Starts jobs, each in a greenlet, as the board has them and there is room.

Everything here happens in the event loop's own turn or in the greenlet of one job, so nothing is locked.  Jobs that
come together are run by one greenlet for as long as none of them waits: one that only computes costs no switch.

Who takes too long, or runs on when this process may not, is told by an exception thrown into its greenlet; and told
again every ``tell_every_s``, because a handler may take it for a fault of what it was just doing, and go on.  One that
goes on after it was told twice is named: its lane waits, for who knows how long, and nobody else would say why.

Who computes without waiting cannot be told: while it does, nothing else in this process happens, not even the beat that
says that it lives.  So who has held the event loop for long is named afterwards, where it had not waited before; else
all that ran then are, because nobody sees which of them it was.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import gevent
from gevent import get_hub
from gevent.event import Event
from greenlet import getcurrent, greenlet

from gateway import telemetry
from gateway.domain.job import SUSPECTS_FROM, Job, JobEnd
from gateway.greenlets.handlers import Handlers
from gateway.greenlets.turns import in_next_turn
from workers.board import Board
from workers.executor import Executor, Stopped, TimeLimit

__all__ = ["Dispatcher"]

#: Seconds for which one turn of the event loop starts jobs: what else waits for its turn must not wait for all of them.
_TURN_S = 0.005
#: Jobs taken from the board at once.
_TOGETHER = 256
#: Seconds between two looks at who takes too long: the precision of time limits.
_WATCH_S = 0.1
#: Seconds from one time that a run is told to end to the next: it may be writing down how far it came, and wait for
#: PostgreSQL.
_TELL_EVERY_S = 30.0
#: Times that a run was told to end after which it is named if it goes on.
_TOLD_ENOUGH = 2
#: Seconds without a wait from which on a job is named for holding the event loop.
_BLOCKED_S = 0.5
#: Seconds that cut off jobs have to end.
_ENDING_S = 0.2


class _Run:
    """A job that is under way."""

    __slots__ = ("ends_at", "finishes", "greenlet", "job", "told", "told_at")

    def __init__(self, job: Job, running: greenlet, ends_at: float, finishes: bool) -> None:
        self.job = job
        self.greenlet = running
        self.ends_at = ends_at
        self.finishes = finishes
        #: When something was last thrown into it, and how often it was.
        self.told_at = float("-inf")
        self.told = 0


class Dispatcher:
    """Takes from the board, runs, and hands over what is to be settled."""

    def __init__(
        self,
        board: Board,
        executor: Executor,
        settle: Callable[[JobEnd], None],
        *,
        fences: Mapping[int, int],
        holds: Callable[[], bool],
        in_flight_max: int,
        taken: Callable[[], None],
        accuse: Callable[[Job], bool],
        clock: Callable[[], float] = time.monotonic,
        tell_every_s: float = _TELL_EVERY_S,
    ) -> None:
        self._board = board
        self._executor = executor
        self._settle = settle
        self._fences = fences
        self._holds = holds
        self._in_flight_max = in_flight_max
        #: Told after jobs were taken from the board, which has room for others now.
        self._taken = taken
        #: Says in the ledger that a suspect is about to be run; False: it may not be.
        self._accuse = accuse
        self._clock = clock
        self._tell_every_s = tell_every_s
        self._handlers = Handlers(get_hub())
        #: Not by job: one that finishes outside the lease may be run anew, under a later fence, before it has ended.
        self._runs: set[_Run] = set()
        self._woken = False
        self._stopping = False
        #: Times that somebody was named for holding the event loop.
        self._blocked = 0
        #: Set while nothing runs.
        self._idle = Event()
        self._idle.set()

    def __repr__(self) -> str:
        return f"<Dispatcher {len(self._runs)} running, {self._board!r}>"

    def __len__(self) -> int:
        return len(self._runs)

    def wake(self) -> None:
        """Start what can be started, in the next turn of the event loop."""
        if not self._woken and not self._stopping:
            self._woken = True
            get_hub().loop.run_callback(self._dispatch)

    def watch_forever(self) -> None:
        """End what takes too long, and what runs outside the lease.  To be supervised."""
        while True:
            running, blocked, begins_at = list(self._runs), self._blocked, self._clock()
            gevent.sleep(_WATCH_S)
            now, holds = self._clock(), self._holds()
            if (held_s := now - begins_at - _WATCH_S) > _BLOCKED_S and blocked == self._blocked:
                _tell_stalled({run.job.kind for run in (*running, *self._runs)}, held_s)
            for run in list(self._runs):
                if now >= run.ends_at:
                    self._throw(run, TimeLimit())
                elif not (holds or run.finishes):
                    self._throw(run, Stopped())
            self._handlers.trim()
            # What a held lane waits for, and a lease that has come back, are seen here.
            self.wake()

    def stop(self, deadline: float) -> bool:
        """Start nothing more and wait for what runs until *deadline* (monotonic seconds), then end the rest unfinished.

        Returns whether all had ended by themselves.  Safe twice, and if never started.
        """
        self._stopping = True
        if self._idle.wait(max(0.0, deadline - self._clock())):
            return True
        cut_off = len(self._runs)
        telemetry.event("jobs.cut_off", jobs=cut_off)
        self._end(self._runs)
        # They end in the next turns of the event loop, unless a handler holds on.
        self._idle.wait(_ENDING_S)
        return False

    def drop(self) -> None:
        """End what runs, because it is somebody else's now; but for kinds whose ends are recorded by other means."""
        self._end(run for run in self._runs if not run.finishes)

    def _end(self, runs: Iterable[_Run]) -> None:
        for run in list(runs):
            self._throw(run, Stopped())

    def _dispatch(self) -> None:
        self._woken = False
        if self._stopping or not self._holds():
            return
        now = self._clock()
        room = min(_TOGETHER, self._in_flight_max - self._board.running)
        jobs = self._board.take(now, room) if room > 0 else []
        if not jobs:
            return
        self._taken()
        begun: deque[Callable[[], None]] = deque(partial(self._run, job) for job in jobs)
        begins_at = self._clock()
        self._handlers.run(begun, begins_at + _TURN_S)
        if (held_s := self._clock() - begins_at) > _BLOCKED_S:
            # None is begun behind the first one that takes longer than the turn: the last one has taken it.
            self._blocked += 1
            _tell_blocked(jobs[-len(begun) - 1], held_s)
        # Each becomes the first of its class: from the last one on, so that they keep their order.
        for left in reversed(begun):
            self._board.unstart(left.args[0])  # type: ignore[attr-defined]  # a partial, of our own making
        if begun or len(jobs) == room:
            self._woken = True
            in_next_turn(self._dispatch)

    def _run(self, job: Job) -> None:
        if not self._owns(job):
            self._board.settled(job, "lost", self._clock(), 0.0)
            return
        handler = self._executor.handler(job.kind)
        ends_at = self._clock() + self._executor.time_limit_s(handler)
        finishes = handler is not None and handler.on_lease_lost == "finish"
        run = _Run(job, getcurrent(), ends_at, finishes)
        self._runs.add(run)
        self._idle.clear()
        end: JobEnd | None = None
        try:
            if job.deaths < SUSPECTS_FROM or (self._accuse(job) and self._holds() and self._owns(job)):
                end = self._executor.execute(job, ends_at)
        except Stopped:
            pass
        except TimeLimit:
            # It came when the run had ended already, between two lines of ours.
            pass
        except Exception as error:
            # Ours: a lane that stands still without a word would be the worst of it.
            end = self._executor.fault(job, error)
        finally:
            self._runs.remove(run)
            if not self._runs:
                self._idle.set()
        if end is None:
            self._board.unstart(job)
        else:
            self._settle(end)

    def _owns(self, job: Job) -> bool:
        return self._fences.get(job.partition) == job.fence

    def _throw(self, run: _Run, error: BaseException) -> None:
        now = self._clock()
        if now >= run.told_at + self._tell_every_s:
            run.told_at = now
            get_hub().loop.run_callback(self._tell, run, error)

    def _tell(self, run: _Run, error: BaseException) -> None:
        if run not in self._runs:
            return
        run.greenlet.throw(error)
        run.told += 1
        if run.told == _TOLD_ENOUGH and run in self._runs:
            _tell_overran(run.job, type(error).__name__, self._clock() - run.ends_at)


def _tell_blocked(job: Job, held_s: float) -> None:
    telemetry.event("job.blocked", kind=job.kind, job_id=job.job_id, trace_id=job.trace_id, seconds=held_s)


def _tell_overran(job: Job, told: str, late_s: float) -> None:
    telemetry.event(
        "job.overran", kind=job.kind, reason=told, job_id=job.job_id, trace_id=job.trace_id, late_s=late_s
    )


def _tell_stalled(kinds: set[str], held_s: float) -> None:
    telemetry.event("jobs.stalled", seconds=held_s, detail=f"under way were {', '.join(sorted(kinds)) or 'none'}")
