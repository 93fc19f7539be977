"""Deletes what is older than ``[retention]`` says, one sort of rows after the other, a thousand rows at a time.

    turns ─▶ conversations ─▶ users ─▶ outbox ─▶ dead letters ─▶ buried jobs ─▶ what lost its name before

Rules:

- A step walks its table by id and does not come back to where it was; a run that has no more time asks, in the commit
  of its end, for the next one, which goes on from there.
- Conversations and users lose their keys first, under which alone new messages find them, and are deleted ``GONE_S``
  later, when no message can be on its way to them.  That last step is taken whatever the settings say: what a user had
  erased ends there too.
- Nothing that is still at work goes: turns not yet answered, replies not yet sent, jobs that wait.
"""

from __future__ import annotations

from gateway import telemetry
from gateway.domain.job import Done, Draft, JobOutcome
from gateway.domain.resilience.priority import Priority
from gateway.jobs.kinds import RETENTION, RetentionFrom
from gateway.settings.retention import RetentionSettings
from gateway.store.ledger import forget
from gateway.store.ledger.forget import Walk
from workers.context import Context
from workers.portions import ROWS_MAX, has_time, in_portions
from workers.registry import job_handler

__all__ = ["GONE_S", "retention"]

DAY_S = 86_400.0
#: Seconds for which rows without a name are kept: longer than any repeat of a message that may lead to them.
GONE_S = 8 * DAY_S
_TIME_LIMIT_S = 300.0


@job_handler(RETENTION, RetentionFrom, time_limit_s=_TIME_LIMIT_S)
def retention(job: Context, payload: RetentionFrom) -> JobOutcome:
    """Go on from where the payload says."""
    steps = _steps(job.tools.settings.retention)
    forgotten: dict[str, int] = {}
    for step in range(payload.step, len(steps)):
        what, days = steps[step]
        behind: int | None = payload.behind if step == payload.step else 0
        rows = 0
        while behind is not None:
            if not has_time(job):
                return Done(forgotten, then=(_rest(job, step, behind),))
            portion = _portion(job, what, days, behind)
            behind, rows = portion.behind, rows + portion.rows
        forgotten[what] = rows
        telemetry.event("rows.forgotten", kind=what, rows=rows)
    rows, all_gone = in_portions(job, lambda cursor: forget.gone(cursor, GONE_S, ROWS_MAX))
    telemetry.event("rows.forgotten", kind="gone", rows=rows)
    return Done({**forgotten, "gone": rows}, then=() if all_gone else (_rest(job, len(steps), 0),))


def _portion(job: Context, what: Walk, days: float, behind: int) -> forget.Portion:
    return job.tools.database.run(lambda cursor: forget.walk(cursor, what, days * DAY_S, behind, ROWS_MAX))


def _rest(job: Context, step: int, behind: int) -> Draft:
    payload = RetentionFrom(step, behind)
    return Draft(kind=RETENTION, payload=payload, lane=job.job.lane, priority=Priority.LOW, keep_s=job.job.keep_s)


def _steps(settings: RetentionSettings) -> list[tuple[Walk, float]]:
    """Return what is walked: in this order, because what is deleted by one lets go of what the next looks at."""
    steps: list[tuple[Walk, float]] = [
        ("turns", settings.turns_days),
        # With its last turn.
        ("conversations", settings.turns_days),
        ("users", settings.users_days),
        ("outbox", settings.outbox_days),
        ("dead_letters", settings.dead_letters_days),
        ("buried_jobs", settings.buried_jobs_days),
    ]
    return [(what, days) for what, days in steps if days]
