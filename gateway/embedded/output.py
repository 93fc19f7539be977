"""What children print, passed on to the terminal line by line with the child's name in front."""

from __future__ import annotations

import os
import selectors
from typing import IO

from gateway.embedded.process import Process

__all__ = ["Output"]

_READ_BYTES_MAX = 65536
#: A line longer than this is shown in pieces.
_LINE_BYTES_MAX = 65536


class Output:
    """The pipes of all children, and one wait for all of them."""

    def __init__(self, terminal: IO[bytes]) -> None:
        self._terminal: IO[bytes] | None = terminal
        self._selector = selectors.DefaultSelector()
        self._partial: dict[int, bytes] = {}

    def follow(self, process: Process) -> None:
        """Pass on what *process* prints from now on."""
        if process.output:
            os.set_blocking(process.output.fileno(), False)
            self._selector.register(process.output, selectors.EVENT_READ, process.program.name)

    def wake_by(self, pipe: int) -> None:
        """End a pause when *pipe* has something to read; its bytes are thrown away."""
        self._selector.register(pipe, selectors.EVENT_READ, None)

    def pause(self, seconds: float) -> None:
        """Pass on output; return when there was some, when woken, or after *seconds*."""
        for key, _ in self._selector.select(max(seconds, 0.0)):
            self._pass_on(key)

    def say(self, name: str, text: str) -> None:
        """Print a line of our own."""
        self._print(name, text.encode())

    def forget(self, process: Process) -> None:
        """Pass on the last words of a process that ended, and close its pipe."""
        if process.output is None or process.output.closed:
            return
        key = self._selector.get_map().get(process.output.fileno())
        # Bounded: a grandchild that outlives it may hold the pipe's other end and go on printing.
        for _ in range(16):
            if key is None or not self._pass_on(key):
                break
        if key is not None and key.fd in self._selector.get_map():
            self._end(key)
        process.output.close()

    def _pass_on(self, key: selectors.SelectorKey) -> bool:
        try:
            data = os.read(key.fd, _READ_BYTES_MAX)
        except BlockingIOError:
            return False
        if key.data is None:
            return True
        if not data:
            self._end(key)
            return False
        *lines, rest = (self._partial.get(key.fd, b"") + data).split(b"\n")
        if len(rest) > _LINE_BYTES_MAX:
            lines, rest = [*lines, rest], b""
        self._partial[key.fd] = rest
        for line in lines:
            self._print(key.data, line)
        return True

    def _end(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fd)
        rest = self._partial.pop(key.fd, b"")
        if rest:
            self._print(key.data, rest)

    def _print(self, name: str, line: bytes) -> None:
        if self._terminal is None:
            return
        try:
            self._terminal.write(f"{name:<11} | ".encode() + line + b"\n")
            self._terminal.flush()
        except OSError:
            self._terminal = None  # whoever read it is gone; that is no reason to stop
