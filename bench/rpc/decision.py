"""What the guards decide for each call, and what that costs: the domain's own code, in the order of a call.

The clock is a number that goes on by 25 µs a call, so that windows turn as they do at 40,000 calls a second.  Beside
it two circuit breakers around a function that does nothing.
``python -m bench.rpc.decision`` runs ours once and prints JSON, on the core that it was started on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import msgspec

from bench.needs import CLIENTS, PEERS, missing
from bench.report import Report, median
from bench.stack import GATEWAY_CPU, ROOT, pinned
from gateway.domain.resilience.budget import RetryBudget
from gateway.domain.resilience.gate import Gate, GateRules
from gateway.domain.resilience.health import Health, HealthRules, Permit, Verdict
from gateway.domain.resilience.limiter import ConcurrencyLimit, LimitRules
from gateway.domain.resilience.priority import Priority

__all__ = ["PATHS", "measure", "ours"]

GOAL_US = 5.0
CALLS = 200_000
#: Seconds between two calls, and from a call's begin to its answer's head.
STEP_S, ANSWER_S = 25e-6, 1.5e-3
TOGETHER = "together"


def breaker(calls: int) -> None:
    """Admit and settle."""
    health, ok = Health(HealthRules()), Verdict.OK
    now = 0.0
    for _ in range(calls):
        now += STEP_S
        permit = health.admit(now, 10.0)
        assert isinstance(permit, Permit)
        health.settle(permit, ok, now)


def gate_and_limiter(calls: int) -> None:
    """Take a slot, tell the limiter how long the answer took, give the slot back."""
    limit = ConcurrencyLimit(LimitRules())
    gate, normal = Gate(GateRules(), limit), Priority.NORMAL
    now = 0.0
    for _ in range(calls):
        now += STEP_S
        assert gate.enter(normal, "")
        limit.sample(now, ANSWER_S, gate.in_flight)
        gate.leave("")


def budget(calls: int) -> None:
    """Earn a share of a retry."""
    earned = RetryBudget()
    now = 0.0
    for _ in range(calls):
        now += STEP_S
        earned.deposit(now)


def together(calls: int) -> None:
    """All of them, as one call after the other makes them."""
    health, ok = Health(HealthRules()), Verdict.OK
    limit, earned = ConcurrencyLimit(LimitRules()), RetryBudget()
    gate, normal = Gate(GateRules(), limit), Priority.NORMAL
    now = 0.0
    for _ in range(calls):
        now += STEP_S
        earned.deposit(now)
        permit = health.admit(now, 10.0)
        assert isinstance(permit, Permit)
        assert gate.enter(normal, "")
        limit.sample(now, ANSWER_S, gate.in_flight)
        gate.leave("")
        health.settle(permit, ok, now)


PATHS: Mapping[str, Callable[[int], None]] = {
    "breaker": breaker,
    "gate and limiter": gate_and_limiter,
    "budget": budget,
    TOGETHER: together,
}


def ours() -> dict[str, float]:
    """Return the microseconds of each path; the loop itself, some 20 ns a call, is in them."""
    found = {}
    for name, path in PATHS.items():
        began = time.perf_counter()
        path(CALLS)
        found[name] = 1e6 * (time.perf_counter() - began) / CALLS
    return found


def measure(report: Report) -> None:
    """Let ours and the others take turns."""
    lack = missing(("http clients",))
    rounds: dict[str, list[float]] = {}
    with click.progressbar(range(2 if report.quick else 5), label="guards ") as progress:
        for _ in progress:
            said = _run([sys.executable, "-m", "bench.rpc.decision"])
            if not lack:
                said |= _run([sys.executable, str(PEERS / "rpc" / "breakers.py")])
            for name, cost_us in said.items():
                rounds.setdefault(name, []).append(cost_us)
    click.echo("\nWhat the guards decide for a call that goes well")
    for name, costs_us in rounds.items():
        click.echo(f"  {name:<28} {median(costs_us):>9.2f} µs ({min(costs_us):.2f} to {max(costs_us):.2f})")
    report.goal("breaker, limiter and budget: one call", GOAL_US, median(rounds[TOGETHER]), "µs", "most")
    if lack:
        report.note(f"other breakers are left out: {lack}")
    report.add("guards_us", rounds)


def _run(argv: list[str]) -> dict[str, float]:
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{CLIENTS}"}
    with pinned(GATEWAY_CPU):
        done = subprocess.run(argv, cwd=Path(ROOT), env=env, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=dict[str, float])


if __name__ == "__main__":
    print(msgspec.json.encode(ours()).decode())
