"""Overload: one backend with a fixed number of workers, asked for up to five times what they can do.

What counts is goodput: answers that came within their caller's deadline.  A backend works on what nobody waits for any
more, so without a limit everybody's answer comes too late.
"""

from __future__ import annotations

import time
from collections import Counter

import click
import msgspec

from bench.report import Report
from bench.rpc.backend import Order
from bench.rpc.backends import backends
from bench.rpc.load import Load, p_ms, told
from bench.rpc.series import Series, series
from bench.rpc.stage import asker, play
from gateway.domain.resilience.health import Event
from gateway.rpc import RpcClient, Service
from gateway.settings.rpc import RpcSettings

__all__ = ["Plan", "Seen", "Step", "measure", "scene"]

WORKERS, SERVICE_S, DEADLINE_S = 8, 0.02, 0.5
#: Answers a second that the backend can give.
CAPACITY = WORKERS / SERVICE_S
#: Seconds after a change of load that are not in a step's numbers: what was let in at once when it came, a backend
#: works off for as long as that, and nobody waits for it any more.
SETTLES_S = 2.0
OVERLOAD, GOODPUT_GOAL = 5.0, 0.9


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Multiples of what the backend can do, one after the other."""

    loads: tuple[float, ...] = (0.5, 0.8, 1.0, 1.5, 2.0, 3.0, OVERLOAD, 0.8)
    step_s: float = 5.0
    #: The adaptive limit stays at its ceiling, and no circuit breaks.
    guarded: bool = True


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One load."""

    load: float
    #: Answers in time, a second.
    goodput: float
    #: Of the calls that were answered in time.
    p99_ms: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw."""

    steps: list[Step]
    outcomes: dict[str, int]
    series: Series

    def goodput_share(self) -> float:
        """Return the goodput at the highest load as a share of the highest goodput."""
        return max(self.steps, key=lambda step: step.load).goodput / max(step.goodput for step in self.steps)


def scene(plan: Plan) -> Seen:
    """Play it."""
    settings = RpcSettings()
    with backends(1) as running:
        running.order(Order("be", service_s=SERVICE_S, workers=WORKERS))
        client = RpcClient(settings if plan.guarded else RpcSettings(limit_floor=settings.connections_max))
        if not plan.guarded:
            client.command("service", Event.METRICS_ONLY)
        load = Load(asker(client, [Service("service", running.urls)], deadline_s=DEADLINE_S, idempotent=True))
        began_at = time.monotonic()
        begun: list[float] = []
        for each in plan.loads:
            begun.append(time.monotonic())
            load.run(each * CAPACITY, plan.step_s)
        ended_at = time.monotonic()
        load.finish()
        counted = running.report()
    in_time = [call for call in load.calls if call.good and call.latency_s <= DEADLINE_S]
    steps = []
    for each, step_at, next_at in zip(plan.loads, begun, [*begun[1:], ended_at], strict=True):
        settled_at = step_at + min(SETTLES_S, plan.step_s / 2)
        good = [call for call in in_time if settled_at <= call.ended_at < next_at]
        goodput = len(good) / (next_at - settled_at)
        steps.append(Step(load=each, goodput=goodput, p99_ms=p_ms(good, 0.99) if good else 0.0))
    return Seen(
        steps=steps,
        outcomes=Counter(call.outcome for call in load.calls),
        series=series(load.calls, counted, began_at, ended_at - began_at),
    )


def measure(report: Report) -> None:
    """Play it; in a whole run once more without guards, and once with a load that comes all at once."""
    plans = {"guarded": Plan(loads=(1.0, OVERLOAD), step_s=4.5) if report.quick else Plan()}
    if not report.quick:
        plans["unguarded"] = Plan(guarded=False)
        plans["guarded, all at once"] = Plan(loads=(0.5, OVERLOAD, OVERLOAD, 0.5))
    seen = {}
    with click.progressbar(length=len(plans), label="overload") as progress:
        for name, plan in plans.items():
            seen[name] = play(scene, plan)
            progress.update(1)
    click.echo(f"\nA backend that can give {CAPACITY:.0f} answers a second; goodput within {DEADLINE_S:g} s")
    for name, each in seen.items():
        click.echo(f"  {name}: {told(each.outcomes)}")
        for step in each.steps:
            click.echo(f"    load {step.load:>4.1f}x  {step.goodput:>6.0f}/s  p99 {step.p99_ms:>6.1f} ms")
    share = seen["guarded"].goodput_share()
    report.goal("overload of 5x: goodput to its peak", GOODPUT_GOAL, share, "x")
    report.add("overload", seen)
