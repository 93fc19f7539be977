"""Deliveries that were authentic but not understood, and the pruning of dedupe keys."""

from __future__ import annotations

import psycopg2
from psycopg2.extensions import cursor as Cursor

__all__ = ["dead_letter", "prune"]


def dead_letter(
    cursor: Cursor, *, channel: str, account: str, reason: str, detail: str, body: bytes, content_type: str
) -> int:
    """Keep a delivery whole as a dead letter and return the letter's id."""
    cursor.execute(
        "SELECT dead_letter_delivery(%s, %s, %s, %s, %s, %s)",
        (channel, account, reason, detail, psycopg2.Binary(body), content_type),
    )
    row = cursor.fetchone()
    assert row is not None, "an INSERT ... RETURNING answers with its row"
    return int(row[0])


def prune(cursor: Cursor, channel: str, older_than_days: float, *, rows_max: int = 10_000) -> int:
    """Forget up to *rows_max* dedupe keys of *channel* that are older than its platform redelivers; return how many."""
    cursor.execute(
        "SELECT dedupe_prune(%s, make_interval(secs => %s), %s)",
        (f"{channel}/", older_than_days * 86_400, rows_max),
    )
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])
