"""The gate to one endpoint: how many calls may be under way at once, and who comes next.

Rules:

1. Never more slots in use than the adaptive limit, and never more than ``slots_max``, said at the time of
   entering: a limit that falls takes no slot back.
2. The last slots are kept for what matters more: ``LOW`` calls enter while less than 80 % of the limit is in use,
   ``NORMAL`` ones below 95 %, ``HIGH`` ones below all of it.  Parts of a slot are not kept: below a limit of 20 (LOW:
   5) anybody may have the last one, because a small bound that an operator sets is meant to be used.
3. A slot that comes free goes to who waits, before anybody new: the highest priority first, then as the line
   says.  A newcomer overtakes nobody of its own class or a higher one.
4. When the line is full a newcomer takes the place of somebody less important or greedier, or is refused at
   once.
5. A slot is given back exactly once.  Giving back what is not in use raises :exc:`KeyError` and changes nothing.

How a shell uses it::

    if not gate.enter(priority, tenant):
        match gate.wait(ticket, priority, tenant):
            case Full(): refuse
            case Evicted(other): wake other, which is refused
        wait until woken; on a timeout or a kill: gate.withdraw(ticket), and leave if it was granted already
    ... the call, and limit.sample(...) or limit.drop(...) ...
    granted = gate.leave(tenant)
    while granted is not None:  # more than one if the limit grew
        wake granted
        granted = gate.grant()

Pure: no clock, no greenlets; nothing here yields.  Deliberately absent: time in the line, and the pool behind it.
"""

from __future__ import annotations

import msgspec

from gateway.domain.resilience.limiter import ConcurrencyLimit
from gateway.domain.resilience.line import Line
from gateway.domain.resilience.priority import Priority

__all__ = ["Evicted", "Full", "Gate", "GateRules"]

#: The share of the limit, in percent, that calls of each priority may fill: whole numbers, so that nothing is rounded
#: up.
_SHARES = {Priority.HIGH: 100, Priority.NORMAL: 95, Priority.LOW: 80}


class GateRules(msgspec.Struct, frozen=True, kw_only=True):
    """The hard bounds, with the defaults of ``RpcSettings``."""

    slots_max: int = 1_024
    waiters_max: int = 1_024


class Evicted(msgspec.Struct, frozen=True, gc=False):
    """You wait, and *ticket* does no longer: it must be told."""

    ticket: object


class Full(msgspec.Struct, frozen=True, gc=False):
    """You do not wait: there are *waiters* already who matter no less."""

    waiters: int


class Gate:
    """The slots of one endpoint and the line for them."""

    __slots__ = ("_capped_at", "_caps", "_full", "_limit", "_line", "_rules", "_used", "in_flight", "waiting")

    def __init__(self, rules: GateRules, limit: ConcurrencyLimit) -> None:
        self._rules = rules
        self._limit = limit
        self._full = Full(rules.waiters_max)
        self._used: dict[str, int] = {}  # tenant -> slots in use, never 0
        self._line = Line(self._used)
        #: Slots in use.
        self.in_flight = 0
        #: Tickets in the line.
        self.waiting = 0
        self._capped_at = 0
        self._caps: list[int] = []
        self._cap()

    def __repr__(self) -> str:
        rules, line = self._rules, self._line
        classes = ", ".join(f"{line.waiting(each)} {each.name.lower()}" for each in Priority)
        return (
            f"<Gate {self.in_flight} in flight, limit {self._limit.limit} of {rules.slots_max};"
            f" {self.waiting} waiting of {rules.waiters_max}: {classes}>"
        )

    def has_room(self, priority: Priority) -> bool:
        """Return whether ``enter`` would say yes."""
        if self._limit.limit != self._capped_at:
            self._cap()
        return self.in_flight < self._caps[priority] and not (self.waiting and self._line.is_behind(priority))

    def enter(self, priority: Priority, tenant: str) -> bool:
        """Take a slot if there is one; it must be given back by ``leave``."""
        # ``has_room`` written out: a call per call is a twentieth of what a whole call may cost.
        if self._limit.limit != self._capped_at:
            self._cap()
        if self.in_flight >= self._caps[priority] or (self.waiting and self._line.is_behind(priority)):
            return False
        self.in_flight += 1
        used = self._used
        used[tenant] = used.get(tenant, 0) + 1
        if self.waiting:
            self._line.note_use(tenant)
        return True

    def wait(self, ticket: object, priority: Priority, tenant: str) -> Evicted | Full | None:
        """Stand in line after ``enter`` said no.  ``Full``: you do not; ``Evicted``: somebody else does no longer."""
        if ticket in self._line:  # before anybody is put out for it
            raise ValueError("the ticket waits already")
        if self.waiting < self._rules.waiters_max:
            self._line.join(ticket, priority, tenant)
            self.waiting += 1
            return None
        evicted = self._line.evict_for(priority, tenant)
        if evicted is None:
            return self._full
        self._line.join(ticket, priority, tenant)
        return Evicted(evicted)

    def leave(self, tenant: str) -> object | None:
        """Give a slot back; return the ticket that has it now, if any.  Then ``grant`` until None."""
        used = self._used
        count = used[tenant]
        if count == 1:
            del used[tenant]
        else:
            used[tenant] = count - 1
        self.in_flight -= 1
        if not self.waiting:
            return None
        self._line.note_use(tenant)
        return self.grant()

    def grant(self) -> object | None:
        """Give a free slot to whose turn it is; return the ticket."""
        if not self.waiting:
            return None
        if self._limit.limit != self._capped_at:
            self._cap()
        for priority in Priority:
            # No lower class may have what this one may not.
            if self.in_flight >= self._caps[priority]:
                return None
            taken = self._line.take(priority)
            if taken is not None:
                ticket, tenant = taken
                self.waiting -= 1
                self.in_flight += 1
                self._used[tenant] = self._used.get(tenant, 0) + 1
                self._line.note_use(tenant)
                return ticket
        return None

    def withdraw(self, ticket: object) -> bool:
        """Leave the line.  False: *ticket* is not in it; if it was granted, its slot must be given back."""
        if not self._line.withdraw(ticket):
            return False
        self.waiting -= 1
        return True

    def dismiss(self) -> list[object]:
        """Empty the line, at a stop; return who must be told."""
        self.waiting = 0
        return self._line.dismiss()

    def _cap(self) -> None:
        limit = self._capped_at = self._limit.limit
        slots = min(limit, self._rules.slots_max)
        self._caps = [-(-slots * _SHARES[each] // 100) for each in Priority]  # rounded up
