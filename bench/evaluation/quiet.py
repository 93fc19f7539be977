"""Nobody else on the contestants' core: who was asked before compiles, collects and closes connections for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from bench.stack import GATEWAY_CPU

__all__ = ["wait_quiet"]

#: Idle for so much of a look is quiet: the kernel counts in steps of 10 ms.
LOOK_S, IDLE_S = 0.05, 0.03
#: Whoever works on without being asked is no reason to wait for ever: it is in the next one's numbers, which say so.
LONGEST_S = 2.0


def _idle_s() -> float:
    return float(psutil.cpu_times(percpu=True)[GATEWAY_CPU].idle)


def wait_quiet(
    longest_s: float = LONGEST_S,
    *,
    idle_s: Callable[[], float] = _idle_s,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Return whether the core was idle before *longest_s* were over; *idle_s* says for how long it has been so far."""
    for _ in range(round(longest_s / LOOK_S)):
        before_s = idle_s()
        sleep(LOOK_S)
        if idle_s() - before_s >= IDLE_S:
            return True
    return False
