"""Outbox rows that the ledger says this process is sending, and that it knows nothing of.

The answer to a claim or a settle was lost on its way here.  Such a row has certainly not been sent, but it would hold
back its conversation for as long as this process lives.  It is given back once it was seen twice: the answer to a claim
made between the look at the ledger and the look into memory may still be on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gevent

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable

__all__ = ["Strays"]


class Strays:
    """Looks for them."""

    def __init__(
        self,
        owned: Callable[[], set[int]],
        knows: Callable[[int], bool],
        give_back: Callable[[Sequence[int]], None],
        *,
        every_s: float,
    ) -> None:
        """*knows*: whether this process knows that it is sending a row."""
        self._owned = owned
        self._knows = knows
        self._give_back = give_back
        self._every_s = every_s
        self._seen: set[int] = set()

    def watch_forever(self) -> None:
        """Look until killed.  To be supervised."""
        while True:
            gevent.sleep(self._every_s)
            try:
                self.look()
            except StoreUnavailable:
                continue

    def look(self) -> None:
        """Look once, and give back what was a stray the last time too.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        strays = {outbox_id for outbox_id in self._owned() if not self._knows(outbox_id)}
        certain = sorted(strays & self._seen)
        if certain:
            self._give_back(certain)
            telemetry.event("outbox.strays", rows=len(certain))
        self._seen = strays
