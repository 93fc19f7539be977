"""Accept: a batch of messages becomes turns.  The steps are in ``accept.sql``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.turn import LaneKey, Turn
from gateway.store.ledger.arrange import Arrangement, Arrival, arrange
from gateway.store.ledger.process import Process
from gateway.store.statements import Prepared, numbers, texts

__all__ = ["Accepted", "Arrival", "accept", "parameters"]

_ACCEPT = Prepared(
    "ledger_accept",
    "bigint", "bigint", "integer", "text[]", "integer[]", "text[]", "text[]", "text[]",
    "integer[]", "text[]", "text[]", "text[]", "integer[]", "integer[]",
    "text[]", "jsonb[]", "jsonb[]", "text[]",
)  # fmt: skip
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Accepted(msgspec.Struct, frozen=True):
    """What became of one arrival.

    ``lane``: this process owns the conversation, under that fence.  ``head``: the arrival itself is the lane's next
    turn; an owner without it must read the head from the ledger.  ``turn_id`` and ``seq`` are 0 when refused.
    """

    outcome: Literal["new", "duplicate", "refused"]
    turn_id: int
    seq: int
    conversation_id: int
    lane: LaneKey | None
    head: Turn | None


def accept(
    cursor: Cursor, process: Process, arrivals: Sequence[Arrival], *, waiting_max: int
) -> list[Accepted]:
    """Write the arrivals as turns and return one result for each, in order.

    Safe to run again when it is not known whether it was committed: what it wrote then answers as its own duplicate.
    """
    batch = arrange(arrivals)
    _ACCEPT.execute(cursor, (process.process_id, process.epoch, waiting_max, *parameters(batch)))
    rows = cursor.fetchall()
    results = [
        _accepted(row, arrivals[index], process) for row, index in zip(rows, batch.arrival_of, strict=True)
    ]
    return [_shared(results, batch, index) for index in range(len(arrivals))]


def _shared(results: list[Accepted], batch: Arrangement, index: int) -> Accepted:
    """Return the result of arrival *index*: its message's own, or as a duplicate of the twin that was written."""
    message = batch.message_of[index]
    result = results[message]
    if batch.arrival_of[message] == index or result.outcome == "refused":
        return result
    return Accepted("duplicate", result.turn_id, result.seq, result.conversation_id, result.lane, None)


def parameters(batch: Arrangement) -> tuple[object, ...]:
    """Return the arrays of a batch, as ``ledger_accept`` takes them."""
    return (
        texts(batch.dedupe_keys), numbers(batch.dedupe_m),
        texts(batch.lane_channels), texts(batch.lane_accounts), texts(batch.lane_keys),
        numbers(batch.user_c), texts(batch.user_keys), texts(batch.user_names), texts(batch.user_locales),
        numbers(batch.message_c), numbers(batch.message_u),
        texts(batch.surfaces), texts(batch.addresses), texts(batch.messages), texts(batch.trace_ids),
    )  # fmt: skip


def _accepted(row: tuple[Any, ...], arrival: Arrival, process: Process) -> Accepted:
    outcome, turn_id, seq, conversation_id, user_id, fence, is_head, state, memory = row
    lane = None if fence is None else LaneKey(conversation_id, fence, process.epoch)
    head = None
    if lane is not None and is_head and outcome == "new":
        inbound = arrival.inbound
        head = Turn(
            turn_id=turn_id,
            conversation_id=conversation_id,
            seq=seq,
            channel=arrival.channel,
            account=arrival.account,
            conversation_key=inbound.conversation_key,
            surface=inbound.surface,
            address=inbound.address,
            sender=inbound.sender,
            user_id=user_id,
            message=inbound.message,
            state=None if state is None else _decode_object(state),
            memory=None if memory is None else _decode_object(memory),
            accepted_by=process.process_id,
            deaths=0,
            age_s=0.0,
            trace_id=arrival.trace_id,
        )
    return Accepted(outcome, turn_id or 0, seq or 0, conversation_id, lane, head)
