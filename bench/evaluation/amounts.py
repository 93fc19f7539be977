"""Numbers for people: what a value's name says of its unit, and how much of its digits is worth reading.  Pure."""

from __future__ import annotations

import math
import re

import msgspec

__all__ = ["Amount", "amount_of", "plain", "times"]

#: What the last word of a name says: the unit, and what the number is multiplied by to be in it.
_UNITS = {
    "rate": ("/s", 1.0),
    "ms": ("ms", 1.0),
    "us": ("µs", 1.0),
    "s": ("s", 1.0),
    "kb": ("KB", 1.0),
    "mb": ("MB", 1.0),
    "share": ("%", 100.0),
}
#: Names that say less to a reader than to the code.
_TITLES = {
    "rate": "answers",
    "server_us": "processor time a request",
    "cpu_ms": "processor time",
    "start_ms": "start to answer",
    "back_s": "back after",
    "before_p99_ms": "p99 before",
    "after_p99_ms": "p99 after",
    "senders_p99_ms": "p99 beside slow senders",
    "readers_p99_ms": "p99 beside slow readers",
    "echo_p99_ms": "echo’s p99 meanwhile",
    "echo_before_p99_ms": "echo’s p99 before",
    "p99_at_1000_ms": "p99 at 1,000/s",
    "capacity_rate": "in a closed loop",
    "asked_rate": "asked",
    "goodput_rate": "answered in time",
    "goodput_share": "of its closed loop",
    "done_share": "done",
    "unsent_share": "not even sent",
    "away_share": "not answered in time",
    "times": "times the p99 before",
}


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """A value that measures name, as people read it."""

    name: str
    title: str
    unit: str
    scale: float = 1.0

    def text(self, value: float, *, exact: bool = False) -> str:
        """Return *value* with its unit; three digits of it unless *exact*."""
        number = plain(value * self.scale, exact=exact)
        if number == "–" or not self.unit:
            return number
        # "/s" and "%" stand at the number, the others beside it, on the same line.
        return f"{number}{self.unit}" if self.unit[0] in "/%" else f"{number}\N{NO-BREAK SPACE}{self.unit}"

    @property
    def bare(self) -> bool:
        """Whether the unit says nothing of what is counted."""
        return self.unit in {unit for unit, _ in _UNITS.values()}

    @property
    def head(self) -> str:
        """Return what stands above a column of it."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


def amount_of(name: str, unit: str = "") -> Amount:
    """Return how the value *name* is read; *unit*, where a measure tells its own, is what people call it."""
    *words, last = name.split("_")
    known, scale = _UNITS.get(last, ("", 1.0))
    if not known:
        words = [*words, last]
    title = _TITLES.get(name) or " ".join(words) or last
    # p999 is the percentile 99.9.
    title = re.sub(r"\bp99(9+)\b", r"p99.\1", title)
    return Amount(name=name, title=title, unit=unit or known, scale=scale)


def plain(value: float, *, exact: bool = False) -> str:
    """Return a number with thousands apart; three digits of it unless *exact*, which keeps whole ones."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1_000 and not exact:
        value = round(value, 2 - math.floor(math.log10(size)))
    decimals = 0 if size >= 100 or not size else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:,.{decimals}f}"


def times(ratio: float) -> str:
    """Return a ratio for a sentence: "1.34 times"."""
    return f"{plain(ratio)} times"
