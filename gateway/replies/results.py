"""Callers that wait for the result of a turn, whichever process runs it.

A turn that runs here hands its result over directly.  One that runs elsewhere is found by a single batched query per
process, every ``poll_s`` and at once after a hint; so Redis makes this faster and is not needed for it.

``Expectation`` also settles who delivers: the lane asks ``promise()`` just before it settles.  If a caller still has
time it promises to take the reply into its HTTP response; from then on it waits for the result beyond its time, for no
longer than ``PROMISED_S``.  If none does, the reply goes the channel's other way.

One who promised is served by the lane, which alone knows the rows that came with the promise: a query may see the end
of the turn before the lane hears of its own commit.  A lane that is lost gives the promise back (``release``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gevent.event import AsyncResult, Event
from gevent.timeout import Timeout

from gateway.domain.errors import StoreUnavailable
from gateway.store.ledger.results import Result

__all__ = ["Delivered", "Expectation", "Results"]

#: Seconds of its time that a caller must have left to promise: a settle takes a few milliseconds.
_MARGIN_S = 0.1
#: Seconds for which a caller that promised waits beyond its time.
PROMISED_S = 0.3


class Delivered(Result, frozen=True):
    """A result as it reaches a caller; ``outbox_ids`` are the rows that this caller is now the sender of."""

    outbox_ids: tuple[int, ...] = ()


class Expectation:
    """One caller waiting for one turn."""

    __slots__ = ("_clock", "_result", "promised", "turn_id", "until")

    def __init__(self, turn_id: int, until: float, clock: Callable[[], float]) -> None:
        self.turn_id = turn_id
        #: Monotonic seconds at which the caller must have answered.
        self.until = until
        self.promised = False
        self._clock = clock
        self._result: AsyncResult[Delivered] = AsyncResult()

    def wait(self) -> Delivered | None:
        """Return the result, or None when the caller's time is over."""
        try:
            return self._result.get(timeout=max(0.0, self.until - self._clock()))
        except Timeout:
            if self._result.ready():
                # It came in the same turn of the loop in which the time ran out.
                return self._result.get_nowait()
            if not self.promised:
                return None
        try:
            return self._result.get(timeout=max(0.0, self.until + PROMISED_S - self._clock()))
        except Timeout:
            return self._result.get_nowait() if self._result.ready() else None

    def promise(self) -> bool:
        """Commit this caller to delivering the reply, if it has the time; once for a turn is enough."""
        if not self.promised and self.until - self._clock() > _MARGIN_S:
            self.promised = True
        return self.promised

    def deliver(self, result: Delivered) -> None:
        """Hand the result to the caller.  A second one is dropped, unless it brings the rows that the first lacked."""
        if result.outbox_ids or not self._result.ready():
            self._result.set(result)


class Results:
    """All callers of this process that wait for turns."""

    def __init__(
        self,
        lookup: Callable[[Sequence[int]], list[Result]],
        claim: Callable[[Sequence[int]], dict[int, list[int]]],
        give_up: Callable[[Sequence[int]], None],
        *,
        poll_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lookup = lookup
        self._claim = claim
        #: Takes rows that were claimed for a caller who left meanwhile.
        self._give_up = give_up
        self._poll_s = poll_s
        self._clock = clock
        self._waiting: dict[int, list[Expectation]] = {}
        self._hinted = Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(self, turn_id: int, until: float) -> Expectation:
        """Return a new caller's expectation; ``forget`` it in the end."""
        expectation = Expectation(turn_id, until, self._clock)
        self._waiting.setdefault(turn_id, []).append(expectation)
        return expectation

    def forget(self, expectation: Expectation) -> None:
        """Take an expectation out, whatever became of it."""
        waiting = self._waiting.get(expectation.turn_id)
        if waiting is not None and expectation in waiting:
            waiting.remove(expectation)
            if not waiting:
                del self._waiting[expectation.turn_id]

    def promise(self, turn_id: int) -> bool:
        """Return whether a caller of this process takes the turn's reply into its response."""
        return any(expectation.promise() for expectation in self._waiting.get(turn_id, ()))

    def deliver(self, result: Delivered) -> bool:
        """Hand the result of a turn that ran here to its callers; return whether one of them that promised was there.

        All get the reply; only one that promised becomes the sender of the outbox rows.
        """
        sender = False
        for expectation in self._waiting.get(result.turn_id, ()):
            mine = expectation.promised and not sender
            sender = sender or mine
            expectation.deliver(result if mine else _without_rows(result))
        return sender

    def release(self, turn_id: int | None = None) -> None:
        """Give back what callers promised for the turn, or for all: the lane that would have served them is lost."""
        turns = list(self._waiting) if turn_id is None else [turn_id]
        for each in turns:
            for expectation in self._waiting.get(each, ()):
                expectation.promised = False

    def hint(self, turn_id: int) -> None:
        """Look now, if somebody waits for this turn: it has ended elsewhere."""
        if turn_id in self._waiting:
            self._hinted.set()

    def poll_forever(self) -> None:
        """Look for results of turns that run elsewhere.  To be supervised."""
        while True:
            self._hinted.wait(self._poll_s)
            self._hinted.clear()
            if self._waiting:
                try:
                    self._poll()
                except StoreUnavailable:
                    continue

    def _poll(self) -> None:
        ended = self._lookup(list(self._waiting))
        if not ended:
            return
        claimed = self._claim([result.turn_id for result in ended])
        for result in ended:
            rows = tuple(claimed.get(result.turn_id, ()))
            found = Delivered(result.turn_id, result.state, result.reply, result.reason, rows)
            waiting = self._waiting.get(result.turn_id, [])
            if rows and not waiting:
                self._give_up(rows)
            for place, expectation in enumerate(waiting):
                if place == 0 and rows:
                    expectation.deliver(found)
                elif not expectation.promised:
                    expectation.deliver(_without_rows(found))


def _without_rows(result: Delivered) -> Delivered:
    return Delivered(result.turn_id, result.state, result.reply, result.reason)
