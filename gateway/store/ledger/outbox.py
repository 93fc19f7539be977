"""Outbox: replies on their way to a platform.  The states and the order of sends are in ``outbox.sql``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.store.ledger.process import Process

__all__ = ["Fate", "Finish", "OutboxRow", "claim", "claim_responses", "counts", "finish", "owned"]

Fate = Literal["sent", "not_sent", "unknown", "retry", "push"]
_decode_payload = msgspec.json.Decoder(dict[str, Any]).decode


class OutboxRow(msgspec.Struct, frozen=True):
    """A claimed row.  ``attempts`` counts this one.  ``maybe_repeat``: the user may have it already; mark it."""

    outbox_id: int
    conversation_id: int
    turn_id: int | None
    channel: str
    account: str
    trace_id: str
    payload: dict[str, Any]
    attempts: int
    maybe_repeat: bool
    age_s: float
    #: The epoch in which this process claimed it: in a later one it is not this process's any more.
    epoch: int


class Finish(msgspec.Struct, frozen=True):
    """What became of one send.  ``push``: a response that could not be written takes the other way."""

    outbox_id: int
    fate: Fate
    reason: str = ""
    detail: str = ""
    platform_id: str = ""
    #: Of ``retry``: seconds until the next try.
    after_s: float = 0.0
    #: The epoch in which the row was claimed; 0: the present one.
    epoch: int = 0


def claim(cursor: Cursor, process: Process, rows_max: int) -> list[OutboxRow]:
    """Take up to *rows_max* due rows, the first unfinished one of each conversation only."""
    cursor.execute("SELECT * FROM outbox_claim(%s, %s, %s)", (process.process_id, process.epoch, rows_max))
    return [
        OutboxRow(
            outbox_id=row[0],
            conversation_id=row[1],
            turn_id=row[2],
            channel=row[3],
            account=row[4],
            trace_id=row[5],
            payload=_decode_payload(row[6]),
            attempts=row[7],
            maybe_repeat=row[8],
            age_s=row[9],
            epoch=process.epoch,
        )
        for row in cursor.fetchall()
    ]


def claim_responses(cursor: Cursor, process: Process, turn_ids: Sequence[int]) -> dict[int, list[int]]:
    """Take the responses that wait for the callers of these turns; return outbox ids by turn, claimed ones only."""
    cursor.execute(
        "SELECT * FROM outbox_claim_responses(%s, %s, %s::bigint[])",
        (process.process_id, process.epoch, list(turn_ids)),
    )
    claimed: dict[int, list[int]] = {}
    for outbox_id, turn_id in cursor.fetchall():
        claimed.setdefault(turn_id, []).append(outbox_id)
    return claimed


def finish(cursor: Cursor, process: Process, batch: Sequence[Finish]) -> list[bool]:
    """Write what became of sends; False where the row is not this process's any more and was left as it is."""
    epochs = {0, process.epoch}
    ours = [item for item in batch if item.epoch in epochs]
    cursor.execute(
        "SELECT * FROM outbox_finish(%s, %s, %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],"
        " %s::float8[])",
        (
            process.process_id,
            process.epoch,
            [item.outbox_id for item in ours],
            [item.fate for item in ours],
            [item.reason or None for item in ours],
            [item.detail or None for item in ours],
            [item.platform_id or None for item in ours],
            [item.after_s for item in ours],
        ),
    )
    written = {row[0] for row in cursor.fetchall()}
    return [item.epoch in epochs and item.outbox_id in written for item in batch]


def counts(cursor: Cursor) -> dict[tuple[str, str], int]:
    """Return the number of rows not yet ended, by (channel, account)."""
    cursor.execute("SELECT * FROM outbox_counts()")
    return {(channel, account): rows for channel, account, rows in cursor.fetchall()}


def owned(cursor: Cursor, process: Process) -> set[int]:
    """Return the rows that the ledger says this process is sending."""
    cursor.execute("SELECT * FROM outbox_owned(%s, %s)", (process.process_id, process.epoch))
    return {row[0] for row in cursor.fetchall()}
