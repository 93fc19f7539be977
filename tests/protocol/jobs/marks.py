"""The worker's own marks (``workers.marks``) in the model: kept as a value, woken and put away by each step."""

from __future__ import annotations

from typing import NamedTuple

from workers.marks import Marks

__all__ = ["Kept", "kept", "woken"]


class Kept(NamedTuple):
    """Marks as a value; its fields are theirs."""

    awaited: tuple[int, int] | None = None
    high: int = 0
    known: frozenset[int] = frozenset()
    floor: int = 0
    mark: int = 0


def woken(kept: Kept) -> Marks:
    """Return marks as they were put away."""
    marks = Marks()
    marks._awaited, marks._high = kept.awaited, kept.high
    marks._known = set(kept.known)
    marks.floor, marks.mark = kept.floor, kept.mark
    return marks


def kept(marks: Marks) -> Kept:
    """Put marks away."""
    return Kept(marks._awaited, marks._high, frozenset(marks.known), marks.floor, marks.mark)
