"""Batches whose connection dies, whose commit is lost, who deadlock, or whose PostgreSQL stands still."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

import gevent
import msgspec
import psycopg2
import pytest
from gevent.event import Event
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import StoreUnavailable
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.batcher import Batcher
from gateway.store.postgres import Database
from gateway.store.statements import Prepared
from tests.store.kept import kept, make_table
from tests.support.stores import own_stores
from tests.support.waiting import GUARD_S, until

_KEEP = "INSERT INTO kept (value) SELECT to_jsonb(v) FROM unnest(%s::text[]) AS v ON CONFLICT DO NOTHING"


@pytest.fixture
def table(pool: Database) -> Database:
    make_table(pool)
    return pool


def batcher_of(pool: Database, work: object) -> Batcher[str, str]:
    return Batcher("kept", pool, work, rows_max=64, batches_max=2, waiting_max=100)  # type: ignore[arg-type]


def end_backend(url: str, pid: int) -> None:
    """Have PostgreSQL cut one connection off, as a crash, a proxy or an operator does."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
    finally:
        connection.close()


@pytest.mark.parametrize("when", ["before the statement", "after its commit"])
def test_a_batch_whose_connection_dies_is_run_again(table: Database, database: str, when: str) -> None:
    """Law: nobody knows whether it was committed, so it is asked again; what it does is safe to repeat."""
    tries: list[int] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        tries.append(cursor.connection.info.backend_pid)
        if len(tries) == 1 and when == "before the statement":
            end_backend(database, tries[0])
        cursor.execute(_KEEP, (list(items),))
        if len(tries) == 1 and when == "after its commit":
            end_backend(database, tries[0])
            cursor.execute("SELECT 1")
        return items

    batcher = batcher_of(table, work)
    assert batcher.submit("once") == "once"
    assert len(tries) == 2
    assert tries[0] != tries[1]
    assert kept(table) == ["once"]


def test_a_batch_in_a_transaction_whose_connection_was_wiped_is_run_again(table: Database) -> None:
    """Law: whoever wipes a connection (DISCARD ALL) between two batches costs nobody a message."""
    statement = Prepared("generate_series", "integer", "integer")
    tries: list[int] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        tries.append(cursor.connection.info.backend_pid)
        cursor.execute("BEGIN")
        statement.execute(cursor, (1, 1))
        cursor.execute(_KEEP, (list(items),))
        cursor.execute("COMMIT")
        return items

    batcher = batcher_of(table, work)
    assert batcher.submit("one") == "one"
    table.run(lambda cursor: cursor.execute("DISCARD ALL"))
    assert batcher.submit("two") == "two"
    assert tries[0] == tries[1] != tries[2]
    assert sorted(kept(table)) == ["one", "two"]


def test_a_connection_that_keeps_dying_is_given_up(table: Database, database: str) -> None:
    tries: list[int] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        tries.append(cursor.connection.info.backend_pid)
        end_backend(database, tries[-1])
        cursor.execute(_KEEP, (list(items),))
        return items

    with pytest.raises(StoreUnavailable):
        batcher_of(table, work).submit("never")
    assert len(tries) == 4
    assert kept(table) == []


def test_the_victim_of_a_deadlock_is_run_again(table: Database) -> None:
    """Law: 40P01 means that the same batch succeeds once the other one is through."""
    table.run(lambda cursor: cursor.execute("INSERT INTO kept (value) VALUES ('1'), ('2')"))
    holding = {"1": Event(), "2": Event()}
    tries: list[str] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        (mine,) = items
        other = "2" if mine == "1" else "1"
        tries.append(mine)
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM kept WHERE value = %s FOR UPDATE", (mine,))
        holding[mine].set()
        holding[other].wait()
        cursor.execute("SELECT 1 FROM kept WHERE value = %s FOR UPDATE", (other,))
        cursor.execute("COMMIT")
        return items

    one, two = (gevent.spawn(batcher_of(table, work).submit, item) for item in "12")
    assert (one.get(), two.get()) == ("1", "2")
    assert len(tries) == 3


def test_a_lock_that_is_not_free_in_time_is_asked_for_again(
    store_settings: StoreSettings, database: str
) -> None:
    """Law: lock_timeout bounds each wait; the lock may be free by the next try."""
    pool = Database(msgspec.structs.replace(store_settings, lock_timeout_s=0.1))
    make_table(pool)
    holder = psycopg2.connect(database)
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE kept")
    tries: list[int] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        tries.append(1)
        if len(tries) == 2:
            holder.rollback()
        cursor.execute(_KEEP, (list(items),))
        return items

    assert batcher_of(pool, work).submit("patient") == "patient"
    assert len(tries) == 2
    holder.close()
    pool.close()


def test_a_statement_over_its_time_is_not_tried_again(store_settings: StoreSettings) -> None:
    """Law: what took too long once would only take as long again, while its callers wait."""
    pool = Database(msgspec.structs.replace(store_settings, statement_timeout_s=0.1))
    tries: list[int] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        tries.append(1)
        cursor.execute("SELECT pg_sleep(60)")
        return items

    with pytest.raises(StoreUnavailable):
        batcher_of(pool, work).submit("slow")
    assert len(tries) == 1
    pool.close()


def test_a_postgresql_that_was_silent_for_all_its_time_is_not_asked_again(store_settings: StoreSettings) -> None:
    """Law: each try could take as long as the first, and the callers have waited for one already."""
    pool = Database(msgspec.structs.replace(store_settings, statement_timeout_s=0.1))
    tries: list[int] = []

    def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
        tries.append(1)
        gevent.sleep(GUARD_S)
        return items

    with pytest.raises(StoreUnavailable):
        batcher_of(pool, work).submit("unanswered")
    assert len(tries) == 1
    pool.close()


def test_a_postgresql_that_cannot_be_reached_is_told_in_time() -> None:
    settings = StoreSettings(database_url=Secret("postgresql://u@127.0.0.1:1/nothing"))
    batcher = batcher_of(Database(settings), lambda _cursor, items: items)
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        batcher.submit("nobody there")
    assert time.monotonic() - started < 5


@pytest.mark.slow
def test_a_postgresql_that_stands_still_is_told_in_time_and_works_again_when_it_wakes() -> None:
    """Law: no timeout of PostgreSQL's own can fire then; ours does, for the running batch and for those behind it."""
    with own_stores() as stores:
        url = stores.create_database()
        settings = StoreSettings(
            database_url=Secret(url), statement_timeout_s=0.5, connect_timeout_s=0.5, connection_wait_s=0.5
        )
        pool = Database(settings)
        make_table(pool)

        def work(cursor: Cursor, items: Sequence[str]) -> Sequence[str]:
            cursor.execute(_KEEP, (list(items),))
            return items

        batcher = batcher_of(pool, work)
        assert batcher.submit("before") == "before"
        pids = _server_pids(url)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(StoreUnavailable):
                batcher.submit("during")
            # One answer's patience (0.5 + 1 s), then at most one more try that cannot even connect.
            assert time.monotonic() - started < 2 * pool.answer_max_s + 1
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        until("PostgreSQL to take batches again", lambda: _accepted(batcher, "after"))
        assert {"before", "after"} <= set(kept(pool))
        pool.close()


def _accepted(batcher: Batcher[str, str], item: str) -> bool:
    try:
        return batcher.submit(item) == item
    except StoreUnavailable:
        return False


def _server_pids(url: str) -> list[int]:
    """The postmaster and every backend."""
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        backends = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT pg_read_file('postmaster.pid')")
        row = cursor.fetchone()
        assert row is not None
    connection.close()
    return [int(row[0].splitlines()[0]), *backends]
