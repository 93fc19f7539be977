"""A table for batchers to write to, and a batch's work that a test can watch and hold up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gevent.event import Event
from psycopg2.extensions import cursor as Cursor

from gateway.store.batcher import Batcher
from gateway.store.postgres import Database

__all__ = ["Keeper", "kept", "make_table"]

_INSERT = (
    "INSERT INTO kept (value) SELECT to_jsonb(v) FROM unnest(%s::text[]) WITH ORDINALITY AS u(v, i) ORDER BY i"
    " RETURNING value #>> '{}'"
)


class Keeper:
    """Writes texts as JSON strings; ``gate`` closed holds every batch up after its connection is taken."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = Event()
        self.gate.set()
        self.begun = Event()

    def work(self, cursor: Cursor, items: Sequence[str]) -> list[str]:
        self.batches.append(list(items))
        self.begun.set()
        self.gate.wait()
        cursor.execute(_INSERT, (list(items),))
        return [row[0] for row in cursor.fetchall()]

    def batcher(self, pool: Database, **bounds: Any) -> Batcher[str, str]:
        settings = {"rows_max": 64, "batches_max": 1, "waiting_max": 1_000, **bounds}
        return Batcher("kept", pool, self.work, **settings)


def make_table(pool: Database) -> None:
    pool.run(lambda cursor: cursor.execute("CREATE TABLE kept (id serial PRIMARY KEY, value jsonb UNIQUE)"))


def kept(pool: Database) -> list[str]:
    """What is in the table, in the order in which it was written."""

    def read(cursor: Cursor) -> list[str]:
        cursor.execute("SELECT value #>> '{}' FROM kept ORDER BY id")
        return [row[0] for row in cursor.fetchall()]

    return pool.run(read)
