"""A database that a test has used is for the next one what a new one is, or that one does not get it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg2
import pytest

from tests.support.databases import Databases, catalogue
from tests.support.stores import Stores

_USE = "INSERT INTO users (channel, account, key, name, locale) VALUES ('slack', 'bot', 'user', '', '') RETURNING id"
_CHANGE = """
    DELETE FROM job_partitions WHERE partition % 2 = 0;
    UPDATE job_partitions SET fence = fence + 1;
    DELETE FROM _yoyo_migration;
    INSERT INTO jobs (id, place, partition, state, kind, payload, progress, due_at)
    VALUES (1, 1, 1, 'ready', 'kind', '"half\\u0000"', '"half\\u0000"', now());
    SELECT nextval('turn_ids');
"""
_FILL = """
    INSERT INTO users (channel, account, key, name, locale) SELECT '', '', n, '', '' FROM generate_series(1, 2000) AS n
"""
_DEFINITIONS = (
    "ALTER TABLE turns ADD COLUMN more text",
    "ALTER TABLE turns ADD CHECK (id > 0) NOT VALID",
    "ALTER TABLE users ALTER COLUMN name SET DEFAULT ''",
    "ALTER SEQUENCE turn_ids INCREMENT BY 2",
    "CREATE TABLE more ()",
    "CREATE INDEX ON users (name)",
    "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE more AS ENUM ()",
    "CREATE TRIGGER more BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE SCHEMA more",
    "ANALYZE users",
    "TRUNCATE users",
    "ALTER TABLE users SET (fillfactor = 50)",
    "ALTER ROLE switchboard SET work_mem = '1MB'",
)
_TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
_OID = "SELECT oid FROM pg_database WHERE datname = current_database()"


@pytest.fixture
def databases(stores: Stores, _migrated_template: str) -> Iterator[Databases]:
    """Some of the test's own: the one taken next is the one given back last."""
    own = Databases(_migrated_template, stores.postgres.url)
    yield own
    own.close()


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run statements outside of any transaction and return what the last one returns."""
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def content(url: str) -> dict[object, list[tuple[object, ...]]]:
    """Everything in a database, the sequences too."""
    tables = [table for (table,) in run(url, _TABLES)]
    rows = {table: run(url, f"SELECT whole::text FROM {table} AS whole ORDER BY 1") for table in tables}
    return {**rows, "sequences": run(url, _SEQUENCES)}


def exists(stores: Stores, oid: object) -> bool:
    return bool(run(stores.postgres.url("postgres"), f"SELECT 1 FROM pg_database WHERE oid = {oid}"))


def test_what_was_written_is_gone_and_what_was_changed_is_back(databases: Databases) -> None:
    """Law: the rows and the sequences are the template's, and what is written next gets the same numbers."""
    used = databases.take()
    new, oid, first = content(used), run(used, _OID), run(used, _USE)
    run(used, _CHANGE)
    assert content(used) != new
    databases.give_back(used)
    again = databases.take()
    assert (run(again, _OID), content(again), run(again, _USE)) == (oid, new, first)
    databases.give_back(again)


def test_whatever_changes_the_catalogue_is_seen(databases: Databases) -> None:
    """Law: no statement that says what a database is leaves its catalogue as it was."""
    used = databases.take()
    with contextlib.closing(psycopg2.connect(used)) as connection, connection.cursor() as cursor:
        for statement in _DEFINITIONS:
            before = catalogue(cursor)
            cursor.execute(statement)
            assert catalogue(cursor) != before, statement
            connection.rollback()
    databases.give_back(used)


@pytest.mark.parametrize("statement", ["ALTER TABLE turns ADD COLUMN more text", "VACUUM users", _FILL])
def test_one_that_is_another_now_is_dropped(databases: Databases, stores: Stores, statement: str) -> None:
    """Law: a database that is not restored is given to nobody."""
    used = databases.take()
    ((oid,),) = run(used, _OID)
    run(used, statement)
    assert exists(stores, oid)
    databases.give_back(used)
    assert not exists(stores, oid)


def test_who_is_left_of_the_last_test_is_sent_away(databases: Databases) -> None:
    """Law: what another test left running neither stays nor comes back."""
    used = databases.take()
    with contextlib.closing(psycopg2.connect(used)) as left:
        databases.give_back(used)
        with pytest.raises(psycopg2.OperationalError, match="terminating connection"), left.cursor() as cursor:
            cursor.execute("SELECT 1")
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(used)
    assert run(databases.take(), "SELECT 1") == [(1,)]


def test_nobody_has_used_a_new_one(databases: Databases) -> None:
    """Law: who asks for a new one gets no other, although one is free."""
    used = databases.take()
    ((oid,),) = run(used, _OID)
    databases.give_back(used)
    assert run(databases.take(new=True), _OID) != [(oid,)]
    assert run(databases.take(), _OID) == [(oid,)]
