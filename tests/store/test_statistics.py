"""ANALYZE: of what each turn writes it looks at no more than plans need."""

from __future__ import annotations

import pytest

from tests.support.actor import Actor

#: Rows that ANALYZE takes are 300 times the largest target of a table's columns.
TARGET = 10

_COLUMNS = """
    SELECT a.attname, coalesce(a.attstattarget, -1), EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND (a.attnum = ANY (i.indkey) OR EXISTS (
            -- A partial index's condition.
            SELECT FROM pg_depend d
            WHERE d.objid = i.indexrelid AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
        ))
    )
    FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""


@pytest.mark.parametrize("table", ["turns", "outbox", "dedupe_keys", "jobs", "conversations", "users"])
def test_only_what_an_index_is_of_is_looked_at_and_few_rows_of_it(here: Actor, table: str) -> None:
    """Law: ANALYZE of a busy table is short.  With PostgreSQL's own targets it has the core for a fifth of a second,
    every 15 s while the tables are young, and commits wait for it.  So a migration that adds a column says its target.
    """
    wrong = {
        column: target
        for column, target, indexed in here.rows(_COLUMNS, table)
        if target != (TARGET if indexed else 0)
    }
    assert not wrong
