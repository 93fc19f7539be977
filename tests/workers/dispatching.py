"""A dispatcher with a real board and executor; what it wants settled stays in the test's hands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import msgspec

from gateway.domain.job import Done, Job, JobEnd
from gateway.settings.jobs import JobSettings
from tests.support.waiting import until
from tests.workers.board_jobs import job
from workers.board import Board, Ending
from workers.context import Context, Tools
from workers.dispatcher import Dispatcher
from workers.executor import Executor
from workers.registry import Handler

__all__ = ["Dispatching"]

#: What a kind does, given one run of a job.
Perform = Callable[[Context], Any]


class Dispatching:
    """The dispatcher, the kinds that it knows, and what became of the runs."""

    def __init__(
        self, tools: Tools, *, in_flight_max: int = 100, tell_every_s: float = 30.0, **settings: Any
    ) -> None:
        self.handlers: dict[str, Handler] = {}
        self.board = Board(16)
        self.fences = {0: 1}
        self.lease = True
        #: Job ids, in the order of their starts.
        self.started: list[int] = []
        self.attempts: list[int] = []
        self.ends: list[JobEnd] = []
        self.told_taken = 0
        #: Suspects of which it was said that they are about to run; and whether that may be said.
        self.accused: list[int] = []
        self.may_accuse = True
        #: The lease runs out while that is said.
        self.accuses_slowly = False
        #: Called while that is said.
        self.while_accusing: Callable[[], None] = lambda: None
        executor = Executor(self.handlers, tools, JobSettings(**settings), report=lambda *_: None)
        self.it = Dispatcher(
            self.board,
            executor,
            self.ends.append,
            fences=self.fences,
            holds=lambda: self.lease,
            in_flight_max=in_flight_max,
            taken=self._taken,
            accuse=self._accuse,
            tell_every_s=tell_every_s,
        )
        self._watching: gevent.Greenlet[[], None] | None = None

    def _accuse(self, suspect: Job) -> bool:
        self.accused.append(suspect.job_id)
        self.lease = self.lease and not self.accuses_slowly
        self.while_accusing()
        return self.may_accuse

    def on(self, kind: str, perform: Perform, **bounds: Any) -> None:
        def run(context: Context, payload: Any) -> Any:
            self.started.append(context.job_id)
            self.attempts.append(context.attempt)
            return perform(context)

        self.handlers[kind] = Handler(kind, msgspec.json.Decoder().decode, run, **bounds)

    def give(self, *jobs: Job) -> None:
        """Have jobs at hand, and start what can be started."""
        for each in jobs:
            self.board.add(each, time.monotonic())
        self.it.wake()

    def give_many(self, count: int, kind: str = "k", **how: Any) -> list[Job]:
        jobs = [job(place, kind=kind, **how) for place in range(1, count + 1)]
        self.give(*jobs)
        return jobs

    def settle(self, fate: Ending = "done") -> list[JobEnd]:
        """Have all ends be written that have come; return them."""
        ends = list(self.ends)
        self.ends.clear()
        for each in ends:
            self.board.settled(each.job, fate, time.monotonic(), each.after_s)
        self.it.wake()
        return ends

    def watch(self) -> None:
        self._watching = gevent.spawn(self.it.watch_forever)

    def wait_started(self, *job_ids: int) -> None:
        until(f"starts of {job_ids}", lambda: self.started == list(job_ids))

    def wait_ends(self, count: int = 1) -> list[JobEnd]:
        until(f"{count} ends", lambda: len(self.ends) >= count)
        return list(self.ends)

    def turns(self) -> None:
        """Let the event loop turn until everything that could start has."""
        for _ in range(5):
            self.it.wake()
            gevent.sleep(0)
            gevent.idle()

    def close(self) -> None:
        if self._watching:
            self._watching.kill()
        self.it.stop(time.monotonic())

    def _taken(self) -> None:
        self.told_taken += 1


def done(_: Context) -> Done:
    return Done()
