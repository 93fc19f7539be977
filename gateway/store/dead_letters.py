"""Dead letters: what was given up, and what operators do about it (``ledger/dead_letters.sql``).

Lists show nobody's words; one letter alone is shown with the delivery that it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import Conflict, NotFound
from gateway.store import job_admin
from gateway.store.job_admin import Dropped, Retried
from gateway.store.ledger.accept import parameters
from gateway.store.ledger.arrange import Arrival, arrange

__all__ = [
    "Delivery", "Kind", "Letter", "LetterState", "LetterView", "Resent", "Taken", "accept", "close", "drop_job",
    "letters", "retry_job", "retry_send", "retry_turn", "show",
]  # fmt: skip

#: *turn*: failed.  *delivery*: authentic, but not understood.  *send*: not sent, or nobody knows.  *job*: buried.
#: *webhook*: a buried job that was to tell somebody of an event; once that job is gone, *job*.
Kind = Literal["turn", "delivery", "send", "job", "webhook"]
LetterState = Literal["open", "closed", "any"]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a list.  Times are Unix seconds."""

    letter_id: int
    kind: Kind
    #: Empty for jobs.
    channel: str
    account: str
    conversation_id: int | None
    turn_id: int | None
    outbox_id: int | None
    job_id: int | None
    reason: str
    detail: str
    created_at: float
    closed_at: float | None
    #: Empty: it is open.
    closed_as: Literal["retried", "dropped", ""]
    #: The person, as far as that is known.
    closed_by: str


class LetterView(Letter, frozen=True, kw_only=True):
    """All of one letter."""

    #: Of a delivery: the bytes as they came (base64 in JSON), and the header that says how to read them.
    body: bytes | None
    content_type: str
    #: Of a webhook: which one.
    webhook: str


class Delivery(msgspec.Struct, frozen=True):
    """What an open letter keeps of a delivery."""

    channel: str
    account: str
    body: bytes
    content_type: str
    created_at: float


class Taken(msgspec.Struct, frozen=True):
    """A turn that a retried letter has made, or that was there already."""

    turn_id: int
    conversation_id: int
    fresh: bool


class Resent(msgspec.Struct, frozen=True):
    """A message that waits to be sent again, and the jobs that carry it."""

    conversation_id: int
    carriers: tuple[int, ...]


_LETTERS = """
    SELECT d.id, CASE WHEN d.kind = 'outbox' THEN 'send' WHEN j.kind = 'webhook.send' THEN 'webhook' ELSE d.kind END,
           d.channel, d.account, d.conversation_id, d.turn_id, d.outbox_id, d.job_id, d.reason, d.detail,
           extract(epoch FROM d.created_at)::float8, extract(epoch FROM d.closed_at)::float8,
           coalesce(d.closed_as, ''), coalesce(d.closed_by, ''){more}
    FROM dead_letters d
    LEFT JOIN LATERAL (SELECT kind, payload FROM jobs WHERE id = d.job_id OFFSET 0) AS j ON true"""
# No index helps with all of these, on purpose: letters are few, and an operator's question is rare.
_LIST = f"""
    SELECT * FROM ({_LETTERS.format(more="")}
        WHERE (%(before)s IS NULL OR d.id < %(before)s)
          AND (%(channel)s IS NULL OR d.channel = %(channel)s) AND (%(account)s IS NULL OR d.account = %(account)s)
          AND (%(state)s = 'any' OR (d.closed_at IS NULL) = (%(state)s = 'open'))
    ) AS l(id, kind)
    WHERE %(kind)s IS NULL OR l.kind = %(kind)s
    ORDER BY l.id DESC LIMIT %(rows)s"""  # noqa: S608  # the text is ours
_MORE = """
         , d.body, coalesce(d.content_type, ''), CASE WHEN j.kind = 'webhook.send' THEN j.payload ->> 'webhook' END"""
_SHOW = f"{_LETTERS.format(more=_MORE)} WHERE d.id = %s"
_ARRAYS = (
    "SELECT * FROM letter_accept(%s, %s, %s::text[], %s::integer[], %s::text[], %s::text[], %s::text[],"
    " %s::integer[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::integer[], %s::text[], %s::jsonb[],"
    " %s::jsonb[], %s::text[])"
)


def letters(
    cursor: Cursor,
    *,
    kind: Kind | None = None,
    state: LetterState = "open",
    channel: str | None = None,
    account: str | None = None,
    before: int | None = None,
    rows_max: int = 50,
) -> list[Letter]:
    """Return the newest letters; *before* is the id that the last page ended with."""
    cursor.execute(
        _LIST,
        {
            "kind": kind,
            "state": state,
            "channel": channel,
            "account": account,
            "before": before,
            "rows": rows_max,
        },
    )
    return [Letter(**_letter(row)) for row in cursor.fetchall()]


def show(cursor: Cursor, letter_id: int) -> LetterView:
    """Return one letter whole.

    :raises NotFound: there is none.
    """
    cursor.execute(_SHOW, (letter_id,))
    row = cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no dead letter {letter_id}", reason="no_such_letter")
    body, content_type, webhook = row[14:]
    return LetterView(
        **_letter(row), body=None if body is None else bytes(body), content_type=content_type, webhook=webhook or ""
    )


def retry_turn(cursor: Cursor, letter_id: int, *, by: str) -> Taken:
    """Have what was said asked again, as a new turn at its conversation's end.

    :raises Conflict: the letter is closed.
    :raises NotFound: what was said is there no more.
    """
    cursor.execute("SELECT * FROM letter_retry_turn(%s, %s)", (letter_id, by))
    outcome, turn_id, conversation_id = _row(cursor)
    if outcome == "gone":
        raise NotFound(f"what was said in the turn of letter {letter_id} has been removed", reason="turn_gone")
    if outcome != "retried":
        raise _closed(letter_id)
    return Taken(turn_id, conversation_id, fresh=True)


def accept(cursor: Cursor, letter_id: int, arrivals: Sequence[Arrival], *, by: str) -> list[Taken]:
    """Take the messages of a kept delivery in, and close the letter.

    :raises Conflict: the letter is closed.
    """
    if not arrivals:
        close(cursor, letter_id, "retried", by=by)
        return []
    cursor.execute(_ARRAYS, (letter_id, by, *parameters(arrange(arrivals))))
    rows = cursor.fetchall()
    if not rows:
        raise _closed(letter_id)
    return [Taken(turn, conversation, fresh=outcome == "new") for outcome, turn, conversation in rows]


def retry_send(cursor: Cursor, letter_id: int, *, by: str) -> Resent:
    """Have a message sent again; one that may have arrived says so where its channel can.

    :raises Conflict: the letter is closed, or the message is on its way already.
    :raises NotFound: the message is there no more.
    """
    cursor.execute("SELECT * FROM letter_retry_send(%s, %s)", (letter_id, by))
    outcome, conversation_id, carriers = _row(cursor)
    if outcome == "retried":
        return Resent(conversation_id, tuple(carriers))
    if outcome == "gone":
        raise NotFound(f"the message of letter {letter_id} is kept no more", reason="send_gone")
    if outcome == "closed":
        raise _closed(letter_id)
    raise Conflict(f"the message of letter {letter_id} is {outcome}", reason=f"send_{outcome}")


def retry_job(cursor: Cursor, letter: LetterView, *, by: str) -> Retried:
    """Let the buried job of an open letter start anew at its lane's end.

    :raises Conflict: the letter is closed; or the job is not buried, or another unfinished job bears its unique key.
    :raises NotFound: it is there no more.
    """
    assert letter.job_id is not None, "the letter of a job names it"
    cursor.execute("SELECT * FROM letter_retry_job(%s, %s)", (letter.letter_id, by))
    outcome, *rest = _row(cursor)
    if outcome == "closed":
        raise _closed(letter.letter_id)
    return job_admin.retried(letter.job_id, outcome, *rest)


def drop_job(cursor: Cursor, letter: LetterView, *, by: str) -> Dropped | None:
    """Forget the buried job of an open letter, and close it; None: the job is there no more.

    :raises Conflict: the letter is closed; or the job is done.
    """
    assert letter.job_id is not None, "the letter of a job names it"
    cursor.execute("SELECT * FROM letter_drop_job(%s, %s)", (letter.letter_id, by))
    outcome, *rest = _row(cursor)
    if outcome == "closed":
        raise _closed(letter.letter_id)
    return None if outcome == "gone" else job_admin.dropped(letter.job_id, outcome, *rest)


def close(cursor: Cursor, letter_id: int, as_what: Literal["retried", "dropped"], *, by: str) -> None:
    """Close a letter.

    :raises Conflict: it is closed.
    """
    cursor.execute("SELECT letter_close(%s, %s, %s)", (letter_id, as_what, by))
    if not _row(cursor)[0]:
        raise _closed(letter_id)


def _closed(letter_id: int) -> Conflict:
    return Conflict(f"dead letter {letter_id} was retried or dropped already", reason="letter_closed")


def _row(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None, "these functions answer with one row"
    return row


def _letter(row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(Letter.__struct_fields__, row[: len(Letter.__struct_fields__)], strict=True))
