"""Jobs in memory: for tests of what asks for jobs and of handlers, without any store.

It is asked as :class:`gateway.jobs.jobs.Jobs` is, and performs what is due when it is told to, one after the other, by
the caller's own clock:

    from my_jobs import Greeting                     # importing it registers its handlers, as a worker's start does
    from workers.registry import handlers

    jobs = MemoryJobs(handlers(), clock=lambda: now)
    jobs.enqueue("greeting.send", Greeting("Ada"), delay_s=60)
    now += 60
    jobs.run_due()

It takes handlers as ``workers.registry`` knows them; what ``job_handler`` decorates is the bare function still.

It makes the promises of the real one (one suite of tests is run on both) as far as one process that never dies can:
order in lanes, unique keys, retries, snoozes, dead letters, results, follow-ups.  Absent: time limits and bounds of
kinds, deaths, pauses, shares of priorities (here the higher one always goes first).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.domain.job import (
    PARTITIONS,
    Bury,
    Draft,
    Enqueued,
    Job,
    JobEnd,
    JobOutcome,
    Retry,
    partition_of,
)
from gateway.domain.resilience.priority import Priority
from gateway.jobs.drafts import checked, draft, due_at
from gateway.jobs.endings import ending
from gateway.jobs.memory_context import MemoryContext, MemoryHandler
from gateway.settings.jobs import JobSettings
from gateway.store.ledger.job_status import JobStatus

__all__ = ["MemoryJobs"]

#: Runs of one ``run_due``: a handler that always wants to be tried again at once would never end it.
_RUNS_MAX = 100_000


class _Row(msgspec.Struct):
    """A job, as the ledger's table has it."""

    asked: Draft
    place: int
    state: str
    created_at: float
    due_at: float
    attempts: int = 0
    progress: Any = None
    end: JobEnd | None = None
    finished_at: float | None = None

    @property
    def unfinished(self) -> bool:
        return self.state in {"ready", "scheduled"}


class MemoryJobs:
    """A queue and its only worker.  *clock* tells Unix seconds, *draw* from [0, 1)."""

    def __init__(
        self,
        handlers: Mapping[str, MemoryHandler],
        *,
        clock: Callable[[], float],
        draw: Callable[[], float] = lambda: 0.5,
        settings: JobSettings | None = None,
        tools: Any = None,
    ) -> None:
        self._handlers = handlers
        self._clock = clock
        self._draw = draw
        self._settings = settings or JobSettings()
        self._tools = tools
        self._rows: dict[int, _Row] = {}
        self._places = itertools.count(1)

    def __repr__(self) -> str:
        unfinished = sum(row.unfinished for row in self._rows.values())
        return f"<MemoryJobs: {unfinished} to be done, {len(self._rows) - unfinished} kept>"

    # As Jobs has them

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
        cursor: object = None,
    ) -> Enqueued:
        """Ask for a job.

        :raises BadRequest: it can never be written so; the message names what is wrong.
        """
        asked = draft(
            kind,
            payload,
            payload_bytes_max=self._settings.payload_bytes_max,
            lane=lane,
            run_at=due_at(run_at, delay_s, self._clock),
            unique=unique,
            priority=priority,
            keep_s=keep_s,
            trace_id=trace_id,
        )
        return self._write(asked)

    def enqueue_many(self, drafts: Iterable[Draft]) -> list[Enqueued]:
        """Ask for many jobs, in order."""
        return [self._write(asked) for asked in [self.checked(each) for each in drafts]]

    def write(self, cursor: object, drafts: Sequence[Draft]) -> list[Enqueued]:
        """Ask for jobs; whatever *cursor* is, they are there at once."""
        return self.enqueue_many(drafts)

    def hint(self, enqueued: Sequence[Enqueued], drafts: Sequence[Draft]) -> None:
        """Do nothing: whoever has the jobs knows of them."""

    def checked(self, asked: Draft) -> Draft:
        """Return the draft as it is written.

        :raises BadRequest: it can never be.
        """
        return checked(asked, payload_bytes_max=self._settings.payload_bytes_max)

    def status(self, job_id: int) -> JobStatus | None:
        """Return how a job stands; None: it has ended well with nothing kept, was forgotten, or never was."""
        row = self._rows.get(job_id)
        if row is None or self._forgotten(row):
            return None
        end = row.end
        return JobStatus(
            job_id=job_id,
            kind=row.asked.kind,
            lane=row.asked.lane,
            state=row.state,  # type: ignore[arg-type]  # only the words of JobStatus are ever written
            attempts=row.attempts,
            progress=row.progress,
            result=msgspec.json.decode(end.result) if end is not None and end.result is not None else None,
            reason=end.reason if end is not None else "",
            detail=end.detail if end is not None else "",
            created_at=row.created_at,
            due_at=row.due_at,
            finished_at=row.finished_at,
        )

    def wait(self, job_id: int, timeout_s: float) -> JobStatus | None:
        """Perform what is due and return how the job stands then; time does not pass by itself."""
        self.run_due()
        return self.status(job_id)

    # As only this one has them

    def next_due_at(self) -> float | None:
        """Return when the next job can be performed (Unix seconds), or None: there is nothing to be done."""
        waiting = [row.due_at for row in self._rows.values() if row.state == "scheduled"]
        return min([row.due_at for _, row in self._heads()] + waiting, default=None)

    def run_due(self) -> int:
        """Perform all that is due, and what that asks for; return how many runs it took.

        :raises SwitchboardError: it does not come to an end.
        """
        for runs in range(_RUNS_MAX):
            self._promote()
            due = [(job_id, row) for job_id, row in self._heads() if row.due_at <= self._clock()]
            if not due:
                return runs
            job_id, row = min(due, key=lambda each: (each[1].asked.priority, each[1].place))
            self._settle(row, self._end(job_id, row))
            if row.state == "done" and not row.asked.keep_s:
                del self._rows[job_id]
        raise SwitchboardError(f"jobs still want to run after {_RUNS_MAX} runs", reason="never_idle")

    def _write(self, asked: Draft) -> Enqueued:
        if asked.unique is not None:
            for job_id, row in self._rows.items():
                if asked.unique == row.asked.unique and row.unfinished:
                    return Enqueued(job_id, _partition(job_id, row.asked), False)
        now, job_id = self._clock(), next(self._places)
        state = "scheduled" if asked.run_at is not None and asked.run_at > now else "ready"
        self._rows[job_id] = _Row(asked, job_id, state, now, max(now, asked.run_at or 0.0))
        return Enqueued(job_id, _partition(job_id, asked), True)

    def _heads(self) -> list[tuple[int, _Row]]:
        """Return the first ready job of each lane, and all that are in none."""
        heads: dict[object, tuple[int, _Row]] = {}
        for job_id, row in sorted(self._rows.items(), key=lambda each: each[1].place):
            if row.state == "ready":
                heads.setdefault(job_id if row.asked.lane is None else row.asked.lane, (job_id, row))
        return list(heads.values())

    def _promote(self) -> None:
        """Let what is due join its lane, at its end."""
        due = [row for row in self._rows.values() if row.state == "scheduled" and row.due_at <= self._clock()]
        for row in sorted(due, key=lambda row: row.due_at):
            row.state, row.place = "ready", next(self._places)

    def _end(self, job_id: int, row: _Row) -> JobEnd:
        handler = self._handlers.get(row.asked.kind)
        job = _job(job_id, row)
        outcome = self._perform(handler, job, row)
        return ending(
            job,
            outcome,
            self._settings,
            attempts_max=(handler.attempts_max if handler else 0) or self._settings.attempts_max,
            jitter=self._draw(),
            unix_now=self._clock(),
        )

    def _perform(self, handler: MemoryHandler | None, job: Job, row: _Row) -> JobOutcome:
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            return Bury("unknown_kind", f"expected one of {known}; got {job.kind!r}")
        try:
            payload = handler.decode(job.payload)
        except (msgspec.MsgspecError, RecursionError) as error:
            return Bury("bad_payload", f"kind {job.kind!r}: {error}")
        limit_s = handler.time_limit_s or self._settings.time_limit_s
        context = MemoryContext(
            job, Deadline.after(limit_s, now=self._clock()), self._tools, partial(_report, row)
        )
        try:
            outcome: object = handler.perform(context, payload)
        except (Exception, SystemExit) as error:
            reason = error.reason if isinstance(error, SwitchboardError) else type(error).__name__
            return Retry(reason, f"its handler raised {type(error).__name__}")
        if isinstance(outcome, JobOutcome):
            return outcome
        detail = f"expected its handler to return Done, Retry, Snooze or Bury, got {type(outcome).__name__}"
        return Retry("bad_outcome", detail)

    def _settle(self, row: _Row, end: JobEnd) -> None:
        now = self._clock()
        row.end, row.attempts = end, end.attempts
        match end.fate:
            case "done" | "bury":
                row.state = "done" if end.fate == "done" else "buried"
                row.finished_at = now
            case "retry" | "snooze":
                row.state = "ready" if end.fate == "retry" else "scheduled"
                row.due_at = now + end.after_s
        for asked in end.then:
            self._write(asked)

    def _forgotten(self, row: _Row) -> bool:
        return (
            row.state == "done"
            and row.finished_at is not None
            and row.finished_at + row.asked.keep_s < self._clock()
        )


def _partition(job_id: int, asked: Draft) -> int:
    return job_id % PARTITIONS if asked.lane is None else partition_of(asked.lane)


def _report(row: _Row, value: Any) -> None:
    row.progress = msgspec.json.decode(msgspec.json.encode(value))


def _job(job_id: int, row: _Row) -> Job:
    asked = row.asked
    return Job(
        job_id=job_id,
        place=row.place,
        partition=_partition(job_id, asked),
        fence=1,
        priority=asked.priority,
        kind=asked.kind,
        lane=asked.lane,
        payload=bytes(asked.payload).decode(),
        attempts=row.attempts,
        deaths=0,
        wait_s=0.0,
        keep_s=asked.keep_s,
        trace_id=asked.trace_id,
        age_s=0.0,
        claim=0,
    )
