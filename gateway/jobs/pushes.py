"""Messages that answer nothing, asked for by programs or by assistants: now or later, and taken back while they wait.

    pushes.push(conversation_id, reply, key="order 7 shipped")    a message, now or at a time
    reply.timers                                                  an assistant's own, later

Each is a job ``message.push``, which writes the message to the conversation when no turn of it waits or runs.  What is
asked for under a *key* is written once, however often it is asked for and whichever process dies; while it waits it can
be taken back by that key, for good or to be asked for anew.  A key is known for seven days from when its message was
written, as what a user said is (``Capabilities.dedupe_days``); after them the same key is another message.

Jobs of one conversation are in a lane of their own, not in that of its replies: what holds up a message that nobody
asked for must hold up no answer.  Which of them comes first is decided by the ledger when it is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.hint import JobDropped
from gateway.domain.job import Draft, Enqueued
from gateway.domain.reply import Reply
from gateway.domain.resilience.priority import Priority
from gateway.domain.text import clean
from gateway.domain.turn import Settlement
from gateway.jobs.jobs import Jobs
from gateway.store.ledger import push as rows
from gateway.store.ledger.push import Cancelled
from gateway.store.postgres import Database
from gateway.store.signals import Signals

__all__ = ["KEY_CHARS_MAX", "MESSAGE_PUSH", "MessagePush", "Pushes", "push_lane", "timer_cancels", "timer_drafts"]

MESSAGE_PUSH = "message.push"
#: Characters of a message's key.
KEY_CHARS_MAX = 128


class MessagePush(msgspec.Struct, frozen=True):
    """The payload of a job that writes a message to a conversation."""

    conversation_id: int
    #: By it is known that the message was written; empty: the job's own id.
    once: str
    reply: Reply
    #: Of a timer: the turn whose reply has set it.  By it the words are found when its user is erased.
    turn_id: int | None = None


def push_lane(conversation_id: int) -> str:
    """Return the lane of the conversation's messages that answer nothing."""
    return f"push:{conversation_id}"


class Pushes:
    """This process's way of asking for them."""

    def __init__(
        self, database: Database, jobs: Jobs, signals: Signals, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._signals = signals
        self._wall_clock = wall_clock

    def push(
        self,
        conversation_id: int,
        reply: Reply,
        *,
        key: str = "",
        run_at: datetime | float | None = None,
        trace_id: str = "",
    ) -> Enqueued | None:
        """Ask for a message, at once or at *run_at*; it is committed when this returns.

        Not ``fresh``: a message of this *key* waits already.  None: it was written already, and is not written again;
        nor is one that is being written at this very moment, though its answer is fresh.

        :raises NotFound: there is no such conversation, or nobody has spoken in it.
        :raises BadRequest: it says nothing, or its key is none.
        Else as :meth:`Jobs.enqueue` raises.
        """
        if not reply.parts:
            raise BadRequest("expected a message with at least one part", reason="no_parts")
        _check_key(key)
        once = key and f"{conversation_id}:{key}"
        if self._database.run(lambda cursor: _written(cursor, conversation_id, once)):
            return None
        return self._jobs.enqueue(
            MESSAGE_PUSH,
            MessagePush(conversation_id, once, Reply(reply.parts, locale=reply.locale)),
            lane=push_lane(conversation_id),
            run_at=run_at,
            unique=_unique(conversation_id, key) if key else None,
            priority=Priority.HIGH,
            trace_id=trace_id,
        )

    def cancel(self, conversation_id: int, key: str) -> None:
        """Take back a message that waits.

        :raises NotFound: none of this key waits: it was written, taken back, or never asked for.
        """
        _check_key(key)
        unique = _unique(conversation_id, key)
        cancelled = self._database.run(lambda cursor: rows.cancel(cursor, [unique]))
        if not key or not cancelled:
            raise NotFound(
                f"no message of this key waits in conversation {conversation_id}", reason="no_such_message"
            )
        self.told(cancelled)

    def told(self, cancelled: Sequence[Cancelled]) -> None:
        """Have workers forget jobs that are no more and that they may have read."""
        for job in cancelled:
            if job.ready:
                self._signals.publish("workers", JobDropped(job.job_id, job.partition))


def timer_drafts(settlement: Settlement, now: float) -> list[Draft]:
    """Return the jobs of the timers that a reply sets; *now* is in Unix seconds."""
    turn = settlement.turn
    # Of two of one name the last one counts.
    timers = {timer.name: timer for timer in settlement.reply.timers}
    return [
        Draft(
            kind=MESSAGE_PUSH,
            payload=MessagePush(
                turn.conversation_id,
                f"timer:{turn.turn_id}:{timer.name}",
                Reply(timer.parts),
                turn_id=turn.turn_id,
            ),
            lane=push_lane(turn.conversation_id),
            priority=Priority.HIGH,
            run_at=now + timer.after_s,
            unique=_timer(turn.conversation_id, timer.name),
            trace_id=turn.trace_id,
        )
        for timer in timers.values()
        if timer.after_s is not None and timer.parts
    ]


def timer_cancels(settlement: Settlement) -> list[str]:
    """Return the keys of the timers that a reply stops, or that it sets anew."""
    return [_timer(settlement.turn.conversation_id, timer.name) for timer in settlement.reply.timers]


def _written(cursor: Cursor, conversation_id: int, once: str) -> bool:
    where = rows.place(cursor, conversation_id)
    if where is None:
        raise NotFound(f"there is no conversation {conversation_id}", reason="no_such_conversation")
    return once != "" and rows.written(cursor, where, once)


def _timer(conversation_id: int, name: str) -> str:
    return f"timer:{conversation_id}:{name}"


def _unique(conversation_id: int, key: str) -> str:
    return f"push:{conversation_id}:{key}"


def _check_key(key: str) -> None:
    if len(key) > KEY_CHARS_MAX or clean(key) != key:
        raise BadRequest(
            f"expected a key of at most {KEY_CHARS_MAX} characters that PostgreSQL can keep", reason="bad_key"
        )
