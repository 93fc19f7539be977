"""Tallies: what Prometheus reads of them is, to the byte, what it would read of prometheus-client's own."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.telemetry.metrics import SERIES_MAX
from gateway.telemetry.tallies import CounterTally, HistogramTally

BOUNDS = (0.001, 0.05, 1.0, 30.0)
LABELS = [(), ("kind",), ("channel", "account", "outcome")]
VALUES = [0.0, 0.001, 0.0011, 0.05, 1, 1.0000001, 30.0, 31.5, float("inf")]


def events(labels: tuple[str, ...]) -> list[dict[str, Any]]:
    words = ["slack", 'a "quoted" \\ word', "two\nlines", "", "ä😀", 7, None]
    return [
        {"n": number, "value": value, **{label: words[(number + place) % 7] for place, label in enumerate(labels)}}
        for number, value in enumerate(VALUES * 3)
    ]


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("amount", ["", "n"])
def test_counters(labels: tuple[str, ...], amount: str, happened: bool) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = CounterTally("switchboard_things", "Things", labels, amount=amount, series_max=SERIES_MAX)
    ours.register(tally)
    counter = Counter("switchboard_things", "Things", labelnames=labels, registry=theirs)
    for fields in events(labels) if happened else []:
        tally.write(fields)
        child = counter.labels(*(fields[label] for label in labels)) if labels else counter
        child.inc(fields[amount] if amount else 1)
    assert generate_latest(ours) == generate_latest(theirs)


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("labels", LABELS)
def test_histograms(labels: tuple[str, ...], happened: bool) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = HistogramTally("switchboard_times", "Times", labels, value="value", bounds=BOUNDS, series_max=SERIES_MAX)
    ours.register(tally)
    histogram = Histogram("switchboard_times", "Times", labelnames=labels, buckets=BOUNDS, registry=theirs)
    for fields in events(labels) if happened else []:
        tally.write(fields)
        child = histogram.labels(*(fields[label] for label in labels)) if labels else histogram
        child.observe(fields["value"])
    assert generate_latest(ours) == generate_latest(theirs)


def test_series_above_the_bound_are_one() -> None:
    registry = CollectorRegistry()
    count = CounterTally("switchboard_things", "Things", ("kind",), amount="", series_max=2)
    times = HistogramTally("switchboard_times", "Times", ("kind",), value="value", bounds=BOUNDS, series_max=2)
    registry.register(count)
    registry.register(times)
    for kind in ("a", "b", "c", "d", "a"):
        count.write({"kind": kind})
        times.write({"kind": kind, "value": 1.0})
    shown = {'{kind="a"} 2.0', '{kind="b"} 1.0', '{kind="other"} 2.0'}
    lines = generate_latest(registry).decode().splitlines()
    for name in ("switchboard_things_total", "switchboard_times_count"):
        assert {line.removeprefix(name) for line in lines if line.startswith(name)} == shown


def test_two_families_of_one_name_are_refused() -> None:
    registry = CollectorRegistry()
    registry.register(CounterTally("switchboard_things", "Things", (), amount="", series_max=2))
    with pytest.raises(ValueError, match="switchboard_things"):
        registry.register(CounterTally("switchboard_things", "Others", ("kind",), amount="", series_max=2))
