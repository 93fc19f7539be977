"""What the outcome of a send means for its outbox row.  Pure.

sent                       -> sent
not sent, for good         -> not_sent, and a dead letter
certainly not sent         -> another try after full jitter, never sooner than the platform asked for;
                              after ``attempts_max`` tries not_sent, with the last reason
unknown                    -> unknown, and a dead letter; never silently again (the ledger applies the row's policy)
"""

from __future__ import annotations

from gateway.domain.deadline import retry_delay_s
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.outbox import Finish, OutboxRow

__all__ = ["classify"]


def classify(row: OutboxRow, outcome: Outcome, settings: OutboxSettings, *, jitter: float) -> Finish:
    """Return what is to be written for *row*.  *jitter* is the caller's draw from [0, 1)."""
    match outcome:
        case Sent():
            return Finish(row.outbox_id, "sent", platform_id=outcome.platform_id)
        case NotSent():
            return Finish(row.outbox_id, "not_sent", outcome.reason, outcome.detail)
        case Unknown():
            return Finish(row.outbox_id, "unknown", outcome.reason, outcome.detail)
        case RetryLater():
            return _retry(row, outcome, settings, jitter)


def _retry(row: OutboxRow, outcome: RetryLater, settings: OutboxSettings, jitter: float) -> Finish:
    if row.attempts >= settings.attempts_max:
        detail = f"{row.attempts} tries (outbox.attempts_max), the last one: {outcome.reason}. {outcome.detail}".strip()
        return Finish(row.outbox_id, "not_sent", "attempts_exhausted", detail)
    backoff_s = retry_delay_s(
        row.attempts, base_s=settings.backoff_base_s, max_s=settings.backoff_max_s, jitter=jitter
    )
    # The platform's word is a floor: jitter on top of it keeps a herd of paused sends from returning together.
    after_s = (
        backoff_s if outcome.after_s is None else outcome.after_s + min(backoff_s, settings.backoff_base_s)
    )
    return Finish(row.outbox_id, "retry", outcome.reason, outcome.detail, after_s=after_s)
