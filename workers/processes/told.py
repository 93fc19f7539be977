"""What signals tell the parent.

SIGTERM, SIGINT   stop; the second one: at once
SIGHUP            replace the children, one at a time
SIGCHLD           a child has ended

Taken note of from the first moment on, so that none is lost that comes while children are being started.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import FrameType

__all__ = ["Told"]

_READ_BYTES_MAX = 4_096


class Told:
    """What was told so far, and a wait that ends with the next word."""

    def __init__(self) -> None:
        #: How often we were told to stop.
        self.stops = 0
        self._replace = False
        self._pipe, self._write_end = os.pipe()
        for end in (self._pipe, self._write_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_stop)
        # Under nohup SIGHUP is ignored, and stays so.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note_replace)
        # Without a handler of ours it would not wake us.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def wait(self, seconds: float) -> None:
        """Return at the next signal or ``wake``, or after *seconds*."""
        select.select([self._pipe], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            while os.read(self._pipe, _READ_BYTES_MAX):
                pass

    def wake(self) -> None:
        """End the wait.  From any thread."""
        # A full pipe wakes as well.
        with contextlib.suppress(BlockingIOError):
            os.write(self._write_end, b"\0")

    def take_replace(self) -> bool:
        """Return whether the children are to be replaced, once for each time that we were told."""
        told, self._replace = self._replace, False
        return told

    def _note_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def _note_replace(self, _number: int, _frame: FrameType | None) -> None:
        self._replace = True
