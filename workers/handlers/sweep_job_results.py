"""Forgets what jobs returned, once the time is over for which their askers wanted it kept."""

from __future__ import annotations

from gateway import telemetry
from gateway.domain.job import Done, JobOutcome
from gateway.jobs.kinds import Nothing
from gateway.store.ledger import forget
from workers.context import Context
from workers.portions import ROWS_MAX, in_portions
from workers.registry import job_handler

__all__ = ["sweep_job_results"]


@job_handler("sweep.job_results", Nothing)
def sweep_job_results(job: Context, _: Nothing) -> JobOutcome:
    """What there is no time for is left to the next tick."""
    rows = in_portions(job, lambda cursor: forget.job_results(cursor, ROWS_MAX))[0]
    telemetry.event("rows.forgotten", kind="job_results", rows=rows)
    return Done(rows)
