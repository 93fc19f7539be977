"""What the parent says and asks in the ledger: this child is dead, is that one alive?

In a thread of its own: PostgreSQL may be silent for as long as it likes while the parent heeds signals.  A death is
written until PostgreSQL takes it, at whatever time: the label is of that process alone, and it stays dead.  So this is
no place for the rule that only whoever has beaten steadily may bury (``Owner.bury``): that one is about silence.

Fail-open with respect to Redis: without the hint the other workers find the free partitions by their next look.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.hint import PartitionsFree
from gateway.settings.store import StoreSettings
from gateway.store.ledger import process as processes
from gateway.store.postgres import DURABLE
from gateway.store.signals import Signals

__all__ = ["Obituaries"]

#: Seconds between two tries to reach PostgreSQL.
_PAUSE_S = 0.5
#: Seconds between two looks for a child that is expected in the ledger.
_LOOK_S = 0.2
#: A connection whose other side is gone without a word ends within these: nothing else would end the wait for it.
_TCP: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Obituaries:
    """The thread.  ``wake`` is called from it when an expected child is there."""

    def __init__(self, settings: StoreSettings, *, wake: Callable[[], None]) -> None:
        self._settings = settings
        self._wake = wake
        self._signals = Signals(settings, audience="workers", on_hint=lambda _: None)
        self._some = threading.Condition()
        #: Labels of the dead in the order in which they ended, and whether each crashed.
        self._dead: dict[str, bool] = {}
        self._awaited = ""
        self._born = ""
        self._stopping = False
        self._reachable = True
        # It must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="obituaries", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def declare(self, label: str, *, crashed: bool) -> None:
        """Have it written that the process of this label is dead."""
        with self._some:
            self._dead[label] = crashed
            self._some.notify()

    def born(self, label: str) -> bool:
        """Return whether the process of this label is in the ledger; if not, ``wake`` is called when it is."""
        with self._some:
            if label not in {self._born, self._awaited}:
                self._awaited = label
                self._some.notify()
            return self._born == label

    def stop(self, deadline: float) -> None:
        """Write what there is to write, until *deadline* (monotonic seconds).  Safe twice, and if never started."""
        with self._some:
            self._stopping = True
            self._some.notify()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                with self._ledger() as cursor:
                    while self._work(cursor):
                        pass
            except psycopg2.Error as error:
                self._lost(error)
                time.sleep(_PAUSE_S)
        self._signals.close()

    def _wait_for_work(self) -> bool:
        with self._some:
            self._some.wait_for(lambda: self._dead or self._awaited or self._stopping)
            return bool(self._dead) or not self._stopping

    def _work(self, cursor: Cursor) -> bool:
        """Do the next thing; False if there is nothing more to do on this connection."""
        with self._some:
            label, crashed = next(iter(self._dead.items()), ("", False))
            awaited = "" if self._stopping else self._awaited
        if label:
            self._write(cursor, label, crashed=crashed)
            with self._some:
                del self._dead[label]
            return True
        if awaited:
            self._look(cursor, awaited)
            return True
        return False

    def _write(self, cursor: Cursor, label: str, *, crashed: bool) -> None:
        buried = processes.declare_dead(cursor, label, crashed=crashed)
        if buried.processes:
            telemetry.event("worker.declared_dead", lanes=buried.lanes, sends=buried.sends, detail=label)
            self._signals.publish("workers", PartitionsFree())
            self._signals.flush()

    def _look(self, cursor: Cursor, label: str) -> None:
        there = processes.lives(cursor, label)
        with self._some:
            if there and self._awaited == label:
                self._awaited, self._born = "", label
            elif not self._dead:
                self._some.wait(_LOOK_S)
        if there:
            self._wake()

    @contextmanager
    def _ledger(self) -> Iterator[Cursor]:
        settings = self._settings
        options = (
            f"-c statement_timeout={int(settings.statement_timeout_s * 1000)}"
            f" -c lock_timeout={int(settings.lock_timeout_s * 1000)} {DURABLE}"
        )
        connection = psycopg2.connect(
            settings.database_url.reveal(),
            # libpq counts in whole seconds, and takes less than two for two.
            connect_timeout=math.ceil(settings.connect_timeout_s),
            options=options,
            application_name="switchboard worker's parent",
            **_TCP,
        )
        try:
            connection.autocommit = True
            self._reachable = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def _lost(self, error: psycopg2.Error) -> None:
        if self._reachable:
            self._reachable = False
            telemetry.event("store.unavailable", reason=error.pgcode or type(error).__name__)
