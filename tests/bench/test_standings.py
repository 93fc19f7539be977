"""What rounds say together."""

from __future__ import annotations

import math

import pytest

from bench.lines import LINES
from bench.report import Report
from bench.sampling import Pace, settled
from bench.standings import Sample, Standings

ECHO, RPC = LINES["echo"], LINES["rpc1000"]


def sample(
    rate: float,
    *,
    p99_ms: float = 5.0,
    server_us: float = 10.0,
    server: float = 1.0,
    generator: float = 0.5,
    postgres: float = 0.0,
    wanted: float = 0.0,
    strangers: float = 0.0,
):
    return Sample(
        rate=rate,
        p50_ms=1.0,
        p99_ms=p99_ms,
        server_us=server_us,
        server_share=server,
        generator_share=generator,
        postgres_share=postgres,
        wanted_share=wanted,
        strangers_share=strangers,
    )


def stood(rates: dict[str, list[float]], *, p99_ms: dict[str, float] | None = None) -> Standings:
    """Return standings of the echo line."""
    standings = Standings()
    for name, values in rates.items():
        for rate in values:
            standings.add(ECHO, name, sample(rate, p99_ms=(p99_ms or {}).get(name, 5.0)))
    return standings


def goals(standings: Standings, line=ECHO) -> dict[str, tuple[float, bool]]:
    """Return what was measured and whether it is enough, by the goal's name."""
    report = Report("test", quick=True)
    standings.report(line, report)
    return {goal.name: (goal.measured, goal.ok) for goal in report.goals}


def notes(standings: Standings, line=ECHO) -> str:
    report = Report("test", quick=True)
    standings.report(line, report)
    return "\n".join(report.notes)


def test_a_goal_is_a_ratio_of_medians() -> None:
    """Neither of means, which one bad round would spoil, nor a median of ratios."""
    standings = stood({"ours": [60, 10, 62], "fastify": [30, 90, 29], "falcon": [7, 8, 7]})
    found = goals(standings)
    assert found["Echo, 64 connections: answers to Fastify"] == (2.0, True)
    measured, ok = found["Echo, 64 connections: answers to Falcon, gunicorn gevent"]
    assert (measured, ok) == (pytest.approx(60 / 7), True)


def test_a_ratio_below_its_goal_is_missed() -> None:
    """By however little."""
    found = goals(stood({"ours": [59.9], "fastify": [30], "falcon": [7]}))
    assert found["Echo, 64 connections: answers to Fastify"][1] is False


def test_latency_must_not_be_more() -> None:
    """Where less is better, the goal is an upper one."""
    slow = stood({"ours": [60], "fastify": [30]}, p99_ms={"ours": 9.0, "fastify": 8.0})
    fast = stood({"ours": [60], "fastify": [30]}, p99_ms={"ours": 8.0, "fastify": 8.0})
    name = "Echo, 64 connections: p99 to Fastify"
    assert goals(slow)[name] == (pytest.approx(9 / 8), False)
    assert goals(fast)[name] == (1.0, True)


def test_a_ceiling_is_a_number() -> None:
    """Not everything is held against somebody else."""
    standings = Standings()
    standings.add(RPC, "ours", sample(19_200, p99_ms=69.0))
    found = goals(standings, RPC)
    assert found["RPC 50 ms, 1,000 connections: answers to the ceiling of 20,000/s"] == (0.96, True)
    assert found["RPC 50 ms, 1,000 connections: p99"] == (69.0, True)


@pytest.mark.parametrize("name", ["ours", "fastify"])
def test_who_was_wrong_once_counts_no_more(name: str) -> None:
    """Ours too: a goal that nobody honest stands behind is missed, and says why."""
    standings = stood({"ours": [600, 600], "fastify": [30, 30], "falcon": [7]})
    standings.throw_out(ECHO, name, "not the echo of 'x'")
    measured, ok = goals(standings)["Echo, 64 connections: answers to Fastify"]
    assert math.isnan(measured)
    assert not ok
    assert "is left out: not the echo of 'x'" in notes(standings)
    assert standings.is_out(ECHO, name)
    assert not standings.is_out(RPC, name)


def test_who_did_not_run_keeps_no_promise() -> None:
    """An absent peer is not beaten."""
    _, ok = goals(stood({"ours": [60]}))["Echo, 64 connections: answers to Fastify"]
    assert not ok


@pytest.mark.parametrize(
    ("server", "generator", "postgres", "wanted", "limit"),
    [
        (0.99, 0.80, 0.0, 0.0, ""),
        (0.80, 0.96, 0.0, 0.0, "limited by the generator"),
        # Both at their end: the server is what it is.
        (0.95, 0.96, 0.0, 0.0, ""),
        (0.80, 0.94, 0.0, 0.0, ""),
        (0.80, 0.50, 0.46, 0.0, "limited by the generator and PostgreSQL together"),
        (0.80, 0.50, 0.40, 0.0, ""),
        # It was never idle, and did not get what it needed.
        (0.80, 0.50, 0.0, 0.96, "limited by the generator, whose core others used"),
        (0.80, 0.50, 0.0, 0.90, ""),
        (0.80, 0.50, 0.46, 0.96, "limited by the generator and PostgreSQL together"),
    ],
)
def test_the_limit_is_named(server: float, generator: float, postgres: float, wanted: float, limit: str) -> None:
    """A rate that the server did not set is not the server's."""
    assert sample(1, server=server, generator=generator, postgres=postgres, wanted=wanted).limit == limit


def test_a_limited_run_is_told_beside_the_goals() -> None:
    """Whoever reads the ratio learns it."""
    standings = stood({"ours": [60, 61]})
    standings.add(ECHO, "ours", sample(40, server=0.7, generator=0.99))
    assert "echo: Switchboard: limited by the generator, 1 runs" in notes(standings)


def test_a_machine_that_others_use_is_told_beside_the_goals() -> None:
    """Numbers from a machine that does something else are worth less, and say so."""
    standings = stood({"ours": [60]})
    assert "disturbed" not in notes(standings)
    standings.add(ECHO, "fastify", sample(30, strangers=0.4))
    assert "disturbed: beside 1 runs other processes used up to 40% of a core" in notes(standings)


@pytest.mark.parametrize(
    ("costs", "again_max", "measured"),
    [
        ([20.0, 19.0, 5.0], 3, 19.0),
        # Every answer is cheaper than the last: it is still being compiled.
        ([800.0, 200.0, 90.0, 85.0, 50.0], 3, 85.0),
        ([800.0, 200.0, 90.0, 40.0], 2, 40.0),
        ([800.0, 200.0, 90.0], 0, 200.0),
        ([20.0, 30.0, 10.0], 3, 30.0),
    ],
)
def test_who_gets_warm_is_measured_when_it_is(costs: list[float], again_max: int, measured: float) -> None:
    """By what an answer costs it, which does not depend on what else the machine does; not for ever."""
    left = iter(costs)
    asked_s = []

    def shot(seconds: float) -> Sample:
        asked_s.append(seconds)
        return sample(1, server_us=next(left))

    assert settled(shot, Pace(warm_s=0.5, measured_s=2.0, again_max=again_max)).server_us == measured
    assert asked_s == [0.5] + [2.0] * costs.index(measured)
