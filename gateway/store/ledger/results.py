"""Results: what became of turns that another process ran, for callers that wait for them here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.reply import Reply

__all__ = ["Result", "results"]

_decode_reply = msgspec.json.Decoder(Reply).decode


class Result(msgspec.Struct, frozen=True):
    """The end of a turn, as its user is to see it."""

    turn_id: int
    state: Literal["answered", "failed"]
    reply: Reply
    reason: str = ""


def results(cursor: Cursor, turn_ids: Sequence[int]) -> list[Result]:
    """Return the results of those turns that have ended."""
    cursor.execute("SELECT turn, state, reply, reason FROM ledger_results(%s::bigint[])", (list(turn_ids),))
    return [Result(turn, state, _reply(reply), reason or "") for turn, state, reply, reason in cursor.fetchall()]


def _reply(text: str) -> Reply:
    try:
        return _decode_reply(text)
    except msgspec.MsgspecError:
        # Another version's: its caller gets the answer of one who waited too long, and the others get theirs.
        return Reply()
