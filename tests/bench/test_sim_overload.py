"""The simulated fleet: its endpoints' arithmetic, its books, and whether its promises see what they should."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import repeat
from math import inf
from pathlib import Path

import msgspec
import pytest

from bench.report import Report
from bench.sim.endpoint import NETWORK_S, Condition, Endpoint, Outcome
from bench.sim.plan import Rules, Size
from bench.sim.scenarios import SCENARIOS
from bench.sim.timeline import Timeline
from bench.sim.verdicts import Story, answered, fairness, overdrawn, seconds_until
from bench.sim.world import Bin, World
from bench.sim_overload import play
from gateway.domain.resilience.balance import BalanceRules
from gateway.domain.resilience.health import HealthRules
from gateway.domain.resilience.limiter import LimitRules
from gateway.domain.resilience.retry import RetryRules

SMALL = Size(gateways=18, endpoints=6, members=3, workers=24)
NO_BREAKER = HealthRules(calls_min=10**9, connect_failures_max=10**9, probe_failures_max=10**9)


def kept(story: Story) -> dict[str, bool]:
    """Return for each promise of *story* whether it was kept."""
    report = Report("test", quick=True)
    for promise in story.promises:
        report.goal(promise.name, promise.bound, promise.measured, promise.unit, promise.at)
    return {goal.name: goal.ok for goal in report.goals}


def endpoint(workers: int = 2, service_s: float = 1.0, wait_max_s: float = 2.0) -> Endpoint:
    return Endpoint(workers, wait_max_s, repeat(service_s))  # type: ignore[arg-type]


def test_time_goes_on_in_order() -> None:
    """Events of one instant happen as planned; one that is planned meanwhile has its turn too."""
    timeline, seen = Timeline(), []

    def note(name: str) -> None:
        seen.append((timeline.now, name))
        if name == "first":
            timeline.at(2.0, note, "later")

    for when, name in [(3.0, "last"), (1.0, "first"), (1.0, "second"), (9.0, "never")]:
        timeline.at(when, note, name)
    timeline.run_until(5.0)
    assert seen == [(1.0, "first"), (1.0, "second"), (2.0, "later"), (3.0, "last")]
    assert timeline.now == 5.0


def test_an_endpoint_serves_as_many_at_once_as_it_has_workers() -> None:
    """The others wait their turn; who would wait for too long is told at once."""
    one = endpoint()
    ends = [one.arrive(0.0) for _ in range(7)]
    assert ends[:6] == [(at, Outcome.OK) for at in (1.0, 1.0, 2.0, 2.0, 3.0, 3.0)]
    assert ends[6] == (NETWORK_S, Outcome.BUSY)
    assert one.arrive(2.5) == (4.0, Outcome.OK)
    assert one.arrived == 8


def test_what_breaks_refuses_or_hangs_and_comes_back_with_an_empty_queue() -> None:
    """And its health page says so; slowness is not on it."""
    one = endpoint()
    for _ in range(6):
        one.arrive(0.0)
    one.breaks(1.0, Condition.REFUSING)
    assert one.arrive(1.0) == (1.0 + NETWORK_S, Outcome.REFUSED)
    assert not one.answers_probe()
    one.breaks(1.0, Condition.HANGING)
    assert one.arrive(1.0) == (inf, Outcome.TIMEOUT)
    one.returns(1.5)
    assert one.arrive(1.5) == (2.5, Outcome.OK)
    one.slowness = 10.0
    assert one.arrive(1.5) == (11.5, Outcome.OK)
    assert one.answers_probe()


def test_every_call_ends_once_and_every_slot_comes_back() -> None:
    """Through overload, outage and return: the books are level when nobody calls any more."""
    world = World(SMALL, Rules(), sick=(0, 1))
    world.run(3.0, load=0.6)
    world.run(3.0, load=4.0)
    world.endpoints[0].breaks(world.timeline.now, Condition.REFUSING)
    world.endpoints[1].breaks(world.timeline.now, Condition.HANGING)
    world.run(3.0)
    for number in world.sick:
        world.endpoints[number].returns(world.timeline.now)
    world.run(3.0, load=0.6)
    world.run(8.0, load=0.0)
    calls = sum(each.calls for each in world.record)
    assert calls > 1_000
    assert calls == sum(each.good + each.failed for each in world.record)
    assert all(sum(each.good_by_priority) == each.good for each in world.record)
    assert sum(each.good for each in world.record) == sum(gateway.good for gateway in world.gateways)
    assert sum(each.attempts for each in world.record) == sum(each.arrived for each in world.endpoints)
    assert sum(each.attempts_at_sick for each in world.record) == sum(
        world.endpoints[number].arrived for number in world.sick
    )
    for gateway in world.gateways:
        assert all(member.gate.in_flight == member.gate.waiting == 0 for member in gateway.members)


def test_the_rules_hear_of_every_call() -> None:
    """Budget, limit and latency of each gateway know what went on."""
    world = World(SMALL, Rules())
    world.run(30.0, load=0.8)
    for gateway in world.gateways:
        assert f" calls={gateway.calls} spent={gateway.retries} " in repr(gateway.budget)
        for member in gateway.members:
            assert 0.8 * SMALL.service_s < member.limit.baseline_s < 1.3 * SMALL.service_s
            assert 0.5 * SMALL.service_s < member.latency.cost(world.timeline.now, 0) < 3 * SMALL.service_s


def test_each_endpoint_has_equally_many_gateways() -> None:
    """And no gateway has one of them twice."""
    world = World(SMALL, Rules())
    places = [[world.endpoints.index(member.endpoint) for member in gateway.members] for gateway in world.gateways]
    assert all(len(set(each)) == SMALL.members for each in places)
    assert [sum(each.count(number) for each in places) for number in range(6)] == [9] * 6
    assert len({frozenset(each) for each in places}) > 6


def test_a_world_is_the_same_every_time() -> None:
    """Its draws are seeded; another seed makes another one."""

    def record(seed: int) -> list[Bin]:
        world = World(msgspec.structs.replace(SMALL, seed=seed), Rules())
        world.run(3.0, load=2.0)
        return world.record

    assert record(1) == record(1)
    assert record(1) != record(2)


@pytest.mark.parametrize("name", ["calm", "third", "outage"])
def test_a_small_fleet_keeps_what_is_promised(name: str) -> None:
    """The rules of the product, as they are."""
    assert all(kept(SCENARIOS[name](SMALL, Rules())).values())


def test_promises_see_circuits_that_never_open() -> None:
    """The dead and the slow would be called as ever, or as the balancer alone allows."""
    verdicts = kept(SCENARIOS["third"](SMALL, Rules(health=NO_BREAKER, retry=RetryRules(retries_max=0))))
    assert not verdicts["calls answered while they are gone"]
    verdicts = kept(SCENARIOS["outage"](SMALL, Rules(health=NO_BREAKER)))
    assert not verdicts["attempts from 2 s on, of the usual"]


def test_promises_see_a_fleet_that_finds_out_too_late() -> None:
    """Without panic, and without active probes, only the open time ends an outage."""
    verdicts = kept(SCENARIOS["outage"](SMALL, Rules(balance=BalanceRules(panic_rest_s=inf))))
    assert not verdicts["back to 99 % answered"]


def test_overload_of_a_small_fleet() -> None:
    """Its endpoints are smaller than the floors of their gateways together, so not all is promised here."""
    verdicts = kept(SCENARIOS["overload"](SMALL, Rules()))
    assert verdicts["limits for each worker, second half, at most"]
    assert verdicts["high priority answered, to normal, second half"]
    assert verdicts["fairness between gateways (Jain), second half"]
    assert verdicts["retries, of their budget, worst gateway"]


def test_promises_see_a_storm_of_retries() -> None:
    """Where the budget has more than it should."""
    verdicts = kept(SCENARIOS["overload"](SMALL, Rules(retry_per_s=1_000.0)))
    assert not verdicts["retries, of their budget, worst gateway"]


def test_promises_see_limits_that_do_not_learn() -> None:
    """Where everything is let through, all come too late, and nobody comes first."""
    fixed = LimitRules(floor=1_024, ceiling=1_024)
    verdicts = kept(SCENARIOS["overload"](SMALL, Rules(limit=fixed)))
    assert not verdicts["goodput, of what the endpoints can do, second half"]
    assert not verdicts["limits for each worker, second half, at most"]
    assert not verdicts["high priority answered, to normal, second half"]


def test_the_measures() -> None:
    """Against numbers worked out by hand."""
    assert fairness([2.0, 2.0, 2.0]) == 1.0
    assert fairness([3.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    bins = [
        Bin(ends_at=1.0, good=9, failed=1, good_by_priority=[1, 8, 0], failed_by_priority=[1, 0, 0]),
        Bin(ends_at=2.0, good=10),
        Bin(ends_at=3.0, good=10),
    ]
    assert answered(bins[:2]) == 95.0
    assert answered(bins[:2], 0) == 50.0
    assert seconds_until(bins, lambda each: not each.failed, 0.5) == 1.5
    assert seconds_until(bins, lambda each: each.failed > 0, 0.5) == inf
    world = World(SMALL, Rules())
    # By gateway at the end of each half second: (calls, retries).
    world.ledgers = [[(0, 0), (0, 0)], [(100, 12), (100, 13)], [(200, 25), (100, 28)]]
    # The first gateway had 0.2 x 200 + 10 x 1 = 50 for its 25 retries; the second 30 for 28.
    assert overdrawn(world, 0.5, 1.5) == pytest.approx(28 / 30)


def test_a_run_leaves_its_goals_and_what_happened(tmp_path: Path) -> None:
    """The whole command, with its shortest scenario."""
    report = Report("test", quick=True)
    play(SMALL, ["calm"], report)
    report.write(tmp_path / "direct.json")
    command = [sys.executable, "-m", "bench.sim_overload", "--quick", "--only", "calm"]
    done = subprocess.run([*command, "--json", str(tmp_path / "sim.json")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("direct.json", "sim.json"):
        written = json.loads((tmp_path / name).read_bytes())
        assert [goal["ok"] for goal in written["goals"]] == [True] * 3
        assert len(written["samples"]["calm"]["bins"]) == 40
    assert "calm: calls answered" in done.stdout
    command[-1] = "calm,storm"
    assert "got storm" in subprocess.run(command, capture_output=True, text=True, check=False).stderr
