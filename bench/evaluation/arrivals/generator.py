"""The open-loop generator as a process of its own, on the core that is not the server's, and what limited it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from bench.beside import beside
from bench.evaluation.arrivals.orders import Arrived, Heard, Order
from bench.stack import OTHERS_CPU, cpu_s
from bench.standings import GENERATOR_FULL, SERVER_FULL

__all__ = ["Generator", "generator", "limit"]

#: A generator that comes later than this to one request in a hundred is in the numbers.
BEHIND_MAX_MS = 5.0
_Told = TypeVar("_Told")


class Generator:
    """A running process of :mod:`bench.evaluation.arrivals.arriving`; one run at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._pid = process.pid
        self._stdin, self._stdout = process.stdin, process.stdout

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used so far."""
        return cpu_s(self._pid)

    def begin(self, order: Order) -> float:
        """Have it prepare a run, and return its first instant, on ``time.monotonic()``, which is about to come."""
        self._stdin.write(msgspec.json.encode(order) + b"\n")
        self._stdin.flush()
        return self._told(float)

    def finish(self) -> Arrived:
        """Wait for the run's end."""
        return self._told(Arrived)

    def fire(self, order: Order) -> Arrived:
        """Begin a run, and wait for its end."""
        self.begin(order)
        return self.finish()

    def _told(self, what: type[_Told]) -> _Told:
        line = self._stdout.readline()
        if not line:
            raise SystemExit("the open-loop generator ended; its last words are above")
        return msgspec.json.decode(line, type=what)


@contextlib.contextmanager
def generator(cpu: int = OTHERS_CPU) -> Iterator[Generator]:
    """Run one until the block ends."""
    with beside("bench.evaluation.arrivals.arriving", cpu=cpu) as process:
        try:
            yield Generator(process)
        except BaseException:
            # Nobody wants to know any more how its run ends.
            process.kill()
            raise


def limit(heard: Heard, *, server_share: float, postgres_share: float = 0.0) -> str:
    """Return what else than the server was the limit, or an empty text; shares of a core are from 0 to 1."""
    if server_share >= SERVER_FULL:
        return ""
    if heard.generator_share >= GENERATOR_FULL:
        return "limited by the generator"
    # They share a core.
    if heard.generator_share + postgres_share >= GENERATOR_FULL:
        return "limited by the generator and PostgreSQL together"
    if heard.behind_p99_ms > BEHIND_MAX_MS:
        return "limited by the generator: requests left late"
    return ""
