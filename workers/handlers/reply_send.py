"""Sends one reply: an outbox row, from its taking to its honest end.

    take ─▶ resolve the account ─▶ is there room at the platform? ─▶ may it still be sent? ─▶ send ─▶ judge ─▶ end

Rules:

- The row is the truth, the job only carries it: a job is done once it has found its row ended.
- Nothing is sent outside the lease, and no row that was taken before this process was declared dead.
- Whatever ``send`` does, the row gets an end or another try.  A crash of our own code, or a cut, while bytes may be on
  the wire is ``unknown``, because it is.
- A row that is no longer ours is not touched: others have called its fate unknown, and that is what it was.
- What waits for room at the platform goes back and was no try.  "Too many", said by the platform, pauses what the send
  was counted under, for all workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway import telemetry
from gateway.channels.base import Channel
from gateway.domain.deadline import Deadline, retry_delay_s
from gateway.domain.errors import TryLater
from gateway.domain.job import Done, JobOutcome, Retry, Snooze
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.settings.accounts import Account
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.outbox import Fate, Finish, OutboxRow
from workers.context import Context
from workers.registry import UNBOUNDED, job_handler

__all__ = ["SendReply", "judge", "reply_send"]

#: Seconds before a row is asked for again that somebody else has in his hands, or that an earlier one holds up.
_LOOK_AGAIN_S = 0.2
#: Seconds of the job's time that are left for writing the end when the send itself takes all of its own.
_END_S = 5.0


class SendReply(msgspec.Struct, frozen=True):
    """The payload, as ``outbox_carry`` writes it."""

    outbox_id: int


@job_handler(
    "reply.send",
    SendReply,
    # The row's tries are counted and bounded, by outbox.attempts_max; so is its time, by outbox.send_timeout_s.
    attempts_max=UNBOUNDED,
    time_limit_s=600.0,
    on_lease_lost="finish",
    in_flight_max=lambda settings: settings.outbox.sends_in_flight_max,
)
def reply_send(job: Context, payload: SendReply) -> JobOutcome:
    """Send it, if it is its turn."""
    try:
        taking = job.tools.sends.take(payload.outbox_id)
    except TryLater as error:
        return _look_again(error.reason)
    if taking.row is not None:
        return _send(job, taking.row)
    match taking.found:
        case "ended":
            return Done()
        case "earlier":
            # Not in our place: the job that carries the earlier one may stand behind us.
            return Snooze(job.tools.wall_clock() + _LOOK_AGAIN_S, "earlier")
        case "early":
            return Retry("early", after_s=taking.wait_s, counted=False)
        case _:
            return _look_again(taking.found)


def _look_again(reason: str) -> Retry:
    return Retry(reason, after_s=_LOOK_AGAIN_S, counted=False)


def _send(job: Context, row: OutboxRow) -> JobOutcome:
    tools = job.tools
    # What is true if this run is cut off, by its time limit or because the worker must end.
    cut = _finish(row, "wait", "cut_off")
    try:
        way = _way(job, row)
        if isinstance(way, Finish):
            finish = way
        else:
            cut = _finish(row, "unknown", "cut_off", "the worker had to stop before the platform answered")
            outcome = _call(job, row, way.channel, way.account)
            # Its end is known, whatever cuts off what is left to do.
            cut = finish = _judged(job, row, outcome)
            if isinstance(outcome, RetryLater) and outcome.limited:
                named = outcome.limited_scopes
                paused = [scope for scope in way.scopes if not named or scope.name in named]
                tools.limits.pause(way.owner, paused, outcome.after_s or finish.after_s)
    except BaseException:
        tools.sends.put(cut)
        raise
    ours = tools.sends.end(finish)
    telemetry.event(
        "outbox.finished",
        channel=row.channel,
        account=row.account,
        outcome=finish.fate if ours else "unknown",
        reason=finish.reason if ours else "no_longer_ours",
        outbox_id=row.outbox_id,
        trace_id=row.trace_id,
        attempt=row.attempts,
    )
    if not ours or finish.fate == "unknown":
        # The ledger may want it sent once more, marked.
        return Retry(finish.reason, finish.detail, after_s=0.0, counted=False)
    if finish.fate in ("retry", "wait"):
        return Retry(finish.reason, finish.detail, after_s=finish.after_s, counted=finish.fate == "retry")
    return Done()


class _Way(msgspec.Struct, frozen=True):
    """How a row is sent, and what it is counted under."""

    channel: Channel[Account]
    account: Account
    owner: str
    scopes: Sequence[Scope]


def _way(job: Context, row: OutboxRow) -> _Way | Finish:
    """Return how the row is to be sent now, or why it is not.  Nothing is on the wire yet."""
    tools = job.tools
    channel = tools.channels.get(row.channel)
    account = tools.settings.accounts.get((row.channel, row.account))
    if channel is None or account is None:
        gone = f"the settings have no account {row.account!r} on {row.channel!r} any more"
        return _finish(row, "not_sent", "account_gone", gone)
    try:
        way = _Way(channel, account, f"{row.channel}/{row.account}", channel.scopes(row.payload, account))
        wait_s = tools.limits.wait_s(way.owner, way.scopes, holder=row.outbox_id)
    except Exception as error:
        return _judged(job, row, RetryLater("crashed", _crashed(row, error)))
    if wait_s > 0:
        return _finish(row, "wait", "platform_limit", after_s=wait_s)
    if not (job.holds() and row.epoch == tools.owner.epoch):
        why = "the lease had run out, or this process was declared dead, before the send began"
        return _finish(row, "wait", "lease_lost", why, after_s=_LOOK_AGAIN_S)
    return way


def _judged(job: Context, row: OutboxRow, outcome: Outcome) -> Finish:
    return judge(row, outcome, job.tools.settings.outbox, jitter=job.tools.draw())


def _call(job: Context, row: OutboxRow, channel: Channel[Account], account: Account) -> Outcome:
    tools = job.tools
    own = Deadline.after(tools.settings.outbox.send_timeout_s, now=tools.clock())
    with telemetry.span(
        "platform.send",
        channel=row.channel,
        account=row.account,
        job_id=job.job.job_id,
        place=job.job.place,
        turn_id=row.turn_id,
        outbox_id=row.outbox_id,
        trace_id=row.trace_id,
        attempt=row.attempts,
    ) as span:
        outcome: Outcome
        try:
            outcome = channel.send(
                tools.platform(account.sharer),
                account,
                row.payload,
                idempotency_key=f"outbox-{row.outbox_id}",
                deadline=own.or_sooner(job.deadline.less(_END_S)),
                now_s=tools.wall_clock(),
            )
        except Exception as error:
            outcome = Unknown("crashed", _crashed(row, error))
        span.outcome = "ok" if isinstance(outcome, Sent) else outcome.reason
        return outcome


def _crashed(row: OutboxRow, error: Exception) -> str:
    """Tell of a fault in our own code; return what the row says of it."""
    telemetry.event(
        "send.crashed",
        channel=row.channel,
        account=row.account,
        reason=type(error).__name__,
        outbox_id=row.outbox_id,
        trace_id=row.trace_id,
        detail=telemetry.trace(error),
    )
    return f"{type(error).__name__} in our own code; trace {row.trace_id}"


def judge(row: OutboxRow, outcome: Outcome, settings: OutboxSettings, *, jitter: float) -> Finish:
    """Return what the outcome of a send means for its row.  *jitter* is the caller's draw from [0, 1).

    Sent, refused for good and unknown are ends.  What was certainly not sent is tried again after full jitter, never
    sooner than the platform asked for; after ``attempts_max`` tries it is not sent, with the last reason.
    """
    match outcome:
        case Sent():
            return _finish(row, "sent", platform_id=outcome.platform_id)
        case NotSent():
            return _finish(row, "not_sent", outcome.reason, outcome.detail)
        case Unknown():
            return _finish(row, "unknown", outcome.reason, outcome.detail)
    if row.attempts >= settings.attempts_max:
        tries = (
            f"{row.attempts} tries (outbox.attempts_max), the last one: {outcome.reason}. {outcome.detail}"
        )
        return _finish(row, "not_sent", "attempts_exhausted", tries.strip())
    backoff_s = retry_delay_s(
        row.attempts, base_s=settings.backoff_base_s, max_s=settings.backoff_max_s, jitter=jitter
    )
    if outcome.after_s is not None:
        # The platform's word is a floor: jitter on top of it keeps a herd of paused sends from returning together.
        backoff_s = outcome.after_s + min(backoff_s, settings.backoff_base_s)
    return _finish(row, "retry", outcome.reason, outcome.detail, after_s=backoff_s)


def _finish(row: OutboxRow, fate: Fate, reason: str = "", detail: str = "", **more: Any) -> Finish:
    # Should this process be declared dead meanwhile and take the row again, that try is another one's to end.
    return Finish(row.outbox_id, fate, reason, detail, epoch=row.epoch, **more)
