"""One send of one reply, the same whoever does it: the gateway that settled the turn, or a worker.

    is there room at the platform? ─▶ may it still be sent? ─▶ send ─▶ judge

Rules:

- Nothing is sent outside the lease, and no row that was taken before this process was declared dead.
- A crash of our own code, or a cut, while bytes may be on the wire is ``unknown``, because it is.
- "Too many", said by the platform, pauses what the send was counted under, for all processes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from gateway import telemetry
from gateway.channels.base import Channel, PlatformClient
from gateway.domain.deadline import Deadline, retry_delay_s
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.replies.limits import Limits
from gateway.settings.accounts import Account
from gateway.settings.outbox import OutboxSettings
from gateway.settings.settings import Settings
from gateway.store.ledger.outbox import Fate, Finish, OutboxRow

__all__ = ["Sender", "judge", "tell", "tell_crash"]

#: Seconds before a row is asked for again that may not be sent now.
_LOOK_AGAIN_S = 0.2


class _Way(msgspec.Struct, frozen=True):
    """How a row is sent, and what it is counted under."""

    channel: Channel[Account]
    account: Account
    owner: str
    scopes: Sequence[Scope]


class Sender:
    """Sends.  Holds nothing of a send; made for many greenlets."""

    def __init__(
        self,
        settings: Settings,
        channels: Mapping[str, Channel[Any]],
        limits: Limits,
        platform: Callable[[str], PlatformClient],
        *,
        lives: Callable[[int], bool],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """*platform*: the client that sends for a sharer; *lives*: whether what was taken in an epoch may be sent now;
        *clock*: monotonic seconds; *wall_clock*: Unix seconds; *draw*: from [0, 1)."""
        self._settings = settings
        self._channels = channels
        self._limits = limits
        self._platform = platform
        self._lives = lives
        self._clock = clock
        self._wall_clock = wall_clock
        self._draw = draw

    def send(
        self,
        row: OutboxRow,
        put: Callable[[Finish], object],
        *,
        books: bool = True,
        no_later: Deadline | None = None,
        job_id: int = 0,
        place: int = 0,
    ) -> Finish:
        """Send the row, and return what is to be written of it.

        Should this be cut off, by a time limit or because the process must end, *put* gets what is true then.
        *books*: where there is no room, the next place at the platform is this process's, which comes back for it.
        *no_later*: a bound beside outbox.send_timeout_s.  *job_id*, *place*: which run of a job it is, if of one.
        """
        cut = _finish(row, "wait", "cut_off")
        try:
            way = self._way(row, books=books)
            if isinstance(way, Finish):
                return way
            cut = _finish(row, "unknown", "cut_off", "the process had to stop before the platform answered")
            outcome = self._call(row, way, no_later, job_id, place)
            # Its end is known, whatever cuts off what is left to do.
            cut = finish = self._judged(row, outcome)
            if isinstance(outcome, RetryLater) and outcome.limited:
                named = outcome.limited_scopes
                paused = [scope for scope in way.scopes if not named or scope.name in named]
                self._limits.pause(way.owner, paused, outcome.after_s or finish.after_s)
            return finish
        except BaseException:
            put(cut)
            raise

    def _way(self, row: OutboxRow, *, books: bool) -> _Way | Finish:
        """Return how the row is to be sent now, or why it is not.  Nothing is on the wire yet."""
        channel = self._channels.get(row.channel)
        account = self._settings.accounts.get((row.channel, row.account))
        if channel is None or account is None:
            gone = f"the settings have no account {row.account!r} on {row.channel!r} any more"
            return _finish(row, "not_sent", "account_gone", gone)
        try:
            way = _Way(channel, account, f"{row.channel}/{row.account}", channel.scopes(row.payload, account))
            wait_s = self._limits.wait_s(way.owner, way.scopes, holder=row.outbox_id, books=books)
        except Exception as error:
            return self._judged(row, RetryLater("crashed", tell_crash(row, error)))
        if wait_s > 0:
            return _finish(row, "wait", "platform_limit", after_s=wait_s)
        if not self._lives(row.epoch):
            why = "the lease had run out, or this process was declared dead, before the send began"
            return _finish(row, "wait", "lease_lost", why, after_s=_LOOK_AGAIN_S)
        return way

    def _call(
        self, row: OutboxRow, way: _Way, no_later: Deadline | None, job_id: int, place: int
    ) -> Outcome:
        deadline = Deadline.after(self._settings.outbox.send_timeout_s, now=self._clock())
        with telemetry.span(
            "platform.send",
            channel=row.channel,
            account=row.account,
            turn_id=row.turn_id,
            outbox_id=row.outbox_id,
            trace_id=row.trace_id,
            attempt=row.attempts,
            job_id=job_id,
            place=place,
        ) as span:
            outcome: Outcome
            try:
                outcome = way.channel.send(
                    self._platform(way.account.sharer),
                    way.account,
                    row.payload,
                    idempotency_key=f"outbox-{row.outbox_id}",
                    deadline=deadline if no_later is None else deadline.or_sooner(no_later),
                    now_s=self._wall_clock(),
                )
            except Exception as error:
                outcome = Unknown("crashed", tell_crash(row, error))
            span.outcome = "ok" if isinstance(outcome, Sent) else outcome.reason
            return outcome

    def _judged(self, row: OutboxRow, outcome: Outcome) -> Finish:
        return judge(row, outcome, self._settings.outbox, jitter=self._draw())


def tell(row: OutboxRow, finish: Finish, *, ours: bool) -> None:
    """Tell what was written of a send; *ours*: whether the row was still this process's."""
    outcome, reason = (finish.fate, finish.reason) if ours else ("unknown", "no_longer_ours")
    telemetry.event(
        "outbox.finished",
        channel=row.channel,
        account=row.account,
        outcome=outcome,
        reason=reason,
        outbox_id=row.outbox_id,
        trace_id=row.trace_id,
        attempt=row.attempts,
    )
    if outcome in ("not_sent", "unknown"):
        # A line a reply that went well would be most of a busy process's log, and cost as much as the send itself.
        telemetry.event(
            "send.failed",
            channel=row.channel,
            account=row.account,
            outcome=outcome,
            reason=reason,
            outbox_id=row.outbox_id,
            trace_id=row.trace_id,
            attempt=row.attempts,
        )


def tell_crash(row: OutboxRow, error: BaseException) -> str:
    """Tell of a fault in our own code; return what a row says of it."""
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
