"""Accept: bounds first, then one batched commit.

What is refused here has not been seen: nothing is stored, and the platform's next delivery of it can succeed.  The
bounds that only the ledger can judge (turns waiting in one conversation) are judged there, under the lane's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gateway import telemetry
from gateway.domain.errors import Overloaded
from gateway.domain.message import Inbound
from gateway.settings.lanes import LaneSettings
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.arrange import Arrival

__all__ = ["LANE_FULL", "Intake", "LedgerAccept", "Running", "lane_full"]

LANE_FULL = "lane_full"

#: Seconds after which a refused delivery may come again: a turn or two later.
_RETRY_AFTER_S = 2.0


class LedgerAccept(Protocol):
    """What intake needs of the ledger."""

    def accept(self, arrivals: Sequence[Arrival]) -> list[Accepted]:
        """Write the messages and return one result each."""
        ...


class Running(Protocol):
    """What intake asks of the lanes: how much is under way."""

    def __len__(self) -> int: ...

    def running(self, channel: str, account: str) -> int:
        """Return how many turns of the account run now."""
        ...


class Intake:
    """The only way into the ledger for a message."""

    def __init__(
        self,
        ledger: LedgerAccept,
        running: Running,
        outbox_rows: Callable[[], Mapping[tuple[str, str], int]],
        *,
        lanes: LaneSettings,
        outbox: OutboxSettings,
    ) -> None:
        self._ledger = ledger
        self._running = running
        #: Unsent rows by account, as last counted.
        self._outbox_rows = outbox_rows
        self._lanes = lanes
        self._outbox = outbox
        #: Messages between the door and their commit, by account.
        self._entering: Counter[tuple[str, str]] = Counter()

    def accept(self, channel: str, account: str, inbound: Sequence[Inbound], trace_id: str) -> list[Accepted]:
        """Commit the messages of one delivery and return one result each, in order.

        A message that found too many before it in its conversation is 'refused': see :func:`lane_full`.

        :raises Overloaded: a bound of the process or the account was reached, and nothing was written.
        :raises StoreUnavailable: PostgreSQL does not answer; nothing may be acknowledged.
        :raises StoreRefused: PostgreSQL refuses one of the messages for what is in it.
        """
        key = channel, account
        try:
            self._check(channel, account)
            self._entering[key] += len(inbound)
            try:
                accepted = self._ledger.accept(
                    [Arrival(channel, account, item, trace_id) for item in inbound]
                )
            finally:
                self._entering[key] -= len(inbound)
                if not self._entering[key]:
                    del self._entering[key]
        except Overloaded as error:
            telemetry.event("turn.refused", channel=channel, account=account, reason=error.reason)
            raise
        for result in accepted:
            self._tell(channel, account, result)
        return accepted

    def _check(self, channel: str, account: str) -> None:
        lanes = self._lanes
        if len(self._running) + self._entering.total() >= lanes.turns_in_flight_max:
            raise _overloaded("process_full", "turns run in this process", "lanes.turns_in_flight_max")
        key = channel, account
        if self._running.running(channel, account) + self._entering[key] >= lanes.account_turns_in_flight_max:
            raise _overloaded(
                "account_full", "turns of this account run", "lanes.account_turns_in_flight_max"
            )
        if self._outbox_rows().get(key, 0) >= self._outbox.outbox_rows_per_account_max:
            raise _overloaded(
                "outbox_full", "replies of this account are unsent", "outbox.outbox_rows_per_account_max"
            )

    def _tell(self, channel: str, account: str, result: Accepted) -> None:
        match result.outcome:
            case "new":
                telemetry.event("turn.accepted", channel=channel, account=account, turn_id=result.turn_id)
            case "duplicate":
                telemetry.event("turn.duplicate", channel=channel, account=account, turn_id=result.turn_id)
            case "refused":
                telemetry.event("turn.refused", channel=channel, account=account, reason=LANE_FULL)


def lane_full() -> Overloaded:
    """Return the refusal of a message whose conversation has as many waiting turns as it may."""
    return _overloaded(LANE_FULL, "turns wait in this conversation", "lanes.lane_waiting_max")


def _overloaded(reason: str, what: str, setting: str) -> Overloaded:
    return Overloaded(f"as many {what} as {setting} allows", reason=reason, retry_after_s=_RETRY_AFTER_S)
