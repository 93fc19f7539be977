"""THE SPINE of a worker: one job, from its place in its lane to its end.

    who performs it? ─▶ has it killed too many? ─▶ read its payload ─▶ perform ─▶ what does that mean?

The settler writes what comes of it.

Rules:

- Nothing starts outside this process's lease; what is under way when it has run out is ended, unless its kind says
  that it finishes.  Nothing is written of what was ended: it runs again, here or at its partition's next owner.
- Whatever a handler does, its job gets an end: what it raises is a failed try, told with its trace.
- A job that nobody here can perform is a dead letter at once, which says what could be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.domain.job import Bury, Job, JobEnd, JobOutcome, Retry
from gateway.jobs.endings import ending
from gateway.settings.jobs import JobSettings
from workers.context import Context, Tools
from workers.registry import Handler

__all__ = ["Executor", "Stopped", "TimeLimit"]


class TimeLimit(BaseException):
    """Thrown into a run that takes too long.  Not an ``Exception``: a handler's own ``except`` must not keep it."""


class Stopped(BaseException):
    """Thrown into a run when this process may not go on with it: its lease is out, or it is ending."""


class Executor:
    """Performs jobs."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        tools: Tools,
        settings: JobSettings,
        *,
        report: Callable[[Job, Any], None],
    ) -> None:
        self._handlers = handlers
        self._tools = tools
        self._settings = settings
        self._report = report

    def handler(self, kind: str) -> Handler | None:
        """Return who performs jobs of *kind*."""
        return self._handlers.get(kind)

    def time_limit_s(self, handler: Handler | None) -> float:
        """Return the seconds that one try may take."""
        return (handler.time_limit_s if handler else 0.0) or self._settings.time_limit_s

    def execute(self, job: Job, ends_at: float) -> JobEnd:
        """Return how one run of *job* ended, which is to be over at *ends_at* (monotonic seconds).

        :raises Stopped: this process may not go on with it; nothing is to be written.
        """
        handler = self._handlers.get(job.kind)
        # A job of no trace, and a worker to which nobody listens, do not pay for a span.
        if not job.trace_id or not telemetry.heard("job.run"):
            return self._ending(job, self._perform(handler, job, ends_at))
        with telemetry.span(
            "job.run",
            kind=job.kind,
            job_id=job.job_id,
            place=job.place,
            trace_id=job.trace_id,
            attempt=job.attempts + 1,
        ) as span:
            outcome = self._perform(handler, job, ends_at)
            span.outcome = type(outcome).__name__.lower()
            return self._ending(job, outcome)

    def fault(self, job: Job, error: BaseException) -> JobEnd:
        """Return the end of a run that failed around its handler: a fault of ours, which counts as a failed try."""
        return self._ending(job, self._crashed(job, error))

    def _perform(self, handler: Handler | None, job: Job, ends_at: float) -> JobOutcome:
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            return Bury("unknown_kind", f"expected one of {known}; got {job.kind!r} (see worker.handlers)")
        if job.deaths >= self._settings.deaths_max:
            detail = f"{job.deaths} worker processes died or stood still while they had it (jobs.deaths_max)"
            return Bury("deaths", detail)
        try:
            payload = handler.decode(job.payload)
        except (msgspec.MsgspecError, RecursionError) as error:
            return Bury("bad_payload", f"kind {job.kind!r}: {error}")
        except Exception as error:
            # Of the payload's own code, such as its ``__post_init__``.
            return self._crashed(job, error)
        try:
            return self._checked(handler.perform(self._context(job, ends_at), payload), job)
        except TimeLimit:
            limit_s = self.time_limit_s(handler)
            return self._failed(job, "time_limit", f"it took more than its time limit of {limit_s:g} s")
        except Stopped:
            raise
        except BaseException as error:
            # Not only an ``Exception``: a forgotten ``gevent.Timeout`` and ``sys.exit`` are a handler's faults too.
            return self._crashed(job, error)

    def _context(self, job: Job, ends_at: float) -> Context:
        return Context(job, Deadline(ends_at), self._tools, self._report)

    def _checked(self, outcome: object, job: Job) -> JobOutcome:
        if isinstance(outcome, JobOutcome):
            return outcome
        detail = f"expected its handler to return Done, Retry, Snooze or Bury, got {type(outcome).__name__}"
        return self._failed(job, "bad_outcome", detail)

    def _crashed(self, job: Job, error: BaseException) -> Retry:
        reason = error.reason if isinstance(error, SwitchboardError) else type(error).__name__
        telemetry.event(
            "job.crashed",
            kind=job.kind,
            reason=reason,
            job_id=job.job_id,
            trace_id=job.trace_id,
            attempt=job.attempts + 1,
            detail=telemetry.trace(error),
        )
        # Its own words may be a user's, or hold a secret: they stay in the trace.
        return Retry(
            reason, f"its handler raised {type(error).__name__}; the log says where (job {job.job_id})"
        )

    def _failed(self, job: Job, reason: str, detail: str) -> Retry:
        telemetry.event(
            "job.failed",
            kind=job.kind,
            reason=reason,
            job_id=job.job_id,
            trace_id=job.trace_id,
            attempt=job.attempts + 1,
            detail=detail,
        )
        return Retry(reason, detail)

    def _ending(self, job: Job, outcome: JobOutcome) -> JobEnd:
        tools, handler = self._tools, self._handlers.get(job.kind)
        attempts_max = (handler.attempts_max if handler else 0) or self._settings.attempts_max
        return ending(
            job,
            outcome,
            self._settings,
            attempts_max=attempts_max,
            jitter=tools.draw(),
            unix_now=tools.wall_clock(),
        )
