"""Kept answers: what came too late on a channel that cannot send by itself, told with a later turn (``kept.sql``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.reply import Reply
from gateway.store.ledger.process import Process

__all__ = ["TOLD_MAX", "Kept", "tell"]

#: Answers that are told with one turn; the others wait for the one after.
TOLD_MAX = 3

_decode_reply = msgspec.json.Decoder(Reply).decode


class Kept(msgspec.Struct, frozen=True):
    """One of them.  ``unasked``: nobody had asked for it.  ``maybe_repeat``: the user may have heard it already.

    ``taken``: this process is telling it now, in this epoch of its, and is to say what became of that.
    """

    outbox_id: int
    turn_id: int
    state: Literal["answered", "failed"]
    reply: Reply
    unasked: bool
    maybe_repeat: bool
    taken: bool
    epoch: int = 0


def tell(cursor: Cursor, process: Process, turn_ids: Sequence[int]) -> list[list[Kept]]:
    """Take what is kept, to be told in the responses of these turns; a list for each, in order."""
    cursor.execute(
        "SELECT with_turn, id, turn, state, reply, unasked, maybe_repeat, taken"
        " FROM outbox_tell(%s, %s, %s::bigint[], %s)",
        (process.process_id, process.epoch, list(turn_ids), TOLD_MAX),
    )
    told: dict[int, list[Kept]] = {}
    for with_turn, outbox_id, turn_id, state, reply, unasked, maybe_repeat, taken in cursor.fetchall():
        each = Kept(outbox_id, turn_id, state, _reply(reply), unasked, maybe_repeat, taken, process.epoch)
        told.setdefault(with_turn, []).append(each)
    return [told.get(turn_id, []) for turn_id in turn_ids]


def _reply(text: str | None) -> Reply:
    try:
        return _decode_reply(text) if text is not None else Reply()
    except msgspec.MsgspecError:
        # Another version's, or a user's who was erased: nothing is left to be told.
        return Reply()
