"""The Prometheus sink: which events are counted and measured, in one table.

Labels are names of the configuration and short stable words, so their number is bounded by the configuration;
should a field turn out not to be, ``SERIES_MAX`` holds and what is above it is counted under the label
``other``.

With several web processes ``PROMETHEUS_MULTIPROC_DIR`` must name an empty folder that all of them share
before this module is imported (prometheus-client decides at import); one scrape then shows the sum of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import msgspec
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MutexValue, ValueClass

from gateway.settings.accounts import Account
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from gateway.telemetry.tallies import CounterTally, HistogramTally

__all__ = ["METRICS", "SERIES_MAX", "Counted", "Held", "Measured", "Metrics", "Shown"]

# A time of creation for each series would double their number, and nothing asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

#: Label combinations of one family.
SERIES_MAX = 2_000


class Counted(msgspec.Struct, frozen=True):
    """A counter: each *event* adds one, or what its field *amount* says."""

    name: str
    meaning: str
    event: str
    labels: tuple[str, ...] = ()
    amount: str = ""


class Measured(msgspec.Struct, frozen=True):
    """A histogram of the field *value* of *event*."""

    name: str
    meaning: str
    event: str
    value: str
    buckets: tuple[float, ...]
    labels: tuple[str, ...] = ()


class Held(msgspec.Struct, frozen=True):
    """A gauge: how many things that *up* has begun *down* has not ended yet."""

    name: str
    meaning: str
    up: str
    down: str
    labels: tuple[str, ...] = ()


class Shown(msgspec.Struct, frozen=True):
    """A gauge: what the field *value* of *event* said last, for what is too frequent to have events of its own."""

    name: str
    meaning: str
    event: str
    value: str
    labels: tuple[str, ...] = ()


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_BOT = ("channel", "account")

METRICS: tuple[Counted | Measured | Held | Shown, ...] = (
    Shown("switchboard_connections_open", "Open connections of callers", "server.observed", "connections"),
    Shown("switchboard_requests_in_flight", "Requests being answered", "server.observed", "in_flight"),
    Shown(
        "switchboard_buffered_bytes",
        "Bytes of bodies that arrive, and of answers that are taken slowly",
        "server.observed",
        "buffered_bytes",
    ),
    Counted("switchboard_requests_answered", "Requests answered", "server.observed", (), "answered"),
    Counted(
        "switchboard_requests_refused",
        "Requests refused before the application saw them",
        "http.refused",
        ("reason", "outcome"),
    ),
    Counted(
        "switchboard_connections_dropped",
        "Connections ended before their time, mostly for their callers' behaviour",
        "connection.dropped",
        ("reason",),
    ),
    Counted("switchboard_deliveries", "Calls by platforms", "delivery.received", (*_BOT, "outcome")),
    Counted(
        "switchboard_deliveries_refused", "Calls refused at the door", "delivery.refused", (*_BOT, "reason")
    ),
    Counted(
        "switchboard_deliveries_dead_lettered",
        "Authentic calls that could not be understood",
        "delivery.dead_lettered",
        (*_BOT, "reason"),
    ),
    Counted(
        "switchboard_proofs_unavailable",
        "Documents that prove calls and could not be fetched",
        "proof.unavailable",
        ("reason",),
    ),
    Counted("switchboard_signs_of_life", "Signs of life given", "sign_of_life.given", (*_BOT, "outcome")),
    Counted("switchboard_turns_accepted", "Messages committed", "turn.accepted", _BOT),
    Counted("switchboard_turns_duplicate", "Messages that were already there", "turn.duplicate", _BOT),
    Counted("switchboard_turns_refused", "Messages refused by a bound", "turn.refused", (*_BOT, "reason")),
    Counted("switchboard_turns_settled", "Turns ended", "turn.settled", (*_BOT, "state", "reason")),
    Measured(
        "switchboard_turn_seconds",
        "Time from commit to settle",
        "turn.settled",
        "duration_s",
        _SECONDS,
        (*_BOT, "state"),
    ),
    Counted("switchboard_spans_lost", "Spans that were dropped", "spans.lost", ("reason",), "spans"),
    Counted("switchboard_lanes_lost", "Lanes lost to others", "lane.lost", (*_BOT, "reason")),
    Counted("switchboard_lanes_taken_over", "Lanes taken over", "lane.taken_over", (*_BOT, "reason")),
    # What has no labels every process shows, as nothing: that one of a kind is there at all is seen by this alone.
    Counted("switchboard_processes_registered", "Entries into the ledger", "process.registered", ("kind",)),
    Counted("switchboard_processes_declared_dead", "Deaths told", "process.declared_dead", ("kind",)),
    Counted("switchboard_processes_buried", "Others found dead", "process.buried", (), "processes"),
    Measured(
        "switchboard_batch_seconds", "Time of a batch", "batch.committed", "duration_s", _SECONDS, ("kind",)
    ),
    Measured("switchboard_batch_rows", "Rows of a batch", "batch.committed", "rows", _ROWS, ("kind",)),
    Counted("switchboard_batches_split", "Batches halved by bad data", "batch.split", ("kind", "reason")),
    Counted("switchboard_store_unavailable", "Failures of PostgreSQL", "store.unavailable", ("reason",)),
    # Each try, not each outage: an alert asks whether it still lasts.
    Counted("switchboard_redis_unavailable", "Tries to reach Redis that failed", "redis.missed", ("reason",)),
    Measured(
        "switchboard_assistant_seconds",
        "Time of a call to an assistant",
        "assistant.call",
        "duration_s",
        _SECONDS,
        ("assistant", "outcome"),
    ),
    Counted(
        "switchboard_assistant_prompt_tokens",
        "Tokens that model servers read, by their own count",
        "assistant.counted",
        ("assistant",),
        "prompt_tokens",
    ),
    Counted(
        "switchboard_assistant_completion_tokens",
        "Tokens that model servers wrote, by their own count",
        "assistant.counted",
        ("assistant",),
        "completion_tokens",
    ),
    Counted(
        "switchboard_assistant_shortened",
        "Chats that a model could not take",
        "assistant.shortened",
        ("assistant",),
    ),
    Counted(
        "switchboard_breaker_changes",
        "Changes of breakers",
        "breaker.changed",
        ("endpoint", "after", "reason"),
    ),
    Measured("switchboard_rpc_seconds", "Calls", "rpc.call", "duration_s", _SECONDS, ("endpoint", "outcome")),
    Counted("switchboard_rpc_refused", "Calls never sent", "rpc.refused", ("endpoint", "reason")),
    Counted("switchboard_rpc_retried", "Calls made again", "rpc.retried", ("service", "reason")),
    # By what forbids it: how the calls ended is told by the family of their times.
    Counted("switchboard_rpc_not_retried", "Failed calls not made again", "rpc.not_retried", ("service", "refused")),
    Counted("switchboard_rpc_hedged", "Late calls", "rpc.hedged", ("service", "outcome")),
    Counted("switchboard_rpc_probed", "Endpoints asked for their health", "rpc.probed", ("endpoint", "outcome")),
    Held(
        "switchboard_rpc_connections", "Open connections", "rpc.connected", "rpc.disconnected", ("endpoint",)
    ),
    # Not by host: those of addresses out of payloads are others' choice.
    Counted("switchboard_dns_stale", "Uses of old addresses told", "dns.stale", ("reason",)),
    # Of all workers together, shown by one of them.
    Shown("switchboard_jobs", "Jobs", "jobs.counted", "jobs", ("kind", "state")),
    Shown(
        "switchboard_jobs_oldest_seconds",
        "Time for which the oldest job has been due, or at its end",
        "jobs.counted",
        "oldest_s",
        ("kind", "state"),
    ),
    Counted("switchboard_jobs_settled", "Ends of jobs", "jobs.settled", ("kind", "outcome"), "jobs"),
    Counted("switchboard_jobs_crashed", "Handlers that raised", "job.crashed", ("kind",)),
    Counted("switchboard_jobs_failed", "Runs without an outcome", "job.failed", ("kind", "reason")),
    Counted("switchboard_jobs_blocked", "Jobs that held their worker's event loop for long", "job.blocked", ("kind",)),
    Counted("switchboard_jobs_cut_off", "Runs ended with their worker", "jobs.cut_off", (), "jobs"),
    Shown("switchboard_partitions_unowned", "Partitions of jobs without owner", "partitions.counted", "unowned"),
    Counted("switchboard_outbox_claimed", "Due replies taken by workers", "outbox.claimed", (), "rows"),
    Counted("switchboard_webhooks_told", "Events that webhooks took", "webhook.told", ("webhook", "outcome")),
    Counted(
        "switchboard_webhooks_failed",
        "Tries in which webhooks' receivers did not take an event",
        "webhook.failed",
        ("webhook", "reason"),
    ),
    Counted("switchboard_outbox_finished", "Sends ended", "outbox.finished", (*_BOT, "outcome", "reason")),
    Held("switchboard_streams_open", "Open streams of pages", "stream.opened", "stream.closed", _BOT),
    Counted("switchboard_previews_dropped", "Running replies over a bound", "preview.dropped", ("reason",)),
    Counted("switchboard_restarts", "Long-lived parts started again", "supervisor.restarted", ("child",)),
)

_Change = Callable[[Any, dict[str, Any]], None]


class Metrics:
    """The sink, and the page that Prometheus reads."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self._several_processes = ValueClass is not MutexValue
        self._registry = CollectorRegistry()
        self._writers: dict[str, list[Writer]] = {}
        for metric in METRICS:
            self._declare(metric)
        self._declare_tenants(accounts)
        if not self._several_processes:
            for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
                self._registry.register(collector)

    def writer(self, event: Event) -> Writer | None:
        """Return what updates every family that *event* feeds."""
        writers = self._writers.get(event.name, [])
        if len(writers) < 2:
            return writers[0] if writers else None

        def write_all(fields: dict[str, Any]) -> None:
            for write in writers:
                write(fields)

        return write_all

    def scrape(self) -> bytes:
        """Return all families in Prometheus' text form: of this process, or of all that share the folder."""
        registry = self._registry
        if self._several_processes:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _declare(self, metric: Counted | Measured | Held | Shown) -> None:
        common: dict[str, Any] = {"labelnames": metric.labels, "registry": self._registry}
        match metric:
            case Counted() if not self._several_processes:
                count = CounterTally(
                    metric.name, metric.meaning, metric.labels, amount=metric.amount, series_max=SERIES_MAX
                )
                self._registry.register(count)
                self._feed(metric.event, count.write)
            case Measured() if not self._several_processes:
                times = HistogramTally(
                    metric.name, metric.meaning, metric.labels,
                    value=metric.value, bounds=metric.buckets, series_max=SERIES_MAX,
                )  # fmt: skip
                self._registry.register(times)
                self._feed(metric.event, times.write)
            case Counted():
                counter = Counter(metric.name, metric.meaning, **common)
                self._feed(metric.event, _writer(counter, metric.labels, _adding(metric.amount)))
            case Measured():
                histogram = Histogram(metric.name, metric.meaning, buckets=metric.buckets, **common)
                self._feed(metric.event, _writer(histogram, metric.labels, _observing(metric.value)))
            case Held():
                # "livesum": a process that died holds nothing any more.
                gauge = Gauge(metric.name, metric.meaning, multiprocess_mode="livesum", **common)
                self._feed(metric.up, _writer(gauge, metric.labels, lambda child, _: child.inc()))
                self._feed(metric.down, _writer(gauge, metric.labels, lambda child, _: child.dec()))
            case Shown():
                gauge = Gauge(metric.name, metric.meaning, multiprocess_mode="livesum", **common)
                self._feed(metric.event, _writer(gauge, metric.labels, _setting(metric.value)))

    def _declare_tenants(self, accounts: Iterable[Account]) -> None:
        """A series of value 1 for each account, by which a query sums what belongs to one tenant.

        https://www.robustperception.io/how-to-have-labels-for-machine-roles
        """
        tenants = Gauge(
            "switchboard_account_tenant",
            "Tenants of accounts, to be joined with the other families",
            labelnames=(*_BOT, "tenant"),
            registry=self._registry,
            multiprocess_mode="max",
        )
        for account in accounts:
            tenants.labels(account.channel, account.name, account.tenant).set(1)

    def _feed(self, event_name: str, writer: Writer) -> None:
        self._writers.setdefault(event_name, []).append(writer)


def _adding(amount: str) -> _Change:
    if not amount:
        return lambda child, _: child.inc()
    return lambda child, fields: child.inc(fields[amount])


def _setting(value: str) -> _Change:
    return lambda child, fields: child.set(fields[value])


def _observing(value: str) -> _Change:
    return lambda child, fields: child.observe(fields[value])


def _writer(family: Any, labels: tuple[str, ...], change: _Change) -> Writer:
    if not labels:
        return lambda fields: change(family, fields)
    pick = itemgetter(*labels)
    # Children are kept here because Metric.labels() takes a lock and builds a tuple of strings on each call.
    children: dict[Any, Any] = {}

    def write(fields: dict[str, Any]) -> None:
        key = pick(fields)
        child = children.get(key)
        if child is None:
            if len(children) < SERIES_MAX:
                child = children[key] = family.labels(*(fields[label] for label in labels))
            else:
                child = family.labels(*("other" for _ in labels))
        change(child, fields)

    return write
