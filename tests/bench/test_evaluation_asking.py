"""What everybody uses while one is asked at given rates, and who was the limit."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from bench.evaluation.arrivals.asking import Asking, Ran
from bench.evaluation.arrivals.generator import generator
from bench.evaluation.arrivals.orders import Load
from bench.evaluation.measures.overload import Overload, Timing
from tests.bench.served import RIGHT, Served, Standing, line

#: Half of the long ones is room for a machine on which everything comes late.
EASY_S, FULL_S, AFTER_S = 0.2, 0.8, 0.8
LOADS = [Load(50, EASY_S), Load(100, FULL_S), Load(50, AFTER_S)]


def ran(**options: int) -> Ran:
    """Ask a server that says it has used all of its core in the second of three loads, and nothing of it otherwise."""
    full_at: list[float] = []

    def answering(number: int) -> bytes:
        if number == LOADS[0].rate * LOADS[0].seconds:
            full_at.append(time.monotonic())
        return RIGHT

    def cpu_s() -> float:
        return min(max(0.0, time.monotonic() - full_at[0]), FULL_S) if full_at else 0.0

    with closing(Served(answering)) as served, generator() as generating:
        served.cpu_s = cpu_s  # type: ignore[method-assign]
        asking = Asking(line(), served, Standing(served), generating)  # type: ignore[arg-type]
        return asking.run(asking.order(LOADS), **options)


def test_what_a_server_uses_is_looked_at_during_the_load_that_counts() -> None:
    """Whoever was full then was the limit, though it had time left before and afterwards."""
    assert ran(during=1).server_share > 0.5 > ran(during=2).server_share
    assert ran().server_share == pytest.approx(FULL_S / (EASY_S + FULL_S + AFTER_S), abs=0.15)


@pytest.mark.usefixtures("wrk")
def test_who_is_full_while_it_is_overrun_is_its_own_limit() -> None:
    """Of a whole run, of which an overload is less than half, nobody would ever be."""
    looked: list[float] = []

    def full() -> float:
        looked.append(time.monotonic())
        return looked[-1]

    timing = Timing(capacity=(0.1,), settle=0.0, before=0.5, overload=0.3, after=0.5)
    with closing(Served()) as served:
        served.cpu_s = full  # type: ignore[method-assign]
        Overload(["served"], line=line(), timing=timing).take("served", Standing(served))
    first, second = looked
    assert 0.5 * timing.overload < second - first < timing.overload + timing.after
