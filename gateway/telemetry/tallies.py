"""Counters and histograms of a process that is scraped alone: plain numbers, in Prometheus' form when somebody asks.

prometheus-client's own take a lock for each number, two for an observation, and find its bucket one by one.  The nine
numbers of a chat turn (four counts, five times) cost 8.7 µs that way, with each series looked up once and its ``inc``
or ``observe`` kept; here they cost 1.8.  Most of it is the locks, which gevent has patched: with those of threads,
which nothing here may make before it is patched, it would be 5.5.  So these are collectors of our own, for which
prometheus-client provides.  Where several processes share a folder the numbers are in files, and its own are used
(``metrics.py``).

No locks: greenlets share one thread, and between two native threads CPython does not switch inside of a ``+=`` on a
dictionary's or a list's item.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from math import inf
from operator import itemgetter
from typing import Any, Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

__all__ = ["CounterTally", "HistogramTally"]

#: Of one series; of a family without labels there is one, which is shown from the beginning.
Labels = tuple[str, ...]
Series = TypeVar("Series")


def _picker(labels: Labels) -> Callable[[Mapping[str, Any]], Labels]:
    """Return what takes the values of *labels* out of an event's fields.  They become texts when they are shown."""
    if not labels:
        return lambda _: ()
    pick: Callable[[Mapping[str, Any]], Any] = itemgetter(*labels)
    return pick if len(labels) > 1 else lambda fields: (pick(fields),)


class _Tally(Collector, Generic[Series]):
    """A family, and a bounded number of series."""

    def __init__(
        self, name: str, meaning: str, labels: Labels, series_max: int, nothing: Callable[[], Series]
    ) -> None:
        """*nothing*: makes a series of which nothing is known yet."""
        self._name, self._meaning, self._labels = name, meaning, labels
        self._series_max = series_max
        self._nothing = nothing
        self._pick = _picker(labels)
        self._series: dict[Labels, Series] = {} if labels else {(): nothing()}

    def describe(self) -> Iterable[Metric]:
        """Return the family for its name: a registry takes no two of one."""
        return self.collect()

    def _begin(self, key: Labels) -> Labels:
        """Make a series; return its labels, which are ``other`` above the bound."""
        if len(self._series) >= self._series_max:
            key = ("other",) * len(self._labels)
        self._series.setdefault(key, self._nothing())
        return key


class CounterTally(_Tally[float]):
    """A counter: each event adds one, or what its field *amount* says."""

    def __init__(self, name: str, meaning: str, labels: Labels, *, amount: str, series_max: int) -> None:
        super().__init__(name, meaning, labels, series_max, float)
        self._amount = amount

    def write(self, fields: Mapping[str, Any]) -> None:
        """Count an event."""
        key = self._pick(fields)
        added = fields[self._amount] if self._amount else 1.0
        try:
            self._series[key] += added
        except KeyError:
            self._series[self._begin(key)] += added

    def collect(self) -> Iterable[Metric]:
        """Return the family as it stands."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for key, total in list(self._series.items()):
            family.add_metric([str(value) for value in key], total)
        yield family


class HistogramTally(_Tally[list[float]]):
    """A histogram of the field *value*; *bounds* grow."""

    def __init__(
        self, name: str, meaning: str, labels: Labels, *, value: str, bounds: tuple[float, ...], series_max: int
    ) -> None:
        self._value = value
        self._bounds = (*bounds, inf)
        # Of a series: how many fell into each bucket alone, and behind these their sum.
        super().__init__(name, meaning, labels, series_max, lambda: [0.0] * (len(bounds) + 2))

    def write(self, fields: Mapping[str, Any]) -> None:
        """Take an observation."""
        tally = self._series.get(self._pick(fields))
        if tally is None:
            tally = self._series[self._begin(self._pick(fields))]
        value = fields[self._value]
        tally[bisect_left(self._bounds, value)] += 1.0
        tally[-1] += value

    def collect(self) -> Iterable[Metric]:
        """Return the family as it stands."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for key, tally in list(self._series.items()):
            buckets, below = [], 0.0
            for bound, count in zip(self._bounds, tally, strict=False):
                below += count
                buckets.append((floatToGoString(bound), below))  # type: ignore[no-untyped-call]
            family.add_metric([str(value) for value in key], buckets, tally[-1])
        yield family
