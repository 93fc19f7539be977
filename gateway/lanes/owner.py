"""This process in the ledger: its row, its beat, its lease.

Lanes and outbox rows point at (process, epoch); there is no heartbeat per lane.  When a beat finds that the process was
declared dead (it slept, or the database could not be reached for too long), everything that it held is somebody else's
by now: ``on_dead`` drops it, and the process comes back under a new epoch, owning nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Literal

import gevent
from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable, TooLate
from gateway.domain.lease import Lease
from gateway.settings.lanes import LaneSettings
from gateway.store.ledger import process as rows
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database

__all__ = ["Owner"]


class Owner:
    """Who this process is, and whether it may still act."""

    def __init__(
        self,
        database: Database,
        settings: LaneSettings,
        *,
        kind: Literal["gateway", "worker"],
        label: str,
        on_dead: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._settings = settings
        self._kind = kind
        self._label = label
        self._on_dead = on_dead
        self._clock = clock
        self._process: Process | None = None
        self._lease = Lease(until=float("-inf"))
        #: Since when (monotonic seconds) beats have arrived without a gap in which the lease ran out.
        self._steady_since = float("inf")
        self._renewed = Event()
        #: Gateways that live, this one included, as of the last beat.
        self.gateways = 1

    def __repr__(self) -> str:
        return f"<Owner {self._kind} {self._process}, lease {'holds' if self.holds() else 'is out'}>"

    @property
    def process(self) -> Process:
        """Who this process is in the ledger.

        :raises StoreUnavailable: it is not registered yet.
        """
        if self._process is None:
            raise StoreUnavailable(
                "this process is not registered in the ledger yet", reason="not_registered", retry_after_s=1
            )
        return self._process

    @property
    def epoch(self) -> int:
        """The epoch in which this process lives; 0 while it has none."""
        return 0 if self._process is None else self._process.epoch

    @property
    def process_id(self) -> int:
        """This process's id in the ledger; 0 while it has none."""
        return 0 if self._process is None else self._process.process_id

    def holds(self) -> bool:
        """Return whether a call or a send may be started now."""
        return self._lease.holds(self._clock())

    def lives_in(self, epoch: int) -> bool:
        """Return whether a send of what was claimed in *epoch* may be started now."""
        return epoch == self.epoch and self.holds()

    def wait_until_held(self, timeout_s: float) -> None:
        """Return as soon as the lease holds.

        :raises TooLate: it did not within *timeout_s*; nothing may be started.
        """
        until = self._clock() + timeout_s
        while not self.holds():
            self._renewed.clear()
            left_s = until - self._clock()
            if left_s <= 0 or not self._renewed.wait(left_s):
                raise TooLate("the lease ran out and was not renewed in time", reason="lease_lost")

    def bury(self) -> None:
        """Declare dead who stopped beating, so that others may take what they held.

        Only after ``lanes.dead_after_s`` of steady beats of our own: when PostgreSQL was away, everybody was silent and
        nobody died.  Without this an outage would count as a death of every running turn, and leave every send unknown.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        if not self.holds() or self._clock() - self._steady_since < self._settings.dead_after_s:
            return
        buried = self._database.run(lambda cursor: rows.bury(cursor, self._settings.dead_after_s))
        if buried.processes:
            telemetry.event(
                "process.buried", processes=buried.processes, lanes=buried.lanes, sends=buried.sends
            )

    def beat_forever(self) -> None:
        """Register, then beat every ``lanes.beat_s``.  To be supervised."""
        while True:
            started = self._clock()
            # Without PostgreSQL the lease runs out by itself: that is what it is for.
            with contextlib.suppress(StoreUnavailable):
                self._beat(started)
            gevent.sleep(max(0.05, self._settings.beat_s - (self._clock() - started)))

    def register(self) -> None:
        """Make this process known and give it its first lease.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        sent_at = self._clock()
        self._process = self._database.run(lambda cursor: rows.register(cursor, self._kind, self._label))
        telemetry.event("process.registered", kind=self._kind, process_id=self._process.process_id)
        self._renew(sent_at)

    def leave(self) -> None:
        """End in good order: what is still held becomes free at once.  Safe if never registered, and twice."""
        process, self._process = self._process, None
        self._lease = Lease(until=float("-inf"))
        if process is not None:
            self._database.run(lambda cursor: rows.leave(cursor, process))

    def _beat(self, sent_at: float) -> None:
        process = self._process
        if process is None:
            self.register()
            return
        dead_after_s = self._settings.dead_after_s
        gateways = self._database.run(lambda cursor: rows.beat(cursor, process, dead_after_s))
        if gateways is not None:
            self.gateways = gateways
            self._renew(sent_at)
            return
        telemetry.event("process.declared_dead", kind=self._kind, process_id=process.process_id)
        self._lease = Lease(until=float("-inf"))
        self._on_dead()
        self._process = self._database.run(lambda cursor: rows.revive(cursor, process))
        if self._process is not None:
            self._renew(sent_at)

    def _renew(self, sent_at: float) -> None:
        settings = self._settings
        if not self._lease.holds(sent_at):
            self._steady_since = sent_at
        self._lease = Lease.from_beat(
            sent_at, dead_after_s=settings.dead_after_s, margin_s=settings.lease_margin_s
        )
        self._renewed.set()
