"""Forgets what messages are recognised by when they come again, each channel's after its platform has given up."""

from __future__ import annotations

from collections.abc import Callable

from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.job import Done, JobOutcome
from gateway.jobs.kinds import Nothing
from gateway.store.ledger import deliveries
from workers.context import Context
from workers.portions import in_portions
from workers.registry import job_handler

__all__ = ["sweep_dedupe_keys"]


@job_handler("sweep.dedupe_keys", Nothing)
def sweep_dedupe_keys(job: Context, _: Nothing) -> JobOutcome:
    """What there is no time for is left to the next tick."""
    pruned = {}
    for name, channel in job.tools.channels.items():
        days = max(capabilities.dedupe_days for capabilities in channel.surfaces.values())
        pruned[name] = in_portions(job, _prune(name, days))[0]
        if pruned[name]:
            telemetry.event("dedupe.pruned", channel=name, rows=pruned[name])
    return Done(pruned)


def _prune(channel: str, days: float) -> Callable[[Cursor], int]:
    return lambda cursor: deliveries.prune(cursor, channel, days)
