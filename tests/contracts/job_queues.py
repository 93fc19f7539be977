"""The two queues of the contract: the one in memory, and a real worker on real stores, in the test's own process.

A test says what the kinds do (``on``), asks for jobs (``jobs``), and has all of it performed (``finish``).  Only then
does the real worker begin, so that both find the same backlog.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg2

from gateway.domain.job import Done
from gateway.jobs.jobs import Jobs
from gateway.jobs.memory import MemoryJobs
from gateway.settings.jobs import JobSettings
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database
from gateway.telemetry.metrics import Metrics
from tests.support.waiting import GUARD_S, until
from workers.registry import Handler
from workers.worker import Worker

__all__ = [
    "ATTEMPTS_MAX", "PAYLOAD_BYTES_MAX", "SOON_S", "MemoryQueue", "Perform", "Queue", "RealQueue", "Run", "ended",
    "kept", "once",
]  # fmt: skip

#: Seconds that make a difference in both.
SOON_S = 0.3
ATTEMPTS_MAX = 3
PAYLOAD_BYTES_MAX = 10_000
#: Quick looks and short pauses, so that a test waits for what it tests.
_SETTINGS = JobSettings(
    attempts_max=ATTEMPTS_MAX,
    payload_bytes_max=PAYLOAD_BYTES_MAX,
    backoff_base_s=0.02,
    backoff_max_s=0.05,
    poll_s=0.1,
    share_every_s=0.2,
    progress_every_s=0.02,
)

_UNFINISHED = "SELECT count(*) FROM jobs WHERE state IN ('ready', 'scheduled')"

#: What a kind does: of its context and payload.
Perform = Callable[[Any, Any], Any]


class Run(msgspec.Struct, frozen=True):
    """One run of one job, as its handler saw it begin."""

    kind: str
    payload: Any
    job_id: int
    attempt: int
    at: float


class Queue(ABC):
    """What both have in common."""

    jobs: Jobs | MemoryJobs

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.runs: list[Run] = []

    def on(self, kind: str, perform: Perform | None = None, payload: Any = Any, **bounds: Any) -> None:
        """Have *perform* perform jobs of *kind*; without it they are done."""

        def run(context: Any, given: Any) -> Any:
            self.runs.append(Run(kind, given, context.job_id, context.attempt, self.now()))
            return perform(context, given) if perform else Done()

        self.handlers[kind] = Handler(kind, msgspec.json.Decoder(payload).decode, run, **bounds)

    def ran(self, kind: str | None = None) -> list[Any]:
        """The payloads of all runs, in the order in which they began."""
        return [run.payload for run in self.runs if kind in {None, run.kind}]

    @abstractmethod
    def now(self) -> float:
        """Unix seconds, as this queue has them."""

    @abstractmethod
    def finish(self) -> None:
        """Perform everything to its end, however late it is due."""

    @abstractmethod
    def close(self) -> None:
        """Stop."""


class MemoryQueue(Queue):
    """``gateway.jobs.memory``; its time passes when there is nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1_000_000.0
        self.jobs = MemoryJobs(self.handlers, clock=self.now, settings=_SETTINGS)

    def now(self) -> float:
        return self._now

    def finish(self) -> None:
        while (due_at := self.jobs.next_due_at()) is not None:
            self._now = max(self._now, due_at)
            self.jobs.run_due()

    def close(self) -> None:
        pass


class RealQueue(Queue):
    """A worker, PostgreSQL and Redis."""

    jobs: Jobs

    def __init__(self, database_url: str, redis_url: str, **settings: Any) -> None:
        super().__init__()
        self._store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self._settings = msgspec.structs.replace(_SETTINGS, **settings)
        self.pool = Database(self._store, application="test")
        self.hints = JobHints(self._store, 1_000)
        self.jobs = Jobs(self.pool, self._settings, self.hints)
        self.workers: list[Worker] = []

    def now(self) -> float:
        return time.time()

    def start(self) -> Worker:
        """Have one worker more, which performs what there is and what comes."""
        settings = Settings(
            home=Path("/nonexistent"), accounts={}, assistants={}, store=self._store, jobs=self._settings
        )
        worker = Worker(settings, Metrics(), self.handlers, label=f"contract {len(self.workers)}")
        self.workers.append(worker)
        worker.start()
        return worker

    def finish(self) -> None:
        if not self.workers:
            self.start()
        until("all jobs to have ended", lambda: not self.one(_UNFINISHED))

    def one(self, statement: str, *values: object) -> Any:
        """The only column of the first row."""

        def work(cursor: psycopg2.extensions.cursor) -> Any:
            cursor.execute(statement, values)
            row = cursor.fetchone()
            assert row is not None
            return row[0]

        return self.pool.run(work)

    def close(self) -> None:
        for worker in self.workers:
            worker.stop(time.monotonic() + GUARD_S)
        self.hints.close()
        self.pool.close()


def kept(queue: Queue, kind: str = "a", payload: Any = None, **how: Any) -> int:
    """Ask for a job whose end can be looked at."""
    return queue.jobs.enqueue(kind, payload, keep_s=60.0, **how).job_id


def ended(queue: Queue, job_id: int) -> tuple[str, str]:
    """How it ended: its state and the reason."""
    status = queue.jobs.status(job_id)
    assert status is not None
    assert status.ended
    return status.state, status.reason


def once(first: Any, *rest: Any) -> Any:
    """A handler that returns these, one a run, and Done from then on; of an exception it raises it."""
    outcomes = iter([first, *rest])

    def perform(context: Any, payload: Any) -> Any:
        outcome = next(outcomes, Done()) if payload in {None, "first"} else Done()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return perform
