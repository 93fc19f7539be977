"""Nobody is measured while somebody else has its core."""

from __future__ import annotations

import subprocess
import sys
from itertools import accumulate

import pytest

from bench.evaluation.quiet import LOOK_S, wait_quiet
from bench.stack import GATEWAY_CPU, pinned


@pytest.mark.parametrize(
    ("idle_s", "quiet", "looks"),
    [
        ([0.05], True, 1),
        # Whoever compiles has all of it, and then some of it.
        ([0.0, 0.01, 0.02, 0.04], True, 4),
        # Whoever never ends is not waited for.
        ([0.0] * 20, False, 10),
    ],
)
def test_it_is_waited_until_a_core_is_idle(idle_s: list[float], quiet: bool, looks: int) -> None:
    """For so long as somebody works on it, and no longer than was said."""
    # Read before each look and after it; nothing happens in between.
    readings = iter([so_far for before in accumulate(idle_s, initial=100.0) for so_far in (before, before)][1:])
    slept: list[float] = []
    assert wait_quiet(10 * LOOK_S, idle_s=lambda: next(readings), sleep=slept.append) is quiet
    assert slept == [LOOK_S] * looks


def test_a_busy_core_is_not_idle() -> None:
    """Of the two it is the contestants' that is looked at."""
    with pinned(GATEWAY_CPU):
        other = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    with other:
        assert other.stdout is not None
        other.stdout.readline()
        assert not wait_quiet(4 * LOOK_S)
        other.kill()
