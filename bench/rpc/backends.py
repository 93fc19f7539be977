"""The backends of a scene: a process of its own on the other core, and what it is ordered to be."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from bench.beside import end
from bench.rpc.backend import Counted, Order
from bench.stack import OTHERS_CPU, ROOT, pinned

__all__ = ["Backends", "backends"]


class Backends:
    """Some ports, and the way to their process."""

    def __init__(self, count: int) -> None:
        argv = [sys.executable, "-m", "bench.rpc.backend", str(count)]
        with pinned(OTHERS_CPU):
            self._process = subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.ports: list[int] = msgspec.json.decode(self._stdout.readline(), type=list[int])

    @property
    def urls(self) -> tuple[str, ...]:
        """Their base URLs."""
        return tuple(f"http://127.0.0.1:{port}" for port in self.ports)

    def order(self, order: Order) -> None:
        """Have one of them behave like this, from about now on."""
        self._stdin.write(msgspec.json.encode(order) + b"\n")

    def order_all(self, order: Order) -> None:
        """Have each of them behave like this."""
        for at in range(len(self.ports)):
            self.order(msgspec.structs.replace(order, at=at))

    def report(self) -> list[Counted]:
        """Return what each counted so far.  Waits without gevent's loop: for when no call is under way."""
        self._stdin.write(msgspec.json.encode(Order("report")) + b"\n")
        line = b""
        # Unbuffered, a pipe hands out what it has.
        while not line.endswith(b"\n"):
            line += self._stdout.read(1 << 20)
        return msgspec.json.decode(line, type=list[Counted])

    def stop(self) -> None:
        """End them: their stdin ends."""
        end(self._process)


@contextlib.contextmanager
def backends(count: int) -> Iterator[Backends]:
    """Run *count* of them until the block ends."""
    running = Backends(count)
    try:
        yield running
    finally:
        running.stop()
