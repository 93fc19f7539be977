"""The key-value store: what shares a statement, what stands of several values, and what is on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gevent
import msgspec
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.errors import BadRequest, StoreUnavailable
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.kvs import KEY_CHARS_MAX, KeyValues
from gateway.store.postgres import Database
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from tests.support.waiting import until


class Batches:
    """A sink: the batches that have ended, as (rows, outcome)."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.ended: list[tuple[int, str]] = []

    def writer(self, event: Event) -> Writer | None:
        return self._note if event.name == "batch.committed" else None

    def _note(self, fields: dict[str, Any]) -> None:
        if fields["kind"] == self._kind:
            self.ended.append((fields["rows"], fields["outcome"]))


@pytest.fixture
def puts() -> Iterator[Batches]:
    sink = Batches("kvs.put")
    telemetry.attach(sink)
    yield sink
    telemetry.detach(sink)


@pytest.fixture
def gets() -> Iterator[Batches]:
    sink = Batches("kvs.get")
    telemetry.attach(sink)
    yield sink
    telemetry.detach(sink)


@pytest.fixture
def values(pool: Database, store_settings: StoreSettings) -> KeyValues:
    return KeyValues(pool, store_settings)


@pytest.fixture
def stranger(database: str) -> Iterator[Connection]:
    """Somebody else's connection, in a transaction of its own."""
    connection = psycopg2.connect(database)
    yield connection
    connection.close()


def lock(stranger: Connection, key: str) -> None:
    """Hold a key's row until the end of the transaction."""
    with stranger.cursor() as cursor:
        cursor.execute("SELECT 1 FROM bench_kvs WHERE key = %s FOR UPDATE", (key,))
        assert cursor.rowcount == 1


def waiting(database: str) -> Callable[[int], bool]:
    """Return what tells whether so many statements wait for a lock."""

    def look(wanted: int) -> bool:
        connection = psycopg2.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
                row = cursor.fetchone()
                return row is not None and row[0] == wanted
        finally:
            connection.close()

    return look


def put_all(values: KeyValues, pairs: Sequence[tuple[str, str]]) -> list[gevent.Greenlet]:
    """A greenlet for each pair, all of them waiting, in this order."""
    greenlets = [gevent.spawn(values.put, *pair) for pair in pairs]
    gevent.idle()
    return greenlets


def test_a_key_has_no_value_until_it_is_given_one_and_then_the_last(values: KeyValues) -> None:
    assert values.get("k") is None
    values.put("k", "1")
    assert values.get("k") == "1"
    values.put("k", "2")
    assert values.get("k") == "2"
    assert values.get("K") is None


ODD = (
    "1", '""', " {} ", "[1,\n\t2]\r\n", '"%s %(key)s %%"', '"\\u0000"', '"\\\\u001f"', '"\u20ac \U0001f378"', "'; --",
    '"\\"', '"{a,b}"', "NULL", '"\x7f\x85\u2028"', "\\", "\\x1f", "E'\\x1f'", "$1", "x" * 60_000,
)  # fmt: skip


def test_whatever_a_value_is_made_of_comes_back_as_it_was(values: KeyValues, puts: Batches) -> None:
    """Law: keys and values share one text with others, and none of them can be taken for its joints."""
    keys = [f"{place} {text[:400]}" for place, text in enumerate(ODD)]
    written = put_all(values, list(zip(keys, ODD, strict=True)))
    gevent.joinall(written, raise_error=True)
    readers = [gevent.spawn(values.get, key) for key in keys]

    assert [reader.get() for reader in readers] == list(ODD)
    assert puts.ended == [(len(ODD), "ok")]


def test_who_reads_at_the_same_moment_shares_a_statement(values: KeyValues, gets: Batches) -> None:
    """Law: of one key for two readers too, and of one that is not there."""
    values.put("a", "1")
    values.put("b", "2")
    readers = [gevent.spawn(values.get, key) for key in ("a", "b", "none", "a")]

    assert [reader.get() for reader in readers] == ["1", "2", None, "1"]
    assert gets.ended == [(4, "ok")]


def test_every_read_reaches_postgresql(values: KeyValues, stranger: Connection) -> None:
    """Law: there is no cache, so what another process has written is seen at once."""
    values.put("k", "1")
    assert values.get("k") == "1"
    with stranger, stranger.cursor() as cursor:
        cursor.execute("UPDATE bench_kvs SET value = '2'")
    assert values.get("k") == "2"


def test_of_several_values_in_one_batch_the_last_stands_and_all_are_answered(
    values: KeyValues, puts: Batches
) -> None:
    """Law: INSERT ... ON CONFLICT refuses to write a row twice (21000), which must not be anybody's answer."""
    written = put_all(values, [("k", "1"), ("other", "o"), ("k", "3"), ("k", "2")])
    gevent.joinall(written, raise_error=True)

    assert (values.get("k"), values.get("other")) == ("2", "o")
    assert puts.ended == [(4, "ok")]


def test_a_key_is_never_written_by_two_batches_at_once(
    values: KeyValues, puts: Batches, stranger: Connection, database: str
) -> None:
    """Law: they could commit in either order, and one that is run again would bring back what was replaced."""
    values.put("k", "0")
    lock(stranger, "k")
    written = put_all(values, [("k", "1")])
    until("the first to wait for the row", lambda: waiting(database)(1))
    written += put_all(values, [("k", "2")])
    written += put_all(values, [("k", "3")])
    stranger.rollback()
    gevent.joinall(written, raise_error=True)

    assert values.get("k") == "3"
    assert puts.ended == [(1, "ok"), (1, "ok"), (2, "ok")]


def test_two_processes_are_not_each_others_deadlock(
    store_settings: StoreSettings, puts: Batches, stranger: Connection, database: str
) -> None:
    """Law: whoever writes several rows locks them in the order of their keys."""
    pools = [Database(store_settings), Database(store_settings)]
    here, there = (KeyValues(pool, store_settings) for pool in pools)
    for key in "amz":
        here.put(key, "0")
    lock(stranger, "m")
    puts.ended.clear()
    written = put_all(here, [("a", "1"), ("m", "1"), ("z", "1")])
    until("the first to wait", lambda: waiting(database)(1))
    written += put_all(there, [("z", "2"), ("m", "2"), ("a", "2")])
    until("the second to wait", lambda: waiting(database)(2))
    stranger.rollback()
    gevent.joinall(written, raise_error=True)

    assert puts.ended == [(3, "ok"), (3, "ok")]
    assert [there.get(key) for key in "amz"] == ["2", "2", "2"]
    for pool in pools:
        pool.close()


def test_a_value_is_on_disk_when_its_writer_is_answered(
    values: KeyValues, pool: Database, database: str
) -> None:
    """Law: the commit waits for the disk, though the database's own default (as of these tests' server) does not.

    A deferred trigger runs at the commit, so it sees the setting under which the transaction is committed.
    """

    def watch(cursor: Cursor) -> None:
        cursor.execute(
            """
            CREATE TABLE seen (at_commit text);
            CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER look AFTER INSERT OR UPDATE ON bench_kvs DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION look();
            """
        )

    pool.run(watch)
    with contextlib.closing(psycopg2.connect(database)) as plain, plain.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("off",)
    # The second time the connection knows the statement already.
    values.put("k", "1")
    values.put("k", "2")

    assert _column(pool, "SELECT at_commit FROM seen") == ["on", "on"]


def test_the_table_is_logged(pool: Database) -> None:
    """Law: an UNLOGGED table is empty after a crash, whatever was committed."""
    assert _column(pool, "SELECT relpersistence FROM pg_class WHERE relname = 'bench_kvs'") == ["p"]


@pytest.mark.parametrize("call", ["get", "put"])
def test_a_connection_that_does_not_know_the_statement_learns_it(
    values: KeyValues, pool: Database, call: str
) -> None:
    """Law: connections come and go, and whoever is between them and PostgreSQL may have forgotten."""
    values.put("k", "1")
    assert values.get("k") == "1"
    pool.run(lambda cursor: cursor.execute("DEALLOCATE ALL"))
    if call == "put":
        values.put("k", "2")
    assert values.get("k") == ("2" if call == "put" else "1")


@pytest.mark.parametrize("key", ["", "x" * (KEY_CHARS_MAX + 1), "nul\0", "two\x1fkeys"])
def test_a_key_that_cannot_be_is_refused_before_it_meets_others(values: KeyValues, key: str) -> None:
    with pytest.raises(BadRequest) as refused:
        values.get(key)
    assert refused.value.reason == "bad_key"
    with pytest.raises(BadRequest):
        values.put(key, "1")


@pytest.mark.parametrize("value", ["", "nul\0", "two\x1fvalues"])
def test_a_value_that_cannot_be_is_refused_before_it_meets_others(values: KeyValues, value: str) -> None:
    with pytest.raises(BadRequest) as refused:
        values.put("k", value)
    assert refused.value.reason == "bad_value"
    assert values.get("k") is None


def test_the_longest_key_fits_its_index(values: KeyValues) -> None:
    """Law: an index row holds 2,704 bytes; these characters are four each, and no two alike in a row."""
    key = "".join(chr(0x1F000 + number) for number in range(KEY_CHARS_MAX))
    values.put(key, "1")
    assert values.get(key) == "1"


def test_a_postgresql_that_is_away_is_told_as_such(store_settings: StoreSettings) -> None:
    nowhere = msgspec.structs.replace(store_settings, database_url=Secret("postgresql://127.0.0.1:1/none"))
    values = KeyValues(Database(nowhere), nowhere)
    with pytest.raises(StoreUnavailable):
        values.get("k")
    with pytest.raises(StoreUnavailable):
        values.put("k", "1")


def _column(pool: Database, query: str) -> list[Any]:
    def read(cursor: Cursor) -> list[Any]:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]

    return pool.run(read)
