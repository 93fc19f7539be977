"""Failing backends: one of three that answers 500, and an outage of all of them.

In an outage the question is what is done to the backends: retries that nothing holds back would keep them down.  Their
own counters say how many attempts came.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

import click
import msgspec

from bench.report import Report
from bench.rpc.backend import SLOT_S, Order
from bench.rpc.backends import backends
from bench.rpc.load import GOOD, Load, told
from bench.rpc.series import Series, series
from bench.rpc.stage import asker, play
from gateway.domain.resilience.health import Event
from gateway.rpc import RpcClient, Service
from gateway.settings.rpc import RpcSettings

__all__ = ["Plan", "Seen", "attempts_ratio", "measure", "one_of_three", "outage"]

ENDPOINTS, FAILING = 3, 0
SERVICE_S, DEADLINE_S = 0.01, 1.0
ERRORS_GOAL_PERCENT, ATTEMPTS_GOAL = 1.0, 1.2
#: Attempts a second that are free; of the second that has begun, too.
FREE_PER_S = 10.0
#: Seconds of the shortest stretch that must keep the promise: the retry budget's window.
STRETCH_S = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long what lasts."""

    rate: float = 200.0
    #: Seconds before all of them fail.
    well_s: float = 0.0
    failing_s: float = 30.0
    #: No circuit breaks: the retry budget is alone.
    breakers: bool = True


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw."""

    outcomes: dict[str, int]
    series: Series
    #: Attempts less those that are free, for each call.
    attempts_ratio: float

    @property
    def error_percent(self) -> float:
        """Return how many of a hundred callers did not get what they wanted."""
        return 100 * (1 - self.outcomes.get(GOOD, 0) / sum(self.outcomes.values()))


def one_of_three(plan: Plan) -> Seen:
    """One answers 500 from before the first call."""
    return _run(plan, [FAILING], 500)


def outage(plan: Plan) -> Seen:
    """All of them answer 503."""
    return _run(plan, range(ENDPOINTS), 503)


def _run(plan: Plan, failing: Sequence[int], status: int) -> Seen:
    with backends(ENDPOINTS) as running:
        running.order_all(Order("be", service_s=SERVICE_S))
        client = RpcClient(RpcSettings())
        service = Service("service", running.urls)
        if not plan.breakers:
            for url in running.urls:
                client.command(f"service@{url.removeprefix('http://')}", Event.METRICS_ONLY)
        load = Load(asker(client, [service], deadline_s=DEADLINE_S, idempotent=True))
        began_at = time.monotonic()
        load.run(plan.rate, plan.well_s)
        for at in failing:
            running.order(Order("be", at, service_s=SERVICE_S, status=status))
        load.run(plan.rate, plan.failing_s)
        seconds = time.monotonic() - began_at
        load.finish()
        seen = series(load.calls, running.report(), began_at, seconds)
    return Seen(
        outcomes=Counter(call.outcome for call in load.calls),
        series=seen,
        attempts_ratio=attempts_ratio(seen),
    )


def attempts_ratio(seen: Series) -> float:
    """Return attempts less the free ones for each call, of that stretch that is worst."""
    calls = [0, *accumulate(seen.offered)]
    attempts = [0, *accumulate(seen.arrived)]
    shortest = min(len(seen.offered), round(STRETCH_S / SLOT_S))
    worst = 0.0
    for begin in range(len(seen.offered)):
        for end in range(begin + shortest, len(calls)):
            free = FREE_PER_S * (SLOT_S * (end - begin) + 1)
            worst = max(worst, (attempts[end] - attempts[begin] - free) / max(1, calls[end] - calls[begin]))
    return worst


def measure(report: Report) -> None:
    """Play both; the outage with and without circuit breakers, at once and after a good while."""
    failing_s, outage_s = (10.0, 2.0) if report.quick else (30.0, 15.0)
    outages = {
        "outage": Plan(failing_s=outage_s),
        "outage, no breakers": Plan(failing_s=outage_s, breakers=False),
    }
    if not report.quick:
        outages["outage after 12 s"] = Plan(well_s=12.0, failing_s=outage_s)
        outages["outage after 12 s, no breakers"] = Plan(well_s=12.0, failing_s=outage_s, breakers=False)
    seen = {}
    with click.progressbar(length=1 + len(outages), label="failing") as progress:
        third = play(one_of_three, Plan(failing_s=failing_s))
        progress.update(1)
        for name, plan in outages.items():
            seen[name] = play(outage, plan)
            progress.update(1)
    click.echo(f"\nOne of three endpoints answers 500, {Plan().rate:.0f} idempotent calls/s, {failing_s:.0f} s")
    click.echo(f"  {told(third.outcomes)}")
    click.echo("All of them answer 503")
    for name, each in seen.items():
        click.echo(f"  {name:<32} {each.attempts_ratio:.2f} attempts a call; {told(each.outcomes)}")
    report.goal("one of three fails: errors that callers see", ERRORS_GOAL_PERCENT, third.error_percent, "%", "most")
    worst = max(each.attempts_ratio for each in seen.values())
    report.goal("outage: attempts beyond 10/s, for each call", ATTEMPTS_GOAL, worst, "x", "most")
    report.add("one_of_three", third)
    report.add("outage", seen)
