"""Settle: what became of a batch of turns is written, and each lane learns its next step.  See ``settle.sql``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from psycopg2.extensions import cursor as Cursor

from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, Settlement, Turn
from gateway.store.ledger.heads import head_of
from gateway.store.ledger.process import Process
from gateway.store.statements import Prepared, numbers, texts

__all__ = ["Settled", "Settling", "settle"]

_SETTLE = Prepared(
    "ledger_settle_batch",
    "bigint", "bigint", "bigint[]", "bigint[]", "bigint[]", "bigint[]", "text[]", "jsonb[]",
    "text[]", "text[]", "jsonb[]", "jsonb[]", "bigint[]", "jsonb[]", "boolean[]", "boolean[]",
    "integer[]", "text[]", "jsonb[]", "float8[]", "boolean[]", "boolean[]", "float8[]",
)  # fmt: skip


class Settling(msgspec.Struct, frozen=True):
    """One turn to settle.  ``keep``: this process wants the lane's next turn; ``hand_over``: it would rather have
    the process run it that accepted it, if that is another one."""

    lane: LaneKey
    settlement: Settlement
    keep: bool
    hand_over: bool = False


class Settled(msgspec.Struct, frozen=True):
    """What the ledger did.  ``lost``: the lane belongs to somebody else by now, and nothing was changed.

    ``next_turn``: the lane is still this process's and has work.  ``heir``: the process that was given the lane.
    """

    lost: bool
    #: It was written now, and not before by the same call whose answer was lost.
    fresh: bool = False
    next_turn: Turn | None = None
    heir: int | None = None
    outbox_ids: tuple[int, ...] = ()
    #: The jobs that carry what is to be sent, as far as they are known.
    push_jobs: tuple[int, ...] = ()


def settle(cursor: Cursor, process: Process, batch: Sequence[Settling]) -> list[Settled]:
    """Write the batch, at most one turn a lane, and return one result for each, in order.

    Safe to run again when it is not known whether it was committed: it recognises its own fence on the turn.
    """
    _SETTLE.execute(
        cursor, (process.process_id, process.epoch, *_turn_arrays(batch), *_outbox_arrays(batch))
    )
    return [_settled(row, item.settlement.turn) for row, item in zip(cursor.fetchall(), batch, strict=True)]


def _turn_arrays(batch: Sequence[Settling]) -> tuple[str, ...]:
    written = [item.settlement for item in batch]
    return (
        numbers([item.lane.conversation_id for item in batch]),
        numbers([item.lane.fence for item in batch]),
        numbers([settlement.turn.turn_id for settlement in written]),
        numbers([settlement.turn.seq for settlement in written]),
        texts([settlement.state for settlement in written]),
        texts([_json(_shown(settlement.reply)) for settlement in written]),
        texts([settlement.reason or None for settlement in written]),
        texts([settlement.detail or None for settlement in written]),
        texts([_json(settlement.degraded) if settlement.degraded else None for settlement in written]),
        texts([_kept(settlement.reply.state) for settlement in written]),
        numbers([settlement.turn.user_id for settlement in written]),
        texts([_kept(settlement.reply.memory) for settlement in written]),
        numbers([item.keep for item in batch]),
        numbers([item.hand_over for item in batch]),
    )


def _outbox_arrays(batch: Sequence[Settling]) -> tuple[str, ...]:
    drafts = [(index, draft) for index, item in enumerate(batch, 1) for draft in item.settlement.outbox]
    return (
        numbers([index for index, _ in drafts]),
        texts([draft.kind for _, draft in drafts]),
        texts([_json(draft.payload) for _, draft in drafts]),
        numbers([draft.due_s for _, draft in drafts]),
        numbers([draft.claimed for _, draft in drafts]),
        numbers([draft.resend_unknown for _, draft in drafts]),
        numbers([draft.kept_s for _, draft in drafts]),
    )


def _shown(reply: Reply) -> Reply:
    """Return the reply without state and memory, which have columns of their own, and timers, which are jobs."""
    if reply.state is UNSET and reply.memory is UNSET and not reply.timers:
        return reply
    return Reply(parts=reply.parts, end=reply.end, locale=reply.locale)


def _kept(value: object) -> str | None:
    return None if value is UNSET else _json(value)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _settled(row: tuple[Any, ...], turn: Turn) -> Settled:
    outcome, kept, heir, outbox_ids, push_jobs, *head = row
    if outcome == "lost":
        return Settled(lost=True)
    next_turn = None
    if kept:
        next_turn = head_of(turn.conversation_id, turn.channel, turn.account, turn.conversation_key, head)
    return Settled(
        lost=False,
        fresh=outcome == "done",
        next_turn=next_turn,
        heir=heir,
        outbox_ids=tuple(outbox_ids),
        push_jobs=tuple(push_jobs),
    )
