"""A test's own look into the ledger: plain SQL, past all code under test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
from psycopg2.extras import RealDictCursor

from tests.support.waiting import until

__all__ = ["LedgerView"]

_TABLES = ("conversations", "turns", "users", "dedupe_keys", "outbox", "dead_letters")


class LedgerView:
    """Reads; every query on a connection of its own, so that a restarted PostgreSQL is no matter."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return a query's rows as dictionaries."""
        connection = psycopg2.connect(self.url)
        try:
            connection.autocommit = True
            with connection.cursor(cursor_factory=RealDictCursor) as cursor:
                cursor.execute(query, values)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has of what was said: whatever is stored shows here."""
        counted = " UNION ALL ".join(f"SELECT '{table}' AS name, count(*) FROM {table}" for table in _TABLES)
        return {row["name"]: row["count"] for row in self.rows(counted)}

    def turns(self, word: str) -> list[dict[str, Any]]:
        """Return the turns whose message holds *word*, in order of their ids."""
        return self.rows(
            "SELECT t.*, c.fence, c.owner_process FROM turns t JOIN conversations c ON c.id = t.conversation_id"
            " WHERE t.message::text LIKE %s ORDER BY t.id",
            f"%{word}%",
        )

    def outbox(self, word: str) -> list[dict[str, Any]]:
        """Return the outbox rows of those turns, in order of their ids."""
        return self.rows(
            "SELECT o.* FROM outbox o JOIN turns t ON t.id = o.turn_id WHERE t.message::text LIKE %s ORDER BY o.id",
            f"%{word}%",
        )

    def letters(self, word: str) -> list[dict[str, Any]]:
        """Return the dead letters of those turns, and of deliveries whose bytes hold *word*."""
        return self.rows(
            "SELECT d.* FROM dead_letters d LEFT JOIN turns t ON t.id = d.turn_id"
            " WHERE t.message::text LIKE %s OR position(%s::bytea IN d.body) > 0 ORDER BY d.id",
            f"%{word}%",
            word.encode(),
        )

    def wait_settled(self, word: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the turns about *word* once *count* of them have ended."""

        def settled() -> list[dict[str, Any]]:
            found = self.turns(word)
            ended = len(found) >= count and all(turn["state"] != "accepted" for turn in found)
            return found if ended else []

        return until(f"{count} ended turns about {word}", settled)

    def wait_outbox(self, word: str, state: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the outbox rows about *word* once there are *count* of them, all in *state*."""

        def there() -> list[dict[str, Any]]:
            found = self.outbox(word)
            return found if len(found) >= count and all(row["state"] == state for row in found) else []

        return until(f"{count} outbox rows about {word} in state {state}", there)

    @contextlib.contextmanager
    def held_back(self, table: str) -> Iterator[None]:
        """Let nobody write to *table* while the block runs: whoever wants to waits, at most for its lock_timeout."""
        blocker = psycopg2.connect(self.url)
        try:
            with blocker.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            yield
        finally:
            blocker.close()

    def waiting_for_locks(self, statement: str) -> int:
        """Return how many sessions wait for a lock in a statement that holds this word."""
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
        return len(self.rows(query, f"%{statement}%"))

    def wait_quiet(self) -> None:
        """Return once no turn is open and no reply is on its way; one that is kept for a next turn is on none."""
        until(
            "an idle ledger",
            lambda: (
                not self.rows(
                    "SELECT 1 FROM turns WHERE state = 'accepted'"
                    " UNION ALL SELECT 1 FROM outbox WHERE state IN ('pending', 'sending') AND kept_until IS NULL"
                )
            ),
        )

    def wait_finished(self, word: str) -> list[dict[str, Any]]:
        """Return the outbox rows about *word* once there are some, and all have an end, whichever."""

        def finished() -> list[dict[str, Any]]:
            found = self.outbox(word)
            return found if all(row["finished_at"] for row in found) else []

        return until(f"an end of the outbox rows about {word}", finished)

    def owner_pid(self, conversation_id: int) -> int:
        """Return the pid of the process that owns the lane; 0 if nobody does."""
        found = self.rows(
            "SELECT p.label FROM conversations c JOIN processes p"
            " ON p.id = c.owner_process AND p.epoch = c.owner_epoch WHERE c.id = %s",
            conversation_id,
        )
        return int(found[0]["label"].rpartition(":")[2]) if found else 0

    def live_workers(self) -> int:
        """Return how many worker processes are alive in the ledger."""
        return len(self.rows("SELECT 1 FROM processes WHERE kind = 'worker' AND beat IS NOT NULL"))

    def partition_owners(self) -> int:
        """Return how many workers share the partitions of jobs; 0 while one has no owner."""
        [found] = self.rows(
            "SELECT count(DISTINCT owner_process) AS owners, bool_and(owner_process IS NOT NULL) AS all_owned"
            " FROM job_partitions"
        )
        return int(found["owners"]) if found["all_owned"] else 0
