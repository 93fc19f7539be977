"""The pool: bounded waits, and connections that are never used again once their state is unknown."""

from __future__ import annotations

import time

import gevent
import msgspec
import psycopg2
import pytest
from gevent.event import Event
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import StoreUnavailable
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import Database, _resolved
from tests.server.telling import told
from tests.support.stores import Stores
from tests.support.waiting import GUARD_S


def backend(cursor: Cursor) -> int:
    cursor.execute("SELECT pg_backend_pid()")
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def settings_with(settings: StoreSettings, **changes: object) -> StoreSettings:
    return msgspec.structs.replace(settings, **changes)


def test_a_connection_is_used_again(pool: Database) -> None:
    assert pool.run(backend) == pool.run(backend)


def test_no_more_connections_are_open_than_the_bound_says(store_settings: StoreSettings) -> None:
    """Law: whoever comes over the bound waits, and is told which setting to change when that takes too long."""
    pool = Database(settings_with(store_settings, connections_max=2, connection_wait_s=0.05))
    gate = Event()
    holders = [gevent.spawn(pool.run, lambda _cursor: gate.wait()) for _ in range(2)]
    gevent.idle()
    with pytest.raises(StoreUnavailable, match=r"store\.connections_max"):
        pool.run(backend)
    gate.set()
    gevent.joinall(holders)
    assert pool.run(backend)
    pool.close()


def test_a_waiting_greenlet_gets_the_connection_that_comes_free(store_settings: StoreSettings) -> None:
    pool = Database(settings_with(store_settings, connections_max=1))
    gate = Event()
    holder = gevent.spawn(pool.run, lambda cursor: (gate.wait(), backend(cursor))[1])
    gevent.idle()
    waiter = gevent.spawn(pool.run, backend)
    gevent.idle()
    gate.set()
    assert waiter.get() == holder.get()
    pool.close()


def test_a_refused_statement_leaves_the_connection_whole(pool: Database) -> None:
    pid = pool.run(backend)
    with pytest.raises(psycopg2.errors.DivisionByZero):
        pool.run(lambda cursor: cursor.execute("SELECT 1 / 0"))
    assert pool.run(backend) == pid


def test_a_server_that_cannot_write_is_unavailable(pool: Database) -> None:
    """Law: while a failover is under way the address may lead to a standby; that is nobody's mistake."""

    def write(cursor: Cursor) -> None:
        cursor.execute("SET default_transaction_read_only = on")
        cursor.execute("CREATE TABLE never ()")

    with pytest.raises(StoreUnavailable):
        pool.run(write)


@pytest.mark.parametrize("statement", ["SELECT 1 FROM nothing_of_that_name", "SELECT nothing_of_that_name()"])
def test_a_schema_that_is_not_there_yet_is_one_to_wait_for(pool: Database, statement: str) -> None:
    """Law: whoever is started before its migration, or beside it, neither ends nor answers that it is broken."""
    with told("store.unavailable") as events, pytest.raises(StoreUnavailable, match="switchboard migrate") as refused:
        pool.run(lambda cursor: cursor.execute(statement))
    assert refused.value.reason == "not_migrated"
    assert events.reasons[0] in {"42P01", "42883"}, "by PostgreSQL's own code, because it may be a fault of ours"
    assert "1 idle" in repr(pool)


def test_a_connection_left_inside_a_transaction_is_closed(pool: Database) -> None:
    """Law: an error inside BEGIN leaves a transaction open; the next user would find himself in it."""
    pid = pool.run(backend)
    with pytest.raises(psycopg2.errors.DivisionByZero):
        pool.run(lambda cursor: cursor.execute("BEGIN; SELECT 1 / 0"))
    assert pool.run(backend) != pid


def test_a_connection_whose_greenlet_was_killed_is_closed(pool: Database) -> None:
    """Law: the answer of its query may still come, and would be taken for the next one's."""
    pid = pool.run(backend)
    greenlet = gevent.spawn(pool.run, lambda cursor: cursor.execute("SELECT pg_sleep(60)"))
    gevent.idle()
    greenlet.kill()
    assert pool.run(backend) != pid


def test_a_callers_own_timeout_is_not_taken_for_the_stores(pool: Database) -> None:
    """Law: a Timeout belongs to whoever started it, also while it is raised inside our wait."""
    with pytest.raises(gevent.Timeout) as raised, gevent.Timeout(0.02) as patience:
        pool.run(lambda cursor: cursor.execute("SELECT pg_sleep(60)"))
    assert raised.value is patience


def test_a_callers_own_timeout_passes_while_a_connection_is_made(stores: Stores) -> None:
    """Law: likewise while connecting, which has a patience of its own."""
    silent = gevent.socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
    pool = Database(StoreSettings(database_url=Secret(url), connect_timeout_s=GUARD_S))
    with pytest.raises(gevent.Timeout) as raised, gevent.Timeout(0.05) as patience:
        pool.run(backend)
    assert raised.value is patience
    silent.close()


def test_connecting_has_a_bound(stores: Stores) -> None:
    """Law: libpq's own connect_timeout does nothing under a wait callback; ours does."""
    silent = gevent.socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
    pool = Database(StoreSettings(database_url=Secret(url), connect_timeout_s=0.05))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"store\.database_url"):
        pool.run(backend)
    assert time.monotonic() - started < 5
    silent.close()


def test_nobody_listening_is_told_as_unavailable_and_without_the_address() -> None:
    """Law: the URL carries a password; no message shows it."""
    pool = Database(StoreSettings(database_url=Secret("postgresql://u:hush@127.0.0.1:1/nothing")))
    with pytest.raises(StoreUnavailable) as raised:
        pool.run(backend)
    assert "hush" not in str(raised.value)


def test_a_statement_over_its_time_is_given_up_by_postgresql(store_settings: StoreSettings) -> None:
    pool = Database(settings_with(store_settings, statement_timeout_s=0.1))
    pid = pool.run(backend)
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        pool.run(lambda cursor: cursor.execute("SELECT pg_sleep(60)"))
    assert time.monotonic() - started < 5
    assert pool.run(backend) == pid, "a statement that PostgreSQL itself ended leaves its connection whole"
    pool.close()


def test_one_lost_connection_takes_its_idle_siblings_along(pool: Database, database: str) -> None:
    """Law: after a restart of PostgreSQL one call fails, not one call for each connection of the pool."""
    gate = Event()
    siblings = [gevent.spawn(pool.run, lambda cursor: (backend(cursor), gate.wait())[0]) for _ in range(5)]
    gevent.idle()
    gate.set()
    pids = [sibling.get() for sibling in siblings]
    assert len(set(pids)) == 5
    killer = psycopg2.connect(database)
    with killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(p) FROM unnest(%s) AS p", (pids,))
    killer.close()

    with pytest.raises(StoreUnavailable):
        pool.run(backend)
    assert pool.run(backend) not in pids


def test_json_columns_come_as_text(pool: Database) -> None:
    """Law: msgspec reads them straight into the struct that is wanted; nobody parses twice."""

    def read(cursor: Cursor) -> object:
        cursor.execute("SELECT '{\"a\": 1}'::jsonb")
        row = cursor.fetchone()
        assert row is not None
        return row[0]

    assert pool.run(read) == '{"a": 1}'


def test_closing_twice_and_late_is_safe(pool: Database, store_settings: StoreSettings) -> None:
    gate = Event()
    busy = gevent.spawn(pool.run, lambda cursor: (gate.wait(), backend(cursor))[1])
    gevent.idle()
    pool.close()
    pool.close()
    gate.set()
    pid = busy.get()
    other = Database(store_settings)

    def alive(cursor: Cursor) -> bool:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,))
        row = cursor.fetchone()
        return row is not None and row[0] > 0

    deadline = time.monotonic() + GUARD_S
    while other.run(alive):
        assert time.monotonic() < deadline, "the busy connection was to be closed when it came back"
    other.close()


def test_names_of_hosts_are_looked_up_before_libpq_sees_them() -> None:
    """libpq's own look-up blocks the whole process; a socket's folder is no name, and an address needs no look-up."""
    assert _resolved("postgresql:///switchboard?host=/run/postgres") == {}
    assert _resolved("postgresql:///switchboard") == {}
    assert _resolved("postgresql://db.example/switchboard?hostaddr=192.0.2.7") == {}

    found = _resolved("postgresql://localhost:5433/switchboard")

    assert "127.0.0.1" in found["hostaddr"].split(",")
    assert set(found["host"].split(",")) == {"localhost"}
    assert set(found["port"].split(",")) == {"5433"}
