"""Orders reach every process: by the poll, at once after a hint, and whoever is away is no reason to forget them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import gevent
import pytest

from gateway.circuits.orders import Orders
from gateway.domain.resilience.health import Event
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.breaker_orders import BreakerOrders
from gateway.store.postgres import Database
from tests.support.stores import own_stores
from tests.support.waiting import GUARD_S, until

#: A poll that no test waits for.
NEVER_S = 1_000.0


class Process:
    """One process's orders, and the commands that its client was given."""

    def __init__(self, database_url: str, *, poll_s: float) -> None:
        settings = StoreSettings(database_url=Secret(database_url), connect_timeout_s=1.0)
        self.database = Database(settings)
        self.commands: list[tuple[str, Event]] = []
        self.table = BreakerOrders(self.database)
        self.orders = Orders(self.table, lambda endpoint, event: self.commands.append((endpoint, event)), poll_s=poll_s)
        self.greenlet = gevent.spawn(self.orders.obey_forever)

    def put(self, endpoint: str, order: str, reason: str = "why") -> None:
        self.table.put(endpoint=endpoint, order=order, by="ada", reason=reason)

    def stop(self) -> None:
        self.greenlet.kill()
        self.database.close()


@contextlib.contextmanager
def process(database_url: str, *, poll_s: float = 0.02) -> Iterator[Process]:
    running = Process(database_url, poll_s=poll_s)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def one(database: str) -> Iterator[Process]:
    with process(database) as running:
        yield running


def test_all_processes_obey_and_are_free_again(one: Process, database: str) -> None:
    with process(database) as other:
        one.put("e", "forced_open")
        until("both to obey", lambda: one.commands and other.commands)
        one.table.drop("e")
        until("both to be free", lambda: len(one.commands) == len(other.commands) == 2)
        assert one.commands == other.commands == [("e", Event.FORCE_OPEN), ("e", Event.RESET)]


def test_a_process_that_starts_later_obeys_what_stands(one: Process, database: str) -> None:
    one.put("e", "metrics_only")
    with process(database, poll_s=NEVER_S) as later:
        until("it to obey", lambda: later.commands == [("e", Event.METRICS_ONLY)])


def test_another_order_replaces_and_another_reason_does_not(one: Process) -> None:
    """Law: a command forgets what was counted, so a new reason for the same order is none."""
    one.put("e", "metrics_only")
    until("the first", lambda: one.commands)
    one.put("e", "metrics_only", reason="a better one")
    one.put("f", "forced_closed")
    until("what came behind it", lambda: len(one.commands) == 2)
    one.put("e", "forced_closed")
    until("the last", lambda: len(one.commands) == 3)
    assert one.commands == [
        ("e", Event.METRICS_ONLY),
        ("f", Event.FORCE_CLOSED),
        ("e", Event.FORCE_CLOSED),
    ]


def test_a_hint_is_quicker_than_the_poll(database: str) -> None:
    with process(database, poll_s=NEVER_S) as patient:
        # Its first look is over once it waits for a hint.
        until("its first look", patient.orders._hinted.linkcount)
        patient.put("e", "forced_open")
        patient.orders.hint()
        until("it to obey", lambda: patient.commands == [("e", Event.FORCE_OPEN)])


def test_a_table_that_is_not_there_yet_ends_nothing(empty_database: str) -> None:
    """Law: a new version that runs before its migration waits for it."""
    from gateway.store.migrate import migrate

    with process(empty_database) as early:
        until("some looks", lambda: early.database._idle)
        migrate(empty_database)
        assert not early.greenlet.dead
        early.put("e", "forced_open")
        until("it to obey", lambda: early.commands == [("e", Event.FORCE_OPEN)])


@pytest.mark.slow
def test_without_postgresql_the_last_orders_stand() -> None:
    """Law: fail-open.  An outage of the ledger sends no call to what somebody had shut."""
    from gateway.store.migrate import migrate

    with own_stores() as stores:
        url = stores.create_database()
        migrate(url)
        with process(url) as running:
            running.put("e", "forced_open")
            until("it to obey", lambda: running.commands)
            stores.postgres_process.stop(time.monotonic() + GUARD_S)
            until("the loss to be noticed", lambda: not running.database._idle)
            stores.postgres_process.start()
            stores.postgres_process.wait_ready(time.monotonic() + GUARD_S)
            until("PostgreSQL to be back", lambda: running.database._idle)
            assert running.commands == [("e", Event.FORCE_OPEN)]
            running.table.drop("e")
            until("it to be free", lambda: running.commands[1:] == [("e", Event.RESET)])
