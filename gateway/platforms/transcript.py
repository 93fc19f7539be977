"""What users of the platforms were shown: kept in memory, bounded by count and age, and waited for.

Nothing here is a record: the ledger is.  It is what a person's screen would hold, for as long as somebody tries things.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec
from gevent.event import Event

from gateway.platforms.base import Seen

__all__ = ["Entry", "Transcript"]

#: Messages of one conversation; the oldest goes first.
ENTRIES_MAX = 200
#: Conversations, and messages of all together; the conversation that was silent longest goes first.
PLACES_MAX = 1_000
MESSAGES_MAX = 20_000
#: Seconds for which a message is kept.
AGE_S_MAX = 86_400.0


class Entry(msgspec.Struct, frozen=True):
    """One message: ``number`` increases over all conversations; ``at_s`` is Unix time."""

    number: int
    platform: str
    account: str
    place: str
    at_s: float
    seen: Seen


#: Platform, account, place.
Key = tuple[str, str, str]


class Transcript:
    """Every conversation's last messages.  *first* is the first number that is given."""

    def __init__(self, first: int, now: Callable[[], float]) -> None:
        self._next = first
        self._now = now
        self._places: OrderedDict[Key, deque[Entry]] = OrderedDict()
        self._count = 0
        self._news = Event()

    @property
    def last(self) -> int:
        """The number that was given last."""
        return self._next - 1

    def add(self, platform: str, account: str, place: str, seen: Seen) -> int:
        """Keep one message, wake who waits for it, and return its number."""
        key = (platform, account, place)
        entries = self._places.setdefault(key, deque(maxlen=ENTRIES_MAX))
        self._count += len(entries) < ENTRIES_MAX
        entries.append(Entry(self._next, platform, account, place, self._now(), seen))
        self._next += 1
        self._places.move_to_end(key)
        self._forget()
        # A new one for who comes later: those who wait hold this one.
        news, self._news = self._news, Event()
        news.set()
        return self.last

    def since(self, after: int, platform: str, account: str, place: str) -> list[Entry]:
        """Return what a conversation was shown behind number *after*, in order."""
        self._forget()
        return [entry for entry in self._places.get((platform, account, place), ()) if entry.number > after]

    def wait(self, after: int, key: Key, wait_s: float) -> list[Entry]:
        """Return the same, as soon as there is any, or nothing after *wait_s*."""
        until = self._now() + wait_s
        while not (found := self.since(after, *key)) and (left_s := until - self._now()) > 0:
            self._news.wait(left_s)
        return found

    def _forget(self) -> None:
        while len(self._places) > PLACES_MAX or self._count > MESSAGES_MAX:
            self._forget_one()
        oldest = self._now() - AGE_S_MAX
        # In the order of their last messages: behind the first young one all are young.
        while self._places and next(iter(self._places.values()))[-1].at_s < oldest:
            self._forget_one()

    def _forget_one(self) -> None:
        _, entries = self._places.popitem(last=False)
        self._count -= len(entries)
