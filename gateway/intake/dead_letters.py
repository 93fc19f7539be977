"""Dead letters in the hands of operators: what ``switchboard dead-letters`` and the API do alike.

What a retry does depends on what was given up, and is committed together with the letter's closing: each happens once.

| kind     | retry                                                                                       |
|----------|---------------------------------------------------------------------------------------------|
| turn     | what was said is asked again, as a new turn at its conversation's end; the reply is pushed   |
| delivery | the bytes are read again, by the code of now; what they say is taken in like any message     |
| send     | the message is sent again, marked where its user may have it already                         |
| job      | it starts anew at its lane's end                                                             |
| webhook  | the same, unless its receiver is told nothing: then the event would be dropped in silence    |

What a turn asks again is shown once, where it was said; the answer stands at the end.

Dropping closes the letter; of a job it forgets the job too.

Whoever runs what was retried is told after the commit.  Fail-open: without Redis all of it is found by polls.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import get_args

import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.channels.base import Immediate
from gateway.channels.bots import Bots
from gateway.domain.errors import BadRequest, Conflict, NotUnderstood
from gateway.domain.hint import JobDropped, Orphans
from gateway.domain.http import Request
from gateway.domain.job import partition_of
from gateway.domain.resilience.priority import Priority
from gateway.store import dead_letters as rows
from gateway.store import webhooks
from gateway.store.dead_letters import Kind, Letter, LetterState, LetterView, Taken
from gateway.store.job_hints import JobHints
from gateway.store.ledger.arrange import Arrival
from gateway.store.ledger.outbox import send_lane
from gateway.store.postgres import Database
from gateway.store.signals import Signals

__all__ = ["KINDS", "ROWS_MAX", "DeadLetters", "DroppedLetter", "RetriedLetter", "Told", "drop", "is_unsure", "retry"]

KINDS: tuple[Kind, ...] = get_args(Kind)
#: Letters of one list.
ROWS_MAX = 10_000


class RetriedLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What a retry has begun."""

    letter_id: int
    kind: Kind
    #: Of a turn the new one; of a delivery those of its messages, which may be none.
    turns: tuple[Taken, ...] = ()
    outbox_id: int | None = None
    job_id: int | None = None
    #: Of a message: its user may have it already, and gets it twice then; it says so where its channel can.
    maybe_repeat: bool = False


class DroppedLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that is closed."""

    letter_id: int
    kind: Kind
    #: The job that was forgotten with it.
    job_id: int | None = None


class Told:
    """Those who are told once it is committed."""

    def __init__(self, signals: Signals, hints: JobHints) -> None:
        self._signals = signals
        self._hints = hints
        self._words: list[Callable[[], None]] = []

    def lanes(self) -> None:
        """Gateways: there are lanes with work."""
        self._words.append(lambda: self._signals.publish("gateways", Orphans()))

    def job(self, partition: int, priority: int, job_ids: tuple[int, ...]) -> None:
        """The owner of a partition: there are jobs to be run."""
        self._words.append(lambda: self._hints.publish(partition, priority, job_ids))

    def dropped(self, job_id: int, partition: int) -> None:
        """Whoever has read a job: it is no more."""
        self._words.append(lambda: self._signals.publish("workers", JobDropped(job_id, partition)))

    def say(self) -> None:
        """Tell them."""
        words, self._words = self._words, []
        for word in words:
            word()

    def flush(self) -> bool:
        """Tell them now: for a process that is about to end.  False if Redis did not take the word."""
        self.say()
        return all([self._signals.flush(), self._hints.flush()])


def retry(
    cursor: Cursor, letter_id: int, told: Told, *, by: str, bots: Callable[[], Bots], now: float
) -> RetriedLetter:
    """Retry an open letter; *bots* are asked for only if a delivery is to be read again.

    :raises NotFound: there is no such letter; or what it is about is there no more.
    :raises Conflict: it is closed; or it cannot be retried as things stand, and the message says why.
    """
    letter = _open(cursor, letter_id)
    match letter.kind:
        case "turn":
            turn = rows.retry_turn(cursor, letter_id, by=by)
            told.lanes()
            return RetriedLetter(letter_id=letter_id, kind=letter.kind, turns=(turn,))
        case "delivery":
            turns = rows.accept(cursor, letter_id, _read(letter, bots(), now), by=by)
            told.lanes()
            return RetriedLetter(letter_id=letter_id, kind=letter.kind, turns=tuple(turns))
        case "send":
            sent = rows.retry_send(cursor, letter_id, by=by)
            told.job(partition_of(send_lane(sent.conversation_id)), Priority.HIGH, sent.carriers)
            return RetriedLetter(
                letter_id=letter_id, kind=letter.kind, outbox_id=letter.outbox_id, maybe_repeat=is_unsure(letter)
            )
        case "job" | "webhook":
            _check_receiver(cursor, letter)
            job = rows.retry_job(cursor, letter, by=by)
            told.job(job.partition, job.priority, (job.job_id,))
            return RetriedLetter(letter_id=letter_id, kind=letter.kind, job_id=job.job_id)


def is_unsure(letter: Letter) -> bool:
    """Whether nobody knows if the message that *letter* is about has arrived: sent again, its user may get it twice."""
    return letter.kind == "send" and letter.reason.startswith("unknown:")


def drop(cursor: Cursor, letter_id: int, told: Told, *, by: str) -> DroppedLetter:
    """Close an open letter without doing anything about it.

    :raises NotFound: there is no such letter.
    :raises Conflict: it is closed.
    """
    letter = _open(cursor, letter_id)
    if letter.job_id is None:
        rows.close(cursor, letter_id, "dropped", by=by)
        return DroppedLetter(letter_id=letter_id, kind=letter.kind)
    job = rows.drop_job(cursor, letter, by=by)
    if job is not None:
        told.dropped(job.job_id, job.partition)
    return DroppedLetter(letter_id=letter_id, kind=letter.kind, job_id=letter.job_id)


class DeadLetters:
    """The same for a process that has a pool.

    Each method raises :exc:`StoreUnavailable` where PostgreSQL does not answer, or has no such schema.
    """

    def __init__(
        self,
        database: Database,
        bots: Bots,
        told: Callable[[], Told],
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._bots = bots
        self._told = told
        self._wall_clock = wall_clock

    def list(
        self,
        *,
        kind: Kind | None = None,
        state: LetterState = "open",
        channel: str | None = None,
        account: str | None = None,
        before: int | None = None,
        rows_max: int = 50,
    ) -> list[Letter]:
        """Return the newest letters."""
        return self._database.run(
            lambda cursor: rows.letters(
                cursor, kind=kind, state=state, channel=channel, account=account, before=before, rows_max=rows_max
            )
        )

    def show(self, letter_id: int) -> LetterView:
        """Return one letter whole.

        :raises NotFound: there is none.
        """
        return self._database.run(lambda cursor: rows.show(cursor, letter_id))

    def retry(self, letter_id: int, *, by: str) -> RetriedLetter:
        """Retry an open letter.  Raises as :func:`retry` does."""
        told = self._told()
        retried = self._database.run(
            lambda cursor: retry(cursor, letter_id, told, by=by, bots=lambda: self._bots, now=self._wall_clock())
        )
        told.say()
        return retried

    def drop(self, letter_id: int, *, by: str) -> DroppedLetter:
        """Close an open letter.  Raises as :func:`drop` does."""
        told = self._told()
        dropped = self._database.run(lambda cursor: drop(cursor, letter_id, told, by=by))
        told.say()
        return dropped


def _open(cursor: Cursor, letter_id: int) -> LetterView:
    letter = rows.show(cursor, letter_id)
    if letter.closed_as:
        by = f" by {letter.closed_by}" if letter.closed_by else ""
        raise Conflict(f"dead letter {letter_id} was {letter.closed_as} already{by}", reason="letter_closed")
    return letter


def _read(letter: LetterView, bots: Bots, now: float) -> list[Arrival]:
    """Return what a kept delivery says, to the code of now."""
    bot = bots.find(letter.channel, letter.account)
    request = Request(
        method="POST",
        path=f"/hooks/{letter.channel}/{letter.account}",
        query="",
        headers={"content-type": letter.content_type},
        body=letter.body or b"",
    )
    try:
        parsed = bot.channel.parse(request, bot.account, now)
    except (NotUnderstood, BadRequest) as error:
        raise Conflict(
            f"the delivery of letter {letter.letter_id} is still not understood: {error}", reason="not_understood"
        ) from None
    except Exception as error:
        # Our own mistake: the letter stays open until it is mended.
        telemetry.event(
            "delivery.crashed",
            channel=letter.channel,
            account=letter.account,
            reason=type(error).__name__,
            detail=telemetry.trace(error),
        )
        raise Conflict(
            f"reading the delivery of letter {letter.letter_id} fails in our own code ({type(error).__name__})",
            reason="crashed",
        ) from error
    if isinstance(parsed, Immediate):
        if parsed.refused:
            raise Conflict(
                f"what letter {letter.letter_id} says is not taken in by {letter.channel}/{letter.account}",
                reason=parsed.refused,
            )
        return []
    # A trace of its own: that of the delivery began with no message, so no row bears it.
    trace_id = f"{random.getrandbits(128):032x}"
    account = parsed.account or letter.account
    return [Arrival(letter.channel, account, inbound, trace_id) for inbound in parsed.inbound]


def _check_receiver(cursor: Cursor, letter: LetterView) -> None:
    if letter.webhook and webhooks.disabled(cursor, letter.webhook):
        raise Conflict(
            f"webhook {letter.webhook} is told nothing, and the event would be dropped: first "
            f"`switchboard webhooks enable {letter.webhook}`",
            reason="webhook_disabled",
        )
