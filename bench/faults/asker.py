"""The process that asks for the jobs of a kill campaign: ``python -m bench.faults.asker JOBS LANES RATE SEED``.

Some callers, each with lanes of its own, ask at a rate, in bursts: a batch over some of its lanes, and as soon as that
is committed the next one over the same, while others do likewise.  It prints at its end what was acknowledged, as
one :class:`~bench.faults.checker.Asked`.  A statement whose fate nobody knows is asked for again under another number
of tries: both may run, and the checker knows it.
"""

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence

import gevent
import msgspec

from bench.faults.checker import Asked, Key
from bench.queue.enqueue import Enqueuer
from bench.queue.records import Pause
from gateway.domain.errors import TryLater
from gateway.domain.job import Draft

CALLERS = 8
#: So many callers have their bursts at the same instants, which are drawn.
TOGETHER = 4
#: Jobs of one statement, which is written as a whole or not at all; and statements of a burst.
BATCH_ROWS, BURST = 20, 5
#: Most jobs are short; one in twenty is long enough to be met by a kill.
SHORT_S, LONG_S, LONG_SHARE = 0.02, 1.0, 0.05
_AGAIN_S = 0.2


class Asker:
    """Asks, and remembers what was acknowledged."""

    def __init__(self, lanes: int, seed: int) -> None:
        self._enqueuer = Enqueuer()
        self._lanes = lanes
        self._seed = seed
        self._rng = random.Random(seed)
        self._counts: Counter[int] = Counter()
        self._unclear: set[Key] = set()

    def ask(self, jobs: int, rate: int) -> Asked:
        """Ask for *jobs* jobs at *rate* a second."""
        callers = min(CALLERS, self._lanes)
        calls = [
            gevent.spawn(
                self._call,
                range(caller, self._lanes, callers),
                len(range(caller, jobs, callers)),
                rate / callers,
                random.Random(f"{self._seed} {caller // TOGETHER}"),
            )
            for caller in range(callers)
        ]
        gevent.joinall(calls, raise_error=True)
        self._enqueuer.close()
        return Asked(self._counts, frozenset(self._unclear))

    def _call(self, lanes: Sequence[int], jobs: int, rate: float, instants: random.Random) -> None:
        began = time.monotonic()
        rows = min(BATCH_ROWS, len(lanes))
        some: Sequence[int] = ()
        for number, first in enumerate(range(0, jobs, rows)):
            if number % BURST == 0:
                # No lane twice in a batch: asked for again, its first job would come behind the second one of the try
                # before.
                some = self._rng.sample(lanes, rows)
                late = instants.random() * BURST * rows
                wait_s = began + (first + late) / rate - time.monotonic()
                if wait_s > 0:
                    gevent.sleep(wait_s)
            self._ask_for(some[: jobs - first])

    def _ask_for(self, lanes: Sequence[int]) -> None:
        keys = [(lane, self._counts[lane]) for lane in lanes]
        self._counts.update(lanes)
        pauses_s = [self._pause_s() for _ in keys]
        tries = 0
        while True:
            try:
                self._enqueuer.jobs.enqueue_many(
                    [
                        Draft(
                            kind="bench.step",
                            payload=Pause(lane, number, pause_s, tries),
                            lane=f"lane-{lane}",
                        )
                        for (lane, number), pause_s in zip(keys, pauses_s, strict=True)
                    ]
                )
                return
            except TryLater:
                # Perhaps they were written, perhaps not: whoever asks again must be able to tell them apart.
                self._unclear.update((lane, number, tries) for lane, number in keys)
                tries += 1
                gevent.sleep(_AGAIN_S)

    def _pause_s(self) -> float:
        return self._rng.uniform(0, LONG_S if self._rng.random() < LONG_SHARE else SHORT_S)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    asked = Asker(numbers[1], numbers[3]).ask(numbers[0], numbers[2])
    sys.stdout.buffer.write(msgspec.json.encode(asked) + b"\n")
