"""Heads: the next turn of lanes that this process owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.message import Message, Sender
from gateway.domain.turn import LaneKey, Turn
from gateway.store.ledger.process import Process

__all__ = ["head_of", "heads"]

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_address = msgspec.json.Decoder(dict[str, str]).decode
_decode_message = msgspec.json.Decoder(Message).decode


def heads(
    cursor: Cursor, process: Process, conversations: Sequence[int]
) -> list[tuple[LaneKey, Turn] | None]:
    """Return lane and next turn for each conversation; None where the lane is not this process's or has no work."""
    cursor.execute(
        "SELECT * FROM ledger_heads(%s, %s, %s::bigint[])",
        (process.process_id, process.epoch, list(conversations)),
    )
    found: dict[int, tuple[LaneKey, Turn]] = {}
    for conversation_id, channel, account, key, fence, *head in cursor.fetchall():
        found[conversation_id] = (
            LaneKey(conversation_id, fence, process.epoch),
            head_of(conversation_id, channel, account, key, head),
        )
    return [found.get(conversation_id) for conversation_id in conversations]


def head_of(conversation_id: int, channel: str, account: str, key: str, row: Sequence[Any]) -> Turn:
    """Return the turn that ``ledger_head`` described.

    One that cannot be read is a turn all the same: an error here would stop its lane for ever, and every batch with it.
    """
    (
        turn_id, seq, surface, address, message, trace_id,
        user_id, user_key, user_name, user_locale, accepted_by, deaths, age_s, state, memory,
    ) = row  # fmt: skip
    try:
        said = _decode_address(address), _decode_message(message), _object(state), _object(memory)
    except msgspec.MsgspecError:
        said = None
    return Turn(
        turn_id=turn_id,
        conversation_id=conversation_id,
        seq=seq,
        channel=channel,
        account=account,
        conversation_key=key,
        surface=surface,
        address={} if said is None else said[0],
        sender=Sender(user_key, user_name, user_locale),
        user_id=user_id,
        message=Message("event") if said is None else said[1],
        state=None if said is None else said[2],
        memory=None if said is None else said[3],
        accepted_by=accepted_by,
        deaths=deaths,
        age_s=age_s,
        trace_id=trace_id,
        readable=said is not None,
    )


def _object(text: str | None) -> dict[str, Any] | None:
    return None if text is None else _decode_object(text)
