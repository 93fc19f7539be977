"""Pushes: messages that answer nothing, and what of them is taken back.  The rules are in ``push.sql``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.message import Address, Message, Surface
from gateway.domain.reply import Reply
from gateway.store.ledger.process import Process

__all__ = ["PUSHED", "Cancelled", "Place", "Pushed", "cancel", "place", "push", "written"]

#: The message of such a turn: its user said nothing.
PUSHED = Message("event", name="pushed")

_decode_address = msgspec.json.Decoder(dict[str, str]).decode


class Place(msgspec.Struct, frozen=True):
    """Where the conversation's last turn was said."""

    channel: str
    account: str
    conversation_key: str
    user_id: int
    surface: Surface
    address: Address


class Pushed(msgspec.Struct, frozen=True):
    """What became of a push.  ``turn_id`` and ``seq`` are 0 where there is none, or none any more."""

    outcome: Literal["done", "again", "busy", "gone"]
    turn_id: int = 0
    seq: int = 0
    #: The jobs that carry what is to be sent.
    push_jobs: tuple[int, ...] = ()


class Cancelled(msgspec.Struct, frozen=True):
    """A job that is no more.  ``ready``: a worker may have read it already."""

    job_id: int
    partition: int
    ready: bool


def place(cursor: Cursor, conversation_id: int) -> Place | None:
    """Return where the conversation takes place; None where nobody has spoken in it."""
    cursor.execute("SELECT * FROM ledger_push_place(%s)", (conversation_id,))
    row = cursor.fetchone()
    if row is None:
        return None
    channel, account, key, user_id, surface, address = row
    return Place(channel, account, key, user_id, surface, _decode_address(address))


def written(cursor: Cursor, where: Place, once: str) -> bool:
    """Return whether a message is known as *once* already."""
    cursor.execute("SELECT 1 FROM dedupe_keys WHERE key = %s", (_key(where, once),))
    return cursor.fetchone() is not None


def push(
    cursor: Cursor,
    process: Process,
    conversation_id: int,
    where: Place,
    reply: Reply,
    *,
    once: str,
    payloads: Sequence[dict[str, Any]],
    degraded: Sequence[str] = (),
    resend_unknown: bool = False,
    kept_s: float | None = None,
    trace_id: str = "",
) -> Pushed:
    """Write a message to the conversation, *payloads* of it to be sent, or to be kept for *kept_s*.

    Safe to run again: what is known as *once* is written once.
    """
    cursor.execute(
        "SELECT * FROM ledger_push_message(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb[], %s, %s)",
        (
            process.process_id,
            conversation_id,
            _key(where, once),
            where.user_id,
            where.surface,
            _json(where.address),
            _json(PUSHED),
            _json(reply),
            _json(degraded) if degraded else None,
            trace_id,
            [_json(payload) for payload in payloads],
            resend_unknown,
            kept_s,
        ),
    )
    row = cursor.fetchone()
    assert row is not None, "ledger_push_message answers with one row"
    outcome, turn_id, seq, push_jobs = row
    return Pushed(outcome, turn_id or 0, seq or 0, tuple(push_jobs))


def cancel(cursor: Cursor, unique_keys: Sequence[str]) -> list[Cancelled]:
    """Forget the unfinished jobs that bear these keys."""
    cursor.execute("SELECT * FROM jobs_cancel(%s::text[])", (list(unique_keys),))
    return [Cancelled(job_id, partition, state == "ready") for job_id, partition, state in cursor.fetchall()]


def _key(where: Place, once: str) -> str:
    return f"{where.channel}/{where.account}/push:{once}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
