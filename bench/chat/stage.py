"""The outside's process, and the way to it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from bench.chat.scenes import Order, Outcome
from bench.needs import peer_folder
from bench.stack import OTHERS_CPU, ROOT, pinned

__all__ = ["Outside", "outside"]

_STOP_MAX_S = 10.0


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
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{peer_folder('uvloop')}"}
    with pinned(OTHERS_CPU):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.chat.outside"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    try:
        yield Outside(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_STOP_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
