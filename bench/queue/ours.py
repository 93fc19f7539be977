"""Our side of bench.queue: the settings of its workers, and what the ledger and Redis say of its jobs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import redis

from bench.queue.contestants import TEXT
from bench.stack import ASSISTANT_SECRET, SECRET, SETTINGS
from bench.stores import Stores

__all__ = ["Ledger", "environment", "forget_redis", "ledger_of"]

_WORKER = """
[worker]
handlers = ["bench.queue.handlers"]
"""
_POLL_S = 0.005


def environment(stores: Stores, folder: Path, effects: Path, *, redis_url: str = "") -> dict[str, str]:
    """Return the environment of contestants: everybody's, and our own."""
    config = folder / "switchboard.toml"
    # An account, without which there are no settings, and an assistant that nobody asks.
    config.write_text(SETTINGS.format(socket=quote(str(folder / "nobody.sock"), safe="")) + _WORKER)
    url = redis_url or stores.redis.url
    return {
        **os.environ,
        "REDIS_URL": url,
        # RQ's own name for it.
        "RQ_REDIS_URL": url,
        "DATABASE_URL": stores.postgres.url(),
        "EFFECTS": str(effects),
        "TEXT": TEXT,
        "SWITCHBOARD_CONFIG": str(config),
        "SWITCHBOARD_HOME": str(folder),
        "BENCH_COOKIE_SECRET": SECRET,
        "BENCH_ASSISTANT_SECRET": ASSISTANT_SECRET,
    }


class Ledger:
    """What the ledger says, asked over a connection of the benchmark's own."""

    def __init__(self, stores: Stores) -> None:
        self._url = stores.postgres.url()
        self._connection = self._connect()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a statement answers with; it is asked again if PostgreSQL was started anew meanwhile."""
        try:
            return self._rows(statement, values)
        except psycopg2.OperationalError:
            self._connection = self._connect()
            return self._rows(statement, values)

    def _connect(self) -> Any:
        connection = psycopg2.connect(self._url)
        connection.autocommit = True
        return connection

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def counts(self) -> Mapping[str, int]:
        """Return how many jobs there are, by state."""
        return dict(self.rows("SELECT state, count(*) FROM jobs GROUP BY state"))

    def wait_settled(self, *, max_s: float) -> float:
        """Return the monotonic instant at which no job was left, or raise :exc:`TimeoutError`."""
        deadline = time.monotonic() + max_s
        # Stops at the first row, and the longer it takes to find none, the emptier the table is.
        while self.rows("SELECT 1 FROM jobs WHERE state IN ('ready', 'scheduled') LIMIT 1"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"jobs are left in the ledger: {self.counts()}")
            time.sleep(_POLL_S)
        return time.monotonic()

    def empty(self) -> None:
        """Throw all jobs away; the tables are as new."""
        self.rows("TRUNCATE jobs, job_claims")
        self.rows("DELETE FROM dead_letters")

    def bury_all(self) -> None:
        """Declare dead every process that a failed run left: a worker's successor would wait until that is found."""
        self.rows("SELECT process_declare_dead(label, false) FROM processes WHERE beat IS NOT NULL")

    def bytes_of(self, table: str) -> int:
        """Return the size of a table with its indexes."""
        return int(self.rows("SELECT pg_total_relation_size(%s::regclass)", table)[0][0])

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@contextlib.contextmanager
def ledger_of(stores: Stores) -> Iterator[Ledger]:
    """Ask the ledger until the block ends."""
    ledger = Ledger(stores)
    try:
        yield ledger
    finally:
        ledger.close()


def forget_redis(stores: Stores) -> None:
    """Empty Redis: every contestant starts with nothing of the others'."""
    client = redis.Redis.from_url(stores.redis.url)
    client.flushall()
    client.close()
