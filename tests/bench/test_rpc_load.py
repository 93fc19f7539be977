"""Calls at a fixed rate, and what is read out of them."""

from __future__ import annotations

import time

import gevent
import pytest

from bench.rpc.backend import SLOT_S, Counted
from bench.rpc.failing import attempts_ratio
from bench.rpc.load import GOOD, Called, Load, p_ms, slot, told
from bench.rpc.overload import Seen, Step
from bench.rpc.series import Series, series
from bench.rpc.sick import falls_s, recovers_s

AT = 1_000.0


def test_as_many_calls_begin_as_were_asked_for() -> None:
    """Of all targets in turn, whatever becomes of them; numbers go on from one load to the next."""
    asked: list[tuple[int, int]] = []

    def ask(to: int, number: int) -> str:
        asked.append((to, number))
        return GOOD if to else "refused"

    load = Load(ask, targets=2)
    load.run(1_000, 0.02)
    load.run(500, 0.02)
    load.finish()
    assert sorted(asked) == sorted((number % 2, number) for number in range(30))
    assert sum(call.good for call in load.calls) == 15
    assert told({"good": 2, "refused": 1_500}) == "1,500 refused, 2 good"


def test_latency_counts_from_when_a_call_was_meant_to_begin() -> None:
    """A client that stands still is charged for all who would have called meanwhile."""

    def ask(_: int, number: int) -> str:
        if number == 0:
            stand_still_until(time.monotonic() + 0.1)
        return GOOD

    load = Load(ask)
    load.run(100, 0.1)
    load.finish()
    # The second was meant to begin 10 ms after the first, which stood in the way for 100.
    second = sorted(load.calls, key=lambda call: call.intended_at)[1]
    assert second.latency_s >= 0.08


def test_a_crash_ends_the_run() -> None:
    """A wrong answer is one."""

    def ask(_: int, number: int) -> str:
        gevent.sleep(0)
        assert number, "asked for /0, got /1"
        return GOOD

    load = Load(ask)
    load.run(1_000, 0.005)
    with pytest.raises(AssertionError, match="got /1"):
        load.finish()


def test_a_series_puts_beginnings_ends_and_arrivals_where_they_belong() -> None:
    """A call that began in the first tenth and failed in the third is in both."""
    calls = [called(0.01, 0.25, "timeout"), called(0.05, 0.06), called(0.15, 0.19)]
    seen = series(calls, [Counted({slot(AT): 1}, {}), Counted({slot(AT): 1, slot(AT) + 1: 4}, {})], AT, 0.29)
    assert seen.offered == [2, 1, 0]
    assert seen.good == [1, 1, 0]
    assert seen.bad == [0, 0, 1]
    assert seen.arrived == [2, 4, 0]
    assert seen.worst_ms == pytest.approx([240, 40, 0])
    assert p_ms(calls, 0.99) == pytest.approx(240)


def test_a_load_has_fallen_when_nothing_but_probes_follows() -> None:
    """The last busy tenth of a second counts, also when it was quiet before; what came before the illness does not."""
    first = slot(AT)
    counted = {first - 1: 25, first: 25, first + 1: 25, first + 9: 3, first + 12: 4, first + 30: 3, first + 80: 25}
    assert falls_s(Counted(counted, {}), AT, AT + 8) == pytest.approx(1.3)
    assert falls_s(Counted({first: 25, first + 5: 3}, {first + 6: 100}), AT, AT + 8) == 0.0


def test_service_is_back_when_no_call_fails_any_more() -> None:
    """By when it began; failures of before do not count."""
    calls = [called(-1.0, 1.0, "timeout"), called(0.2, 0.3), called(0.7, 0.8, "refused"), called(1.0, 1.1)]
    assert recovers_s(calls, AT) == pytest.approx(0.7)
    assert recovers_s(calls[:2], AT) == 0.0


def test_attempts_are_held_against_calls_over_every_long_stretch() -> None:
    """A storm of ten seconds is not excused by ten quiet ones before it; ten attempts a second are free."""
    calm, storm = [21] * 100, [41] * 100
    begun = 10 / 2_000  # the second that has begun
    assert attempts_ratio(arrivals([20] * 200, calm + storm)) == pytest.approx(2.0 - begun)
    assert attempts_ratio(arrivals([20] * 100, calm)) == pytest.approx(1.0 - begun)
    # A shorter run is one stretch.
    assert attempts_ratio(arrivals([20] * 20, [21] * 10 + [61] * 10)) == pytest.approx(2.0 - 10 / 400)


def test_goodput_under_the_highest_load_is_held_against_its_peak() -> None:
    """Also when the load has fallen again afterwards."""
    steps = [Step(load=load, goodput=goodput, p99_ms=1.0) for load, goodput in ((1, 400), (5, 300), (0.8, 320))]
    assert Seen(steps=steps, outcomes={}, series=arrivals([], [])).goodput_share() == 0.75


def called(begin_s: float, end_s: float, outcome: str = GOOD) -> Called:
    return Called(AT + begin_s, AT + end_s, 0, outcome)


def arrivals(offered: list[int], arrived: list[int]) -> Series:
    nothing = [0] * len(offered)
    assert SLOT_S == 0.1
    return Series(offered=offered, good=nothing, bad=nothing, arrived=arrived, worst_ms=[0.0] * len(offered))


def stand_still_until(at: float) -> None:
    while time.monotonic() < at:
        pass
