"""Accept: bounds first, then one batched commit.

What is refused here has not been seen: nothing is stored, and the platform's next delivery of it can succeed.  The
bounds that only the ledger can judge (turns waiting in one conversation) are judged there, under the lane's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import gevent

from gateway import telemetry
from gateway.domain.errors import Overloaded, StoreUnavailable, SwitchboardError
from gateway.domain.message import Inbound
from gateway.settings.lanes import LaneSettings
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.arrange import Arrival

__all__ = ["Intake", "LedgerAccept", "Running", "refusal"]

#: Nobody's turns are counted together.
NO_TENANTS: Mapping[tuple[str, str], str] = MappingProxyType({})
#: Seconds after which a refused delivery may come again: a turn or two later.
_RETRY_AFTER_S = 2.0
#: Seconds that a commit gets even if its delivery arrived late: else a slow minute would refuse everything.
_COMMIT_MIN_S = 0.25


class LedgerAccept(Protocol):
    """What intake needs of the ledger."""

    def accept(self, arrivals: Sequence[Arrival]) -> list[Accepted | SwitchboardError]:
        """Write the messages and return what became of each."""
        ...


class Running(Protocol):
    """What intake asks of the lanes: how much is under way."""

    def __len__(self) -> int: ...

    def running(self, channel: str, account: str) -> int:
        """Return how many turns of the account run now."""
        ...

    def running_of(self, tenant: str) -> int:
        """Return how many turns of the tenant's accounts run now."""
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
        tenants: Mapping[tuple[str, str], str] = NO_TENANTS,
    ) -> None:
        self._ledger = ledger
        self._running = running
        #: Unsent rows by account, as last counted.
        self._outbox_rows = outbox_rows
        self._lanes = lanes
        self._outbox = outbox
        #: Of accounts for which ``tenant_turns_in_flight_max`` counts; the lanes must know the same.
        self._tenants = tenants
        #: Messages between the door and their commit, by account and by tenant.
        self._entering: Counter[tuple[str, str]] = Counter()
        self._entering_of: Counter[str] = Counter()

    def accept(
        self, channel: str, account: str, inbound: Sequence[Inbound], trace_id: str, within_s: float
    ) -> list[Accepted | SwitchboardError]:
        """Commit the messages of one delivery and return what became of each, in order; see :func:`refusal`.

        :raises Overloaded: a bound of the process or the account was reached, and nothing was written.
        :raises StoreUnavailable: it took longer than *within_s*; whatever was written answers as a duplicate of itself
            when the delivery is repeated.
        """
        key = channel, account
        try:
            self._check(channel, account)
        except Overloaded as error:
            telemetry.event("turn.refused", channel=channel, account=account, reason=error.reason)
            raise
        self._enter(key, len(inbound))
        try:
            taken = self._commit([Arrival(channel, account, item, trace_id) for item in inbound], within_s)
        finally:
            self._enter(key, -len(inbound))
        for result in taken:
            self._tell(channel, account, result)
        return taken

    def _enter(self, key: tuple[str, str], count: int) -> None:
        self._entering[key] += count
        if not self._entering[key]:
            del self._entering[key]
        if (tenant := self._tenants.get(key)) is not None:
            self._entering_of[tenant] += count
            if not self._entering_of[tenant]:
                del self._entering_of[tenant]

    def _commit(self, arrivals: Sequence[Arrival], within_s: float) -> list[Accepted | SwitchboardError]:
        # The platform waits for less time than the store may take to answer or to be given up.
        patience = gevent.Timeout(max(_COMMIT_MIN_S, within_s))
        try:
            with patience:
                return self._ledger.accept(arrivals)
        except gevent.Timeout as error:
            if error is not patience:
                raise
            raise StoreUnavailable(
                "the ledger took longer than the platform waits", reason="ledger_slow", retry_after_s=_RETRY_AFTER_S
            ) from None

    def _check(self, channel: str, account: str) -> None:
        lanes = self._lanes
        if len(self._running) + self._entering.total() >= lanes.turns_in_flight_max:
            raise _overloaded("process_full", "turns run in this process", "lanes.turns_in_flight_max")
        key = channel, account
        if self._running.running(channel, account) + self._entering[key] >= lanes.account_turns_in_flight_max:
            raise _overloaded(
                "account_full", "turns of this account run", "lanes.account_turns_in_flight_max"
            )
        if self._is_tenant_full(key):
            raise _overloaded("tenant_full", "turns of this tenant run", "lanes.tenant_turns_in_flight_max")
        if self._outbox_rows().get(key, 0) >= self._outbox.outbox_rows_per_account_max:
            raise _overloaded(
                "outbox_full", "replies of this account are unsent", "outbox.outbox_rows_per_account_max"
            )

    def _is_tenant_full(self, key: tuple[str, str]) -> bool:
        tenant, most = self._tenants.get(key), self._lanes.tenant_turns_in_flight_max
        if tenant is None or most is None:
            return False
        return self._running.running_of(tenant) + self._entering_of[tenant] >= most

    def _tell(self, channel: str, account: str, taken: Accepted | SwitchboardError) -> None:
        refused = refusal(taken)
        if refused is not None:
            telemetry.event("turn.refused", channel=channel, account=account, reason=refused.reason)
        elif isinstance(taken, Accepted) and taken.outcome == "new":
            telemetry.event("turn.accepted", channel=channel, account=account, turn_id=taken.turn_id)
        elif isinstance(taken, Accepted):
            telemetry.event("turn.duplicate", channel=channel, account=account, turn_id=taken.turn_id)


def refusal(taken: Accepted | SwitchboardError) -> SwitchboardError | None:
    """Return why a message is not in the ledger, or None: it is."""
    if isinstance(taken, SwitchboardError):
        return taken
    if taken.outcome == "refused":
        return _overloaded("lane_full", "turns wait in this conversation", "lanes.lane_waiting_max")
    return None


def _overloaded(reason: str, what: str, setting: str) -> Overloaded:
    return Overloaded(f"as many {what} as {setting} allows", reason=reason, retry_after_s=_RETRY_AFTER_S)
