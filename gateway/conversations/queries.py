"""Reads conversations and transcripts out of the ledger.  Changes nothing.

A conversation's key is a platform's name for people and places, so lists show a short hash of it: enough to
tell two apart and to find one again, of no use elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg2 import extensions

from gateway.domain.message import Message
from gateway.domain.reply import Reply

__all__ = [
    "PAGE_PATTERN",
    "Conversation",
    "Exchange",
    "Page",
    "Speaker",
    "TurnSend",
    "TurnView",
    "Undelivered",
    "accounts",
    "conversation",
    "conversations",
    "key_hash",
    "speakers",
    "transcript",
    "turn",
    "undelivered",
]

#: How a :class:`Page` is written: seconds with all that PostgreSQL keeps of them, and an id.  To some ``$`` is also
#: before a last end of a line.
PAGE_PATTERN = r"^[0-9]{1,11}\.[0-9]{6}-[0-9]{1,18}$(?![\s\S])"
#: *idle*: nothing to do.  *running*: a process works on its turns.  *waiting*: it has turns, and nobody owns
#: it yet.
State = Literal["idle", "running", "waiting"]


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """Where one conversation stands."""

    conversation_id: int
    channel: str
    account: str
    key_hash: str
    turns: int
    waiting: int
    state: State
    #: Unix seconds.
    active_at: float


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One turn: what was said, and what came back."""

    seq: int
    turn_id: int
    state: str
    user: str
    message: Message
    reply: Reply | None
    reason: str
    degraded: tuple[str, ...]
    #: Unix seconds.
    accepted_at: float
    #: Seconds from the commit of the message to that of the answer.
    took_s: float | None
    #: Whether its words were removed, because its user had asked for that.
    erased: bool
    #: The dead-lettered turn that this one repeats: its user said the words once, in that one.
    retry_of: int | None


class TurnSend(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a turn's reply on its way out, without its words."""

    outbox_id: int
    kind: Literal["response", "push"]
    state: Literal["pending", "sending", "sent", "not_sent", "unknown"]
    attempts: int
    #: The user may have had it before.
    maybe_repeat: bool
    reason: str
    detail: str
    #: The platform's own id of it, where it says.
    platform_id: str
    due_at: float
    finished_at: float | None


class Undelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a turn that did not arrive, or of which nobody knows."""

    turn_id: int
    outbox_id: int
    state: Literal["not_sent", "unknown"]
    reason: str
    #: The newest dead letter about it, and whether it is closed; None: it is kept no more.
    letter_id: int | None
    is_closed: bool


class TurnView(Exchange, frozen=True, kw_only=True):
    """All of one turn."""

    conversation_id: int
    channel: str
    account: str
    surface: str
    trace_id: str
    #: Processes that died while they ran it.
    deaths: int
    detail: str
    sends: tuple[TurnSend, ...]


class Page(msgspec.Struct, frozen=True):
    """Where a page of conversations begins: behind the one that was active then."""

    active_at: float
    conversation_id: int

    def __str__(self) -> str:
        return f"{self.active_at:.6f}-{self.conversation_id}"

    @classmethod
    def of(cls, text: str) -> Page:
        """Return the page that *text* names.

        :raises ValueError: it names none.
        """
        if not re.fullmatch(PAGE_PATTERN, text):
            raise ValueError("expected what the page before said")
        active_at, _, conversation_id = text.partition("-")
        return cls(float(active_at), int(conversation_id))


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has spoken, by the name that only the platform and the ledger know."""

    channel: str
    account: str
    key: str
    name: str

    def __repr__(self) -> str:
        return f"<Speaker on {self.channel}/{self.account}>"


def conversations(
    cursor: extensions.cursor,
    *,
    channel: str = "",
    account: str = "",
    behind: Page | None = None,
    rows_max: int = 50,
) -> list[Conversation]:
    """Return the conversations that were active last, newest first; empty names mean any."""
    # No index helps here, on purpose: one over active_at would be written by every turn.  A look at all rows
    # is what an operator's rare question costs.
    cursor.execute(
        f"{_CONVERSATION} WHERE (%(channel)s = '' OR channel = %(channel)s)"
        " AND (%(account)s = '' OR account = %(account)s)"
        " AND (%(at)s IS NULL OR (active_at, id) < (to_timestamp(%(at)s), %(id)s))"
        " ORDER BY active_at DESC, id DESC LIMIT %(rows)s",
        {
            "channel": channel,
            "account": account,
            "at": behind and behind.active_at,
            "id": behind and behind.conversation_id,
            "rows": rows_max,
        },
    )
    return [_conversation(row) for row in cursor.fetchall()]


def conversation(cursor: extensions.cursor, conversation_id: int) -> Conversation | None:
    """Return one conversation, or None if there is none of this id."""
    cursor.execute(f"{_CONVERSATION} WHERE id = %s", (conversation_id,))
    row = cursor.fetchone()
    return None if row is None else _conversation(row)


def transcript(
    cursor: extensions.cursor, conversation_id: int, *, before_seq: int = 2**63 - 1, turns_max: int = 100
) -> list[Exchange]:
    """Return the last *turns_max* turns of a conversation before *before_seq*, oldest first."""
    cursor.execute(_TRANSCRIPT, (conversation_id, before_seq, turns_max))
    return [Exchange(**_exchange(row)) for row in reversed(cursor.fetchall())]


def undelivered(cursor: extensions.cursor, turn_ids: Sequence[int]) -> list[Undelivered]:
    """Return the messages of these turns that did not arrive, or of which nobody knows, in the order of their sends."""
    cursor.execute(_UNDELIVERED, (list(turn_ids),))
    fields = Undelivered.__struct_fields__
    return [Undelivered(**dict(zip(fields, row, strict=True))) for row in cursor.fetchall()]


def turn(cursor: extensions.cursor, turn_id: int) -> TurnView | None:
    """Return one turn with what became of its messages, or None if there is none of this id."""
    cursor.execute(_TURN, (turn_id,))
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute(_SENDS, (turn_id,))
    sends = [TurnSend(**dict(zip(TurnSend.__struct_fields__, send, strict=True))) for send in cursor.fetchall()]
    conversation_id, channel, account, surface, trace_id, deaths, detail = row[12:]
    return TurnView(
        **_exchange(row[:12]),
        conversation_id=conversation_id,
        channel=channel,
        account=account,
        surface=surface,
        trace_id=trace_id,
        deaths=deaths,
        detail=detail,
        sends=tuple(sends),
    )


def speakers(cursor: extensions.cursor, conversation_id: int, *, rows_max: int = 2) -> list[Speaker]:
    """Return up to *rows_max* of those who have spoken in a conversation and were not erased."""
    cursor.execute(_SPEAKERS, (conversation_id, rows_max))
    return [Speaker(channel=row[0], account=row[1], key=row[2], name=row[3] or "") for row in cursor.fetchall()]


def accounts(cursor: extensions.cursor) -> list[tuple[str, str]]:
    """Return the accounts on which anybody has spoken, as pairs of channel and account."""
    cursor.execute("SELECT DISTINCT channel, account FROM conversations ORDER BY channel, account")
    return [(channel, account) for channel, account in cursor.fetchall()]


def key_hash(key: str) -> str:
    """Return the short hash by which lists name a conversation's key."""
    return hashlib.sha256(key.encode()).hexdigest()[:10]


_CONVERSATION = """
    SELECT id, channel, account, key, last_seq, last_seq - done_seq,
           CASE WHEN last_seq = done_seq THEN 'idle'
                WHEN owner_process IS NULL THEN 'waiting'
                ELSE 'running' END,
           extract(epoch FROM active_at)::float8
    FROM conversations"""

# jsonb as text: msgspec reads it straight into the struct.
_EXCHANGE = """
    SELECT t.seq, t.id, t.state, u.name, t.message::text, t.reply::text, coalesce(t.reason, ''),
    t.degraded::text,
           extract(epoch FROM t.accepted_at)::float8, extract(epoch FROM t.settled_at - t.accepted_at)::float8,
           u.gone_at IS NOT NULL AND t.message = '{"kind": "text", "text": ""}', t.retry_of"""
_TRANSCRIPT = f"""
    {_EXCHANGE} FROM turns t LEFT JOIN users u ON u.id = t.user_id
    WHERE t.conversation_id = %s AND t.seq < %s ORDER BY t.seq DESC LIMIT %s"""
_TURN = f"""
    {_EXCHANGE}, t.conversation_id, c.channel, c.account, t.surface, t.trace_id, t.deaths,
           coalesce(t.detail, '')
    FROM turns t LEFT JOIN users u ON u.id = t.user_id JOIN conversations c ON c.id = t.conversation_id
    WHERE t.id = %s"""
_SENDS = """
    SELECT id, kind, state, attempts, maybe_repeat, coalesce(reason, ''), coalesce(detail, ''),
           coalesce(platform_id, ''), extract(epoch FROM due_at)::float8, extract(epoch FROM finished_at)::float8
    FROM outbox WHERE turn_id = %s ORDER BY id"""

_UNDELIVERED = """
    SELECT o.turn_id, o.id, o.state, coalesce(o.reason, ''), d.id, d.closed_at IS NOT NULL
    FROM outbox o LEFT JOIN LATERAL (
        SELECT l.id, l.closed_at FROM dead_letters l WHERE l.outbox_id = o.id ORDER BY l.id DESC LIMIT 1
    ) AS d ON true
    WHERE o.turn_id = ANY (%s) AND o.state IN ('not_sent', 'unknown') ORDER BY o.id"""

_SPEAKERS = """
    SELECT DISTINCT u.channel, u.account, u.key, u.name FROM turns t JOIN users u ON u.id = t.user_id
    WHERE t.conversation_id = %s AND u.gone_at IS NULL LIMIT %s"""


def _conversation(row: tuple[Any, ...]) -> Conversation:
    conversation_id, channel, account, key, turns, waiting, state, active_at = row
    return Conversation(
        conversation_id=conversation_id,
        channel=channel,
        account=account,
        key_hash=key_hash(key),
        turns=turns,
        waiting=waiting,
        state=state,
        active_at=active_at,
    )


def _exchange(row: tuple[Any, ...]) -> dict[str, Any]:
    seq, turn_id, state, user, message, reply, reason, degraded, accepted_at, took_s, erased, retry_of = row
    return {
        "seq": seq,
        "turn_id": turn_id,
        "state": state,
        "user": user or "",
        "message": msgspec.json.decode(message, type=Message),
        "reply": msgspec.json.decode(reply, type=Reply) if reply else None,
        "reason": reason,
        "degraded": msgspec.json.decode(degraded, type=tuple[str, ...]) if degraded else (),
        "accepted_at": accepted_at,
        "took_s": took_s,
        "erased": erased,
        "retry_of": retry_of,
    }
