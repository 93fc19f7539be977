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
    """Return the turn that ``ledger_head`` described."""
    (
        turn_id, seq, surface, address, message, trace_id,
        user_id, user_key, user_name, user_locale, accepted_by, deaths, age_s, state, memory,
    ) = row  # fmt: skip
    return Turn(
        turn_id=turn_id,
        conversation_id=conversation_id,
        seq=seq,
        channel=channel,
        account=account,
        conversation_key=key,
        surface=surface,
        address=_decode_address(address),
        sender=Sender(user_key, user_name, user_locale),
        user_id=user_id,
        message=_decode_message(message),
        state=None if state is None else _decode_object(state),
        memory=None if memory is None else _decode_object(memory),
        accepted_by=accepted_by,
        deaths=deaths,
        age_s=age_s,
        trace_id=trace_id,
    )
