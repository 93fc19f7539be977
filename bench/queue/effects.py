"""The effects of jobs, counted the same way for every contestant: one appended record, one ``write``, for each.

A job's effect is its number, four bytes little-endian, at the end of a file.  That costs a job of any language about a
microsecond and no round trip to anybody; it survives the worker's ``kill -9``, as the kernel has it; records of several
processes do not mix; and the file says afterwards which jobs ran, how often, and in which order.  How many there are is
the file's length: whoever watches disturbs nobody.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

__all__ = ["RECORD_BYTES", "Effects", "Faults", "Seen", "faults", "out_of_order"]

RECORD_BYTES = 4
_POLL_S = 0.002


class Seen(msgspec.Struct, frozen=True):
    """How many effects there were at an instant of ``time.monotonic()``."""

    count: int
    at: float


class Effects:
    """A file of effects."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"")

    def count(self) -> int:
        """Return how many there are."""
        return self.path.stat().st_size // RECORD_BYTES

    def numbers(self) -> list[int]:
        """Return the jobs' numbers, in the order of their effects."""
        raw = self.path.read_bytes()
        return list(
            struct.unpack(f"<{len(raw) // RECORD_BYTES}I", raw[: len(raw) // RECORD_BYTES * RECORD_BYTES])
        )

    def wait(self, count: int, *, idle_max_s: float) -> Seen:
        """Return when there are *count*, or when nothing has come for *idle_max_s*: then there are fewer."""
        last, since = -1, time.monotonic()
        while True:
            found, now = self.count(), time.monotonic()
            if found >= count:
                return Seen(found, now)
            if found != last:
                last, since = found, now
            elif now - since > idle_max_s:
                return Seen(found, since)
            time.sleep(_POLL_S)


class Faults(msgspec.Struct, frozen=True):
    """What is wrong with effects of jobs of which each should have had one."""

    lost: int
    #: Effects beyond the first of their job.
    repeated: int
    #: Effects of jobs that nobody asked for.
    strange: int

    def __str__(self) -> str:
        words = {"lost": self.lost, "repeated": self.repeated, "of nobody": self.strange}
        return ", ".join(f"{count:,} {word}" for word, count in words.items() if count)

    def __bool__(self) -> bool:
        return bool(self.lost or self.repeated or self.strange)


def faults(numbers: Sequence[int], count: int) -> Faults:
    """Return what is wrong with the effects of jobs 0 to *count* - 1."""
    times = Counter(numbers)
    strange = sum(each for number, each in times.items() if number >= count)
    known = sum(1 for number in times if number < count)
    return Faults(lost=count - known, repeated=len(numbers) - strange - known, strange=strange)


def out_of_order(numbers: Sequence[int], lanes: int) -> int:
    """Return how many effects came after a later one of their lane, where job *n* is in lane *n* modulo *lanes*."""
    last: dict[int, int] = {}
    wrong = 0
    for number in numbers:
        lane = number % lanes
        if number < last.get(lane, -1):
            wrong += 1
        last[lane] = max(number, last.get(lane, -1))
    return wrong
