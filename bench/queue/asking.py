"""Starts the process that asks for our jobs (bench/queue/enqueue.py), and reads what it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import msgspec

from bench.queue.drain import Failed
from bench.stack import ROOT, pinned

__all__ = ["Asked", "Asking", "ask"]

_MAX_S = 300.0


class Asked(msgspec.Struct, frozen=True):
    """What was asked for, and what that took."""

    jobs: int
    wall_s: float
    cpu_s: float
    #: In mode idle, when each job was asked for (``time.monotonic()``).
    at: tuple[float, ...] = ()
    #: And when its commit was known.
    written_at: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        """Return jobs a second."""
        return self.jobs / self.wall_s


class Asking:
    """It runs."""

    def __init__(self, env: Mapping[str, str], cpu: int, mode: str, *numbers: int) -> None:
        words = [str(number) for number in numbers]
        with pinned(cpu):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.queue.enqueue", mode, *words],
                cwd=ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )

    def end(self) -> Asked:
        """Return what it did; one that goes on until its standard input ends, ends it here."""
        said, _ = self._process.communicate(timeout=_MAX_S)
        if self._process.returncode:
            raise Failed(f"enqueuing: status {self._process.returncode}")
        return msgspec.json.decode(said, type=Asked)

    def kill(self) -> None:
        """End it by force, if it still runs."""
        self._process.kill()
        self._process.communicate()


def ask(env: Mapping[str, str], cpu: int, mode: str, *numbers: int) -> Asked:
    """Run it to its end."""
    asking = Asking(env, cpu, mode, *numbers)
    try:
        return asking.end()
    finally:
        asking.kill()
