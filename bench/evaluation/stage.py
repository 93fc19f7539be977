"""The stage of a round: contestants that answer beside one another, one at a time, and processes of a take's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import psutil

from bench.answers import WrongAnswer
from bench.contestants import Running
from bench.evaluation.quiet import wait_quiet
from bench.generator import GeneratorFailed
from bench.keys import Keys
from bench.lines import LINES
from bench.rounds import Field
from bench.sampling import Pace, settled, shot
from bench.standings import Sample

__all__ = ["Rounded"]

_QUESTIONS = 100
#: Until it answers.
_START_S = 1.5
_NOT_STARTED = "it did not start"


class Rounded:
    """What measures have to work with (:class:`bench.evaluation.measure.Stage`), for one round after the other."""

    def __init__(self, field: Field, keys: Keys, postgres_pid: int, *, quick: bool, warming: Pace) -> None:
        self.quick = quick
        self.keys = keys
        self.postgres_pid = postgres_pid
        self._field = field
        self._warming = warming
        self._names: Sequence[str] = ()
        self._shared: dict[str, Running] | None = None
        self._stack = contextlib.ExitStack()

    @contextlib.contextmanager
    def round(self, names: Sequence[str]) -> Iterator[None]:
        """Have processes of *names* to share, started when the first of them is asked for, until the block ends."""
        self._names, self._shared = names, None
        with contextlib.ExitStack() as self._stack:
            yield

    @property
    def start_s(self) -> float:
        """About how long a contestant takes to start and to get warm."""
        return _START_S + (0.0 if self.quick else self._warming.warm_s + self._warming.measured_s)

    def shared(self, name: str) -> Running:
        """Return this round's process of a contestant, which has answered others before."""
        if self._shared is None:
            # Anew in each round: where a process happens to lie in memory is part of its speed.
            self._shared = self._stack.enter_context(self._field.start(self._names))
            for running in self._shared.values():
                self._warm(running)
        if name in self._shared and not self._shared[name].alive:
            # What ended it was one measure's; the others are to find it as they would otherwise.
            del self._shared[name]
            again = self._stack.enter_context(self._field.start([name]))
            for running in again.values():
                self._warm(running)
            self._shared |= again
        wait_quiet()
        return _started(self._shared, name)

    @contextlib.contextmanager
    def fresh(self, name: str) -> Iterator[Running]:
        """Run a process of its own, until the block ends."""
        with self._field.start([name]) as running:
            wait_quiet()
            yield _started(running, name)

    def command(self, name: str, port: int) -> tuple[list[str], dict[str, str]]:
        """Return the command that has a contestant serve on *port*, and its environment."""
        return self._field.command(name, port)

    def _warm(self, server: Running) -> None:
        """Let compilers that work at run time see work before anybody counts."""
        warm_s = server.contestant.warm_s
        if self.quick and not warm_s:
            return
        # What is wrong with it, or ended it, is found by whoever measures it, and is no fault of whom it is beside.
        with contextlib.suppress(WrongAnswer, GeneratorFailed, OSError, psutil.Error):
            echo = LINES["echo"]
            right = echo.check(server.port, self.keys, questions=_QUESTIONS)

            def take(seconds: float) -> Sample:
                return shot(echo, server, self.postgres_pid, right, seconds)

            if self.quick:
                take(warm_s)
            else:
                settled(take, self._warming)


def _started(running: Mapping[str, Running], name: str) -> Running:
    if name not in running:
        raise WrongAnswer(_NOT_STARTED)
    return running[name]
