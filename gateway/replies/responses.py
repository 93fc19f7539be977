"""What became of replies that left in HTTP responses, written to the ledger in batches, behind their callers' backs.

A response that was handed to the socket whole is ``sent``; one that broke off is ``unknown``.  One that nobody was
there to write any more goes the channel's other way (``push``).  Should this process die before the outcome is
written, the row says ``unknown``, which is the truth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import gevent
from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.store.ledger.outbox import Fate, Finish

__all__ = ["Responses"]

#: Outcomes of one statement.
_ROWS_MAX = 256
#: Seconds in which outcomes gather, so that a busy process writes them in few statements.
_GATHER_S = 0.02
_PAUSE_S = 0.5


class Responses:
    """Outcomes on their way to the ledger.

    Their number is bounded by the responses that were being waited for: each is one row that this process claimed.
    """

    def __init__(self, write: Callable[[Sequence[Finish]], list[bool]]) -> None:
        self._write = write
        self._waiting: deque[Finish] = deque()
        #: The epoch in which each was taken; 0: the present one, whichever that is.
        self._held: dict[int, int] = {}
        self._some = Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, outbox_id: object) -> bool:
        """Whether this process knows that it is sending the row."""
        return outbox_id in self._held

    def hold(self, outbox_ids: Iterable[int], epoch: int = 0) -> None:
        """Know that this process is sending these rows, until their outcome is written.

        One that names the *epoch* in which it took them ends nothing that it has taken again in a later one.
        """
        self._held.update(dict.fromkeys(outbox_ids, epoch))

    def note(self, outbox_ids: Sequence[int], fate: Fate, reason: str = "") -> None:
        """Have the outcome of these rows written soon."""
        self._waiting.extend(
            Finish(outbox_id, fate, reason=reason, epoch=self._held.get(outbox_id, 0)) for outbox_id in outbox_ids
        )
        if outbox_ids:
            self._some.set()

    def write_forever(self) -> None:
        """Write outcomes as they come.  To be supervised."""
        while True:
            self._some.wait()
            gevent.sleep(_GATHER_S)
            self._some.clear()
            while self._waiting:
                try:
                    self.flush()
                except StoreUnavailable:
                    gevent.sleep(_PAUSE_S)

    def flush(self) -> None:
        """Write what waits.

        :raises StoreUnavailable: PostgreSQL does not answer; nothing is forgotten.
        """
        while self._waiting:
            batch = [self._waiting[index] for index in range(min(_ROWS_MAX, len(self._waiting)))]
            self._write(batch)
            for finish in batch:
                self._waiting.popleft()
                if self._held.get(finish.outbox_id, 0) == finish.epoch:
                    self._held.pop(finish.outbox_id, None)
                telemetry.event("response.finished", outcome=finish.fate, reason=finish.reason)
