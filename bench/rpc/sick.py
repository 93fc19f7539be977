"""A sick backend: four services under steady load, one of which turns slow, then dead, then is back.

The other three are measured against two runs in which nothing happens.  The sick one's load is what its own process
counted, not what the client says.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import click
import msgspec

from bench.report import Report
from bench.rpc.backend import SLOT_S, Counted, Order
from bench.rpc.backends import backends
from bench.rpc.load import Called, Load, p_ms, slot, told
from bench.rpc.series import Series, series
from bench.rpc.stage import asker, play
from gateway.rpc import Policy, RpcClient, Service
from gateway.settings.rpc import RpcSettings

__all__ = ["Plan", "Seen", "falls_s", "measure", "recovers_s", "scene"]

SICK, SERVICES = 0, 4
#: Seconds that a healthy backend takes, a sick one does, and a caller waits.
SERVICE_S, HANG_S, DEADLINE_S = 0.01, 5.0, 2.0
#: From here on a call is slow: ten times what it takes.
SLOW_S = 0.1
#: So many calls in a tenth of a second are probes of a half-open circuit; the load is 25.
PROBES = 3
FALLS_GOAL_S, RECOVERS_GOAL_S, P99_GOAL = 2.0, 2.0, 1.10


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long what lasts."""

    disturbed: bool
    #: Calls a second to each service.
    rate: float = 250.0
    warm_s: float = 2.0
    well_s: float = 4.0
    slow_s: float = 8.0
    dead_s: float = 6.0
    back_s: float = 6.0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw; the times are seconds since it was warm."""

    slow_at_s: float
    dead_at_s: float
    back_at_s: float
    p50_ms: float
    p99_ms: float
    others: Series
    others_outcomes: dict[str, int]
    sick: Series
    sick_outcomes: dict[str, int]
    falls_s: float
    recovers_s: float


def scene(plan: Plan) -> Seen:
    """Play it."""
    with backends(SERVICES) as running:
        running.order_all(Order("be", service_s=SERVICE_S))
        client = RpcClient(RpcSettings())
        policy = Policy(probe_path="/healthz", slow_s=SLOW_S)
        services = [Service(f"service-{at}", (url,), policy=policy) for at, url in enumerate(running.urls)]
        load = Load(asker(client, services, deadline_s=DEADLINE_S, idempotent=False), SERVICES)
        rate = SERVICES * plan.rate

        load.run(rate, plan.warm_s)
        began_at = time.monotonic()
        load.run(rate, plan.well_s)
        slow_at = time.monotonic()
        if plan.disturbed:
            running.order(Order("be", SICK, service_s=HANG_S))
        load.run(rate, plan.slow_s)
        dead_at = time.monotonic()
        if plan.disturbed:
            running.order(Order("close", SICK))
        load.run(rate, plan.dead_s)
        back_at = time.monotonic()
        running.order(Order("be", SICK, service_s=SERVICE_S))
        if plan.disturbed:
            running.order(Order("open", SICK))
        load.run(rate, plan.back_s)
        load.finish()
        counted = running.report()

    calls = [call for call in load.calls if call.intended_at >= began_at]
    others = [call for call in calls if call.to != SICK]
    sick = [call for call in calls if call.to == SICK]
    seconds = plan.well_s + plan.slow_s + plan.dead_s + plan.back_s
    return Seen(
        slow_at_s=slow_at - began_at,
        dead_at_s=dead_at - began_at,
        back_at_s=back_at - began_at,
        p50_ms=p_ms(others, 0.5),
        p99_ms=p_ms(others, 0.99),
        others=series(others, [each for at, each in enumerate(counted) if at != SICK], began_at, seconds),
        others_outcomes=Counter(call.outcome for call in others),
        sick=series(sick, [counted[SICK]], began_at, seconds),
        sick_outcomes=Counter(call.outcome for call in sick),
        falls_s=falls_s(counted[SICK], slow_at, dead_at),
        recovers_s=recovers_s(sick, back_at),
    )


def falls_s(counted: Counted, slow_at: float, dead_at: float) -> float:
    """Return the seconds from falling ill until the last tenth of a second with more calls than probes."""
    # The slot in which it fell ill is full of calls that nobody can blame.
    busy = [number for number in range(slot(slow_at) + 1, slot(dead_at)) if counted.calls.get(number, 0) > PROBES]
    return (busy[-1] + 1) * SLOT_S - slow_at if busy else 0.0


def recovers_s(calls: Sequence[Called], back_at: float) -> float:
    """Return the seconds from coming back until the last call began that did not go well."""
    return max([0.0, *(call.intended_at - back_at for call in calls if not call.good)])


def measure(report: Report) -> None:
    """Play it three times: twice nothing happens."""
    if report.quick:
        calm = Plan(disturbed=False, warm_s=0.5, well_s=1.0, slow_s=1.0, dead_s=1.0, back_s=1.0)
        ill = Plan(disturbed=True, warm_s=0.5, well_s=0.5, slow_s=3.5, dead_s=2.0, back_s=3.0)
    else:
        calm, ill = Plan(disturbed=False), Plan(disturbed=True)
    with click.progressbar([calm, calm, ill], label="sick   ") as plans:
        *undisturbed, seen = [play(scene, plan) for plan in plans]
    calm_ms = [each.p99_ms for each in undisturbed]
    click.echo(f"\nOne of four services turns slow, dead, and is back ({ill.rate:,.0f} calls/s to each)")
    click.echo(
        f"  the others' p99 undisturbed  {calm_ms[0]:.1f} and {calm_ms[1]:.1f} ms, meanwhile {seen.p99_ms:.1f} ms"
    )
    click.echo(f"  the others' calls            {told(seen.others_outcomes)}")
    click.echo(f"  the sick one's calls         {told(seen.sick_outcomes)}")
    report.goal("sick backend: the others' p99 to the undisturbed", P99_GOAL, seen.p99_ms / max(calm_ms), "x", "most")
    report.goal("sick backend: its load falls to probes within", FALLS_GOAL_S, seen.falls_s, "s", "most")
    report.goal("sick backend: normal service after its return", RECOVERS_GOAL_S, seen.recovers_s, "s", "most")
    report.add("sick", {"undisturbed": undisturbed, "disturbed": seen})
