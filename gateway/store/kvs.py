"""A key-value store in PostgreSQL: the third test of the platform evaluation (``/bench/kvs/<key>``).

Every call reaches PostgreSQL; there is no cache.  Calls of the same moment share a statement:

- ``get``: one read of all their keys.
- ``put``: one write and one commit.  Of several values for one key the last to come stands, and all who wrote are
  answered, because each of their writes did happen, in this order.

A ``get`` that begins after a ``put`` was answered sees its value, or a later one.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import BadRequest
from gateway.settings.store import StoreSettings
from gateway.store.batcher import Batcher
from gateway.store.postgres import Database

__all__ = ["KEY_CHARS_MAX", "KeyValues"]

#: A key must fit the page of an index: 2,704 bytes, and a character may be four.
KEY_CHARS_MAX = 500

#: U+001F, "unit separator".  JSON has no bare control character, so no value can hold it; a key with it is refused.
#: One text that PostgreSQL takes apart costs less than an array, whose items psycopg2 quotes one by one; PREPARE saves
#: parsing and planning.  Measured at 64 callers, for Python and PostgreSQL: 3.5 + 2.0 µs a get against 4.0 + 2.4,
#: 3.9 + 6.2 µs a put against 4.7 + 7.2.
_SEPARATOR = "\x1f"

_PREPARE_GET = r"""
    PREPARE bench_kvs_get (text) AS
    SELECT key, value FROM bench_kvs WHERE key = ANY (string_to_array($1, E'\x1f'))
"""
_GET = "EXECUTE bench_kvs_get (%s)"
_PREPARE_PUT = r"""
    PREPARE bench_kvs_put (text, text) AS
    INSERT INTO bench_kvs (key, value)
    SELECT * FROM unnest(string_to_array($1, E'\x1f'), string_to_array($2, E'\x1f'))
    ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value
"""
_PUT = "EXECUTE bench_kvs_put (%s, %s)"

#: A key and its value.
_Pair = tuple[str, str]


class KeyValues:
    """Batched access to the table ``bench_kvs``."""

    def __init__(self, database: Database, store: StoreSettings) -> None:
        rows_max, waiting_max = store.batch_rows_max, store.batch_waiting_max
        self._gets: Batcher[str, str | None] = Batcher(
            "kvs.get",
            database,
            _get,
            rows_max=rows_max,
            # A batch costs this process 55 µs, however small it is.  Measured with 64 callers over HTTP: 46,500 gets a
            # second with one at a time that gathers, 43,000 with one, 41,000 with two.
            batches_max=1,
            waiting_max=waiting_max,
            gathers=True,
        )
        self._puts: Batcher[_Pair, None] = Batcher(
            "kvs.put",
            database,
            _put,
            rows_max=rows_max,
            # Measured likewise: 38,400 puts a second with one at a time, 35,200 with two, 34,500 with one that gathers.
            batches_max=1,
            waiting_max=waiting_max,
            # Two batches under way at once could commit in either order; and one that is run again, because its answer
            # was lost, would bring back a value that another has replaced meanwhile.
            exclusive=lambda pair: pair[0],
        )

    def get(self, key: str) -> str | None:
        """Return the value of *key*, or None.

        :raises BadRequest: no key can be like this.
        :raises TryLater: too many wait already, or PostgreSQL does not answer.
        """
        return self._gets.submit(_checked_key(key))

    def put(self, key: str, value: str) -> None:
        """Let *key* have this *value*, which is JSON; it is on disk when this returns.

        :raises BadRequest: no key or no value can be like this.
        :raises TryLater: too many wait already, or PostgreSQL does not answer; it may have been written all the same.
        :raises StoreRefused: PostgreSQL refuses the value for what is in it.
        """
        if not value or _SEPARATOR in value or "\0" in value:
            raise BadRequest("expected a JSON value, got an empty text, NUL or U+001F", reason="bad_value")
        self._puts.submit((_checked_key(key), value))


def _checked_key(key: str) -> str:
    if not 0 < len(key) <= KEY_CHARS_MAX or _SEPARATOR in key or "\0" in key:
        raise BadRequest(
            f"expected a key of 1 to {KEY_CHARS_MAX} characters, none of them NUL or U+001F", reason="bad_key"
        )
    return key


def _get(cursor: Cursor, keys: Sequence[str]) -> list[str | None]:
    _execute(cursor, _GET, _PREPARE_GET, (_SEPARATOR.join(keys),))
    found: dict[str, str] = dict(cursor.fetchall())
    return [found.get(key) for key in keys]


def _put(cursor: Cursor, pairs: Sequence[_Pair]) -> list[None]:
    # A statement may write a row only once, so the last of equal keys stands for them all.  In the order of keys,
    # because two processes that lock the same rows in different orders would be each other's deadlock.
    last = sorted(dict(pairs).items())
    keys, values = zip(*last, strict=True)
    _execute(cursor, _PUT, _PREPARE_PUT, (_SEPARATOR.join(keys), _SEPARATOR.join(values)))
    return [None] * len(pairs)


def _execute(cursor: Cursor, statement: str, prepare: str, values: tuple[str, ...]) -> None:
    """Run a prepared statement, which each connection of the pool learns when it is asked for the first time."""
    try:
        cursor.execute(statement, values)
    except errors.InvalidSqlStatementName:
        cursor.execute(prepare)
        cursor.execute(statement, values)
