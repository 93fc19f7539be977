"""Which worker owns which partition of jobs.  The rules are in ``job_partitions.sql``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.store.ledger.process import Process

__all__ = ["Ownership", "drain", "look", "owned", "release", "take"]


class Ownership(msgspec.Struct, frozen=True):
    """Workers that may own partitions, by id; and each partition's owner, None where it is free."""

    workers: tuple[int, ...]
    owners: Mapping[int, int | None]


def look(cursor: Cursor, dead_after_s: float) -> Ownership:
    """Return who owns what."""
    cursor.execute("SELECT * FROM job_partitions_look(make_interval(secs => %s))", (dead_after_s,))
    row = cursor.fetchone()
    assert row is not None, "an aggregate answers with one row"
    return Ownership(tuple(row[0]), dict(zip(row[1], row[2], strict=True)))


def take(cursor: Cursor, process: Process, partitions_max: int) -> dict[int, int]:
    """Take up to *partitions_max* free partitions; return their fences."""
    cursor.execute(
        "SELECT * FROM job_partitions_take(%s, %s, %s)", (process.process_id, process.epoch, partitions_max)
    )
    return dict(cursor.fetchall())


def release(cursor: Cursor, process: Process, fences: Mapping[int, int]) -> set[int]:
    """Give partitions back that are this process's under these fences; return which were."""
    cursor.execute(
        "SELECT * FROM job_partitions_release(%s, %s::smallint[], %s::bigint[])",
        (process.process_id, list(fences), list(fences.values())),
    )
    return {row[0] for row in cursor.fetchall()}


def owned(cursor: Cursor, process: Process) -> dict[int, int]:
    """Return the fences of the partitions that the ledger says are this process's."""
    cursor.execute("SELECT * FROM job_partitions_owned(%s, %s)", (process.process_id, process.epoch))
    return dict(cursor.fetchall())


def drain(cursor: Cursor, process: Process) -> None:
    """Have the others count this process out when they share partitions."""
    cursor.execute("SELECT process_drain(%s, %s)", (process.process_id, process.epoch))
