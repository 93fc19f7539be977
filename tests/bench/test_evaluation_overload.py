"""Overload: what is counted of it."""

from __future__ import annotations

import math
import time
from contextlib import closing

import gevent
import pytest

from bench.evaluation.measures.overload import Overload, Timing
from tests.bench.served import REFUSED, RIGHT, Served, Standing, line


@pytest.mark.usefixtures("wrk")
def test_what_is_refused_is_not_answered_and_no_error() -> None:
    """A server that takes what it can and says so to the others."""
    free_at = [0.0]

    def shedding(_: int) -> bytes:
        now = time.monotonic()
        if free_at[0] - now > 0.022:
            return REFUSED
        free_at[0] = max(free_at[0], now) + 0.005
        gevent.sleep(free_at[0] - now)
        return RIGHT

    timing = Timing(capacity=(0.2,), settle=0.0, before=0.1, overload=0.4, after=0.5)
    with closing(Served(shedding)) as served:
        taken = Overload(["served"], line=line(), timing=timing).take("served", Standing(served))
    values = taken.values
    # How much is the machine's matter: a closed loop that others disturbed has shown too little.
    assert values["goodput_rate"] == pytest.approx(values["goodput_share"] * values["capacity_rate"])
    assert values["refused_share"] > 0
    assert values["errors_share"] == values["late_share"] == values["unsent_share"] == 0.0
    assert values["refused_share"] + values["goodput_share"] / 2 == pytest.approx(1.0, abs=0.02)
    # Whoever was sent away is counted, whether or not anything failed.
    assert values["away_share"] == pytest.approx(values["refused_share"])
    assert [row["at_s"] for row in taken.rows] == pytest.approx([number / 10 for number in range(-1, 9)])
    assert sum(row["refused_share"] for row in taken.rows if 0 <= row["at_s"] < 0.4) > 0


@pytest.mark.usefixtures("wrk")
def test_who_was_not_overrun_is_told() -> None:
    """Its closed loop was slower than it can: each of its few callers waits for it, and an open loop's do not."""

    def waiting(_: int) -> bytes:
        gevent.sleep(0.02)
        return RIGHT

    timing = Timing(capacity=(0.1,), settle=0.0, before=0.1, overload=0.1, after=0.1)
    with closing(Served(waiting)) as served:
        taken = Overload(["served"], line=line(), timing=timing).take("served", Standing(served))
    assert "hardly overrun: it did more than in its closed loop" in taken.notes
    # A tenth of a second is too short to see it back: then there is no time for it, whatever was waited.
    assert "not back within 0.1 s" in taken.notes
    assert math.isnan(taken.values["back_s"])
