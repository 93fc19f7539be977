"""How much the statements of a round read: what tests of plans look at, because a plan is only a means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from tests.support.actor import Actor

__all__ = ["Call", "Read", "assert_probed", "rows_read"]

#: What is called, on whose connection.
Call: TypeAlias = tuple[str, Actor, Callable[[], object]]
#: For each call the table that it read most of, and how many rows.
Read: TypeAlias = dict[str, tuple[str, int]]

_READ = """
    SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
    WHERE relname = ANY (%s)
"""


def rows_read(calls: Iterable[Call], tables: list[str]) -> Read:
    """Make every call once, each in a transaction of its own."""
    read = {}
    for name, actor, call in calls:
        with actor.transaction():
            before = dict(actor.rows(_READ, tables))
            call()
            after = dict(actor.rows(_READ, tables))
        most = max(after, key=lambda table: after[table] - before.get(table, 0))
        read[name] = (most, after[most] - before.get(most, 0))
    return read


def assert_probed(read: Read, *, rows_max: int) -> None:
    too_much = {name: most for name, most in read.items() if most[1] > rows_max}
    assert not too_much, f"rows read in one call: {too_much}"
