"""Transcripts: what was said in conversations, and how far each of them has come."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.message import Message
from gateway.domain.reply import Part, Reply
from gateway.domain.turn import TurnState

__all__ = [
    "ConversationKey", "Entry", "Exchange", "Mark", "Past", "Span", "after", "before", "find", "keys", "marks",
]  # fmt: skip

#: Channel, account, and the channel's own key.
ConversationKey = tuple[str, str, str]

_decode_message = msgspec.json.Decoder(Message).decode
_decode_reply = msgspec.json.Decoder(Reply).decode
_decode_parts = msgspec.json.Decoder(tuple[Part, ...]).decode


class Span(msgspec.Struct, frozen=True):
    """The next *turns_max* turns of a conversation behind *after_seq*."""

    conversation_id: int
    after_seq: int
    turns_max: int


class Entry(msgspec.Struct, frozen=True):
    """A turn as its user sees it.  ``reply`` is there as soon as the turn is settled."""

    seq: int
    state: TurnState
    message: Message
    reply: Reply | None
    #: Unix seconds on the database's clock.
    accepted_at: float


class Past(msgspec.Struct, frozen=True):
    """The answered turns of a conversation before *before_seq*: the newest, so many, within so many bytes."""

    conversation_id: int
    before_seq: int
    turns_max: int
    bytes_max: int


class Exchange(msgspec.Struct, frozen=True):
    """What was said in an answered turn, by both sides."""

    seq: int
    message: Message
    parts: tuple[Part, ...]


class Mark(msgspec.Struct, frozen=True):
    """How far a conversation has come: turns up to *done_seq* are settled, those up to *last_seq*
    accepted."""

    conversation_id: int
    done_seq: int
    last_seq: int


def after(cursor: Cursor, spans: Sequence[Span]) -> list[list[Entry]]:
    """Return the turns of each span, in the order of their sequence numbers."""
    cursor.execute(
        "SELECT s.i, t.* FROM unnest(%s::bigint[], %s::bigint[], %s::integer[])"
        " WITH ORDINALITY AS s(lane, after_seq, turns_max, i)"
        " CROSS JOIN LATERAL transcript_after(s.lane, s.after_seq, s.turns_max) AS t ORDER BY s.i, t.seq",
        (
            [span.conversation_id for span in spans],
            [span.after_seq for span in spans],
            [span.turns_max for span in spans],
        ),
    )
    found: list[list[Entry]] = [[] for _ in spans]
    for index, seq, state, message, reply, accepted_at in cursor.fetchall():
        answer = None if reply is None else _decode_reply(reply)
        found[index - 1].append(Entry(seq, state, _decode_message(message), answer, accepted_at))
    return found


def before(cursor: Cursor, pasts: Sequence[Past]) -> list[list[Exchange]]:
    """Return the turns of each past, in the order of their sequence numbers.

    One that another version wrote and this one cannot read is passed over: it must not fail what strangers ask.
    """
    cursor.execute(
        "SELECT p.i, t.* FROM unnest(%s::bigint[], %s::bigint[], %s::integer[], %s::integer[])"
        " WITH ORDINALITY AS p(lane, before_seq, turns_max, bytes_max, i)"
        " CROSS JOIN LATERAL transcript_before(p.lane, p.before_seq, p.turns_max, p.bytes_max) AS t"
        " ORDER BY p.i, t.seq",
        (
            [past.conversation_id for past in pasts],
            [past.before_seq for past in pasts],
            [past.turns_max for past in pasts],
            [past.bytes_max for past in pasts],
        ),
    )
    found: list[list[Exchange]] = [[] for _ in pasts]
    for index, seq, message, parts in cursor.fetchall():
        with contextlib.suppress(msgspec.MsgspecError):
            found[index - 1].append(Exchange(seq, _decode_message(message), _decode_parts(parts)))
    return found


def find(cursor: Cursor, keys: Sequence[ConversationKey]) -> list[Mark | None]:
    """Return where each of these conversations stands; None where nobody has spoken in it yet."""
    cursor.execute(
        "SELECT k.i, c.* FROM unnest(%s::text[], %s::text[], %s::text[])"
        " WITH ORDINALITY AS k(channel, account, key, i)"
        " CROSS JOIN LATERAL transcript_find(k.channel, k.account, k.key) AS c",
        ([key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]),
    )
    found: list[Mark | None] = [None for _ in keys]
    for index, conversation_id, done_seq, last_seq in cursor.fetchall():
        found[index - 1] = Mark(conversation_id, done_seq, last_seq)
    return found


def keys(cursor: Cursor, conversation_ids: Sequence[int]) -> list[tuple[int, ConversationKey]]:
    """Return what these conversations are called by their channels, in no particular order."""
    cursor.execute("SELECT * FROM transcript_keys(%s::bigint[])", (list(conversation_ids),))
    return [(conversation_id, (channel, account, key)) for conversation_id, channel, account, key in cursor]


def marks(cursor: Cursor, conversation_ids: Sequence[int]) -> list[Mark]:
    """Return where these conversations stand, in no particular order."""
    cursor.execute("SELECT * FROM transcript_marks(%s::bigint[])", (list(conversation_ids),))
    return [Mark(*row) for row in cursor.fetchall()]
