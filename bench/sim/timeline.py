"""Virtual time: what is to happen, in order."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

__all__ = ["Timeline"]


class Timeline:
    """Events by time; those of one instant in the order in which they were planned."""

    __slots__ = ("_count", "_events", "now")

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._count = 0
        self.now = 0.0

    def at(self, when: float, action: Callable[[Any], None], subject: Any = None) -> None:
        """Call *action* with *subject* at *when*."""
        self._count += 1
        heappush(self._events, (when, self._count, action, subject))

    def run_until(self, end: float) -> None:
        """Let everything happen that is to happen before *end*."""
        events = self._events
        while events and events[0][0] < end:
            self.now, _, action, subject = heappop(events)
            action(subject)
        self.now = end
