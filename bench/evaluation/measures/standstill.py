"""PostgreSQL stands still for a while: every process of it is stopped, as on a machine that hangs, and goes on.

``python -m bench.evaluation.measures.standstill POSTMASTER`` stops it when a line comes, says so, and lets it go on
when its stdin ends.  It is a process of its own because whoever asked for it may be killed, and a stopped PostgreSQL
does not even end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.stack import ROOT

__all__ = ["Standstill", "standstill"]

_DONE = b"stopped\n"
_GO_ON_MAX_S = 10.0
_STOP_MAX_S = 5.0
_LOOK_S = 0.001


class Standstill:
    """A keeper that is ready."""

    def __init__(self, postmaster_pid: int, keeper: subprocess.Popen[bytes]) -> None:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        self._postmaster_pid = postmaster_pid
        self._keeper, self._stdin, self._stdout = keeper, keeper.stdin, keeper.stdout

    def stop(self) -> None:
        """Stop PostgreSQL; it stands still when this returns."""
        self._stdin.write(b"\n")
        self._stdin.flush()
        if self._stdout.readline() != _DONE:
            raise ProcessLookupError(f"PostgreSQL, {self._postmaster_pid}, cannot be stopped")

    def go_on(self) -> None:
        """Let it go on, for good; safe twice, and if it was never stopped."""
        try:
            self._stdin.close()
            self._keeper.wait(_GO_ON_MAX_S)
        finally:
            # Whatever has become of the keeper; to go on twice does no harm.
            _go_on(self._postmaster_pid)


@contextlib.contextmanager
def standstill(postmaster_pid: int) -> Iterator[Standstill]:
    """Have a keeper ready; PostgreSQL goes on when the block ends, however it ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.evaluation.measures.standstill", str(postmaster_pid)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A Ctrl-C at the terminal is ours, and we end its stdin.
        start_new_session=True,
    ) as keeper:
        still = Standstill(postmaster_pid, keeper)
        try:
            yield still
        finally:
            still.go_on()


def _family(postmaster_pid: int) -> list[int]:
    """Return the postmaster and its children: sessions and helpers are all its own."""
    children = Path(f"/proc/{postmaster_pid}/task/{postmaster_pid}/children").read_text()
    return [postmaster_pid, *map(int, children.split())]


def _stop(postmaster_pid: int) -> None:
    # First the one that makes others.
    os.kill(postmaster_pid, signal.SIGSTOP)
    family = _family(postmaster_pid)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    # A signal is sent at once and obeyed when its process is next on a core, which on a busy machine takes a while.
    until = time.monotonic() + _STOP_MAX_S
    while not all(map(_stands_still, family)):
        if time.monotonic() > until:
            raise TimeoutError(f"PostgreSQL, {postmaster_pid}, did not stop within {_STOP_MAX_S:g} s")
        time.sleep(_LOOK_S)


def _stands_still(pid: int) -> bool:
    """Whether a process is stopped, or gone.  proc_pid_stat(5)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "TtZX"


def _go_on(postmaster_pid: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        for pid in reversed(_family(postmaster_pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def main() -> None:
    """Stop it when a line comes, until stdin ends."""
    postmaster_pid = int(sys.argv[1])
    # To end is no order of a terminal's: stdin ends with whoever asked, and PostgreSQL must have gone on by then.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        for _ in sys.stdin.buffer:
            _stop(postmaster_pid)
            sys.stdout.buffer.write(_DONE)
            sys.stdout.buffer.flush()
    finally:
        _go_on(postmaster_pid)


if __name__ == "__main__":
    main()
