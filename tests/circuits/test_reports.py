"""What processes report of their circuits: written when it changes, believed for a while, shown for all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import redis

from gateway.circuits.overview import look
from gateway.circuits.reporter import Reporter
from gateway.domain.errors import StoreUnavailable
from gateway.domain.resilience.health import Event, Health, HealthRules, Verdict
from gateway.domain.resilience.orders import Order
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.circuit_reports import REPORT_LIVES_S, CircuitReports, LiveProcess, live_processes
from gateway.store.ledger.process import register
from gateway.store.postgres import Database

GATEWAY = LiveProcess(process_id=1, kind="gateway", label="a:1")
WORKER = LiveProcess(process_id=2, kind="worker", label="b:2")
ORDER = Order(endpoint="e", order="forced_open", by="ada", at=1.0, reason="it burns")


@contextlib.contextmanager
def open_reports(url: str) -> Iterator[CircuitReports]:
    reports = CircuitReports(StoreSettings(redis_url=Secret(url)))
    yield reports
    reports.close()
    reports.close()


@pytest.fixture
def reports(redis_url: str) -> Iterator[CircuitReports]:
    with open_reports(redis_url) as opened:
        yield opened


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


class Process:
    """One whose circuits are real and whose clock a test moves."""

    def __init__(self, reports: CircuitReports, number: int) -> None:
        self.now = 50.0
        self.number = number
        self.health: dict[str, Health] = {}
        self.reporter = Reporter(
            reports,
            lambda: {endpoint: health.view(self.now) for endpoint, health in self.health.items()},
            me=lambda: self.number,
            clock=lambda: self.now,
            unix_time=lambda: 1_000 + self.now,
        )

    def fail(self, endpoint: str, calls: int) -> None:
        health = self.health.setdefault(endpoint, Health(HealthRules(calls_min=3)))
        for _ in range(calls):
            permit = health.admit(self.now, 1.0)
            health.settle(permit, Verdict.FAILED, self.now)


def test_a_person_sees_every_processs_circuits_beside_the_orders(reports: CircuitReports) -> None:
    gateway, worker = Process(reports, 1), Process(reports, 2)
    gateway.fail("e", 2)
    worker.fail("e", 3)
    worker.fail("f", 1)
    gateway.reporter.report()
    worker.reporter.report()

    seen = look([ORDER], [GATEWAY, WORKER], reports)

    assert (seen.processes, seen.reporting, seen.problem) == (2, 2, "")
    assert seen.known() == {"e", "f"}
    e, f = seen.endpoints
    assert (e.endpoint, e.order, f.endpoint, f.order) == ("e", ORDER, "f", None)
    assert [(one.process, one.circuit.state) for one in e.circuits] == [(GATEWAY, "closed"), (WORKER, "open")]
    assert [(one.circuit.calls, one.circuit.failed) for one in (e.circuits[0], f.circuits[0])] == [(2, 2), (1, 1)]
    assert e.circuits[1].circuit.reason == "failure_rate"
    assert e.circuits[1].circuit.open_for_s > 0


def test_since_when_is_told_of_the_state_and_not_of_the_report(reports: CircuitReports) -> None:
    process = Process(reports, 1)
    process.fail("e", 1)
    process.reporter.report()
    process.now += 3
    process.fail("e", 1)
    process.reporter.report()
    assert reports.read([1])[1]["e"].since == 1_050
    process.now += 3
    process.fail("e", 1)
    process.reporter.report()
    assert reports.read([1])[1]["e"].since == 1_056
    process.now += 3
    process.health["e"].apply(Event.FORCE_OPEN, process.now, reason="operator")
    process.reporter.report()
    circuit = reports.read([1])[1]["e"]
    assert (circuit.state, circuit.since) == ("forced_open", 1_059)


def test_what_has_not_changed_is_written_again_before_it_expires(
    reports: CircuitReports, client: redis.Redis
) -> None:
    """And not each second: a quiet process costs Redis next to nothing."""
    process = Process(reports, 1)

    def written() -> bool:
        client.delete("switchboard:circuits:1")
        process.reporter.report()
        return client.exists("switchboard:circuits:1") == 1

    assert written(), "the first, although it is empty: silence means that nobody is there"
    assert not written()
    process.now += REPORT_LIVES_S / 3
    assert written()
    process.fail("e", 1)
    assert written(), "at once when it changed"
    assert 0 < client.ttl("switchboard:circuits:1") <= REPORT_LIVES_S


def test_who_says_nothing_is_told_from_who_is_not_there(reports: CircuitReports) -> None:
    Process(reports, 1).reporter.report()
    seen = look([], [GATEWAY, WORKER], reports)
    assert (seen.processes, seen.reporting, seen.endpoints) == (2, 1, ())


def test_a_process_without_a_row_in_the_ledger_reports_nothing(
    reports: CircuitReports, client: redis.Redis
) -> None:
    Process(reports, 0).reporter.report()
    assert client.keys() == []


@pytest.mark.parametrize("strange", [b"", b"[]", b'{"e": {"state": 7}}', b"\xff"])
def test_a_report_that_is_not_understood_hides_no_other(
    reports: CircuitReports, client: redis.Redis, strange: bytes
) -> None:
    """Law: during a rolling restart two versions report side by side."""
    client.set("switchboard:circuits:2", strange)
    client.set("switchboard:circuits:1", b'{"e": {"state": "open", "since": 1, "of a newer version": []}}')
    seen = look([], [GATEWAY, WORKER], reports)
    assert [(one.process, one.circuit.state) for one in seen.endpoints[0].circuits] == [(GATEWAY, "open")]


def test_without_redis_the_orders_are_shown_and_why_the_rest_is_not() -> None:
    """Law: fail-open.  Orders stand in PostgreSQL."""
    with open_reports("redis://127.0.0.1:1") as nowhere:
        seen = look([ORDER], [GATEWAY], nowhere)
        assert [(one.order, one.circuits) for one in seen.endpoints] == [(ORDER, ())]
        assert (seen.reporting, seen.problem) == (0, "Redis does not answer (store.redis_url)")
        process = Process(nowhere, 1)
        with pytest.raises(StoreUnavailable):
            process.reporter.report()


def test_who_lives_is_known_from_the_ledger(database: str) -> None:
    pool = Database(StoreSettings(database_url=Secret(database)))
    try:
        for kind in ("gateway", "gateway", "worker"):
            pool.run(lambda cursor, kind=kind: register(cursor, kind, "a:1"))
        pool.run(lambda cursor: cursor.execute("UPDATE processes SET beat = NULL WHERE id = 1"))
        pool.run(
            lambda cursor: cursor.execute("UPDATE processes SET beat = beat - interval '1 hour' WHERE id = 2")
        )
        found = pool.run(live_processes)
    finally:
        pool.close()
    assert [(one.process_id, one.kind) for one in found] == [(3, "worker")]
