"""The lanes that this process runs: an errand each, for as long as the lane has work.

    head ─▶ lease holds? ─▶ run ─▶ settle ─▶ tell ─▶ the next head, as the settle returned it ─▶ ... ─▶ gone

Rules:

- A turn is started only inside the lease; what a lost lane writes is refused by its fence and dropped.
- The ledger says what comes next, never memory: a turn accepted by another process is found at the next settle.
- A settle is repeated until PostgreSQL takes it or refuses it: an answer is not thrown away because a store blinked.
- A grant may come twice, late, or for a lane already run: equal fences are one lane, the higher fence wins, a fence
  that the ledger has ended is over, and a grant of an epoch in which this process was declared dead is void.
- A lane that stopped for a reason of our own (no lease, no store) is not over: the ledger still says that it is ours,
  and takeover starts it again.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Protocol

import gevent
from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import SwitchboardError, TooLate, TryLater
from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, Settlement, Turn
from gateway.greenlets.errands import Errand, Errands
from gateway.settings.lanes import LaneSettings
from gateway.store.ledger.settle import Settled, Settling

__all__ = ["Lanes", "LeaseHolder", "LedgerLane"]

#: Lanes whose end is remembered.
_ENDED_MAX = 10_000
_NO_TENANTS: Mapping[tuple[str, str], str] = MappingProxyType({})
#: Seconds between two tries of what PostgreSQL did not do.
_PAUSE_S = 0.25


class LedgerLane(Protocol):
    """What lanes need of the ledger: batched in the product, immediate in tests."""

    def head(self, lane: LaneKey) -> tuple[LaneKey, Turn] | None:
        """Return the lane's present key and next turn, or None: not this process's, or no work."""
        ...

    def settle(self, settling: Settling) -> Settled:
        """Write what became of a turn."""
        ...


class LeaseHolder(Protocol):
    """The part of the owner that a lane asks."""

    gateways: int

    @property
    def epoch(self) -> int:
        """The epoch in which this process lives; 0 while it has none."""
        ...

    def wait_until_held(self, timeout_s: float) -> None:
        """Return once a turn may be started, or raise :exc:`TooLate`."""
        ...


class _Lane:
    """One running lane."""

    __slots__ = ("account", "errand", "forgotten", "key")

    def __init__(self, key: LaneKey, account: tuple[str, str]) -> None:
        self.key = key
        self.account = account
        self.errand: Errand | None = None
        self.forgotten = False


class Lanes:
    """All lanes of this process."""

    def __init__(
        self,
        ledger: LedgerLane,
        owner: LeaseHolder,
        settings: LaneSettings,
        *,
        run: Callable[[LaneKey, Turn], Settlement],
        settled: Callable[[Settlement, Settled], None],
        unstorable: Callable[[Turn, SwitchboardError], Settlement],
        tenants: Mapping[tuple[str, str], str] = _NO_TENANTS,
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._settings = settings
        self._run = run
        self._settled = settled
        self._unstorable = unstorable
        self._lanes: dict[int, _Lane] = {}
        #: Fences that the ledger ended lately, by conversation: the answer to their grant may come after the end.
        self._ended: OrderedDict[int, int] = OrderedDict()
        self._by_account: Counter[tuple[str, str]] = Counter()
        #: Tenants of the accounts whose lanes are counted together, where a bound asks for it.
        self._tenants = tenants
        self._by_tenant: Counter[str] = Counter()
        self._errands = Errands()
        self._draining = False
        #: Monotonic seconds from which on nothing new is begun.
        self._until = float("inf")
        self._empty = Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._lanes)

    def __repr__(self) -> str:
        return f"<Lanes: {len(self._lanes)} running{', draining' if self._draining else ''}>"

    @property
    def draining(self) -> bool:
        """Whether lanes are freed after the turn that they run: nobody should bring others here."""
        return self._draining

    def running(self, channel: str, account: str) -> int:
        """Return how many turns of the account this process runs now: one a lane."""
        return self._by_account[channel, account]

    def running_of(self, tenant: str) -> int:
        """Return how many turns of the tenant's accounts this process runs now."""
        return self._by_tenant[tenant]

    def runs(self, lane: LaneKey) -> bool:
        """Return whether the lane is run here, or was, under this fence or a higher one."""
        running = self._lanes.get(lane.conversation_id)
        if running is not None and running.key.fence >= lane.fence:
            return True
        return self._ended.get(lane.conversation_id, -1) >= lane.fence

    def grant(self, lane: LaneKey, account: tuple[str, str], head: Turn | None = None) -> None:
        """Run the lane that the ledger gave to this process, beginning with *head*, or with what the ledger says."""
        if lane.epoch != self._owner.epoch or self.runs(lane) or time.monotonic() >= self._until:
            return
        entry = _Lane(lane, account)
        self._lanes[lane.conversation_id] = entry
        self._by_account[account] += 1
        if (tenant := self._tenants.get(account)) is not None:
            self._by_tenant[tenant] += 1
        self._empty.clear()
        entry.errand = self._errands.start(partial(self._work, entry, head))

    def drop(self) -> None:
        """Stop all lanes at once: this process was declared dead, and what they do belongs to others."""
        entries = list(self._lanes.values())
        for entry in entries:
            # Here, because an errand that is killed before it began runs no `finally`.
            self._forget(entry)
            if entry.errand is not None:
                entry.errand.kill()

    def drain(self, deadline: float) -> bool:
        """Finish running turns, free the lanes with work still in them; return whether all ended by *deadline*.

        A lane that is granted before the deadline came with a delivery that is being answered here, and runs one turn.
        Safe twice: the first deadline holds.
        """
        self._draining = True
        self._until = min(self._until, deadline)
        return bool(self._empty.wait(max(0.0, self._until - time.monotonic())))

    def _work(self, entry: _Lane, head: Turn | None) -> None:
        try:
            turn = head if head is not None else self._load(entry)
            turns = 0
            while turn is not None:
                # Not renewed for this long: others have taken the lane, or will have.
                self._owner.wait_until_held(self._settings.dead_after_s)
                if entry.key.epoch != self._owner.epoch:
                    self._lost(entry, "declared_dead")
                    return
                settlement = self._run_turn(entry, turn)
                turns += 1
                turn = self._finish(entry, settlement, hand_over=turns >= self._settings.lane_turns_max)
            self._end(entry)
        except TooLate as error:
            self._lost(entry, error.reason)
        finally:
            self._forget(entry)

    def _load(self, entry: _Lane) -> Turn | None:
        while True:
            try:
                found = self._ledger.head(entry.key)
            except TryLater:
                gevent.sleep(_PAUSE_S)
            else:
                return found[1] if found is not None and found[0] == entry.key else None

    def _run_turn(self, entry: _Lane, turn: Turn) -> Settlement:
        try:
            return self._run(entry.key, turn)
        except gevent.GreenletExit:
            # The lane's own end.
            raise
        except BaseException as error:
            # Whatever it is, a forgotten ``gevent.Timeout`` too, it is this turn's alone; without an end it would be
            # run again for ever.
            self._crashed(turn, error)
            return _failed(turn, "crashed", f"{type(error).__name__}; trace {turn.trace_id}")

    def _finish(self, entry: _Lane, settlement: Settlement, *, hand_over: bool) -> Turn | None:
        refused = 0
        while True:
            settling = Settling(
                lane=entry.key,
                settlement=settlement,
                keep=not self._draining,
                hand_over=hand_over and self._owner.gateways > 1 and not self._draining,
            )
            try:
                settled = self._ledger.settle(settling)
                break
            except TryLater:
                gevent.sleep(_PAUSE_S)
            except SwitchboardError as error:
                # The answer itself cannot be written (the batch is split until it stands alone): the user is told,
                # and if that cannot be written either, the turn ends without a word.
                refused += 1
                if refused == 1:
                    settlement = self._unstorable(settlement.turn, error)
                else:
                    settlement = _failed(settlement.turn, error.reason, str(error))
                    gevent.sleep(_PAUSE_S)
        if settled.lost:
            self._lost(entry, "fenced")
        try:
            self._settled(settlement, settled)
        except Exception as error:
            # It is committed.  Whoever was not told looks for himself, and the lane's next turn is not to wait.
            self._crashed(settlement.turn, error)
        return settled.next_turn

    def _crashed(self, turn: Turn, error: BaseException) -> None:
        telemetry.event(
            "turn.crashed",
            channel=turn.channel,
            account=turn.account,
            reason=type(error).__name__,
            trace_id=turn.trace_id,
            turn_id=turn.turn_id,
            detail=telemetry.trace(error),
        )

    def _lost(self, entry: _Lane, reason: str) -> None:
        channel, account = entry.account
        telemetry.event(
            "lane.lost",
            channel=channel,
            account=account,
            reason=reason,
            conversation_id=entry.key.conversation_id,
        )

    def _end(self, entry: _Lane) -> None:
        conversation_id = entry.key.conversation_id
        self._ended[conversation_id] = max(entry.key.fence, self._ended.pop(conversation_id, 0))
        if len(self._ended) > _ENDED_MAX:
            self._ended.popitem(last=False)

    def _forget(self, entry: _Lane) -> None:
        if entry.forgotten:
            return
        entry.forgotten = True
        if self._lanes.get(entry.key.conversation_id) is entry:
            del self._lanes[entry.key.conversation_id]
        self._by_account[entry.account] -= 1
        if not self._by_account[entry.account]:
            del self._by_account[entry.account]
        if (tenant := self._tenants.get(entry.account)) is not None:
            self._by_tenant[tenant] -= 1
            if not self._by_tenant[tenant]:
                del self._by_tenant[tenant]
        if not self._lanes:
            self._empty.set()


def _failed(turn: Turn, reason: str, detail: str) -> Settlement:
    """Return the end of a turn whose user cannot be told."""
    return Settlement(turn=turn, state="failed", reply=Reply(), reason=reason, detail=detail)
