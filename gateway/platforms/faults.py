"""Faults on demand: what the stand-in does wrong with the next messages that it is sent.

They are told of one account, happen once each, in order, and to calls that would show a message only: a sign of typing
must not use up what was meant for the answer.
"""

from __future__ import annotations

from collections import deque
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["FAULTS", "Fault", "FaultKind", "Faults"]

#: ``429`` and ``500`` are answered in the platform's words and show nothing; ``slow`` waits, then answers and shows;
#: ``cut`` shows the message and hangs up without an answer, so that nobody at the other end knows what became of it.
FaultKind = Literal["429", "500", "slow", "cut"]
FAULTS: tuple[FaultKind, ...] = ("429", "500", "slow", "cut")
#: Faults that wait for one account.
WAITING_MAX = 100


class Fault(msgspec.Struct, frozen=True):
    """One fault.  ``seconds``: the wait of ``slow``, or what ``429`` asks for."""

    kind: FaultKind
    seconds: Annotated[float, Meta(ge=0, le=60)] = 2.0


class Faults:
    """What is still to happen, by platform and account."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[Fault]] = {}

    def tell(self, platform: str, account: str, fault: Fault, count: int) -> int:
        """Have the next *count* messages meet *fault*; return how many wait now."""
        waiting = self._waiting.setdefault((platform, account), deque(maxlen=WAITING_MAX))
        waiting.extend([fault] * min(count, WAITING_MAX))
        return len(waiting)

    def next(self, platform: str, account: str) -> Fault | None:
        """Return what happens to this message, once."""
        waiting = self._waiting.get((platform, account))
        return waiting.popleft() if waiting else None

    def clear(self, platform: str, account: str) -> int:
        """Let nothing more happen; return what would have."""
        return len(self._waiting.pop((platform, account), ()))
