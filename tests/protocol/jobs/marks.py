"""The worker's own marks (``workers.marks``) in the model: kept as a value, woken and put away by each step."""

from __future__ import annotations

from typing import NamedTuple

from workers.marks import Marks

__all__ = ["Kept", "kept", "woken"]


class Kept(NamedTuple):
    """Marks as a value; its fields are theirs."""

    awaited: tuple[int, int] | None = None
    high: int = 0
    seen: frozenset[int] = frozenset()
    swept: int = 0
    floor: int = 0
    mark: int = 0


def woken(kept: Kept) -> Marks:
    """Return marks as they were put away."""
    marks = Marks()
    marks._awaited, marks._high, marks._swept = kept.awaited, kept.high, kept.swept
    marks._seen = set(kept.seen)
    marks.floor, marks.mark = kept.floor, kept.mark
    return marks


def kept(marks: Marks) -> Kept:
    """Put marks away."""
    return Kept(marks._awaited, marks._high, frozenset(marks._seen), marks._swept, marks.floor, marks.mark)
