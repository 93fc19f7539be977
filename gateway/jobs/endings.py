"""What the outcome of one run of a job means for the job.  Pure.

Done     gone; kept with its result where its draft asked for that
Retry    in its place again, after the time it names or full jitter; buried after the kind's last try
Snooze   out of its lane until then
Bury     a dead letter
"""

from __future__ import annotations

import msgspec

from gateway.domain.deadline import retry_delay_s
from gateway.domain.job import Bury, Done, Job, JobEnd, JobOutcome, Retry, Snooze
from gateway.domain.text import clean
from gateway.settings.jobs import JobSettings

__all__ = ["ending"]

_encode = msgspec.json.Encoder().encode


def ending(
    job: Job, outcome: JobOutcome, settings: JobSettings, *, attempts_max: int, jitter: float, unix_now: float
) -> JobEnd:
    """Return what is to be written of *job*.  *jitter* is the caller's draw from [0, 1).

    :raises TypeError: a result cannot be written as JSON.
    """
    match outcome:
        case Done():
            result = _encode(outcome.result).decode() if job.keep_s else None
            return JobEnd(job, "done", job.attempts, result=result, then=outcome.then)
        case Retry():
            return _retry(job, outcome, settings, attempts_max, jitter)
        case Snooze():
            after_s = max(0.0, outcome.until - unix_now)
            return JobEnd(job, "snooze", job.attempts, clean(outcome.reason), after_s=after_s)
        case Bury():
            return JobEnd(job, "bury", job.attempts, clean(outcome.reason), clean(outcome.detail))


def _retry(job: Job, outcome: Retry, settings: JobSettings, attempts_max: int, jitter: float) -> JobEnd:
    attempts = job.attempts + outcome.counted
    reason, detail = clean(outcome.reason), clean(outcome.detail)
    if outcome.counted and attempts >= attempts_max:
        last = f"{attempts} tries (jobs.attempts_max, or the kind's own), the last one: {reason}. {detail}".strip()
        return JobEnd(job, "bury", attempts, "attempts_exhausted", last)
    after_s = outcome.after_s
    if after_s is None:
        after_s = retry_delay_s(
            max(1, attempts), base_s=settings.backoff_base_s, max_s=settings.backoff_max_s, jitter=jitter
        )
    return JobEnd(job, "retry", attempts, reason, detail, after_s=max(0.0, after_s))
