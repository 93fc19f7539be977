"""The five scenarios: what happens, and what is promised of it.

Each begins with calm.  Promises about an end ("within 3 s") count from the instant at which the trouble ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from bench.report import median
from bench.sim.endpoint import Condition
from bench.sim.plan import Rules, Size
from bench.sim.verdicts import (
    Promise,
    Story,
    answered,
    at_sick_per_s,
    fairness,
    limits_to_workers,
    overdrawn,
    seconds_until,
)
from bench.sim.world import BIN_S, Bin, World

__all__ = ["SCENARIOS"]

#: The share of what the endpoints can do that is asked in calm.
CALM = 0.6
CALM_S = 10.0


def calm(size: Size, rules: Rules) -> Story:
    """Nothing happens, and none of the guards is to be noticed."""
    world = World(size, rules)
    world.run(2 * CALM_S, load=CALM)
    bins = world.between(2.0, 2 * CALM_S)
    retries = sum(each.retries for each in bins) / sum(each.calls for each in bins)
    return _story(
        world, "calm", "calm: 60 % of what the endpoints can do", 0.0, 0.0,
        [
            Promise("calls answered", 99.9, answered(bins), "%"),
            Promise("retries a call", 0.01, retries, "", "most"),
            Promise("endpoints shut out, of all pairs", 0, max(each.shut_out for each in bins), "", "most"),
        ],
    )  # fmt: skip


def overload(size: Size, rules: Rules) -> Story:
    """Five times what all endpoints together can do."""
    world = World(size, rules)
    # Long enough that every gateway knows what an unloaded call takes: real ones have known it for hours.
    began, lasts = 3 * CALM_S, 20.0
    world.run(began, load=CALM)
    world.run(lasts / 2, load=5.0)
    good_before = [gateway.good for gateway in world.gateways]
    world.run(lasts / 2)
    ended = began + lasts
    shares = [gateway.good - before for gateway, before in zip(world.gateways, good_before, strict=True)]
    world.run(CALM_S, load=CALM)
    whole, late = world.between(began, ended), world.between(began + lasts / 2, ended)
    peak = size.capacity_per_s * lasts
    limits = limits_to_workers(world, late)
    shut, pairs = max(each.shut_out for each in late), size.gateways * size.members
    return _story(
        world, "overload", "five times what the endpoints can do", began, ended,
        [
            Promise("goodput, of what the endpoints can do, second half", 90, 200 * _good(late) / peak, "%"),
            Promise("goodput is there after", 10, _settled(world, began, ended), "s", "most"),
            Promise("high priority answered, to normal, second half", 3, answered(late, 0) / answered(late, 1), "x"),
            Promise("limits for each worker, second half, at least", 0.8, limits, ""),
            # The tolerated queue is 2, what each limit tries beside it and the floors of forty gateways are the rest.
            Promise("limits for each worker, second half, at most", 4.5, limits, "", "most"),
            Promise("fairness between gateways (Jain), second half", 0.55, fairness(shares), ""),
            Promise("endpoints shut out, of all pairs, second half", 50, 100 * shut / pairs, "%", "most"),
            Promise("retries, of their budget, worst gateway", 1, overdrawn(world, began, ended), "", "most"),
            # Calls that began before the end may fail until their deadline, 4 s later.
            Promise("back to 99 % answered", 5, _back(world, ended, 99.0), "s", "most"),
        ],
        [
            _amplification(whole),
            f"second half, at worst: {100 * _worst(late):.0f} % of one endpoint's gateways shut it out at a time",
            f"goodput over all of it: {100 * _good(whole) / peak:.0f} %; second half, by priority: "
            + ", ".join(f"{answered(late, each):.0f} %" for each in range(3)) + " answered",
        ],
    )  # fmt: skip


def third_dies(size: Size, rules: Rules) -> Story:
    """A third of the endpoints dies, one half refusing and one half hanging, and comes back."""
    sick = range(0, size.endpoints, 3)
    world = World(size, rules, sick=sick)
    began, lasts, after = CALM_S, 15.0, 20.0
    world.run(began, load=0.5)
    for number in sick:
        world.endpoints[number].breaks(began, Condition.HANGING if number % 2 else Condition.REFUSING)
    world.run(lasts)
    ended = began + lasts
    for number in sick:
        world.endpoints[number].returns(ended)
    world.run(after)
    usual = at_sick_per_s(world.between(4.0, began))
    gone = world.between(began, ended)
    return _story(
        world, "third", "a third of the endpoints dies and comes back", began, ended,
        [
            Promise("calls answered while they are gone", 97, answered(gone), "%"),
            Promise("the same from 3 s on", 98, answered(world.between(began + 3.0, ended)), "%"),
            Promise("attempts at the dead from 2 s on, of the usual",
                    10, 100 * at_sick_per_s(world.between(began + 2.0, ended)) / usual, "%", "most"),
            Promise("a living endpoint's gateways that shut it out", 50, 100 * _worst(gone), "%", "most"),
            Promise("retries, of their budget, worst gateway", 1, overdrawn(world, began, ended), "", "most"),
            Promise("back to 99.5 % answered", 2, _back(world, ended, 99.5), "s", "most"),
            Promise("attempts at the returned, of the usual, last 5 s",
                    80, 100 * at_sick_per_s(world.between(ended + after - 5.0, ended + after)) / usual, "%"),
        ],
        [_amplification(gone)],
    )  # fmt: skip


def one_slow(size: Size, rules: Rules) -> Story:
    """One endpoint takes ten times as long, while its health page smiles."""
    sick = (0,)
    world = World(size, rules, sick=sick)
    began, lasts, after = CALM_S, 20.0, 20.0
    world.run(began, load=CALM)
    world.endpoints[0].slowness = 10.0
    world.run(lasts)
    ended = began + lasts
    world.endpoints[0].slowness = 1.0
    world.run(after)
    usual = at_sick_per_s(world.between(4.0, began))
    slow = world.between(began, ended)
    late = world.between(began + 5.0, ended)
    return _story(
        world, "slow", "one endpoint turns ten times slower", began, ended,
        [
            Promise("calls answered", 99.5, answered(slow), "%"),
            Promise("attempts at it from 3 s on, of the usual",
                    10, 100 * at_sick_per_s(world.between(began + 3.0, ended)) / usual, "%", "most"),
            Promise("p99 from 5 s on, of that before (medians of half seconds)", 150,
                    100 * median([each.p99_s for each in late])
                    / median([each.p99_s for each in world.between(4.0, began)]), "%", "most"),
            Promise("another endpoint's gateways that shut it out", 0, 100 * _worst(slow), "%", "most"),
            Promise("attempts at it when it is back, of the usual, last 5 s",
                    50, 100 * at_sick_per_s(world.between(ended + after - 5.0, ended + after)) / usual, "%"),
        ],
        [_amplification(slow)],
    )  # fmt: skip


def outage(size: Size, rules: Rules) -> Story:
    """Nothing answers, then everything does; without active probes, so that the calls themselves must find out."""
    world = World(size, rules, sick=range(size.endpoints), probes=False)
    began, lasts = CALM_S, 20.0
    world.run(began, load=CALM)
    for endpoint in world.endpoints:
        endpoint.breaks(began, Condition.REFUSING)
    world.run(lasts)
    ended = began + lasts
    for endpoint in world.endpoints:
        endpoint.returns(ended)
    world.run(2 * CALM_S)
    usual = at_sick_per_s(world.between(4.0, began))
    gone = world.between(began, ended)
    return _story(
        world, "outage", "all endpoints refuse, and come back", began, ended,
        [
            Promise("retries, of their budget, worst gateway", 1, overdrawn(world, began, ended), "", "most"),
            Promise("attempts from 2 s on, of the usual",
                    50, 100 * at_sick_per_s(world.between(began + 2.0, ended)) / usual, "%", "most"),
            Promise("back to 99 % answered", 5, _back(world, ended, 99.0), "s", "most"),
        ],
        [_amplification(gone)],
    )  # fmt: skip


SCENARIOS: Mapping[str, Callable[[Size, Rules], Story]] = {
    "calm": calm,
    "overload": overload,
    "third": third_dies,
    "slow": one_slow,
    "outage": outage,
}


def _story(
    world: World,
    name: str,
    title: str,
    began_at: float,
    ended_at: float,
    promises: list[Promise],
    notes: list[str] | None = None,
) -> Story:
    return Story(
        name=name,
        title=title,
        began_at=began_at,
        ended_at=ended_at,
        record=world.record,
        promises=promises,
        notes=notes or [],
        capacity_per_s=world.size.capacity_per_s,
    )


def _good(bins: list[Bin]) -> int:
    return sum(each.good for each in bins)


def _settled(world: World, began_at: float, ended_at: float) -> float:
    """Return after how long there were nine tenths of the capacity in good answers, over five seconds."""
    bins = world.between(began_at, ended_at)
    count = round(5.0 / BIN_S)
    enough = 0.9 * world.size.capacity_per_s * 5.0
    starts = (start for start in range(len(bins) - count) if _good(bins[start : start + count]) >= enough)
    # The answers of the first second are to calls from before.
    first = next((start for start in starts if start * BIN_S >= 2.0), None)
    return inf if first is None else first * BIN_S


def _worst(bins: list[Bin]) -> float:
    return max(each.shut_out_worst for each in bins)


def _back(world: World, ended_at: float, percent: float) -> float:
    return seconds_until(
        world.between(ended_at, world.timeline.now), lambda each: answered([each]) >= percent, ended_at
    )


def _amplification(bins: list[Bin]) -> str:
    calls, attempts = sum(each.calls for each in bins), sum(each.attempts for each in bins)
    return f"{attempts / calls:.2f} attempts a call, {attempts / (len(bins) * BIN_S):,.0f} a second"
