"""Writes what became of jobs: many ends, one statement, one commit.

A lane goes on only when the end of its last job is committed.  An end is written until PostgreSQL takes it, or its
partition is somebody else's: then it is dropped, and whoever owns the partition runs the job again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.errors import StoreRefused, StoreUnavailable
from gateway.domain.job import Draft, Enqueued, JobEnd
from gateway.settings.jobs import JobSettings
from gateway.store.batcher import Batcher
from gateway.store.ledger import jobs
from gateway.store.ledger.jobs import Settled
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database
from workers.board import Ending

__all__ = ["Settler"]

#: Seconds between two tries of writing an end.
_PAUSE_S = 0.25
#: Seconds between two looks at claims that no end has taken along.
_FORGET_EVERY_S = 1.0
#: What is written of a job whose end PostgreSQL refuses.
_UNWRITABLE = "PostgreSQL refuses what the job returned"


class Settler:
    """Takes ends, and tells when they are written."""

    def __init__(
        self,
        database: Database,
        process: Callable[[], Process],
        settings: JobSettings,
        *,
        holds: Callable[[int, int], bool],
        ended_claims: Callable[[], list[int]],
        enqueue: Callable[[Cursor, Sequence[Draft]], list[Enqueued]],
        hint: Callable[[Sequence[Enqueued], Sequence[Draft]], None],
        buried: Callable[[JobEnd], Sequence[Draft]],
        told: Callable[[JobEnd, Ending], None],
    ) -> None:
        self._process = process
        #: Whether a partition is still ours under a fence, as far as this process knows.
        self._holds = holds
        self._ended_claims = ended_claims
        self._enqueue = enqueue
        self._hint = hint
        #: What follows of a job that is given up.
        self._buried = buried
        self._told = told
        self._database = database
        #: Claims to be forgotten with the next statement, because the last one failed.
        self._claims: list[int] = []
        #: Places of jobs that are given up without what would follow of that: PostgreSQL refused it.
        self._alone: set[int] = set()
        self._unwritten = 0
        self._empty = Event()
        self._empty.set()
        self._ends: Batcher[JobEnd, Settled] = Batcher(
            "settle_jobs",
            database,
            self._write,
            rows_max=settings.batch_rows_max,
            # One at a time: two would lock the same partitions' rows at once, and the next batch gathers meanwhile.
            batches_max=1,
            waiting_max=2 * settings.jobs_in_flight_max,
        )

    def __repr__(self) -> str:
        return f"<Settler of {self._unwritten} ends>"

    def put(self, end: JobEnd) -> None:
        """Have *end* written."""
        self._unwritten += 1
        self._empty.clear()
        self._try(end)

    def flush(self, deadline: float) -> bool:
        """Wait until all ends are written; return whether they were by *deadline* (monotonic seconds)."""
        return self._empty.wait(max(0.0, deadline - time.monotonic()))

    def forget_claims_forever(self) -> None:
        """Forget claims of which nothing is left, where no end comes that takes them along.  To be supervised."""
        while True:
            gevent.sleep(_FORGET_EVERY_S)
            claims = self._claims_to_forget()
            try:
                self._forget(claims)
            except StoreUnavailable:
                self._claims += claims

    def _forget(self, claims: Sequence[int]) -> None:
        if claims:
            self._database.run(lambda cursor: jobs.settle(cursor, self._process(), (), claims))

    def _write(self, cursor: Cursor, ends: Sequence[JobEnd]) -> Sequence[Settled]:
        claims = self._claims_to_forget()
        try:
            if any(end.then or end.fate == "bury" for end in ends):
                settled, asked, drafts = self._write_with_follow_ups(cursor, ends, claims)
                self._hint(asked, drafts)
            else:
                settled = jobs.settle(cursor, self._process(), ends, claims)
        except BaseException:
            self._claims += claims
            raise
        held = [end for end in ends if settled.holds(end.job)]
        for (kind, fate), count in Counter([(end.job.kind, end.fate) for end in held]).items():
            telemetry.event("jobs.settled", kind=kind, outcome=fate, jobs=count)
        return [settled] * len(ends)

    def _claims_to_forget(self) -> list[int]:
        claims, self._claims = self._claims, []
        return claims + self._ended_claims()

    def _write_with_follow_ups(
        self, cursor: Cursor, ends: Sequence[JobEnd], claims: Sequence[int]
    ) -> tuple[Settled, list[Enqueued], list[Draft]]:
        cursor.execute("BEGIN")
        settled = jobs.settle(cursor, self._process(), ends, claims)
        # Only of those that were written now: of a batch that runs again because the answer to its commit was lost none
        # is, and its follow-ups are there already.
        written = [end for end in ends if settled.wrote(end.job)]
        drafts = [draft for end in written for draft in self._follow_ups(end)]
        asked = self._enqueue(cursor, drafts) if drafts else []
        cursor.execute("COMMIT")
        return settled, asked, drafts

    def _follow_ups(self, end: JobEnd) -> Sequence[Draft]:
        return () if end.job.place in self._alone else (*end.then, *self._buried(end))

    def _heard(self, end: JobEnd, outcome: Settled | BaseException) -> None:
        """In the event loop: *end* was written, or was not."""
        job = end.job
        if isinstance(outcome, Settled):
            if outcome.wrote(job):
                if end.fate == "bury":
                    _tell_buried(end)
                self._ended(end, end.fate)
            else:
                self._ended(end, "gone" if outcome.holds(job) else "lost")
        elif not self._holds(job.partition, job.fence):
            self._ended(end, "lost")
        elif isinstance(outcome, StoreRefused):
            # Its own words are none that can be kept; the end must be.
            if end.detail == _UNWRITABLE:
                # Nor can what follows of giving it up.
                self._alone.add(job.place)
                gevent.spawn_later(_PAUSE_S, self._try, end)
            else:
                self._try(JobEnd(job, "bury", end.attempts, "unwritable", _UNWRITABLE))
        else:
            gevent.spawn_later(_PAUSE_S, self._try, end)

    def _try(self, end: JobEnd) -> None:
        self._ends.tell(end, self._heard)

    def _ended(self, end: JobEnd, fate: Ending) -> None:
        # Only here: who waits for all to be written would be woken by an end that is only to be tried again.
        self._alone.discard(end.job.place)
        self._unwritten -= 1
        if not self._unwritten:
            self._empty.set()
        self._told(end, fate)


def _tell_buried(end: JobEnd) -> None:
    job = end.job
    # Not its detail, in which a handler's author may have put a user's words: `switchboard jobs show` has it.
    telemetry.event(
        "job.buried",
        kind=job.kind,
        reason=end.reason,
        job_id=job.job_id,
        trace_id=job.trace_id,
        attempt=end.attempts,
    )
