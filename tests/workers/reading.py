"""A feed over a real ledger, in the hands of a test: it looks when it is told to, and nobody runs what it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from psycopg2.extensions import cursor as Cursor

from gateway.domain.job import Draft, Job
from gateway.settings.jobs import JobSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import Database
from tests.support.job_actor import JobActor, asked, end
from workers.board import Board
from workers.feed import Feed

__all__ = ["NEVER_S", "Interrupted", "Read", "Reading", "ids", "many", "store"]

T = TypeVar("T")

#: A poll that no test waits for.
NEVER_S = 1_000.0
_ROUNDS_MAX = 10_000


def store(url: str) -> StoreSettings:
    return StoreSettings(database_url=Secret(url))


class Interrupted(Database):
    """Lets a test do something before a statement, or between it and its answer, once.

    What does so behind it may raise, and the answer is lost.
    """

    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None

    def run(self, work: Callable[[Cursor], T]) -> T:
        if self.before is not None:
            before, self.before = self.before, None
            before()
        result = super().run(work)
        if self.after is not None:
            after, self.after = self.after, None
            after()
        return result


class Reading:
    """The feed, its board, and the worker in the ledger whose partitions it reads."""

    def __init__(self, url: str, **settings: float) -> None:
        self.actor = JobActor(url)
        self.actor.take()
        self.database = Interrupted(store(url))
        self.settings = JobSettings(**{"poll_s": NEVER_S, **settings})
        self.board = Board(self.settings.lane_buffered_max)
        self.now = 0.0
        self.wakes = 0
        self.most_buffered = 0
        self.feed = Feed(
            self.database,
            lambda: self.actor.process,
            self.settings,
            self.board,
            fences=self.actor.fences,
            wake=self._woken,
            clock=lambda: self.now,
        )
        self.feed.taken(self.actor.fences)

    def look(self) -> None:
        """Have it look for as long as it finds more to do at once."""
        for _ in range(_ROUNDS_MAX):
            self.feed._something.clear()
            self.feed._round()
            self.most_buffered = max(self.most_buffered, self.board.buffered)
            if not self.feed._something.is_set():
                return
        raise AssertionError("it looks on and on")

    def full_look(self) -> None:
        """Have the time pass after which it looks at everything."""
        self.now += self.settings.poll_s
        self.look()

    def take(self, room: int = 1_000) -> list[Job]:
        """Start what can be started; the feed is told."""
        jobs = self.board.take(self.now, room)
        self.feed.eaten()
        return jobs

    def end(self, jobs: list[Job]) -> None:
        """Have these be done, in the ledger and on the board."""
        settled = self.actor.settle(*[end(job) for job in jobs])
        assert settled.changed == {job.job_id for job in jobs}
        for job in jobs:
            self.board.settled(job, "done", self.now)

    def run_all(self, room: int = 1_000) -> list[Job]:
        """Have everything run to its end; return it in the order of its starts."""
        ran: list[Job] = []
        while True:
            self.look()
            jobs = self.take(room)
            if not jobs:
                return ran
            ran += jobs
            self.end(jobs)

    def close(self) -> None:
        self.database.close()
        self.actor.connection.close()

    def _woken(self) -> None:
        self.wakes += 1


#: What a test reads with: it takes settings of jobs.
Read = Callable[..., Reading]


def ids(jobs: list[Job]) -> list[int]:
    return [job.job_id for job in jobs]


def many(count: int, **how: object) -> list[Draft]:
    return [asked(n, **how) for n in range(count)]
