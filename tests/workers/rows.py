"""Claimed outbox rows, for parts that are handed them."""

from __future__ import annotations

import itertools

import msgspec

from gateway.store.ledger.outbox import OutboxRow

__all__ = ["row"]

_ids = itertools.count(1)


def row(**changes: object) -> OutboxRow:
    """Return a row that was claimed for its first try."""
    claimed = OutboxRow(
        outbox_id=next(_ids),
        conversation_id=1,
        turn_id=1,
        channel="scripted",
        account="shop",
        trace_id="0" * 32,
        payload={"text": "hello"},
        attempts=1,
        maybe_repeat=False,
        age_s=0.0,
        epoch=1,
    )
    return msgspec.structs.replace(claimed, **changes)
