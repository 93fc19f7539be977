"""What the open-loop generator is told, and what it says afterwards; each goes through a pipe as a line of JSON.

Only values, and nothing imported that takes its time: the generator's process starts with this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

__all__ = ["Arrived", "Bin", "Heard", "Kind", "Load", "Order"]

#: What is asked: the requests of bench/wrk/echo.lua, get.lua and put.lua.
Kind = Literal["echo", "get", "put"]


class Load(msgspec.Struct, frozen=True):
    """A stretch of time, and how many requests leave a second meanwhile."""

    rate: float
    seconds: float


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A run: loads, one behind the other, over connections that stay."""

    port: int
    kind: Kind
    #: A right answer, as in :class:`bench.generator.Expected`.
    status: int
    length: int
    loads: Sequence[Load]
    #: Opened as they are needed; whoever finds none free waits, and its clock runs.
    connections_max: int = 256
    #: Seconds after its instant in which a request must have found a connection, or its caller leaves.
    wait_max_s: float = 1.0
    #: Seconds after its instant in which a request must have its answer, or its caller hangs up.
    patience_s: float = 1.0
    #: Length of the bins of :attr:`Arrived.course`; 0: none are wanted.
    bin_s: float = 0.0
    #: The same instants for everybody.
    seed: int = 1


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests that were meant to leave during one load.

    Latency counts from the intended instant.  Who got no right answer counts with the whole of its patience: a refusal
    that comes at once must not make a server faster.
    """

    asked: int
    right: int
    #: 503 and 429: the server's own word that it is too much.
    refused: int = 0
    #: Other 5xx, and 408.
    failed: int = 0
    #: Any other status, or the right one with another length.
    wrong: int = 0
    #: The connection could not be opened, or was closed or reset before the answer was whole.
    broken: int = 0
    #: Sent, and not answered in time.
    late: int = 0
    #: No connection was free in time.
    unsent: int = 0
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    #: The generator's own share of its core.
    generator_share: float
    #: How long after its instant the generator came to a request, at the 99th percentile: its own fault, whether or
    #: not a connection was free.
    behind_p99_ms: float

    @property
    def done_share(self) -> float:
        """The share of requests that were answered rightly and in time."""
        return self.right / self.asked if self.asked else 1.0


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the course of a run."""

    #: Its beginning, in seconds since the run's.
    at_s: float
    #: Of the requests that were meant to leave in it: all, those answered rightly in time, refused; and their latency.
    asked: int
    right: int
    refused: int
    p99_ms: float
    #: Right answers that came in it, whenever their requests were meant to leave.
    answered: int


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over."""

    #: In the order of the loads.
    loads: Sequence[Heard]
    course: Sequence[Bin] = ()
