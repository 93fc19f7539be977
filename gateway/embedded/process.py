"""One child process: started so that it dies with its starter, stopped within a deadline.

Each child leads a session of its own: a Ctrl-C at the terminal reaches only the starter, which then
stops its children in order.  ``kill -9`` of the starter reaches them as their death signal, from the
kernel.

Waiting is done by a ``pause`` that the caller may replace: the supervisor's passes on output meanwhile,
because a child whose pipe is full never ends.
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
#: A log that has grown larger is set aside, as NAME.1, at the next start.
_LOG_BYTES_MAX = 10_000_000
#: How much of a log an error shows.
_TAIL_BYTES_MAX, _TAIL_LINES_MAX = 2_000, 5


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run, how to see that it is ready, and how to end it."""

    name: str
    argv: tuple[str, ...]
    #: Asked with the process id; without one, it is ready when started.
    ready: Callable[[int], bool] | None = None
    #: What to look at when that never comes.
    unready: str = ""
    #: Runs to its end before the next group starts; ready when it ended with status 0.
    once: bool = False
    env: Mapping[str, str] | None = None
    #: Where its output goes; without one, into a pipe that ``Output.follow`` must empty.
    log: Path | None = None
    identity: str = "same"
    stop_signal: signal.Signals = signal.SIGTERM
    #: Sent by the kernel when the starter is gone: whatever ends this program soonest without harm.
    death_signal: signal.Signals = signal.SIGKILL
    #: Seconds from its stop signal to SIGKILL.
    stop_max_s: float = 5.0


def as_child(argv: tuple[str, ...], *, identity: str, death_signal: signal.Signals) -> list[str]:
    """Return *argv* behind the launcher that binds it to our life."""
    launcher = [sys.executable, "-I", "-S", child.__file__]
    return [*launcher, str(os.getpid()), str(int(death_signal)), identity, *argv]


class Process:
    """A program that runs, or ran.  Instants are of ``time.monotonic()``."""

    def __init__(self, program: Program, *, inherited_fds: tuple[int, ...] = ()) -> None:
        self.program = program
        self._inherited_fds = inherited_fds
        self._popen: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Process {self.program.name} pid={self.pid} status={self.poll()}>"

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
        log = _open_log(program.log) if program.log else None
        try:
            self._popen = subprocess.Popen(
                as_child(program.argv, identity=program.identity, death_signal=program.death_signal),
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

    def wait_ready(self, deadline: float, pause: Callable[[float], None] = time.sleep) -> None:
        """Return when it serves, or raise :exc:`StartFailed`."""
        while not self._is_ready():
            if time.monotonic() > deadline:
                why = f": {self.program.unready}" if self.program.unready else ""
                raise StartFailed(f"{self.program.name} is not ready in time{why}{self._log()}", reason="not_ready")
            pause(_POLL_S)

    def _is_ready(self) -> bool:
        program, status = self.program, self.poll()
        assert self._popen, "started"
        if status is not None and not (program.once and status == 0):
            raise StartFailed(f"{program.name} ended with status {status}{self._log()}", reason="ended")
        if program.once:
            return status == 0
        return program.ready is None or program.ready(self._popen.pid)

    def stop(self, deadline: float, pause: Callable[[float], None] = time.sleep) -> None:
        """End it by its own signal; after ``stop_max_s``, or at *deadline*, by SIGKILL.

        Safe twice, and if never started.
        """
        if self._popen is None:
            return
        if self.poll() is None:
            self._popen.send_signal(self.program.stop_signal)
            deadline = min(deadline, time.monotonic() + self.program.stop_max_s)
            while self.poll() is None and time.monotonic() < deadline:
                pause(_POLL_S)
            if self.poll() is None:
                self._popen.kill()
                self._popen.wait()

    def _log(self) -> str:
        return f"; the end of {self.program.log}:\n{_tail(self.program.log)}" if self.program.log else ""


def _open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES_MAX))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-_TAIL_LINES_MAX:])
