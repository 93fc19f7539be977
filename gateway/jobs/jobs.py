"""Jobs: asked for, looked at, waited for.

    jobs.enqueue("report.make", Report(...), lane="account:7")   a job of its own; committed when this returns
    jobs.enqueue_many(drafts)                                    many, in order
    jobs.write(cursor, drafts), later jobs.hint(...)             in the caller's own transaction, told after its commit

Many greenlets that ask at once share a statement and a commit, and one hint a partition.  The hint only saves time: a
job without one starts within ``jobs.poll_s``.

A job is written once, or not: a batch is run again only while it certainly was not committed.  Where the answer to the
commit itself is lost, that is said (``commit_unknown``), and a caller that asks again should use a unique key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import gevent
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import Overloaded
from gateway.domain.job import Draft, Enqueued, partition_of
from gateway.domain.resilience.priority import Priority
from gateway.greenlets.turns import let_others
from gateway.jobs.backlog import Backlog
from gateway.jobs.drafts import checked, draft, due_at
from gateway.settings.jobs import JobSettings
from gateway.store.batcher import Batcher
from gateway.store.job_hints import JobHints
from gateway.store.ledger import job_status
from gateway.store.ledger import jobs as rows
from gateway.store.ledger.job_status import JobStatus
from gateway.store.postgres import Database

__all__ = ["Jobs"]

#: Seconds before a job that is waited for is looked at again, at first; they double up to ``jobs.poll_s``.
_LOOK_AGAIN_S = 0.01
#: Statements of ``enqueue_many`` under way at once: those of different callers, for each waits for its own.
_BULKS_MAX = 2
#: Seconds for which one turn of the event loop checks and encodes drafts.
_TURN_S = 0.005
#: Bytes of payloads above which a statement takes no more jobs: psycopg2 quotes each statement in one turn.
_STATEMENT_BYTES_MAX = 1_048_576


class Jobs:
    """This process's way of asking for jobs."""

    def __init__(
        self,
        database: Database,
        settings: JobSettings,
        hints: JobHints,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._hints = hints
        self._clock = clock
        self._wall_clock = wall_clock
        self.backlog = Backlog(lambda: database.run(job_status.estimate), settings.waiting_max)
        rows_max, waiting_max = settings.batch_rows_max, settings.batch_waiting_max
        self._writes: Batcher[Draft, Enqueued] = Batcher(
            "jobs",
            database,
            self._commit,
            rows_max=rows_max,
            batches_max=1,
            waiting_max=waiting_max,
            gathers=True,
        )
        self._bulks: Batcher[Sequence[Draft], list[Enqueued]] = Batcher(
            "jobs_bulk",
            database,
            lambda cursor, bulks: [self._commit(cursor, bulk) for bulk in bulks],
            # One at a time, so that a statement that fails is nobody else's.
            rows_max=1,
            batches_max=_BULKS_MAX,
            waiting_max=max(1, waiting_max // rows_max),
        )
        self._looks: Batcher[int, JobStatus | None] = Batcher(
            "job_status",
            database,
            job_status.statuses,
            rows_max=rows_max,
            batches_max=1,
            waiting_max=waiting_max,
            gathers=True,
        )

    def enqueue(
        self,
        kind: str,
        payload: Any,
        *,
        lane: str | None = None,
        run_at: datetime | float | None = None,
        delay_s: float | None = None,
        unique: str | None = None,
        priority: Priority = Priority.NORMAL,
        keep_s: float = 0.0,
        trace_id: str = "",
        cursor: Cursor | None = None,
    ) -> Enqueued:
        """Ask for a job; it is committed when this returns, or will be with the transaction of *cursor*.

        *payload* is anything that msgspec can write as JSON.  Jobs of one *lane* run one at a time, in order, if all
        bear one *priority*: those of several are read apart, and overtake one another.  The job joins its lane at
        *run_at* (a time with a zone, or Unix seconds) or after *delay_s*.  While an unfinished job bears the same
        *unique* key no other is written, and the answer is that one.

        :raises BadRequest: it can never be written so; the message names what is wrong.
        :raises Overloaded: ``jobs.batch_waiting_max`` wait to be written, or ``jobs.waiting_max`` are in the ledger.
        :raises TryLater: PostgreSQL does not take it now; where the reason is ``commit_unknown``, perhaps it did.
        :raises StoreRefused: PostgreSQL refuses it for what is in it.
        """
        asked = draft(
            kind,
            payload,
            payload_bytes_max=self._settings.payload_bytes_max,
            lane=lane,
            run_at=due_at(run_at, delay_s, self._wall_clock),
            unique=unique,
            priority=priority,
            keep_s=keep_s,
            trace_id=trace_id,
        )
        self.backlog.check()
        if cursor is not None:
            return rows.enqueue(cursor, [asked])[0]
        try:
            return self._writes.submit(asked)
        except Overloaded as error:
            raise self._busy(error) from None

    def enqueue_many(self, drafts: Iterable[Draft]) -> list[Enqueued]:
        """Ask for many jobs, in order: statements of at most ``jobs.batch_rows_max``, or of fewer where payloads are
        large, each committed before the next begins.

        Raises as :meth:`enqueue` does.  What is wrong with a draft is found before anything is written; of a statement
        that fails nothing is, but those before it have been.  However many they are, other greenlets run meanwhile.
        """
        asked = self._all_checked(drafts)
        self.backlog.check()
        try:
            return [
                done
                for portion in _portions(asked, self._settings.batch_rows_max)
                for done in self._bulks.submit(portion)
            ]
        except Overloaded as error:
            raise self._busy(error) from None

    def write(self, cursor: Cursor, drafts: Sequence[Draft]) -> list[Enqueued]:
        """Write jobs in the caller's own transaction, in order; ``hint`` is to be called when it is committed.

        No bound refuses them: they belong to something that has been accepted.

        :raises BadRequest: one can never be written so.
        """
        return rows.enqueue(cursor, self._all_checked(drafts)) if drafts else []

    def hint(self, enqueued: Sequence[Enqueued], drafts: Sequence[Draft]) -> None:
        """Tell the owners of the partitions of jobs that are committed.  Never waits, never fails.

        Not of those that are yet to come due, which are found when they are.
        """
        now = self._wall_clock()
        told: dict[tuple[int, int], list[int]] = {}
        for done, asked in zip(enqueued, drafts, strict=True):
            if done.fresh and (asked.run_at is None or asked.run_at <= now):
                told.setdefault((done.partition, asked.priority), []).append(done.job_id)
        for (partition, priority), ids in told.items():
            self._hints.publish(partition, priority, ids)

    def tell(self, lane: str, priority: Priority, ids: Sequence[int]) -> None:
        """Tell the owner of a lane's partition of jobs that the ledger's own functions wrote and committed.  Never
        waits.
        """
        self._hints.publish(partition_of(lane), priority, ids)

    def checked(self, asked: Draft) -> Draft:
        """Return the draft as the ledger takes it, its payload encoded.

        :raises BadRequest: it can never be written so.
        """
        return checked(asked, payload_bytes_max=self._settings.payload_bytes_max)

    def status(self, job_id: int) -> JobStatus | None:
        """Return how a job stands; None: it has ended well with nothing kept, was forgotten, or never was.

        :raises TryLater: too many look already, or PostgreSQL does not answer.
        """
        try:
            return self._looks.submit(job_id)
        except Overloaded as error:
            raise self._busy(error) from None

    def wait(self, job_id: int, timeout_s: float) -> JobStatus | None:
        """Return how a job stands once it has ended, or after *timeout_s* whether or not.  Raises as ``status``."""
        until, pause_s = self._clock() + timeout_s, _LOOK_AGAIN_S
        while True:
            status = self.status(job_id)
            left_s = until - self._clock()
            if status is None or status.ended or left_s <= 0:
                return status
            gevent.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, self._settings.poll_s)

    def _all_checked(self, drafts: Iterable[Draft]) -> list[Draft]:
        """Return the drafts as the ledger takes them, and let others run in between."""
        asked, until = [], self._clock() + _TURN_S
        for each in drafts:
            asked.append(self.checked(each))
            if self._clock() >= until:
                let_others()
                until = self._clock() + _TURN_S
        return asked

    def _commit(self, cursor: Cursor, drafts: Sequence[Draft]) -> list[Enqueued]:
        done = rows.enqueue_and_commit(cursor, drafts)
        self.hint(done, drafts)
        return done

    def _busy(self, error: Overloaded) -> Overloaded:
        """Return a batcher's refusal with the setting that makes this one's bound."""
        if error.reason != "ledger_busy":
            return error
        return Overloaded(
            f"{self._settings.batch_waiting_max} jobs wait for the ledger already (jobs.batch_waiting_max)",
            reason="ledger_busy",
            retry_after_s=error.retry_after_s,
        )


def _portions(asked: Sequence[Draft], rows_max: int) -> Iterator[list[Draft]]:
    """Give drafts that were checked, a statement's worth at a time."""
    portion: list[Draft] = []
    payloads_bytes = 0
    for each in asked:
        portion.append(each)
        payloads_bytes += len(each.payload)
        if len(portion) == rows_max or payloads_bytes >= _STATEMENT_BYTES_MAX:
            yield portion
            portion, payloads_bytes = [], 0
    if portion:
        yield portion
