"""Supervision of long-lived greenlets, as in OTP: restart what crashes, give up when it keeps crashing.

Children are functions that never return by themselves (beats, polls, batch loops).  One that raises is started again
after a pause.  More than ``restarts_max`` restarts of all children within ``within_s`` seconds mean that restarting
does not help: the process ends with a status of its own, and whoever started it starts a fresh one.

A turn's crash never comes here: it is settled as failed by its lane.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import gevent
from gevent import Greenlet

from gateway import telemetry

__all__ = ["GAVE_UP", "Supervisor"]

#: Exit status of a process whose children keep crashing (sysexits.h: internal software error).  Not 3 or 4: those halt
#: gunicorn's master.
GAVE_UP = 70
#: Seconds before a crashed child runs again.
_PAUSE_S = 0.2
#: Seconds that a child has to end, however late it is.
_ENDING_S = 0.1


class Supervisor:
    """Runs children until stopped."""

    def __init__(self, *, restarts_max: int = 20, within_s: float = 60.0) -> None:
        self._restarts_max = restarts_max
        self._within_s = within_s
        self._children: list[tuple[str, Callable[[], None]]] = []
        self._running: list[Greenlet[..., None]] = []
        self._restarts: deque[float] = deque(maxlen=restarts_max + 1)
        self._stopping = False

    def add(self, name: str, run: Callable[[], None]) -> None:
        """Have *run* supervised from ``start`` on."""
        self._children.append((name, run))

    def start(self) -> None:
        """Start all children, in the order in which they were added."""
        self._stopping = False
        self._running = [gevent.spawn(self._keep, name, run) for name, run in self._children]

    def stop(self, deadline: float) -> None:
        """End all children by *deadline* (monotonic seconds).  Safe twice, and if never started."""
        self._stopping = True
        running, self._running = self._running, []
        # Not with killall's own timeout: it raises, and what comes behind this would be skipped.
        gevent.killall(running, block=False)
        gevent.joinall(running, timeout=max(_ENDING_S, deadline - time.monotonic()))

    def _keep(self, name: str, run: Callable[[], None]) -> None:
        while True:
            try:
                run()
            except Exception as error:
                telemetry.event(
                    "supervisor.restarted",
                    child=name,
                    reason=type(error).__name__,
                    detail=telemetry.trace(error),
                )
            else:
                telemetry.event("supervisor.restarted", child=name, reason="returned")
            if self._stopping:
                # It outlived the stop and ends only now: nothing is started again behind the stop's back.
                return
            now = time.monotonic()
            self._restarts.append(now)
            if len(self._restarts) > self._restarts_max and now - self._restarts[0] < self._within_s:
                telemetry.event("supervisor.gave_up", child=name)
                raise SystemExit(GAVE_UP)
            gevent.sleep(_PAUSE_S)
