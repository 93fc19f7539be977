"""The loop that keeps children running.

A child that ends without having been told to is started again after a moment, in its own place: it has the same metrics
port.  Above ``RESTARTS_MAX`` within ``WITHIN_S`` starting again does not help, and the parent ends with ``GAVE_UP``.
Nor does it for a child whose handlers or settings are wrong, which ends with ``os.EX_CONFIG``: with the last such child
the parent ends too, with that status.  While others work with what they read before, it is tried again now and then.

The order of the end, and its reasons: children are told first, all at once, because each drains for as long as the
others do; who has not ended after ``server.drain_s`` and a little, or when we are told a second time, is killed; and
last, who did not leave the ledger by itself is declared dead, so that its partitions are free before its beat tells.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from gateway import telemetry
from gateway.settings.load import SettingsError
from gateway.settings.settings import Settings
from gateway.supervision import GAVE_UP
from workers.processes.child import Child
from workers.processes.obituaries import Obituaries
from workers.processes.told import Told

__all__ = ["Parent"]

ARGV = (sys.executable, "-m", "workers")
#: More ends of children than these within the window, and the parent ends too.  A job that kills its process is given
#: up after jobs.deaths_max of them, so several such jobs may come at once before it is us who give up.
RESTARTS_MAX = 20
WITHIN_S = 60.0
#: Seconds from a child's end to the start of the next one.
RESTART_PAUSE_S = 0.2
#: The same for one that found its handlers or settings wrong, while others work: somebody has to change them first.
MISFIT_PAUSE_S = 5.0
#: Seconds beyond ``server.drain_s`` in which a child leaves in order: the drain decides, and not this.
LEAVING_S = 2.0
#: Seconds in which the last deaths are written.
OBITUARIES_S = 2.0
#: Seconds of a wait in which nothing is due.
_IDLE_S = 60.0
#: Exit status where a child did not end in order although it was told to.
UNTIDY = 1


class Parent:
    """Children by their index, and what is to be done about them."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        reread: Callable[[], Settings],
        on_ready: Callable[[], None] | None = None,
        argv: Sequence[str] = ARGV,
        restarts_max: int = RESTARTS_MAX,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._reread = reread
        self._on_ready = on_ready
        self._argv = argv
        self._restarts_max = restarts_max
        self._told = Told()
        self._obituaries = Obituaries(settings.store, wake=self._told.wake)
        self._children: dict[int, Child] = {}
        #: When the places that are empty are filled again.
        self._due: dict[int, float] = {}
        self._restarts: deque[float] = deque(maxlen=restarts_max + 1)
        #: Places of which no child has been in the ledger yet, where somebody wants to know.
        self._unborn = deque(range(settings.worker.processes if on_ready else 0))
        #: Places whose children are still to be replaced, and the one that is being.
        self._outdated: deque[int] = deque()
        self._replacing: int | None = None
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Keep children running until SIGTERM or SIGINT; return the exit status."""
        self._obituaries.start()
        self._due = dict.fromkeys(range(self._settings.worker.processes), time.monotonic())
        while True:
            self._reap()
            self._heed()
            self._kill_overdue()
            if self._stopping and not self._children:
                break
            self._start_due()
            self._greet_next()
            self._replace_next()
            self._told.wait(self._patience_s())
        self._obituaries.stop(time.monotonic() + OBITUARIES_S)
        return self._status

    def _start_due(self) -> None:
        now = time.monotonic()
        for index in sorted(index for index, due_at in self._due.items() if due_at <= now):
            if self._stopping:  # the last start was one failure too many
                return
            del self._due[index]
            try:
                child = Child(self._argv, self._environment, self._settings.worker, index=index)
            except OSError as error:
                telemetry.event("worker.not_started", reason=type(error).__name__, detail=str(error.errno))
                self._start_again(index)
            else:
                self._children[index] = child
                telemetry.event("worker.started", pid=child.pid, detail=child.label)

    def _reap(self) -> None:
        for index, child in list(self._children.items()):
            status = child.poll()
            if status is None:
                continue
            del self._children[index]
            reason = _reason(child, status)
            if reason == "stopped":
                telemetry.event("worker.stopped", pid=child.pid, status=status)
            else:
                telemetry.event("worker.ended", pid=child.pid, status=status, reason=reason)
            # Also one that ended in order: without PostgreSQL it could not leave.
            self._obituaries.declare(child.label, crashed=reason == "crashed")
            if self._stopping:
                self._status = self._status or (0 if reason == "stopped" else UNTIDY)
            elif child.kill_at is not None:
                self._due[index] = time.monotonic()
            elif reason == "misfit":
                self._misfit(index)
            else:
                self._start_again(index)

    def _misfit(self, index: int) -> None:
        # Nobody else is made to read what this one could not start with.
        self._outdated.clear()
        self._replacing = None
        if self._children:
            self._due[index] = time.monotonic() + MISFIT_PAUSE_S
        else:
            self._status = os.EX_CONFIG
            self._stop()

    def _start_again(self, index: int) -> None:
        now = time.monotonic()
        self._restarts.append(now)
        if len(self._restarts) > self._restarts_max and now - self._restarts[0] < WITHIN_S:
            telemetry.event("worker.gave_up", restarts=len(self._restarts))
            self._status = GAVE_UP
            self._stop()
        else:
            self._due[index] = now + RESTART_PAUSE_S

    def _heed(self) -> None:
        if self._told.take_replace() and not self._stopping:
            self._replace_all()
        if self._told.stops and not self._stopping:
            self._stop()
        if self._told.stops > 1:
            for child in self._children.values():
                child.kill()

    def _stop(self) -> None:
        self._stopping = True
        self._due.clear()
        self._outdated.clear()
        self._replacing = None
        for child in self._children.values():
            child.stop(self._kill_at())

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.kill_at is not None and child.kill_at <= now:
                child.kill()

    def _replace_all(self) -> None:
        """Have every child replaced by one with the settings of now, if these are sound."""
        try:
            settings = self._reread()
        except SettingsError as error:
            sys.stderr.write(f"{error}\n")
            telemetry.event("worker.not_replaced", reason="settings")
            return
        before = self._settings
        if (settings.worker.processes, settings.store) != (before.worker.processes, before.store):
            # How many places there are, and where the dead are told, is settled when the parent starts.
            telemetry.event("worker.not_replaced", reason="processes_or_store_changed")
            return
        self._settings = settings
        # Also who is being replaced just now: it may have been started with the settings of before.
        self._outdated = deque(range(settings.worker.processes))

    def _greet_next(self) -> None:
        """Say once that all work: a child is in the ledger when it has its handlers, and not before."""
        while self._unborn and not self._stopping:
            child = self._children.get(self._unborn[0])
            if child is None or not self._obituaries.born(child.label):
                return
            self._unborn.popleft()
            if not self._unborn and self._on_ready is not None:
                self._on_ready()

    def _replace_next(self) -> None:
        """Go on with replacing: the next child is told to stop only once the last new one is in the ledger."""
        if self._replacing is not None:
            child = self._children.get(self._replacing)
            if child is None or child.kill_at is not None or not self._obituaries.born(child.label):
                return
            self._replacing = None
        if self._outdated:
            self._replacing = self._outdated.popleft()
            if child := self._children.get(self._replacing):
                child.stop(self._kill_at())

    def _kill_at(self) -> float:
        return time.monotonic() + self._settings.server.drain_s + LEAVING_S

    def _patience_s(self) -> float:
        now = time.monotonic()
        stopping = [child for child in self._children.values() if not child.killed]
        ends = [child.kill_at for child in stopping if child.kill_at is not None]
        return max(0.0, min([*self._due.values(), *ends], default=now + _IDLE_S) - now)


def _reason(child: Child, status: int) -> str:
    if child.killed:
        return "killed"
    if child.in_order(status):
        return "stopped"
    return "misfit" if status == os.EX_CONFIG else "crashed"
