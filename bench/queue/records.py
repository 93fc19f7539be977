"""What the benchmark's jobs carry, and the records that they append to a file beside bare effects.

Instants are ``time.monotonic()``.  That clock is the machine's: processes agree about it.
"""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec

__all__ = ["STARTED", "STEP", "Numbered", "Pause", "Started", "Step", "read_started", "read_steps"]

#: number, pid, instant
STARTED = struct.Struct("<IId")
#: lane, number, pid, deaths, which time it was asked for, whether it ends, instant
STEP = struct.Struct("<IIIHBBd")


class Numbered(msgspec.Struct, frozen=True):
    """A job that is known by its number; the text is there to be carried."""

    number: int
    text: str = ""


class Pause(msgspec.Struct, frozen=True):
    """Job *number* of *lane*, which takes *pause_s*; the *asked*-th time that it was asked for."""

    lane: int
    number: int
    pause_s: float
    asked: int = 0


class Started(msgspec.Struct, frozen=True):
    """A job was started."""

    number: int
    pid: int
    at: float


class Step(msgspec.Struct, frozen=True):
    """A run of a job began, or came to its end."""

    lane: int
    number: int
    #: Who ran it.
    pid: int
    #: Processes that died while they had it, as the ledger told this run: more than none, and it may be a repeat.
    deaths: int
    #: Which time it was asked for: again, where nobody knew what had become of the first.
    asked: int
    ends: bool
    at: float


def read_started(path: Path) -> list[Started]:
    """Return all records of a file; a last one that is cut short by a kill is none."""
    raw = path.read_bytes()
    return [Started(*each) for each in STARTED.iter_unpack(raw[: len(raw) // STARTED.size * STARTED.size])]


def read_steps(path: Path) -> list[Step]:
    """Return all records of a file."""
    raw = path.read_bytes()
    steps = STEP.iter_unpack(raw[: len(raw) // STEP.size * STEP.size])
    return [
        Step(lane, number, pid, deaths, asked, bool(ends), at)
        for lane, number, pid, deaths, asked, ends, at in steps
    ]
