"""Counts jobs for Prometheus: how many there are by kind and state, for how long, and partitions that nobody owns.

All workers see the same ledger, so one of them counts: the one that has been there longest.  When that one drains or
dies the next one takes its turn, and whoever has lost it shows zeros, so that a sum over all workers stays right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import gevent

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.store.job_admin import unowned_partitions
from gateway.store.job_views import census
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database

__all__ = ["JobCensus"]

#: Seconds between two counts: what a scrape shows is no older.
_COUNT_EVERY_S = 5.0


class JobCensus:
    """The loop."""

    def __init__(
        self,
        database: Database,
        me: Callable[[], Process],
        dead_after_s: float,
        *,
        every_s: float = _COUNT_EVERY_S,
    ) -> None:
        """*me* raises :exc:`StoreUnavailable` as long as this process is not in the ledger."""
        self._database = database
        self._me = me
        self._dead_after_s = dead_after_s
        self._every_s = every_s
        #: Kinds and states that were shown last and are not nothing.
        self._shown: set[tuple[str, str]] = set()
        self._counts = False

    def __repr__(self) -> str:
        return f"<JobCensus {'counts' if self._counts else 'leaves it to another worker'}>"

    def count_forever(self) -> None:
        """Count until killed.  To be supervised."""
        while True:
            # Fail-open: the last count is shown for as long as there is no other.
            with contextlib.suppress(StoreUnavailable):
                self._count()
            gevent.sleep(self._every_s)

    def _count(self) -> None:
        me = self._me()
        unowned = self._database.run(lambda cursor: unowned_partitions(cursor, me, self._dead_after_s))
        if unowned is None:
            self._let_go()
            return
        counted = self._database.run(census)
        self._counts = True
        telemetry.event("partitions.counted", unowned=unowned)
        for one in counted:
            telemetry.event(
                "jobs.counted", kind=one.kind, state=one.state, jobs=one.jobs, oldest_s=one.oldest_s
            )
        shown: set[tuple[str, str]] = {(one.kind, one.state) for one in counted}
        self._show_nothing(self._shown - shown)
        self._shown = shown

    def _let_go(self) -> None:
        if self._counts:
            self._counts = False
            telemetry.event("partitions.counted", unowned=0)
            self._show_nothing(self._shown)
            self._shown = set()

    @staticmethod
    def _show_nothing(of: set[tuple[str, str]]) -> None:
        for kind, state in sorted(of):
            telemetry.event("jobs.counted", kind=kind, state=state, jobs=0, oldest_s=0.0)
