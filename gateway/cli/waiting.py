"""What a terminal shows while something is waited for: one line, which is gone when there is more to tell.

On stderr, and only where a person sits in front of it: a pipe and a build server get none of it.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["Waiting"]

#: Seconds between two signs of life; before the first nobody wonders.
LOOK_S = 1.0


class Waiting:
    """Says what is waited for, and for how long.  Everything else that is shown meanwhile goes through ``say``."""

    def __init__(self, *, silent: bool = False, look_s: float = LOOK_S) -> None:
        self._is_shown = not silent and sys.stderr.isatty()
        self._look_s = look_s
        self._lock = threading.Lock()
        self._has_line = False

    def say(self, text: str) -> None:
        """Write *text* in the place of the line."""
        with self._lock:
            self._clear()
            click.echo(text)

    @contextmanager
    def about(self, what: str) -> Iterator[None]:
        """Say that *what* is waited for until the block ends."""
        if not self._is_shown:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._tell, args=(what, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with self._lock:
                self._clear()

    def _tell(self, what: str, ended: threading.Event) -> None:
        begun = time.monotonic()
        while not ended.wait(self._look_s):
            took = f", {time.monotonic() - begun:.0f} s"
            # A longer line would go on in the next one, and stay there.
            columns = shutil.get_terminal_size().columns - 1
            line = f"… {what}"[: max(1, columns - len(took))] + took
            with self._lock:
                click.echo(f"\r\033[K{line}", err=True, nl=False)
                self._has_line = True

    def _clear(self) -> None:
        if self._has_line:
            click.echo("\r\033[K", err=True, nl=False)
            self._has_line = False
