"""Replies that the gateway sends by itself, behind the commit that wrote them; the workers send the others.

    reserve room ─▶ (the settle writes the rows as being sent by this process) ─▶ send ─▶ end

A reply that leaves here needs no job, no hint and no second process to take it up: what is left is the send, and one
row in a batch of ends.  That is an optimisation of the common case and nothing else.  Whatever is not plainly sent at
the first try goes back to the ledger, which gives it a carrier, and a worker takes it from there.

Rules:

- A row is sent here only if the settle said so in the same commit: it was then the conversation's first unfinished one,
  or stood behind others of this process (``settle.sql``).  Within a conversation the rows are sent in order.
- Once one of them goes back, all behind it do, in order.  That holds for a turn that is being settled meanwhile too:
  room is reserved before, and its conversation is remembered until the last of them has ended.
- The next one is begun only when the end of the one before it is committed.  So of what a dead process was sending in a
  conversation only the first may be on the wire: the others certainly were not sent (``processes.sql``).
- Room is bounded, and no place at the platform is booked ahead: a reply that would wait waits in the ledger.
- An account whose platform has just failed is left to the workers for a moment.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import gevent
import msgspec
from gevent import Greenlet
from psycopg2.extensions import cursor as Cursor

from gateway.domain.turn import LaneKey, Settlement, Turn
from gateway.greenlets.errands import Errand, Errands
from gateway.replies.ends import Ends
from gateway.replies.sending import Sender, tell, tell_crash
from gateway.settings.store import StoreSettings
from gateway.store.ledger.outbox import Finish, OutboxRow
from gateway.store.ledger.settle import Settled
from gateway.store.postgres import Database

__all__ = ["DirectSends"]

#: Seconds for which an account whose send failed is left to the workers.
_REST_S = 1.0
#: Seconds for which the end of a send waits for others to be written with: at 300 sends a second four share a commit.
_GATHER_S = 0.01
#: Seconds that writing the ends may take at a stop, however late it is: what has none is called unknown.
_WRITE_S = 0.5


class _Room(msgspec.Struct, frozen=True):
    """Room that is reserved for the messages of a turn."""

    conversation_id: int
    epoch: int
    rows_n: int


class _Conversation:
    """The rows of one conversation that this process sends, and whether one of them went back."""

    __slots__ = ("broken", "reserved", "rows", "sending")

    def __init__(self) -> None:
        self.rows: deque[OutboxRow] = deque()
        self.reserved = False
        self.broken = False
        self.sending: Errand | None = None


class DirectSends:
    """The sends of one gateway process."""

    def __init__(
        self,
        sender: Sender,
        database: Database,
        finish: Callable[[Cursor, Sequence[Finish]], list[bool]],
        settings: StoreSettings,
        *,
        rows_max: int,
        left: Callable[[int], None],
        gather_s: float = _GATHER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*rows_max*: messages in this process's hands at once; *finish* writes ends; *left* hears of each conversation
        of which something was left to the workers; *gather_s*: how long an end that nobody waits for waits for others.
        """
        self._sender = sender
        self._rows_max = rows_max
        self._left = left
        self._clock = clock
        #: Rows that the ledger says this process is sending.
        self._held: set[int] = set()
        self._ends = Ends(database, finish, settings, written=self._held.discard, gather_s=gather_s)
        #: By turn.
        self._rooms: dict[int, _Room] = {}
        self._conversations: dict[int, _Conversation] = {}
        self._rows_n = 0
        #: By account: until when it is left to the workers (monotonic seconds).
        self._resting: dict[tuple[str, str], float] = {}
        self._errands = Errands()
        self._draining = False
        self._stopping = False

    def __repr__(self) -> str:
        return f"<DirectSends: {self._rows_n} of {self._rows_max} rows in {len(self._conversations)} conversations>"

    def __contains__(self, outbox_id: object) -> bool:
        """Whether this process knows that it is sending the row."""
        return outbox_id in self._held

    def reserve(self, lane: LaneKey, turn: Turn, rows_n: int) -> bool:
        """Return whether this process will send the *rows_n* messages of *turn*, which are about to be settled.

        ``settled`` gives the room back, or uses it.  A turn whose messages are made anew reserves anew.
        """
        self._leave(turn.turn_id)
        if self._draining or self._rows_n + rows_n > self._rows_max or self._rests(turn.channel, turn.account):
            return False
        conversation = self._conversations.get(turn.conversation_id)
        if conversation is None:
            conversation = self._conversations[turn.conversation_id] = _Conversation()
        elif conversation.broken or conversation.reserved:
            # Reserved: a settle whose answer is late, of a lane that was given to this process anew meanwhile.  What
            # it has claimed must not be overtaken.
            return False
        conversation.reserved = True
        self._rooms[turn.turn_id] = _Room(turn.conversation_id, lane.epoch, rows_n)
        self._rows_n += rows_n
        return True

    def settled(self, settlement: Settlement, settled: Settled) -> None:
        """Send what the ledger says is ours to send, now that it is committed."""
        turn = settlement.turn
        room = self._rooms.get(turn.turn_id)
        if room is None:
            return
        if not settled.lost and not settled.push_jobs:
            self._take(room, settlement, settled)
        self._leave(turn.turn_id)

    def drop(self) -> None:
        """Forget what was reserved: this process was declared dead, and what it runs belongs to others."""
        for turn_id in list(self._rooms):
            self._leave(turn_id)

    def close(self) -> None:
        """Take no more: what is settled from here on is the workers' to send.  Safe twice."""
        self._draining = True

    def drain(self, deadline: float) -> None:
        """Wait until *deadline* (monotonic seconds) at most for what is in hand.  Safe twice, and without ``close``."""
        self.close()
        self._ends.hurry()
        if (left_s := deadline - time.monotonic()) > 0:
            self._errands.join(left_s)

    def stop(self, deadline: float) -> None:
        """Let what is on the wire have its time until *deadline* (monotonic seconds), and write all ends.

        To be called before this process leaves the ledger, which calls unknown what has no end by then.  Safe twice.
        """
        self.drain(deadline)
        self._stopping = True
        ends_at = max(deadline, time.monotonic() + _WRITE_S)
        for sending in self._sending():
            sending.kill()
        # Those end at once.  What is settled only now goes back, and waits for a ledger that may be silent.
        self._errands.join(max(0.0, ends_at - time.monotonic()))
        for conversation in self._conversations.values():
            # Here, because a greenlet that is killed before it began runs nothing of it.
            for row in conversation.rows:
                self._ends.put(_given_back(row, "cut_off"))
            self._rows_n -= len(conversation.rows)
            conversation.rows.clear()
            conversation.sending = None
        self._ends.join(ends_at)

    def _sending(self) -> list[Errand]:
        return [each.sending for each in self._conversations.values() if each.sending is not None]

    def _take(self, room: _Room, settlement: Settlement, settled: Settled) -> None:
        turn, conversation = settlement.turn, self._conversations[room.conversation_id]
        rows = [
            OutboxRow(
                outbox_id=outbox_id,
                conversation_id=turn.conversation_id,
                turn_id=turn.turn_id,
                channel=turn.channel,
                account=turn.account,
                trace_id=turn.trace_id,
                payload=draft.payload,
                attempts=1,
                maybe_repeat=False,
                age_s=0.0,
                epoch=room.epoch,
            )
            for outbox_id, draft in zip(settled.outbox_ids, settlement.outbox, strict=False)
            if draft.claimed
        ]
        if not settled.fresh or self._stopping:
            # The answer of the commit was lost, and with it whether the rows are ours: those that are go back.  So do
            # those of a turn that ended too late.
            conversation.broken = True
        self._held.update(row.outbox_id for row in rows)
        self._rows_n += len(rows)
        conversation.rows.extend(rows)
        if rows and conversation.sending is not None:
            # They wait for the end of what is in front of them.
            self._ends.hurry()
        elif rows:
            conversation.sending = self._errands.start(partial(self._work, room.conversation_id, conversation))

    def _work(self, conversation_id: int, conversation: _Conversation) -> None:
        # Only a stop cuts this off, and gives back what is left.
        while conversation.rows:
            try:
                self._end(conversation.rows.popleft(), conversation)
            finally:
                self._rows_n -= 1
        conversation.sending = None
        self._forget(conversation_id, conversation)

    def _end(self, row: OutboxRow, conversation: _Conversation) -> None:
        """Send one row, or give it back; return once that is committed."""
        writing: list[Greenlet[..., bool]] = []
        try:
            if conversation.broken:
                finish = _given_back(row, "earlier")
            else:
                finish = self._sender.send(row, lambda cut: writing.append(self._ends.put(cut)), books=False)
                # Or: meanwhile one may have come that goes back.
                conversation.broken |= finish.fate not in ("sent", "not_sent")
            if finish.fate == "retry":
                self._resting[row.channel, row.account] = self._clock() + _REST_S
            if conversation.rows or self._draining or finish.fate != "sent":
                self._ends.hurry()
            ours = self._ends.end(finish)
        except gevent.GreenletExit:
            # Cut off by a stop.
            raise
        except BaseException as error:
            # In our own code, or a forgotten ``gevent.Timeout`` of a channel's.  What is true of the row is being
            # written; nothing behind it may be faster.
            conversation.broken = True
            tell_crash(row, error)
            gevent.joinall(writing)
            return
        if ours and finish.fate not in ("sent", "not_sent"):
            self._left(row.conversation_id)
        if ours or finish.fate != "wait":
            # Who gives back what was not his has nothing to tell.
            tell(row, finish, ours=ours)

    def _leave(self, turn_id: int) -> None:
        """Give back the room of a turn, if it has any."""
        room = self._rooms.pop(turn_id, None)
        if room is not None:
            self._rows_n -= room.rows_n
            conversation = self._conversations[room.conversation_id]
            conversation.reserved = False
            self._forget(room.conversation_id, conversation)

    def _forget(self, conversation_id: int, conversation: _Conversation) -> None:
        if not conversation.reserved and conversation.sending is None:
            del self._conversations[conversation_id]

    def _rests(self, channel: str, account: str) -> bool:
        until = self._resting.get((channel, account))
        if until is None:
            return False
        if until > self._clock():
            return True
        del self._resting[channel, account]
        return False


def _given_back(row: OutboxRow, reason: str) -> Finish:
    return Finish(row.outbox_id, "wait", reason=reason, epoch=row.epoch)
