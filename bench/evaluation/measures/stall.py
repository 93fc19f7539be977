"""What becomes of callers when PostgreSQL stands still for three seconds: who waits, who is refused, when it is over.

Three open loops at once, as slow as every contestant can easily answer: GET and PUT of the key-value store, and the
echo, which needs no database and should not notice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Literal, NamedTuple

from bench.answers import Check, WrongAnswer, check_echo, check_get, check_put
from bench.contestants import Running
from bench.evaluation.arrivals.generator import BEHIND_MAX_MS, generator
from bench.evaluation.arrivals.orders import Arrived, Kind, Load, Order
from bench.evaluation.measure import Plot, Stage, Taken
from bench.evaluation.measures.recovery import back_s
from bench.evaluation.measures.standstill import standstill
from bench.generator import Expected

__all__ = ["Stall"]

#: Requests a second of each kind.
RATES: dict[Kind, float] = {"get": 400.0, "put": 200.0, "echo": 200.0}
#: Seconds: a run of its own that nobody looks at; before, with PostgreSQL stopped, and afterwards.
WARM_S, BEFORE_S, STALL_S, AFTER_S = 1.0, 1.5, 3.0, 3.0
#: What is said of a stretch leaves out what is this near to a stop or its end: those happen in another process.
_EDGE_S = 0.2
#: When PostgreSQL stops, and the stretches of a run: before, around the stop, stopped, and from then on.
_STOPS_S = BEFORE_S + _EDGE_S
_STRETCHES_S = (BEFORE_S, 2 * _EDGE_S, STALL_S - 2 * _EDGE_S, _EDGE_S + AFTER_S)
_BEFORE, _STOPPED = 0, 2
_BIN_S = 0.1
#: Nobody hangs up before it is long over: what is not answered then is lost.
_PATIENCE_S = 8.0
#: More than all callers of a stall: none of them waits in the generator.
_CONNECTIONS_MAX = 3_000
_OF_THE_STORE: tuple[Kind, ...] = ("get", "put")
_CHECKS: dict[Kind, Check] = {"get": check_get, "put": check_put, "echo": check_echo}


class Stall:
    """The measure."""

    name: str = "stall"
    title: str = "PostgreSQL stands still for 3 s"
    about: str = (
        "All processes of PostgreSQL are stopped for 3 s while 400 GETs, 200 PUTs and 200 echoes a second go on. "
        "The number is how long after it goes on again until the p99 of the GETs and of the PUTs is at most twice "
        "what it was before, or 10 ms. The echo needs no database: what its p99 was meanwhile is beside it."
    )
    value: str = "back_s"
    unit: str = "s"
    better: Literal["more", "less"] = "less"
    plot: Plot | None = Plot(
        x="at_s", x_title="seconds since PostgreSQL stopped", y="p99_ms", y_title="p99 of GET and PUT, ms", log_y=True
    )
    quick: bool = False
    take_s: float = WARM_S + BEFORE_S + STALL_S + AFTER_S + 3.0

    def __init__(self, contestants: Sequence[str]) -> None:
        self.contestants = contestants

    def take(self, name: str, stage: Stage) -> Taken:
        """Stop it once."""
        # Of its own: who does not get over it is not to be measured any further.
        with stage.fresh(name) as server:
            expected = {kind: _CHECKS[kind](server.port, stage.keys) for kind in RATES}
            seen = _run(server, stage.postgres_pid, expected)
            for kind, check in _CHECKS.items():
                if check(server.port, stage.keys) != expected[kind]:
                    raise WrongAnswer("its answers look different after a stall")
        return _taken(seen)


class _Seen(NamedTuple):
    """The run of one kind, and the seconds of it at which PostgreSQL stopped and went on."""

    arrived: Arrived
    stopped_s: float
    went_on_s: float


def _run(server: Running, postmaster_pid: int, expected: dict[Kind, Expected]) -> dict[Kind, _Seen]:
    """Return what became of all requests."""
    with ExitStack() as stack:
        still = stack.enter_context(standstill(postmaster_pid))
        generators = {kind: stack.enter_context(generator()) for kind in RATES}
        # Generators that are still starting when PostgreSQL is to stop would ask too late.
        for kind, each in generators.items():
            each.begin(_order(kind, server.port, expected[kind], [WARM_S]))
        for each in generators.values():
            each.finish()
        began_at = {
            kind: each.begin(_order(kind, server.port, expected[kind], _STRETCHES_S))
            for kind, each in generators.items()
        }
        # Whatever they needed to prepare: what is said of before ends in each run before PostgreSQL does.
        stops_at = max(began_at.values()) + _STOPS_S
        time.sleep(max(0.0, stops_at - time.monotonic()))
        still.stop()
        time.sleep(max(0.0, stops_at + STALL_S - time.monotonic()))
        went_on_at = time.monotonic()
        still.go_on()
        return {
            kind: _Seen(each.finish(), stops_at - began_at[kind], went_on_at - began_at[kind])
            for kind, each in generators.items()
        }


def _order(kind: Kind, port: int, expected: Expected, seconds: Sequence[float]) -> Order:
    return Order(
        port=port,
        kind=kind,
        status=expected.status,
        length=expected.length,
        loads=[Load(RATES[kind], each) for each in seconds],
        connections_max=_CONNECTIONS_MAX,
        wait_max_s=_PATIENCE_S,
        patience_s=_PATIENCE_S,
        bin_s=_BIN_S,
    )


def _taken(seen: dict[Kind, _Seen]) -> Taken:
    arrived = {kind: each.arrived for kind, each in seen.items()}
    heard = [load for each in arrived.values() for load in each.loads]
    if wrong := sum(each.wrong for each in heard):
        raise WrongAnswer(f"{wrong:,} wrong answers in a stall")
    store = [arrived[kind] for kind in _OF_THE_STORE]
    asked = [load for each in store for load in each.loads]
    backs = [
        back_s(
            arrived[kind].course,
            seen[kind].went_on_s,
            before_ms=arrived[kind].loads[_BEFORE].p99_ms,
            bin_s=_BIN_S,
            longest_s=AFTER_S,
        )
        for kind in _OF_THE_STORE
    ]
    notes = []
    if max(backs) >= AFTER_S:
        notes.append(f"not back within {AFTER_S:g} s")
    # Afterwards PostgreSQL works off what has waited, on the core that the generators have too.
    if max(each.loads[at].behind_p99_ms for each in arrived.values() for at in (_BEFORE, _STOPPED)) > BEHIND_MAX_MS:
        notes.append("limited by the generator: requests left late")
    return Taken(
        values={
            # It is read off tenths of a second: who is a hundredth before another is not before him.
            "back_s": round(max(backs), 1),
            "before_p99_ms": max(each.loads[_BEFORE].p99_ms for each in store),
            "echo_before_p99_ms": arrived["echo"].loads[_BEFORE].p99_ms,
            "echo_p99_ms": arrived["echo"].loads[_STOPPED].p99_ms,
            "refused": sum(each.refused for each in asked),
            "failed": sum(each.failed for each in asked),
            "lost": sum(each.broken + each.late + each.unsent for each in asked),
        },
        rows=_rows(arrived, seen["get"].stopped_s),
        notes=notes,
        at_least=max(backs) >= AFTER_S,
    )


def _rows(arrived: dict[Kind, Arrived], stopped_s: float) -> list[dict[str, float]]:
    """Return the course of time, from the second before PostgreSQL stopped."""
    rows = []
    for get, put, echo in zip(*(arrived[kind].course for kind in ("get", "put", "echo")), strict=True):
        if get.at_s >= BEFORE_S / 2:
            rows.append(
                {
                    # Tenths, in every take: rows of takes belong together by them.
                    "at_s": round(get.at_s - round(stopped_s, 1), 1),
                    "p99_ms": max(get.p99_ms, put.p99_ms),
                    "answered": float(get.answered + put.answered),
                    "echo_p99_ms": echo.p99_ms,
                }
            )
    return rows
