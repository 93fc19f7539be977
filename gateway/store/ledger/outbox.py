"""Outbox: replies on their way to a platform.  The states, the order of sends, their carriers: see ``outbox.sql``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.store.ledger.process import Process
from gateway.store.statements import Prepared, numbers, texts

__all__ = [
    "Fate", "Finish", "Found", "Mended", "OutboxRow", "Taking", "claim_responses", "counts", "finish", "mend",
    "owned", "send_lane", "take",
]  # fmt: skip

Fate = Literal["sent", "not_sent", "unknown", "retry", "wait", "push"]
#: What ``take`` found: as ``outbox_take`` says; dead: this process was declared dead and takes nothing.
Found = Literal["taken", "earlier", "early", "elsewhere", "ended", "dead"]
_FINISH = Prepared(
    "outbox_finish", "bigint", "bigint", "bigint[]", "text[]", "text[]", "text[]", "text[]", "float8[]"
)
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


class Taking(msgspec.Struct, frozen=True):
    """What became of asking for a row."""

    found: Found
    #: Of one that was taken.
    row: OutboxRow | None = None
    #: Of one that is not due yet: seconds until it is.
    wait_s: float = 0.0


class Finish(msgspec.Struct, frozen=True):
    """What became of one send.  ``push``: a response that could not be written takes the other way.  ``wait``: it was
    none, because there was no room for it."""

    outbox_id: int
    fate: Fate
    reason: str = ""
    detail: str = ""
    platform_id: str = ""
    #: Of ``retry`` and ``wait``: seconds until the next try.
    after_s: float = 0.0
    #: The epoch in which the row was claimed; 0: the present one.
    epoch: int = 0


class Mended(msgspec.Struct, frozen=True):
    """What a look for rows without a carrier brought; ``behind``: where the next one begins."""

    behind: datetime | None
    carried: int
    given_up: int


def send_lane(conversation_id: int) -> str:
    """Return the lane of the jobs that carry a conversation's replies, as ``outbox_carry`` writes it."""
    return f"conversation:{conversation_id}"


def take(cursor: Cursor, process: Process, outbox_ids: Sequence[int]) -> list[Taking]:
    """Take rows to be sent now, each that can be; one answer an id, in order.

    Safe to run again when it is not known whether it was committed.  So ask for no row of which a send has begun.
    """
    cursor.execute(
        "SELECT * FROM outbox_take(%s, %s, %s::bigint[])",
        (process.process_id, process.epoch, list(outbox_ids)),
    )
    found = {row[0]: _taking(row, process.epoch) for row in cursor.fetchall()}
    return [found.get(outbox_id, Taking("dead")) for outbox_id in outbox_ids]


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
    _FINISH.execute(
        cursor,
        (
            process.process_id,
            process.epoch,
            numbers([item.outbox_id for item in ours]),
            texts([item.fate for item in ours]),
            texts([item.reason or None for item in ours]),
            texts([item.detail or None for item in ours]),
            texts([item.platform_id or None for item in ours]),
            numbers([item.after_s for item in ours]),
        ),
    )
    written = {row[0] for row in cursor.fetchall()}
    return [item.epoch in epochs and item.outbox_id in written for item in batch]


def mend(cursor: Cursor, behind: datetime | None, rows_max: int) -> Mended:
    """Look at up to *rows_max* pending rows, from where the last look ended, and mend those without a carrier."""
    cursor.execute("SELECT * FROM outbox_mend(%s, %s)", (behind, rows_max))
    row = cursor.fetchone()
    assert row is not None, "outbox_mend answers with one row"
    return Mended(*row)


def counts(cursor: Cursor) -> dict[tuple[str, str], int]:
    """Return the number of rows not yet ended, by (channel, account)."""
    cursor.execute("SELECT * FROM outbox_counts()")
    return {(channel, account): rows for channel, account, rows in cursor.fetchall()}


def owned(cursor: Cursor, process: Process) -> set[int]:
    """Return the rows that the ledger says this process is sending."""
    cursor.execute("SELECT * FROM outbox_owned(%s, %s)", (process.process_id, process.epoch))
    return {row[0] for row in cursor.fetchall()}


def _taking(row: tuple[Any, ...], epoch: int) -> Taking:
    outbox_id, found, wait_s, conversation_id, turn_id, channel, account, trace_id, payload, *rest = row
    if found != "taken":
        return Taking(found, wait_s=wait_s or 0.0)
    attempts, maybe_repeat, age_s = rest
    return Taking(
        found,
        OutboxRow(
            outbox_id=outbox_id,
            conversation_id=conversation_id,
            turn_id=turn_id,
            channel=channel,
            account=account,
            trace_id=trace_id,
            payload=_decode_payload(payload),
            attempts=attempts,
            maybe_repeat=maybe_repeat,
            age_s=age_s,
            epoch=epoch,
        ),
    )
