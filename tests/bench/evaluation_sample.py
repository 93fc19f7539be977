"""A run that never happened, with everything that a run can have: what the page is tried on.

Its numbers are drawn with a seed around made-up abilities; they say nothing about anybody.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from bench.evaluation.measure import Plot, Taken
from bench.evaluation.results import Contestant, Machine, Measured, Results
from bench.evaluation.standings import measured

__all__ = ["CONTESTANTS", "sample", "without"]

#: By name: title, version, and a made-up ability.
CONTESTANTS: Mapping[str, tuple[str, str, float]] = {
    "ours": ("Switchboard", "Python 3.11.7, gevent 26.9.0, gunicorn 27.1.0", 31_000.0),
    "falcon_sync": ("Falcon, gunicorn sync", "Falcon 4.4.0, gunicorn 27.1.0", 2_600.0),
    "falcon": ("Falcon, gunicorn gevent", "Falcon 4.4.0, gevent 26.9.0", 4_100.0),
    "fastapi": ("FastAPI, uvicorn", "FastAPI 0.130.1, uvicorn 0.44.0, uvloop 0.23.1", 6_800.0),
    "node": ("Node, bare http", "Node 22.21.0", 26_500.0),
    "fastify": ("Fastify", "Node 22.21.0, Fastify 5.6.1", 22_000.0),
    "go": ("Go, net/http", "Go 1.26.1, pgx 5.10.0", 38_500.0),
    "plug": ("Plug on Bandit", "Elixir 1.18.4, Erlang/OTP 28, Bandit 1.8.0", 17_400.0),
    "phoenix": ("Phoenix on Bandit", "Elixir 1.18.4, Phoenix 1.8.1", 12_900.0),
    "aleph": ("Aleph", "", 15_800.0),
}
_RATE_PLOT = Plot(x="rate", x_title="requests asked for a second", y="p99_ms", y_title="p99, ms", log_y=True)
_TIME_PLOT = Plot(x="at_s", x_title="seconds", y="p99_ms", y_title="p99 of that tenth of a second, ms", log_y=True)

Ways = Callable[[str, float, random.Random], Taken]


class _Kind(msgspec.Struct, frozen=True):
    """What there is to say of a measure before it is taken."""

    name: str
    title: str
    about: str
    value: str
    unit: str
    better: Literal["more", "less"] = "more"
    plot: Plot | None = None


def sample(*, rounds: int = 5, quick: bool = False, who: Sequence[str] = tuple(CONTESTANTS)) -> Results:
    """Return a whole run of the ten contestants, or of those in *who*; Aleph is not there."""
    chance = random.Random(7)
    return Results(
        quick=quick,
        rounds=rounds,
        began="2026-11-23T21:05:00+00:00",
        ended="2026-11-23T21:44:10+00:00",
        machine=Machine(
            cpus=2, model="AMD EPYC 9R14", platform="Linux-6.18-x86_64", python="3.11.7",
            fsync_p50_ms=0.61, fsync_p99_ms=2.4,
        ),
        contestants=[
            Contestant(
                name=name, title=title, version=version,
                lack="clojure is missing (needs root): apt-get install -y -q clojure" if name == "aleph" else "",
            )
            for name, (title, version, _) in CONTESTANTS.items()
            if name in who
        ],
        measures=[_measured(kind, take, who, rounds, chance) for kind, take in _KINDS],
        chat=_chat(rounds),
        locust=_locust(),
        notes=["echo: disturbed: beside 2 takes other processes used up to 18% of a core"],
    )  # fmt: skip


def without(results: Results, **changed: Any) -> Results:
    """Return a run of which parts are missing, or different."""
    return msgspec.structs.replace(results, **changed)


def _measured(kind: _Kind, take: Ways, who: Sequence[str], rounds: int, chance: random.Random) -> Measured:
    out = {}
    if "falcon_sync" in who and (kind.name.startswith("rpc") or kind.name in {"streams", "slow_client"}):
        out["falcon_sync"] = "no answer within 10 s: it waits for one request after the other"
    takes = {
        name: [take(name, ability, chance) for _ in range(rounds)]
        for name, (_, _, ability) in CONTESTANTS.items()
        if name in who and name not in out and name != "aleph"
    }
    return measured(kind, takes, out)  # type: ignore[arg-type]


def _line(part: float, ceiling: float = 1e9) -> Ways:
    def take(name: str, ability: float, chance: random.Random) -> Taken:
        rate = min(ability * part, ceiling) * chance.uniform(0.97, 1.02)
        values = {"rate": rate, "p50_ms": 64_000 / rate, "p99_ms": 64_000 / rate * chance.uniform(1.5, 3.0)}
        shares = {"server_share": 0.99, "generator_share": 0.6, "postgres_share": 0.0, "strangers_share": 0.01}
        notes = ["limited by the generator"] if name == "go" and part == 1.0 else []
        return Taken(values={**values, "server_us": 1e6 / ability / part, **shares}, notes=notes)

    return take


def _curve(name: str, ability: float, chance: random.Random) -> Taken:
    rates = [1_000, 2_000, *range(5_000, 60_000, 5_000)]
    rows = []
    for rate in rates:
        load = rate / ability
        p99 = (0.6 + 1.2 * load / max(0.02, 1 - load)) * chance.uniform(0.9, 1.1) if load < 1 else 1_800.0
        done = min(1.0, 1 / load)
        rows.append({"rate": float(rate), "p50_ms": p99 / 3, "p99_ms": p99, "p999_ms": p99 * 2, "done_share": done})
        if load >= 1:
            break
    return Taken(values={"rate": max((r["rate"] for r in rows if r["p99_ms"] <= 10), default=0.0)}, rows=rows)


def _memory(name: str, ability: float, chance: random.Random) -> Taken:
    least = {"ours": 3.1, "node": 6.8, "fastify": 8.9, "go": 12.4}.get(name, 28.0)
    return Taken(values={"connection_kb": least * chance.uniform(0.99, 1.01)})


def _overload(name: str, ability: float, chance: random.Random) -> Taken:
    share = 0.97 if name in {"ours", "go"} else chance.uniform(0.2, 0.9)
    errors = 0.0 if share > 0.5 else 0.31
    values = {"goodput_rate": share * ability, "goodput_share": share, "errors_share": errors, "back_s": 1.2 - share}
    return Taken(values=values)


def _slow(name: str, ability: float, chance: random.Random) -> Taken:
    return Taken(values={"p99_ms": 8e4 / ability * chance.uniform(0.9, 1.1), "before_p99_ms": 6e4 / ability})


def _stall(name: str, ability: float, chance: random.Random) -> Taken:
    heights = [2.0 + (30 <= at < 60) * (60 - at) * 100 for at in range(100)]
    rows = [{"at_s": at / 10, "p99_ms": high * chance.uniform(0.9, 1.3)} for at, high in enumerate(heights)]
    return Taken(values={"back_s": 0.2 + 1_000 / ability, "lost": 0.0, "echo_p99_ms": 3.1}, rows=rows)


def _cold(name: str, ability: float, chance: random.Random) -> Taken:
    start = {"ours": 940.0, "go": 9.0, "node": 61.0, "fastify": 180.0}.get(name, 700.0) * chance.uniform(0.98, 1.03)
    return Taken(values={"start_ms": start, "cpu_ms": start * 0.9})


_RATE, _MEMORY = ("rate", "requests/s"), ("connection_kb", "KB a connection", "less")
_KINDS: Sequence[tuple[_Kind, Ways]] = (
    (_Kind("echo", "Echo, 64 connections", "POST 238 bytes of JSON.", *_RATE), _line(1.0)),
    (_Kind("rpc1000", "RPC 50 ms, 1,000 connections", "GET, after 50 ms.", *_RATE), _line(0.9, 19_300.0)),
    (_Kind("rpc4000", "RPC 50 ms, 4,000 connections", "The same over 4,000.", *_RATE), _line(0.8)),
    (_Kind("kvs_get", "KVS GET, 64 connections", "Each read from PostgreSQL.", *_RATE), _line(0.4)),
    (_Kind("kvs_put", "KVS PUT, 64 connections", "Each on disk.", *_RATE), _line(0.1)),
    (_Kind("idle", "Memory of an idle connection", "Growth of PSS.", *_MEMORY), _memory),
    (_Kind("streams", "Memory of a held stream", "Growth of PSS.", *_MEMORY), _memory),
    (_Kind("curve_echo", "Echo at fixed rates", "With p99 of at most 10 ms.", *_RATE, plot=_RATE_PLOT), _curve),
    (_Kind("overload", "Twice as much as it can", "Answered in time.", "goodput_rate", "requests/s"), _overload),
    (_Kind("slow_client", "Slow clients among fast ones", "p99 of the fast.", "p99_ms", "ms", "less"), _slow),
    (_Kind("stall", "PostgreSQL stalls", "Until p99 is back.", "back_s", "s", "less", plot=_TIME_PLOT), _stall),
    (_Kind("cold_start", "Cold start", "To the first right answer.", "start_ms", "ms", "less"), _cold),
)


_NONE = {"lost": 0, "doubled": 0, "swapped": 0, "wrong": 0, "refused": 0}


def _chat(rounds: int) -> dict[str, Any]:
    able = {
        "ours": (2_600, 17.0, 346), "bolt_async": (2_100, 2.2, 464), "bolt_flask": (690, 4.2, 1_424),
        "chat_sdk": (380, 41.0, 2_588), "go": (11_800, 0.9, 82),
    }  # fmt: skip

    def take(name: str, asked: float, spread: float) -> dict[str, Any]:
        rate, p99, own = able[name]
        return {
            "rate": (asked or rate) * spread, "asked_rate": asked, "p50_ms": p99 / 3, "p99_ms": p99 * spread,
            "own_us": [own], "postgres_us": 194.0 if name == "ours" else 0.0,
        }  # fmt: skip

    spreads = [1.0 + number / 100 for number in range(rounds)]
    return {
        "name": "bench.chat",
        "goals": [
            _goal("turns/s to those of the best of the others", 3.0, 1.23, "x", ok=False, at="least"),
            _goal("p99 at 300/s to that of the best of the others", 1.0, None, "x", ok=False),
        ],
        "notes": ['64 turns under way: Chat SDK, "queue" is left out: 12 lost of 30,000 messages'],
        "samples": {
            "lines": {
                "closed": {name: [take(name, 0.0, spread) for spread in spreads] for name in able},
                "common": {name: [take(name, 300.0, spread) for spread in spreads] for name in able},
                "half": {}, "most": {},
            },
            "scenes": {
                "repeats": {"ours": {"asked": 50, **_NONE}, "bolt_async": {"asked": 50, **_NONE, "doubled": 100}},
                "bursts": {"ours": {"asked": 200, **_NONE}, "chat_sdk": {"asked": 200, **_NONE, "lost": 100}},
            },
        },
    }  # fmt: skip


def _goal(name: str, goal: float, measured: float | None, unit: str, *, ok: bool, at: str = "most") -> dict[str, Any]:
    return {"name": name, "goal": goal, "measured": measured, "unit": unit, "ok": ok, "at": at}


def _locust() -> dict[str, Any]:
    slack = {"asked": 6_000, "answered": 6_000, "late": 2, **_NONE}
    took = {"p50_ms": 5.1, "p99_ms": 31.0, "max_ms": 120.0, "accepted_p50_ms": 2.0, "accepted_p99_ms": 11.0}
    return {
        "name": "bench.locust",
        "goals": [
            _goal("the generator's share of its core", 0.95, 0.61, "", ok=True),
            _goal("messages lost, doubled, swapped, wrong or refused", 0, 0, "messages", ok=True),
        ],
        "notes": ["slack: 6,000 messages", "of a core meanwhile: PostgreSQL 30%"],
        "samples": {"summary": {"channels": {"slack": {**slack, **took}, "alexa": {**slack, **took}}}},
    }
