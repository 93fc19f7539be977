"""Databases for tests, each used by many tests in turn and by one at a time.

To make and drop one costs a tenth of a second of a processor, nearly all of it in the file system: it is some three
hundred files.  To empty one costs a tenth of that.  The law: what a test gets cannot be told from a new copy of the
template.  So a database that was used

* gets another name while nobody is connected to it: whoever is left over from the last test finds no such database;
* holds the rows of the template again, and its sequences stand where the template's stand;
* is dropped instead if any row of its catalogue differs (a table was altered, a function installed, a table vacuumed or
  analysed, which plans are made of), or if a table's file has grown so long that the planner would notice.

Deliberately absent: any look at what the test did.  Plans and estimates are made of how long a table's file once was:
their tests ask for a new database (``pytest.mark.new_database``).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from tests.support.waiting import until

__all__ = ["Databases", "catalogue"]

#: The planner takes a table that was never vacuumed for this long if it is shorter (PostgreSQL's tableam.c).
_PAGES_MAX = 10
#: The rows of the catalogue that say what a database is, each with the transaction that wrote it.  pg_class is also
#: written in place, by VACUUM and ANALYZE; a TRUNCATE gives a table another file.
_CATALOGUE = """
    SELECT sum(hashtextextended(version, 0)) FROM (
        SELECT format('%s %s %s %s %s', oid, xmin, relfilenode, relpages, reltuples) FROM pg_class WHERE oid >= 16384
        UNION ALL SELECT format('%s.%s %s', attrelid, attnum, xmin) FROM pg_attribute WHERE attrelid >= 16384
        UNION ALL SELECT format('function %s %s', oid, xmin) FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT format('type %s %s', oid, xmin) FROM pg_type WHERE oid >= 16384
        UNION ALL SELECT format('constraint %s %s', oid, xmin) FROM pg_constraint WHERE oid >= 16384
        UNION ALL SELECT format('index %s %s', indexrelid, xmin) FROM pg_index WHERE indexrelid >= 16384
        UNION ALL SELECT format('default %s %s', oid, xmin) FROM pg_attrdef
        UNION ALL SELECT format('trigger %s %s', oid, xmin) FROM pg_trigger
        UNION ALL SELECT format('sequence %s %s', seqrelid, xmin) FROM pg_sequence
        UNION ALL SELECT format('schema %s %s', oid, xmin) FROM pg_namespace
        UNION ALL SELECT format('setting %s', setconfig) FROM pg_db_role_setting
    ) AS catalogue (version)
"""
_LONGEST = "SELECT max(pg_relation_size(oid)) / 8192 FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
_NAMED = "SELECT oid::regclass::text FROM pg_class WHERE relkind = %s AND oid >= 16384"
#: By their texts, which every type has.  A row that is as it was is left alone: another version of it would make the
#: table's file longer.
_RESTORE = """
    DELETE FROM {table} AS used WHERE used::text <> ALL (%(rows)s::text[]);
    INSERT INTO {table} OVERRIDING SYSTEM VALUE
    SELECT (kept::{table}).* FROM unnest(%(rows)s::text[]) AS kept
    WHERE kept <> ALL (SELECT used::text FROM {table} AS used);
"""
#: The same for nearly every table, and half as dear to plan.
_EMPTY = "DELETE FROM {table};"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class _Pristine:
    """What a copy of the template is before anybody used it."""

    catalogue: object
    #: The statements that give it the template's rows and sequences again.
    restore: bytes


class Databases:
    """The databases of one run."""

    def __init__(self, template: str, url: Callable[[str], str]) -> None:
        self._template = template
        self._url = url
        self._free: list[str] = []
        self._pristine: dict[str, _Pristine] = {}
        # One connection for the whole run, because a new one costs as much as what it would be opened for.
        self._maintenance = psycopg2.connect(url("postgres"))
        self._maintenance.autocommit = True

    def take(self, *, new: bool = False) -> str:
        """Return the URL of a database with the template's content: nobody uses it, and if *new* nobody ever has."""
        if self._free and not new:
            return self._url(self._free.pop())
        name = _new_name()
        self._run(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        with contextlib.closing(psycopg2.connect(self._url(name))) as connection:
            self._pristine[name] = _read(connection)
        return self._url(name)

    def give_back(self, url: str) -> None:
        """Make a database ready for the next test, or drop it."""
        name = url.partition("?")[0].rpartition("/")[2]
        pristine, renamed = self._pristine.pop(name), _new_name()
        # Whoever comes back at once would be met there again and again.
        self._run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self._run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
        until(f"{name} left by all", lambda: not self._run("SELECT 1 FROM pg_stat_activity WHERE datname = %s", name))
        self._run(f"ALTER DATABASE {name} RENAME TO {renamed}")
        self._run(f"ALTER DATABASE {renamed} ALLOW_CONNECTIONS true")
        with contextlib.closing(psycopg2.connect(self._url(renamed))) as connection:
            restored = _restore(connection, pristine)
        if restored:
            self._pristine[renamed] = pristine
            self._free.append(renamed)
        else:
            self._run(f"DROP DATABASE {renamed} WITH (FORCE)")

    def close(self) -> None:
        """Leave the server."""
        self._maintenance.close()

    def _run(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self._maintenance.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


def catalogue(cursor: Cursor) -> object:
    """Return what is another value when any row of the catalogue is another."""
    cursor.execute(_CATALOGUE)
    return cursor.fetchone()


def _new_name() -> str:
    return f"used_{next(_numbers)}"


def _names(cursor: Cursor, kind: str) -> list[str]:
    cursor.execute(_NAMED, (kind,))
    return [name for (name,) in cursor.fetchall()]


def _read(connection: Connection) -> _Pristine:
    connection.autocommit = True
    with connection.cursor() as cursor:
        statements = []
        for table in _names(cursor, "r"):
            cursor.execute(f"SELECT used::text FROM {table} AS used")
            rows = [row for (row,) in cursor.fetchall()]
            restore = _RESTORE if rows else _EMPTY
            statements.append(cursor.mogrify(restore.format(table=table), {"rows": rows}))
        for sequence in _names(cursor, "S"):
            cursor.execute(f"SELECT last_value, is_called FROM {sequence}")
            statements.append(cursor.mogrify("SELECT setval(%s, %s, %s);", (sequence, *cursor.fetchone())))
        return _Pristine(catalogue(cursor), b"".join(statements))


def _restore(connection: Connection, pristine: _Pristine) -> bool:
    """Return whether the database is again what it was."""
    with connection, connection.cursor() as cursor:
        if catalogue(cursor) != pristine.catalogue:
            return False
        cursor.execute(_LONGEST)
        if cursor.fetchone()[0] > _PAGES_MAX:
            return False
        # Foreign keys say nothing about a state that is put back as a whole.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(pristine.restore)
        return True
