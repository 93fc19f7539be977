"""Faults on demand: what the stand-in does wrong with the next messages that it is sent.

They are told of one conversation, so that two who try things at once do not meet each other's.  They happen once each,
in order, and to calls that would show a message only: a sign of typing must not use up what was meant for the answer.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["FAULTS", "Fault", "FaultKind", "Faults"]

#: ``429`` and ``500`` are answered in the platform's words and show nothing; ``slow`` waits, then answers and shows;
#: ``cut`` shows the message and hangs up without an answer, so that nobody at the other end knows what became of it.
FaultKind = Literal["429", "500", "slow", "cut"]
FAULTS: tuple[FaultKind, ...] = ("429", "500", "slow", "cut")
#: Faults that wait for one conversation.
WAITING_MAX = 100
#: Conversations for which any wait; the one that was told first goes first.
PLACES_MAX = 1_000

#: Platform, account, place.
Key = tuple[str, str, str]


class Fault(msgspec.Struct, frozen=True):
    """One fault.  ``seconds``: the wait of ``slow``, or what ``429`` asks for."""

    kind: FaultKind
    seconds: Annotated[float, Meta(ge=0, le=60)] = 2.0


class Faults:
    """What is still to happen, by conversation."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Key, deque[Fault]] = OrderedDict()

    def tell(self, key: Key, fault: Fault, count: int) -> int:
        """Have the next *count* messages meet *fault*; return how many wait now."""
        waiting = self._waiting.setdefault(key, deque(maxlen=WAITING_MAX))
        waiting.extend([fault] * min(count, WAITING_MAX))
        while len(self._waiting) > PLACES_MAX:
            self._waiting.popitem(last=False)
        return len(waiting)

    def next(self, key: Key) -> Fault | None:
        """Return what happens to this message, once."""
        waiting = self._waiting.get(key)
        if waiting is None:
            return None
        fault = waiting.popleft()
        if not waiting:
            del self._waiting[key]
        return fault

    def clear(self, key: Key) -> int:
        """Let nothing more happen; return what would have."""
        return len(self._waiting.pop(key, ()))
