"""The lines of bench.server's table: what is asked, over how many connections, of whom, and what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from bench.answers import Check, check_echo, check_get, check_put, check_rpc
from bench.contestants import OURS

__all__ = ["LINES", "Line", "Promise"]


class Promise(msgspec.Struct, frozen=True):
    """A goal: our median against a number, or against a peer's median of the same run."""

    goal: float
    #: Ours as a multiple of this contestant's; empty: the number itself.
    to: str = ""
    of: Literal["rate", "p99_ms"] = "rate"
    #: What would be better still; told, not promised.
    stretch: float | None = None
    #: The number is counted in this: the ceiling of what can be reached.
    unit_of: float = 1.0


class Line(msgspec.Struct, frozen=True):
    """One kind of request."""

    name: str
    title: str
    path: str
    script: str
    connections: int
    check: Check
    contestants: tuple[str, ...]
    promises: tuple[Promise, ...]
    #: Whose numbers the promises speak of.
    ours: str = OURS
    #: Runs are longer by this factor.
    longer: float = 1.0


_WEB = (OURS, "fastify", "node", "falcon")
_KVS = (OURS, "fastify", "dataloader", "node", "falcon")
#: What 1,000 connections can have answered a second when each answer waits for 50 ms.
RPC_CEILING = 20_000

LINES: Mapping[str, Line] = {
    line.name: line
    for line in (
        Line(
            "echo", "Echo, 64 connections", "/bench/echo", "echo.lua", 64, check_echo, _WEB,
            (
                Promise(2.0, "fastify", stretch=2.3),
                Promise(8.0, "falcon"),
                Promise(1.0, "fastify", "p99_ms"),
            ),
        ),
        Line(
            "rpc1000", "RPC 50 ms, 1,000 connections", "/bench/rpc", "rpc.lua", 1_000, check_rpc, _WEB,
            (Promise(0.95, unit_of=RPC_CEILING), Promise(70.0, of="p99_ms")),
            # The first wave, in which all connections are opened, is to be less than a hundredth, and in no p99.
            longer=2.0,
        ),
        Line(
            "rpc4000", "RPC 50 ms, 4,000 connections", "/bench/rpc", "rpc.lua", 4_000, check_rpc, _WEB,
            (Promise(1.8, "fastify", stretch=2.0),),
        ),
        Line(
            "kvs_get", "KVS GET, 64 connections", "/bench/kvs/get-00000", "get.lua", 64, check_get, _KVS,
            (Promise(2.5, "fastify"), Promise(1.0, "dataloader")),
        ),
        Line(
            "kvs_put", "KVS PUT, 64 connections", "/bench/kvs/put-00000", "put.lua", 64, check_put, _KVS,
            (Promise(3.0, "fastify"),),
        ),
        Line(
            "flask", "Flask, 64 connections", "/bench/echo", "echo.lua", 64, check_echo,
            ("flask_ours", "flask_gevent"),
            (Promise(2.0, "flask_gevent"),),
            ours="flask_ours",
        ),
    )
}  # fmt: skip
