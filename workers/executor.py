"""THE SPINE of a worker: one outbox row, from its claim to its honest end.

    resolve the account ─▶ may this process still send? ─▶ perform ─▶ classify ─▶ settle ─▶ report

Rules:

- Nothing is sent outside the lease: such a row goes back unsent.
- Whatever ``send`` does, the row gets an end or another try; a crash of our own code while bytes may be on the wire is
  ``unknown``, because it is.
- The end is written until PostgreSQL takes it.  A row that is no longer ours is not touched: others have called its
  fate unknown, and that is what it was when they looked.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import msgspec

from gateway import telemetry
from gateway.channels.base import Channel, PlatformClient
from gateway.domain.deadline import Deadline
from gateway.domain.errors import StoreRefused, TryLater
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Unknown
from gateway.settings.accounts import Account
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.outbox import Finish, OutboxRow
from workers.classify import classify

__all__ = ["Executor"]

#: Seconds between two tries of writing an end.
_SETTLE_PAUSE_S = 0.25
#: Reason of an end whose own words PostgreSQL refused.
_UNWRITABLE = "unwritable"


class Executor:
    """Performs sends."""

    def __init__(
        self,
        channels: Mapping[str, Channel[Any]],
        accounts: Mapping[tuple[str, str], Account],
        client: PlatformClient,
        finish: Callable[[Finish], bool],
        settings: OutboxSettings,
        *,
        may_send: Callable[[OutboxRow], bool],
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._channels = channels
        self._accounts = accounts
        self._client = client
        self._finish = finish
        self._settings = settings
        self._may_send = may_send
        self._draw = draw
        self._clock = clock
        self._wall_clock = wall_clock

    def execute(self, row: OutboxRow) -> None:
        """Send one claimed row and write what became of it."""
        outcome = self._perform(row)
        finish = classify(row, outcome, self._settings, jitter=self._draw())
        # Should this process be declared dead meanwhile and claim the row again, that try is another one's to end.
        finish = msgspec.structs.replace(finish, epoch=row.epoch)
        ours = self._settle(finish)
        self._report(row, finish, ours)

    def _perform(self, row: OutboxRow) -> Outcome:
        channel = self._channels.get(row.channel)
        account = self._accounts.get((row.channel, row.account))
        if channel is None or account is None:
            return NotSent(
                "account_gone", f"the settings have no account {row.account!r} on {row.channel!r} any more"
            )
        if not self._may_send(row):
            return RetryLater(
                "lease_lost",
                "the lease had run out, or this process was declared dead, before the send began",
            )
        try:
            return channel.send(
                self._client,
                account,
                row.payload,
                idempotency_key=f"outbox-{row.outbox_id}",
                deadline=Deadline.after(self._settings.send_timeout_s, now=self._clock()),
                now_s=self._wall_clock(),
            )
        except Exception as error:
            telemetry.event(
                "send.crashed",
                channel=row.channel,
                account=row.account,
                reason=type(error).__name__,
                outbox_id=row.outbox_id,
                trace_id=row.trace_id,
                detail=telemetry.trace(error),
            )
            return Unknown("crashed", f"{type(error).__name__} in our own code; trace {row.trace_id}")

    def _settle(self, finish: Finish) -> bool:
        while True:
            try:
                return self._finish(finish)
            except TryLater:
                gevent.sleep(_SETTLE_PAUSE_S)
            except StoreRefused:
                if finish.reason == _UNWRITABLE:
                    raise
                # A platform's words may be none that can be kept.  The end must be: a row without one would
                # look as if it had never been sent, and go out again.
                finish = msgspec.structs.replace(finish, reason=_UNWRITABLE, detail="", platform_id="")

    def _report(self, row: OutboxRow, finish: Finish, ours: bool) -> None:
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
