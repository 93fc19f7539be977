"""What a measurement of the evaluation is: asked of one contestant at a time, answered with named numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from bench.contestants import Running
from bench.keys import Keys

__all__ = ["DISTURBED", "Measure", "Plot", "Stage", "Taken"]

#: The note of a take beside which others were busy on the machine; what a run says of it as a whole counts these.
DISTURBED = "disturbed by other processes"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one contestant, once."""

    #: By name; the name ends with its unit: rate, p99_ms, server_us, idle_kb.
    values: Mapping[str, float]
    #: Points of a curve, or of a course of time, in order; the same names in each.
    rows: Sequence[Mapping[str, float]] = ()
    #: What a reader of these numbers must know: "limited by the generator".
    notes: Sequence[str] = ()
    #: What it is ordered by is a lower bound: more was not asked of it.
    at_least: bool = False


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a measure are drawn: a line a contestant."""

    x: str
    x_title: str
    y: str
    y_title: str
    log_y: bool = False


class Stage(Protocol):
    """What a measure has to work with."""

    quick: bool
    keys: Keys
    #: The postmaster; its sessions are its children.
    postgres_pid: int

    def shared(self, name: str) -> Running:
        """Return this round's process of a contestant, which has answered others before."""
        ...

    def fresh(self, name: str) -> contextlib.AbstractContextManager[Running]:
        """Run a process of its own, until the block ends."""
        ...

    def command(self, name: str, port: int) -> tuple[list[str], dict[str, str]]:
        """Return the command that has a contestant serve on *port*, and its environment."""
        ...


class Measure(Protocol):
    """One thing that is measured of contestants, one after the other, each round anew."""

    name: str
    title: str
    #: What is done, and what the number is: a sentence or two for the page.
    about: str
    contestants: Sequence[str]
    #: Which of the values contestants are ordered by, its unit for people, and which of two is better.
    value: str
    unit: str
    better: Literal["more", "less"]
    plot: Plot | None
    #: Whether a quick run has it.
    quick: bool
    #: About how long a take of a whole run is, with its checks.
    take_s: float

    def take(self, name: str, stage: Stage) -> Taken:
        """Measure a contestant; :exc:`bench.answers.WrongAnswer` throws it out of this measure for good."""
        ...
