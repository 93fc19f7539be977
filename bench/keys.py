"""The rows behind /bench/kvs: the same for every contestant, seen from PostgreSQL's side.

Two families, so that what is put does not disturb what is got: ``get-00000`` to ``get-09999`` and ``put-...``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import psycopg2
from psycopg2.extras import execute_values

__all__ = ["KEYS", "Keys", "a_value"]

KEYS = 10_000
_KEEP = """
INSERT INTO bench_kvs (key, value) VALUES %s ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""


def a_value() -> str:
    """Return a value, JSON as text, that nobody has seen yet; all are of one length."""
    return f'{{"by":"bench","number":"{random.getrandbits(64):016x}","text":"{"x" * 80}"}}'


class Keys:
    """A connection to the table."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg2.connect(database_url)
        self._connection.autocommit = True

    def fill(self) -> None:
        """Write all rows."""
        families = ("get", "put")
        self._write([(f"{family}-{n:05d}", a_value()) for family in families for n in range(KEYS)])
        with self._connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE bench_kvs")

    def change(self, family: str, count: int) -> dict[str, str]:
        """Give *count* keys of a family new values, and return these."""
        changed = {f"{family}-{number:05d}": a_value() for number in random.sample(range(KEYS), count)}
        self._write(list(changed.items()))
        return changed

    def read(self, keys: Sequence[str]) -> dict[str, str]:
        """Return what is there."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT key, value FROM bench_kvs WHERE key = ANY(%s)", (list(keys),))
            return dict(cursor.fetchall())

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _write(self, rows: Sequence[tuple[str, str]]) -> None:
        with self._connection.cursor() as cursor:
            execute_values(cursor, _KEEP, rows, page_size=1_000)
