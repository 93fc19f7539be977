"""One child process: started so that it dies with its starter, stopped within a deadline.

Each child leads a session of its own: a Ctrl-C at the terminal reaches only the starter, which then stops its children
in order.  ``kill -9`` of the starter reaches them as their death signal, from the kernel.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gateway.embedded import child
from gateway.embedded.errors import StartFailed

__all__ = ["Process", "Program", "as_child"]

_POLL_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run, how to see that it is ready, and how to end it."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[int], bool] = lambda pid: True
    env: Mapping[str, str] | None = None
    #: Where its output goes; without one, to the terminal with its name in front.
    log: Path | None = None
    identity: str = "same"
    stop_signal: signal.Signals = signal.SIGTERM
    #: Sent by the kernel when the starter is gone: whatever ends this program soonest without harm.
    death_signal: signal.Signals = signal.SIGTERM
    #: Seconds from its stop signal to SIGKILL.
    stop_max_s: float = 5.0


def as_child(
    argv: tuple[str, ...], *, identity: str = "same", death_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    """Return *argv* behind the launcher that binds it to our life."""
    launcher = [sys.executable, "-I", "-S", child.__file__]
    return [*launcher, str(os.getpid()), str(int(death_signal)), identity, *argv]


class Process:
    """A program that runs, or ran."""

    def __init__(self, program: Program, *, inherited_fds: tuple[int, ...] = ()) -> None:
        self.program = program
        self._inherited_fds = inherited_fds
        self._popen: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Process {self.program.name} pid={self.pid} returncode={self.poll()}>"

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    @property
    def output(self) -> IO[bytes] | None:
        """The pipe with its output, unless that goes to a log file."""
        return self._popen.stdout if self._popen else None

    def start(self) -> None:
        """Start the program; it is not ready yet."""
        program = self.program
        argv = as_child(program.argv, identity=program.identity, death_signal=program.death_signal)
        log = program.log.open("ab") if program.log else None
        try:
            self._popen = subprocess.Popen(
                argv,
                env=program.env,
                stdin=subprocess.DEVNULL,
                stdout=log or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self._inherited_fds,
            )
        finally:
            if log:
                log.close()

    def poll(self) -> int | None:
        """Return its exit status, or None while it runs or before it started."""
        return self._popen.poll() if self._popen else None

    def is_ready(self) -> bool:
        """Say whether it serves.  Raises :exc:`StartFailed` if it ended instead."""
        assert self._popen
        status = self.poll()
        if status is not None:
            where = f"; see {self.program.log}" if self.program.log else ""
            raise StartFailed(f"{self.program.name} ended with status {status}{where}", reason="child_ended")
        return self.program.ready(self._popen.pid)

    def wait_ready(self, deadline: float) -> None:
        """Return when it serves.  *deadline* is an instant of ``time.monotonic()``."""
        while not self.is_ready():
            if time.monotonic() > deadline:
                where = f"; see {self.program.log}" if self.program.log else ""
                raise StartFailed(f"{self.program.name} is not ready in time{where}", reason="not_ready")
            time.sleep(_POLL_S)

    def stop(self, deadline: float) -> None:
        """End it: by its own signal, then after ``stop_max_s`` or at *deadline* by SIGKILL.  Safe twice, and unstarted."""
        if self._popen is None:
            return
        if self.poll() is None:
            self._popen.send_signal(self.program.stop_signal)
            left_s = min(deadline - time.monotonic(), self.program.stop_max_s)
            try:
                self._popen.wait(max(left_s, 0.0))
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        if self._popen.stdout:
            self._popen.stdout.close()
