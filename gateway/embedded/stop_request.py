"""The wish to stop, as a signal brings it.

Taken note of from the first moment on, so that one that comes while a cluster is being made is neither
lost nor allowed to leave half of it running.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

__all__ = ["StopRequest"]


class StopRequest:
    """Made by SIGINT, SIGTERM or SIGHUP.  ``pipe`` becomes readable then, and whenever a child ends."""

    def __init__(self) -> None:
        self.made = False
        self.pipe, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup SIGHUP is ignored, and stays so.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.made = True
