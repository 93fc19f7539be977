"""What one user leaves behind, removed step by step.  The rules are in ``erase.sql``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

__all__ = [
    "Delivery", "Emptied", "JobWords", "deliveries", "drop_deliveries", "drop_jobs", "empty_turns", "end", "find",
    "jobs",
]  # fmt: skip


class Emptied(msgspec.Struct, frozen=True):
    """What one statement did to a user's turns."""

    #: Where to go on; None: there are no more.
    behind: int | None
    #: Conversations that were at work and left as they are.
    busy: int
    turns: list[int]
    #: Conversations that were the user's alone.
    lanes: list[int]
    boxes: int
    letters: int


class JobWords(msgspec.Struct, frozen=True):
    """A job, and all in it that may tell of somebody."""

    job_id: int
    partition: int
    words: str


class Delivery(msgspec.Struct, frozen=True):
    """A delivery that was not understood, as it came."""

    letter_id: int
    body: bytes


def find(cursor: Cursor, channel: str, account: str, key: str) -> int | None:
    """Return the user of this key."""
    cursor.execute("SELECT erase_find(%s, %s, %s)", (channel, account, key))
    row = cursor.fetchone()
    return None if row is None else row[0]


def empty_turns(cursor: Cursor, user_id: int, behind: int, rows_max: int) -> Emptied:
    """Empty the next turns of a user, and remove what hangs on them."""
    cursor.execute("SELECT * FROM erase_turns(%s, %s, %s)", (user_id, behind, rows_max))
    row = cursor.fetchone()
    assert row is not None, "erase_turns answers with one row"
    return Emptied(*row)


def jobs(cursor: Cursor, behind: int, rows_max: int) -> list[JobWords]:
    """Return the next jobs."""
    cursor.execute("SELECT * FROM erase_look_at_jobs(%s, %s)", (behind, rows_max))
    return [JobWords(*row) for row in cursor.fetchall()]


def drop_jobs(cursor: Cursor, ids: Sequence[int]) -> int:
    """Remove jobs with their dead letters; return how many there were."""
    return _count(cursor, "SELECT erase_jobs(%s::bigint[])", ids)


def deliveries(cursor: Cursor, channel: str, account: str, behind: int, rows_max: int) -> list[Delivery]:
    """Return the next deliveries of an account that were not understood."""
    cursor.execute("SELECT * FROM erase_look_at_deliveries(%s, %s, %s, %s)", (channel, account, behind, rows_max))
    return [Delivery(letter_id, bytes(body or b"")) for letter_id, body in cursor.fetchall()]


def drop_deliveries(cursor: Cursor, ids: Sequence[int]) -> int:
    """Remove deliveries; return how many there were."""
    return _count(cursor, "SELECT erase_deliveries(%s::bigint[])", ids)


def end(cursor: Cursor, user_id: int | None, behind: int, job_id: int, payload: bytes) -> bool:
    """Take the user's name away, and give the job another payload.

    False: the user said something behind that turn, and nothing was done.
    """
    cursor.execute("SELECT erase_end(%s, %s, %s, %s)", (user_id, behind, job_id, payload.decode()))
    row = cursor.fetchone()
    return row is not None and bool(row[0])


def _count(cursor: Cursor, statement: str, ids: Sequence[int]) -> int:
    cursor.execute(statement, (list(ids),))
    row = cursor.fetchone()
    assert row is not None, "these functions answer with one row"
    return int(row[0])
