"""Counters and histograms of a process that is scraped alone: plain numbers, in Prometheus' form when somebody asks.

prometheus-client's own take a lock for each number, two for an observation, and find its bucket one by one: for the
eight numbers of a turn that is a thirtieth of its time.  Where several processes share a folder they are in files, and
its own are used (``metrics.py``).

No locks: greenlets share one thread, and between two native threads CPython does not switch inside of a ``+=`` on a
dictionary's or a list's item.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from math import inf
from operator import itemgetter
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

__all__ = ["CounterTally", "HistogramTally"]

#: Of one series; of a family without labels there is one, which is shown from the beginning.
Labels = tuple[str, ...]


def _picker(labels: Labels) -> Callable[[Mapping[str, Any]], Labels]:
    """Return what takes the values of *labels* out of an event's fields.  They become texts when they are shown."""
    if not labels:
        return lambda _: ()
    pick: Callable[[Mapping[str, Any]], Any] = itemgetter(*labels)
    return pick if len(labels) > 1 else lambda fields: (pick(fields),)


class CounterTally(Collector):
    """A counter: each event adds one, or what its field *amount* says."""

    def __init__(self, name: str, meaning: str, labels: Labels, *, amount: str, series_max: int) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._amount = amount
        self._series_max = series_max
        self._pick = _picker(labels)
        self._totals: dict[Labels, float] = {} if labels else {(): 0.0}

    def write(self, fields: Mapping[str, Any]) -> None:
        """Count an event."""
        key = self._pick(fields)
        added = fields[self._amount] if self._amount else 1.0
        try:
            self._totals[key] += added
        except KeyError:
            if len(self._totals) >= self._series_max:
                key = ("other",) * len(self._labels)
            self._totals[key] = self._totals.get(key, 0.0) + added

    def collect(self) -> Iterable[Metric]:
        """Return the family as it stands."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for key, total in list(self._totals.items()):
            family.add_metric([str(value) for value in key], total)
        yield family


class HistogramTally(Collector):
    """A histogram of the field *value*; *bounds* grow."""

    def __init__(
        self, name: str, meaning: str, labels: Labels, *, value: str, bounds: tuple[float, ...], series_max: int
    ) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._value = value
        self._bounds = (*bounds, inf)
        self._series_max = series_max
        self._pick = _picker(labels)
        #: Of each series how many fell into each bucket alone, and behind these their sum.
        self._tallies: dict[Labels, list[float]] = {} if labels else {(): self._nothing()}

    def write(self, fields: Mapping[str, Any]) -> None:
        """Take an observation."""
        tally = self._tallies.get(self._pick(fields))
        if tally is None:
            tally = self._begin(self._pick(fields))
        value = fields[self._value]
        tally[bisect_left(self._bounds, value)] += 1.0
        tally[-1] += value

    def collect(self) -> Iterable[Metric]:
        """Return the family as it stands."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for key, tally in list(self._tallies.items()):
            buckets, below = [], 0.0
            for bound, count in zip(self._bounds, tally, strict=False):
                below += count
                buckets.append((floatToGoString(bound), below))  # type: ignore[no-untyped-call]
            family.add_metric([str(value) for value in key], buckets, tally[-1])
        yield family

    def _begin(self, key: Labels) -> list[float]:
        if len(self._tallies) >= self._series_max:
            key = ("other",) * len(self._labels)
        return self._tallies.setdefault(key, self._nothing())

    def _nothing(self) -> list[float]:
        return [0.0] * (len(self._bounds) + 1)
