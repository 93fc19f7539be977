"""Steps of the ledger that ask for jobs in their own transaction: what becomes true, and what follows, are one commit.

Only for batches of which something follows; the others are one statement, which commits by itself.  Safe to run again
when it is not known whether it was committed: what was written before is told apart, and nothing follows of it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.job import Draft, Enqueued
from gateway.domain.turn import Settlement
from gateway.store.ledger import jobs, outbox, push, settle
from gateway.store.ledger.outbox import Finish
from gateway.store.ledger.process import Process
from gateway.store.ledger.push import Cancelled
from gateway.store.ledger.settle import Settled, Settling

__all__ = ["Asked", "FollowUps", "Following", "SentMessage", "finish_and_ask", "settle_and_ask", "write_ends"]

_SENT = (
    "SELECT id, conversation_id, turn_id, channel, account, platform_id, trace_id FROM outbox"
    " WHERE id = ANY (%s::bigint[]) AND state = 'sent' ORDER BY id"
)

#: Jobs that were asked for, what was asked, and jobs that are no more: for those who tell workers once it is committed.
Asked = tuple[list[Enqueued], list[Draft], list[Cancelled]]


class Following(msgspec.Struct, frozen=True):
    """What follows of the end of a turn."""

    drafts: Sequence[Draft] = ()
    #: Unique keys whose unfinished jobs are forgotten, before the drafts are written.
    cancels: Sequence[str] = ()


class SentMessage(msgspec.Struct, frozen=True):
    """A message that a platform has taken."""

    outbox_id: int
    conversation_id: int
    turn_id: int | None
    channel: str
    account: str
    platform_id: str | None
    trace_id: str


class FollowUps(Protocol):
    """Which jobs follow of what is written here; they are asked for by the same commit."""

    @property
    def follow_sends(self) -> bool:
        """Whether anything follows of what is sent."""
        ...

    def of_turn(self, settlement: Settlement) -> Following | None:
        """Return what follows of the end of a turn."""
        ...

    def of_sends(self, messages: Sequence[SentMessage]) -> list[Draft]:
        """Return what follows of messages that were sent."""
        ...

    def asked(
        self, enqueued: Sequence[Enqueued], drafts: Sequence[Draft], cancelled: Sequence[Cancelled]
    ) -> None:
        """Hear that they were asked for, that others are no more, and that it is committed."""
        ...


def settle_and_ask(
    cursor: Cursor, process: Process, batch: Sequence[Settling], follow_ups: Sequence[Following | None]
) -> tuple[list[Settled], Asked]:
    """Settle turns, and ask for what follows of each that is settled here and now."""
    cursor.execute("BEGIN")
    settled = settle.settle(cursor, process, batch)
    following = [asked for each, asked in zip(settled, follow_ups, strict=True) if each.fresh and asked]
    drafts = [draft for asked in following for draft in asked.drafts]
    cancels = [key for asked in following for key in asked.cancels]
    cancelled = push.cancel(cursor, cancels) if cancels else []
    enqueued = jobs.enqueue(cursor, drafts) if drafts else []
    cursor.execute("COMMIT")
    return settled, (enqueued, drafts, cancelled)


def finish_and_ask(
    cursor: Cursor,
    process: Process,
    batch: Sequence[Finish],
    follow_ups: Callable[[Sequence[SentMessage]], list[Draft]],
) -> tuple[list[bool], Asked]:
    """Write what became of sends, and ask for what follows of those messages that are sent now."""
    cursor.execute("BEGIN")
    written = outbox.finish(cursor, process, batch)
    sent = [item.outbox_id for item, done in zip(batch, written, strict=True) if done and item.fate == "sent"]
    drafts: list[Draft] = []
    if sent:
        cursor.execute(_SENT, (sent,))
        drafts = follow_ups([SentMessage(*row) for row in cursor.fetchall()])
    enqueued = jobs.enqueue(cursor, drafts) if drafts else []
    cursor.execute("COMMIT")
    return written, (enqueued, drafts, [])


def write_ends(
    cursor: Cursor, process: Process, batch: Sequence[Finish], follow_ups: FollowUps | None
) -> list[bool]:
    """Write what became of sends, with what follows of them, if anything; False for a row that is not *process*'s."""
    if follow_ups is None or not follow_ups.follow_sends:
        return outbox.finish(cursor, process, batch)
    written, asked = finish_and_ask(cursor, process, batch, follow_ups.of_sends)
    follow_ups.asked(*asked)
    return written
