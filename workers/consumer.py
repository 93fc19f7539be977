"""Claims due outbox rows straight from PostgreSQL and hands each to a greenlet of its own.

A claim never takes more than can be started at once, so a row is not held by a process that has no room for it.  It
looks again at once after a hint, after a full claim, and after each end (which may free its conversation's next row);
otherwise every ``outbox.poll_s``.  This is also the way of working without Redis.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import gevent
from gevent.event import Event
from gevent.pool import Pool

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.settings.outbox import OutboxSettings
from gateway.store.ledger.outbox import OutboxRow

__all__ = ["Consumer"]


class Consumer:
    """The one loop that claims; sends run beside it."""

    def __init__(
        self,
        claim: Callable[[int], list[OutboxRow]],
        execute: Callable[[OutboxRow], None],
        settings: OutboxSettings,
        *,
        holds: Callable[[], bool],
    ) -> None:
        self._claim = claim
        self._execute = execute
        self._settings = settings
        self._holds = holds
        self._sends = Pool(settings.sends_in_flight_max)
        #: Rows by how many greenlets of ours have them: two for a moment, when the next try of a row is claimed
        #: before the last one has heard of its own end.
        self._sending: Counter[int] = Counter()
        self._look = Event()
        #: Set while no claim is under way.
        self._unclaimed = Event()
        self._unclaimed.set()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._sends)

    def __contains__(self, outbox_id: object) -> bool:
        """Whether this process knows that it is sending the row."""
        return outbox_id in self._sending

    def hint(self) -> None:
        """Look now: there are rows to be sent."""
        self._look.set()

    def consume_forever(self) -> None:
        """Claim and start sends until stopped.  To be supervised."""
        while not self._stopping:
            self._look.clear()
            if self._claim_once() < self._settings.claim_rows_max:
                self._look.wait(self._settings.poll_s)
        # The supervisor would start it again.
        gevent.sleep(float("inf"))

    def stop(self, deadline: float) -> bool:
        """Claim no more and wait for running sends; return whether all ended by *deadline* (monotonic seconds).

        A claim under way is waited for first: what it brings is sent, or nobody could say that it was not.  Safe twice,
        and if never started.
        """
        self._stopping = True
        self._look.set()
        if not self._unclaimed.wait(max(0.0, deadline - time.monotonic())):
            return False
        return bool(self._sends.join(timeout=max(0.0, deadline - time.monotonic())))

    def _claim_once(self) -> int:
        room = min(self._settings.claim_rows_max, self._sends.free_count())
        if room <= 0 or not self._holds():
            return 0
        self._unclaimed.clear()
        try:
            return self._start(self._claim(room))
        except StoreUnavailable:
            return 0
        finally:
            self._unclaimed.set()

    def _start(self, rows: list[OutboxRow]) -> int:
        if rows:
            telemetry.event("outbox.claimed", rows=len(rows))
        self._sending.update(row.outbox_id for row in rows)
        for row in rows:
            # Told by a link: these run in order, so the pool has room again by the time that the loop looks.
            self._sends.spawn(self._run, row).rawlink(self._ended)
        return len(rows)

    def _run(self, row: OutboxRow) -> None:
        self._execute(row)
        # Not after a crash: what may have been sent must not be given back as if it had not.
        self._sending -= Counter((row.outbox_id,))

    def _ended(self, _: object) -> None:
        self._look.set()
