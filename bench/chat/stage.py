"""The outside's process, and the way to it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import msgspec

from bench.beside import beside
from bench.chat.scenes import Order, Outcome
from bench.needs import peer_folder

__all__ = ["Outside", "outside"]


class Outside:
    """A running process of :mod:`bench.chat.outside`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        assistant, slack = msgspec.json.decode(self._stdout.readline(), type=tuple[int, int])
        self.assistant = f"http://127.0.0.1:{assistant}/turn"
        self.slack = f"http://127.0.0.1:{slack}/api"

    def play(self, order: Order) -> Outcome:
        """Have it play a scene, and wait for the end of it."""
        self._stdin.write(msgspec.json.encode(order) + b"\n")
        self._stdin.flush()
        line = self._stdout.readline()
        if not line:
            raise SystemExit("the benchmark's own side ended; its last words are above")
        return msgspec.json.decode(line, type=Outcome)


@contextlib.contextmanager
def outside() -> Iterator[Outside]:
    """Run it until the block ends."""
    with beside("bench.chat.outside", packages=peer_folder("uvloop")) as process:
        yield Outside(process)
