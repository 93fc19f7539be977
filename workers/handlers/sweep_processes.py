"""Forgets processes that ended long ago: each start of a gateway or worker leaves a row in the ledger."""

from __future__ import annotations

from gateway import telemetry
from gateway.domain.job import Done, JobOutcome
from gateway.jobs.kinds import Nothing
from gateway.store.ledger import forget
from workers.context import Context
from workers.portions import ROWS_MAX, in_portions
from workers.registry import job_handler

__all__ = ["KEPT_S", "sweep_processes"]

#: Seconds since its start for which one that is no more is kept: turns and outbox rows name it, for whoever asks what
#: happened lately.
KEPT_S = 7 * 86_400.0


@job_handler("sweep.processes", Nothing)
def sweep_processes(job: Context, _: Nothing) -> JobOutcome:
    """What there is no time for is left to the next tick."""
    rows = in_portions(job, lambda cursor: forget.processes(cursor, KEPT_S, ROWS_MAX))[0]
    telemetry.event("rows.forgotten", kind="processes", rows=rows)
    return Done(rows)
