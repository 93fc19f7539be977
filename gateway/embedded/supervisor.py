"""All child processes: started in order, restarted when they crash, stopped in the reverse order.

Stores outlive their users, a drain is waited for, and a child that crashes again and again stops
everything instead of hiding the reason.  So does one that ends with ``os.EX_CONFIG``: it has said what
is wrong with its settings, and they are as wrong for the next one.  One thread, no gevent: see
``embedded/__init__.py``.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from itertools import chain

from gateway.embedded.errors import StartFailed
from gateway.embedded.output import Output
from gateway.embedded.process import Process, Program
from gateway.embedded.stop_request import StopRequest

__all__ = ["Supervisor"]

READY_MAX_S = 60.0
#: More crashes of one child than this within the window, and everything stops.
RESTARTS_MAX = 5
RESTART_WINDOW_S = 60.0
#: Between a crash and the restart: a store's orphans need a moment to notice that it is gone.
RESTART_DELAY_S = 0.5

_LOOK_S = 0.5


class _Stopped(Exception):
    """A stop was asked for while we waited for a child to be ready."""


class Supervisor:
    """Groups of programs.  A group starts when all programs of the groups before it are ready."""

    def __init__(
        self,
        groups: Sequence[Sequence[Program]],
        *,
        output: Output,
        stop_request: StopRequest,
        inherited_fds: tuple[int, ...] = (),
        restart_delay_s: float = RESTART_DELAY_S,
    ) -> None:
        self._groups = [[Process(each, inherited_fds=inherited_fds) for each in group] for group in groups]
        self._output = output
        self._restart_delay_s = restart_delay_s
        self._stop_request = stop_request
        self._crashes: dict[str, deque[float]] = {}
        output.wake_by(stop_request.pipe)

    def start(self) -> bool:
        """Start every group and return True, or False if a stop was asked for first."""
        deadline = time.monotonic() + READY_MAX_S
        try:
            for group in self._groups:
                names = ", ".join(process.program.name for process in group)
                self._output.say("switchboard", f"starting {names}")
                for process in group:
                    self._launch(process)
                for process in group:
                    process.wait_ready(deadline, self._pause_in_start)
        except _Stopped:
            return False
        return True

    def watch(self) -> None:
        """Return when a stop is asked for, or raise :exc:`StartFailed` if a child crashes too often."""
        while not self._stop_request.made:
            self._output.pause(_LOOK_S)
            for process in chain.from_iterable(self._groups):
                if not process.program.once and process.poll() is not None:
                    self._restart(process)

    def stop(self, deadline: float) -> None:
        """Stop everything in the exact reverse of the start order: last group, last program first.

        Why that order is right is written where the groups are listed, in ``programs.Plan.groups``.  Safe
        twice, and if never started.
        """
        for group in reversed(self._groups):
            for process in reversed(group):
                if process.poll() is None and process.pid is not None:
                    self._output.say("switchboard", f"stopping {process.program.name}")
                process.stop(deadline, self._output.pause)
                self._output.forget(process)

    def _restart(self, process: Process) -> None:
        self._refuse_misfit(process)
        name, now = process.program.name, time.monotonic()
        crashes = self._crashes.setdefault(name, deque(maxlen=RESTARTS_MAX + 1))
        crashes.append(now)
        self._output.forget(process)
        if len(crashes) > RESTARTS_MAX and now - crashes[0] < RESTART_WINDOW_S:
            raise StartFailed(
                f"{name} ended {len(crashes)} times within {RESTART_WINDOW_S:.0f} s, at last with status "
                f"{process.poll()}; stopping everything",
                reason="crash_loop",
            )
        self._pause_until(now + self._restart_delay_s)
        if not self._stop_request.made:
            self._output.say("switchboard", f"{name} ended with status {process.poll()}; restarting it")
            self._launch(process)

    def _launch(self, process: Process) -> None:
        process.start()
        self._output.follow(process)

    def _pause_in_start(self, seconds: float) -> None:
        self._output.pause(seconds)
        if self._stop_request.made:
            raise _Stopped
        for process in chain.from_iterable(self._groups):
            self._refuse_misfit(process)

    def _refuse_misfit(self, process: Process) -> None:
        if process.poll() == os.EX_CONFIG:
            self._output.forget(process)
            raise StartFailed(
                f"{process.program.name} cannot run with these settings, as it says above; stopping everything",
                reason="settings",
            )

    def _pause_until(self, instant: float) -> None:
        while not self._stop_request.made and (left_s := instant - time.monotonic()) > 0:
            self._output.pause(left_s)
