"""What the outcome of one run of a job means for the job.  Pure.

Done     gone; kept with its result where its draft asked for that
Retry    in its place again, after the time it names or full jitter; buried after the kind's last try.  One in no lane
         has no place to keep: its long pauses are spent in the ledger, not in a worker's memory, where what waits for
         nothing but time would in the end leave no room for other jobs
Snooze   out of its lane until then
Bury     a dead letter

Whatever a handler returns, its job gets an end that the ledger takes: ends are written many at a time, and one that
can never be written would hold up the others.  What cannot be written of a Done makes it a dead letter, not another
try: its work is done already.
"""

from __future__ import annotations

import math

import msgspec

from gateway.domain.deadline import retry_delay_s
from gateway.domain.errors import SwitchboardError
from gateway.domain.job import Bury, Done, Draft, Fate, Job, JobEnd, JobOutcome, Retry, Snooze
from gateway.domain.text import clean, shorten
from gateway.jobs.drafts import checked
from gateway.settings.jobs import JobSettings

__all__ = ["ending"]

#: Characters of a reason and of a detail that are kept; a handler may put anything into them.
_REASON_CHARS_MAX = 200
_DETAIL_CHARS_MAX = 2_000
#: In the place of a reason that a handler did not give.
_NO_REASON = "no reason given"
#: Seconds that a try can be put off: a hundred years, which PostgreSQL's calendar still has.
_AFTER_S_MAX = 100 * 366 * 86_400.0
#: Seconds of a pause above which a job in no lane is put down.
_IN_HAND_S_MAX = 10.0

_encode = msgspec.json.Encoder().encode


def ending(
    job: Job, outcome: JobOutcome, settings: JobSettings, *, attempts_max: int, jitter: float, unix_now: float
) -> JobEnd:
    """Return what is to be written of *job*.  *jitter* is the caller's draw from [0, 1)."""
    if isinstance(outcome, Done) and not job.keep_s and not outcome.then:
        return JobEnd(job, "done", job.attempts)
    try:
        return _ending(job, outcome, settings, attempts_max, jitter, unix_now)
    except Exception as error:
        # Such as a time that is a text.  Or whatever else: what is in an outcome is the handler's, and a job without an
        # end would hold its lane for as long as this process lives.
        what = f"its handler returned a {type(outcome).__name__} that means nothing ({type(error).__name__})"
        return _retry(job, Retry("bad_outcome", what), settings, attempts_max, jitter)


def _ending(
    job: Job, outcome: JobOutcome, settings: JobSettings, attempts_max: int, jitter: float, unix_now: float
) -> JobEnd:
    match outcome:
        case Done():
            return _done(job, outcome, settings)
        case Retry():
            return _retry(job, outcome, settings, attempts_max, jitter)
        case Snooze():
            after_s = _seconds(outcome.until, unix_now)
            return JobEnd(job, "snooze", job.attempts, _reason(outcome.reason), after_s=after_s)
        case Bury():
            return _bury(job, outcome.reason, outcome.detail)


def _done(job: Job, outcome: Done, settings: JobSettings) -> JobEnd:
    bytes_max = settings.payload_bytes_max
    try:
        then = tuple([_follow_up(draft, bytes_max) for draft in outcome.then])
    except (SwitchboardError, TypeError, ValueError) as error:
        return _bury(job, "bad_follow_up", f"what its handler asks for next cannot be written: {error}")
    if not job.keep_s:
        return JobEnd(job, "done", job.attempts, then=then)
    try:
        result = _encode(outcome.result).decode()
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return _bury(job, "bad_result", f"expected a result that can be written as JSON: {error}")
    if len(result) > bytes_max:
        too_large = f"expected a result of at most {bytes_max} bytes (jobs.payload_bytes_max), got {len(result)}"
        return _bury(job, "bad_result", too_large)
    return JobEnd(job, "done", job.attempts, result=result, then=then)


def _follow_up(draft: object, bytes_max: int) -> Draft:
    if not isinstance(draft, Draft):
        raise TypeError(f"expected a Draft, got {type(draft).__name__}")
    return checked(draft, payload_bytes_max=bytes_max)


def _retry(job: Job, outcome: Retry, settings: JobSettings, attempts_max: int, jitter: float) -> JobEnd:
    attempts = job.attempts + outcome.counted
    reason, detail = _reason(outcome.reason) or _NO_REASON, _detail(outcome.detail)
    if outcome.counted and attempts >= attempts_max:
        why = f"{reason}. {detail}".strip() if detail else reason
        last = f"{attempts} tries (jobs.attempts_max, or the kind's own), the last one: {why}"
        return JobEnd(job, "bury", attempts, "attempts_exhausted", last)
    after_s = outcome.after_s
    if after_s is None:
        after_s = retry_delay_s(
            max(1, attempts), base_s=settings.backoff_base_s, max_s=settings.backoff_max_s, jitter=jitter
        )
    after_s = _seconds(after_s, 0.0)
    fate: Fate = "snooze" if job.lane is None and after_s > _IN_HAND_S_MAX else "retry"
    return JobEnd(job, fate, attempts, reason, detail, after_s=after_s)


def _bury(job: Job, reason: str, detail: str) -> JobEnd:
    return JobEnd(job, "bury", job.attempts, _reason(reason) or _NO_REASON, _detail(detail))


def _seconds(until: float, now: float) -> float:
    """Return how long it is until then.

    :raises TypeError, ValueError: it is no time.
    """
    after_s = until - now
    if math.isnan(after_s):
        raise ValueError(f"expected a time in seconds, got {until!r}")
    return min(max(0.0, after_s), _AFTER_S_MAX)


# Whatever a handler gave, None included: a handler's types are checked by nobody.
def _reason(text: str | None) -> str:
    return "" if text is None else shorten(clean(str(text)), _REASON_CHARS_MAX)


def _detail(text: str | None) -> str:
    return "" if text is None else shorten(clean(str(text)), _DETAIL_CHARS_MAX)
