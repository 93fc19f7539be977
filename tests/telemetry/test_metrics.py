"""The Prometheus sink: which events feed which families, and the bound of their number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import telemetry
from gateway.settings.accounts import WebchatAccount
from gateway.telemetry.catalogue import CATALOGUE
from gateway.telemetry.metrics import METRICS, SERIES_MAX, Counted, Held, Measured, Metrics, Shown


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    sink = Metrics()
    telemetry.attach(sink)
    yield sink
    telemetry.detach(sink)


def lines(metrics: Metrics, start: str) -> list[str]:
    return [line for line in metrics.scrape().decode().splitlines() if line.startswith(start)]


def settled(reason: str = "", duration_s: float = 0.02) -> None:
    telemetry.event(
        "turn.settled",
        channel="slack",
        account="bartender",
        state="answered",
        reason=reason,
        duration_s=duration_s,
    )


def test_one_event_feeds_its_counter_and_its_histogram(metrics: Metrics) -> None:
    settled()
    settled()

    assert lines(metrics, "switchboard_turns_settled_total") == [
        'switchboard_turns_settled_total{account="bartender",channel="slack",reason="",state="answered"} 2.0'
    ]
    assert lines(metrics, "switchboard_turn_seconds_sum") == [
        'switchboard_turn_seconds_sum{account="bartender",channel="slack",state="answered"} 0.04'
    ]


def test_an_observation_on_a_bound_is_within_it_and_in_all_above(metrics: Metrics) -> None:
    for duration_s in (0.05, 0.051, 61.0):
        settled(duration_s=duration_s)

    found = [line.rpartition(" ") for line in lines(metrics, "switchboard_turn_seconds_bucket")]
    counted = {head.partition('le="')[2].partition('"')[0]: count for head, _, count in found}
    assert (counted["0.025"], counted["0.05"], counted["0.1"]) == ("0.0", "1.0", "2.0")
    assert (counted["60.0"], counted["+Inf"]) == ("2.0", "3.0")


def test_a_counter_adds_what_its_field_says(metrics: Metrics) -> None:
    telemetry.event("outbox.claimed", rows=5)
    telemetry.event("outbox.claimed", rows=2)

    assert lines(metrics, "switchboard_outbox_claimed_total") == ["switchboard_outbox_claimed_total 7.0"]


def test_a_gauge_shows_what_is_open(metrics: Metrics) -> None:
    telemetry.event("stream.opened", channel="webchat", account="bartender")
    telemetry.event("stream.opened", channel="webchat", account="bartender")
    telemetry.event("stream.closed", channel="webchat", account="bartender", reason="gone")

    assert lines(metrics, "switchboard_streams_open") == [
        'switchboard_streams_open{account="bartender",channel="webchat"} 1.0'
    ]


def test_a_gauge_shows_what_was_said_last(metrics: Metrics) -> None:
    for connections, answered in ((3, 10), (1, 5)):
        telemetry.event(
            "server.observed", connections=connections, in_flight=0, buffered_bytes=0, answered=answered
        )

    assert lines(metrics, "switchboard_connections_open") == ["switchboard_connections_open 1.0"]
    assert lines(metrics, "switchboard_requests_answered_total") == [
        "switchboard_requests_answered_total 15.0"
    ]


@pytest.mark.parametrize(
    ("event", "fields", "line"),
    [
        (
            "rpc.retried",
            {"service": "bot", "reason": "http_503", "allowed": "pushback", "pause_s": 0.1},
            'rpc_retried_total{reason="http_503",service="bot"}',
        ),
        (
            "rpc.not_retried",
            {"service": "bot", "reason": "http_500", "refused": "budget"},
            'rpc_not_retried_total{refused="budget",service="bot"}',
        ),
        ("rpc.hedged", {"service": "bot", "outcome": "won"}, 'rpc_hedged_total{outcome="won",service="bot"}'),
        (
            "rpc.probed",
            {"endpoint": "bot@a", "outcome": "ok", "duration_s": 0.1},
            'rpc_probed_total{endpoint="bot@a",outcome="ok"}',
        ),
        ("dns.stale", {"host": "a.example", "reason": "failed", "age_s": 9.0}, 'dns_stale_total{reason="failed"}'),
    ],
)
def test_what_the_client_does_beside_a_call_is_counted(
    metrics: Metrics, event: str, fields: dict[str, str | float], line: str
) -> None:
    """Whatever is said again adds to the same series, and numbers and hosts are none of its labels."""
    telemetry.event(event, **fields)
    telemetry.event(event, **fields)

    assert lines(metrics, f"switchboard_{line.partition('{')[0]}") == [f"switchboard_{line} 2.0"]


def test_the_number_of_series_is_bounded(metrics: Metrics) -> None:
    """A label that was not meant to be free text ends under ``other`` instead of in all of the memory."""
    for number in range(SERIES_MAX + 50):
        telemetry.event("store.unavailable", reason=f"reason {number}")

    series = lines(metrics, "switchboard_store_unavailable_total")
    assert len(series) == SERIES_MAX + 1
    assert 'switchboard_store_unavailable_total{reason="other"} 50.0' in series


def test_the_table_names_only_events_and_fields_of_the_catalogue() -> None:
    for metric in METRICS:
        events = (metric.up, metric.down) if isinstance(metric, Held) else (metric.event,)
        needed = set(metric.labels)
        if isinstance(metric, Measured | Shown):
            needed.add(metric.value)
        if isinstance(metric, Counted) and metric.amount:
            needed.add(metric.amount)
        for event in events:
            assert needed <= set(CATALOGUE[event].fields), metric.name


def test_accounts_can_be_summed_by_tenant() -> None:
    accounts = [
        WebchatAccount(channel="webchat", name=name, assistant="a", tenant="acme") for name in ("x", "y")
    ]

    assert lines(Metrics(accounts), "switchboard_account_tenant") == [
        'switchboard_account_tenant{account="x",channel="webchat",tenant="acme"} 1.0',
        'switchboard_account_tenant{account="y",channel="webchat",tenant="acme"} 1.0',
    ]


def test_the_page_shows_the_process_as_well(metrics: Metrics) -> None:
    assert lines(metrics, "process_resident_memory_bytes")


COUNT_ONE = """
import os
from gateway import telemetry
from gateway.telemetry.metrics import Metrics
metrics = Metrics()
telemetry.attach(metrics)
telemetry.event("process.buried", processes=1, lanes=2, sends=0)
telemetry.event("stream.opened", channel="webchat", account="bartender")
telemetry.event("server.observed", connections=2, in_flight=1, buffered_bytes=10, answered=4)
page = metrics.scrape().decode()
from prometheus_client.multiprocess import mark_process_dead
mark_process_dead(os.getpid())
print(page)
"""


def test_one_scrape_shows_the_sum_of_several_processes(tmp_path: Path) -> None:
    """What a process counted stays counted when it has ended; what it held open is gone once its end is
    known.
    """
    env = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    pages = [
        subprocess.run(
            [sys.executable, "-c", COUNT_ONE], env=env, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(3)
    ]

    assert "switchboard_processes_buried_total 3.0" in pages[-1].splitlines()
    assert 'switchboard_streams_open{account="bartender",channel="webchat"} 1.0' in pages[-1].splitlines()
    assert "switchboard_requests_answered_total 12.0" in pages[-1].splitlines()
    assert "switchboard_connections_open 2.0" in pages[-1].splitlines()
