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
from typing import Any

import msgspec

from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.domain.job import Bury, Draft, Enqueued, Job, JobEnd, JobOutcome, Retry
from gateway.domain.resilience.priority import Priority
from gateway.jobs.drafts import checked, draft, due_at
from gateway.jobs.endings import ending
from gateway.jobs.memory_context import MemoryContext, MemoryHandler
from gateway.jobs.memory_row import MemoryRow
from gateway.settings.jobs import JobSettings
from gateway.store.ledger.job_status import JobStatus

__all__ = ["MemoryJobs"]

#: Runs of one ``run_due``: a handler that always wants to be tried again at once would never end it.
_RUNS_MAX = 100_000


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
        self._rows: dict[int, MemoryRow] = {}
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
        return row.status() if row is not None and row.is_kept(self._clock()) else None

    def wait(self, job_id: int, timeout_s: float) -> JobStatus | None:
        """Perform what is due and return how the job stands then; time does not pass by itself."""
        self.run_due()
        return self.status(job_id)

    # As only this one has them

    def next_due_at(self) -> float | None:
        """Return when the next job can be performed (Unix seconds), or None: there is nothing to be done."""
        waiting = [row.due_at for row in self._rows.values() if row.state == "scheduled"]
        return min([row.due_at for row in self._heads()] + waiting, default=None)

    def run_due(self) -> int:
        """Perform all that is due, and what that asks for; return how many runs it took.

        :raises SwitchboardError: it does not come to an end.
        """
        for runs in range(_RUNS_MAX):
            self._promote()
            due = [row for row in self._heads() if row.due_at <= self._clock()]
            if not due:
                return runs
            row = min(due, key=lambda row: (row.asked.priority, row.place))
            end = self._end(row)
            row.settle(end, self._clock())
            for asked in end.then:
                self._write(asked)
            if not row.is_kept(self._clock()):
                del self._rows[row.job_id]
        raise SwitchboardError(f"jobs still want to run after {_RUNS_MAX} runs", reason="never_idle")

    def _write(self, asked: Draft) -> Enqueued:
        if asked.unique is not None:
            for row in self._rows.values():
                if asked.unique == row.asked.unique and row.unfinished:
                    return row.enqueued(fresh=False)
        now, job_id = self._clock(), next(self._places)
        state = "scheduled" if asked.run_at is not None and asked.run_at > now else "ready"
        row = self._rows[job_id] = MemoryRow(job_id, asked, job_id, state, now, max(now, asked.run_at or 0.0))
        return row.enqueued(fresh=True)

    def _heads(self) -> list[MemoryRow]:
        """Return the first ready job of each lane, and all that are in none."""
        heads: dict[object, MemoryRow] = {}
        for row in sorted(self._rows.values(), key=lambda row: row.place):
            if row.state == "ready":
                heads.setdefault(row.job_id if row.asked.lane is None else row.asked.lane, row)
        return list(heads.values())

    def _promote(self) -> None:
        """Let what is due join its lane, at its end."""
        due = [row for row in self._rows.values() if row.state == "scheduled" and row.due_at <= self._clock()]
        for row in sorted(due, key=lambda row: row.due_at):
            row.state, row.place = "ready", next(self._places)

    def _end(self, row: MemoryRow) -> JobEnd:
        handler, job = self._handlers.get(row.asked.kind), row.job()
        return ending(
            job,
            self._perform(handler, job, row.report),
            self._settings,
            attempts_max=(handler.attempts_max if handler else 0) or self._settings.attempts_max,
            jitter=self._draw(),
            unix_now=self._clock(),
        )

    def _perform(
        self, handler: MemoryHandler | None, job: Job, report: Callable[[Any], None]
    ) -> JobOutcome:
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            return Bury("unknown_kind", f"expected one of {known}; got {job.kind!r}")
        try:
            payload = handler.decode(job.payload)
        except (msgspec.MsgspecError, RecursionError) as error:
            return Bury("bad_payload", f"kind {job.kind!r}: {error}")
        limit_s = handler.time_limit_s or self._settings.time_limit_s
        context = MemoryContext(job, Deadline.after(limit_s, now=self._clock()), self._tools, report)
        try:
            outcome: object = handler.perform(context, payload)
        except (Exception, SystemExit) as error:
            reason = error.reason if isinstance(error, SwitchboardError) else type(error).__name__
            return Retry(reason, f"its handler raised {type(error).__name__}")
        if isinstance(outcome, JobOutcome):
            return outcome
        detail = f"expected its handler to return Done, Retry, Snooze or Bury, got {type(outcome).__name__}"
        return Retry("bad_outcome", detail)
