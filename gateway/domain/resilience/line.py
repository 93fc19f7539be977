"""The waiting line of a gate: classes by priority, and in each class a queue per tenant.

Rules:

1. Within one priority and one tenant, first come, first served: nobody overtakes.
2. Within one priority the next is the tenant with the fewest slots in use; between equals, who has waited
   longest.
3. Who must go, when the line is full, is the last to have come of the *greediest* tenant, the one with most calls
   in use and waiting, of the lowest class.  For a newcomer of that same class somebody goes only if the
   greediest tenant stays ahead of the newcomer's even then: else two tenants with much the same would put each
   other's calls out for ever, and every call would have waited in vain.

Both choices are the tops of heaps whose entries may be out of date: a change pushes a new entry, and an old one is
known by a key that no longer holds.  So all that is done here costs a logarithm of the tenants that wait.

Tickets are opaque and told apart by identity or their own hash.  Pure; nothing here yields.  Deliberately absent: how
long somebody waits (the shell's timer takes the ticket out), and how many may (the gate).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from operator import neg

from gateway.domain.resilience.priority import Priority

__all__ = ["Line"]

#: Entries beyond twice the live ones at which a heap is built anew.
_STALE_MAX = 64

#: What a tenant is ranked by, the last part being a ticket's number; None: it has nobody waiting.
_Key = tuple[int, int] | None


class _Ranking:
    """Tenants in the order of a key that changes: the least first."""

    __slots__ = ("_heap", "_key")

    def __init__(self, key: Callable[[str], _Key]) -> None:
        self._key = key
        self._heap: list[tuple[tuple[int, int], str]] = []

    def note(self, tenant: str, live: dict[str, OrderedDict[object, int]]) -> None:
        """Take *tenant*'s new key; *live* are all tenants that have one."""
        heap = self._heap
        if len(heap) > 2 * len(live) + _STALE_MAX:
            heap[:] = [(key, each) for each in live if (key := self._key(each)) is not None]
            heapify(heap)
        elif (key := self._key(tenant)) is not None:
            heappush(heap, (key, tenant))

    def first(self) -> str:
        """Return the tenant with the least key; there must be one."""
        heap = self._heap
        while heap[0][0] != self._key(heap[0][1]):
            heappop(heap)
        return heap[0][1]


class _Class:
    """Those of one priority who wait."""

    __slots__ = ("_by_greed", "_by_turn", "_used", "queues")

    def __init__(self, used: dict[str, int]) -> None:
        self._used = used
        #: Tenant -> its tickets with their numbers, oldest first.  Ordered, because taking the first, taking the
        #: last and leaving from the middle must all be O(1).
        self.queues: dict[str, OrderedDict[object, int]] = {}
        self._by_turn = _Ranking(self._turn)
        self._by_greed = _Ranking(self._greed)

    def add(self, ticket: object, tenant: str, number: int) -> None:
        queue = self.queues.get(tenant)
        if queue is None:
            queue = self.queues[tenant] = OrderedDict()
        queue[ticket] = number
        self.note(tenant)

    def next_tenant(self) -> str:
        return self._by_turn.first()

    def greediest(self) -> str:
        return self._by_greed.first()

    def calls_of(self, tenant: str) -> int:
        """Return *tenant*'s calls in use and waiting here."""
        return self._used.get(tenant, 0) + len(self.queues.get(tenant, ()))

    def take(self, tenant: str, *, oldest: bool) -> object:
        ticket, _ = self.queues[tenant].popitem(last=not oldest)
        self._left(tenant)
        return ticket

    def remove(self, ticket: object, tenant: str) -> None:
        del self.queues[tenant][ticket]
        self._left(tenant)

    def note(self, tenant: str) -> None:
        """Rank *tenant* anew: its queue or its slots in use have changed."""
        if tenant in self.queues:
            self._by_turn.note(tenant, self.queues)
            self._by_greed.note(tenant, self.queues)

    def _left(self, tenant: str) -> None:
        if self.queues[tenant]:
            self.note(tenant)
        else:
            del self.queues[tenant]

    def _turn(self, tenant: str) -> _Key:
        queue = self.queues.get(tenant)
        return (self._used.get(tenant, 0), next(iter(queue.values()))) if queue else None

    def _greed(self, tenant: str) -> _Key:
        queue = self.queues.get(tenant)
        return (-self.calls_of(tenant), neg(next(reversed(queue.values())))) if queue else None


class Line:
    """Everybody who waits at one gate.  *used* is the gate's own book of slots in use, by tenant."""

    __slots__ = ("_classes", "_numbers", "_places")

    def __init__(self, used: dict[str, int]) -> None:
        self._classes = [_Class(used) for _ in Priority]
        self._places: dict[object, tuple[Priority, str]] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, ticket: object) -> bool:
        return ticket in self._places

    def waiting(self, priority: Priority) -> int:
        """Return how many of one class wait."""
        return sum(len(queue) for queue in self._classes[priority].queues.values())

    def is_behind(self, priority: Priority) -> bool:
        """Return whether somebody waits whom a newcomer of *priority* must not overtake."""
        return any(each.queues for each in self._classes[: priority + 1])

    def join(self, ticket: object, priority: Priority, tenant: str) -> None:
        """Stand at the end; *ticket* is not here yet."""
        self._numbers += 1
        self._places[ticket] = (priority, tenant)
        self._classes[priority].add(ticket, tenant, self._numbers)

    def take(self, priority: Priority) -> tuple[object, str] | None:
        """Take out whose turn it is in one class; return the ticket and its tenant."""
        of_class = self._classes[priority]
        if not of_class.queues:
            return None
        tenant = of_class.next_tenant()
        ticket = of_class.take(tenant, oldest=True)
        del self._places[ticket]
        return ticket, tenant

    def evict_for(self, priority: Priority, tenant: str) -> object | None:
        """Take out who must go so that a newcomer may join; None: nobody, the newcomer is refused."""
        for each in reversed(Priority):
            of_class = self._classes[each]
            if not of_class.queues:
                continue
            if each < priority:
                return None
            greediest = of_class.greediest()
            if each == priority and of_class.calls_of(tenant) + 1 >= of_class.calls_of(greediest):
                return None
            ticket = of_class.take(greediest, oldest=False)
            del self._places[ticket]
            return ticket
        return None

    def withdraw(self, ticket: object) -> bool:
        """Take *ticket* out wherever it stands; return whether it was here."""
        place = self._places.pop(ticket, None)
        if place is None:
            return False
        priority, tenant = place
        self._classes[priority].remove(ticket, tenant)
        return True

    def dismiss(self) -> list[object]:
        """Take everybody out."""
        tickets = list(self._places)
        for ticket in tickets:
            self.withdraw(ticket)
        return tickets

    def note_use(self, tenant: str) -> None:
        """Take notice that *tenant*'s slots in use have changed."""
        for of_class in self._classes:
            of_class.note(tenant)
