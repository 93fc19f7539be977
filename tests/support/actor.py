"""A process of the ledger in the hands of a test: one connection, transactions that stay open as long as wanted.

It calls the ledger's own functions and nothing else.  What two of them do at once is done by two connections at once.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
import psycopg2
from gevent import Greenlet
from psycopg2 import extensions

from gateway.domain.message import Inbound, Message, Sender
from gateway.domain.reply import Reply, Text
from gateway.domain.turn import LaneKey, OutboxDraft, Settlement, Turn
from gateway.store.ledger import accept, heads, outbox, process, results, settle
from gateway.store.ledger.accept import Accepted, Arrival
from gateway.store.ledger.outbox import Finish, OutboxRow, Taking
from gateway.store.ledger.process import Buried, Process
from gateway.store.ledger.settle import Settled, Settling
from gateway.store.postgres import PLANNER
from tests.support.waiting import until

__all__ = ["Actor", "Lane", "arrival"]

_JSONB_TEXT = extensions.new_type((3802,), "JSONB_TEXT", lambda text, _: text)
_keys = itertools.count(1)


def arrival(
    text: str = "hello",
    *,
    lane: str = "lane",
    keys: Sequence[str] = (),
    user: str = "user",
    account: str = "bot",
    channel: str = "slack",
) -> Arrival:
    """A message as it came; without *keys* it is like no other."""
    inbound = Inbound(
        conversation_key=lane,
        dedupe_keys=tuple(keys) or (f"unlike any other {next(_keys)}",),
        sender=Sender(key=user, name=user.title(), locale="en"),
        message=Message(kind="text", text=text),
        surface="event",
        address={"channel": lane},
    )
    return Arrival(channel, account, inbound, trace_id="0" * 32)


class Lane(msgspec.Struct, frozen=True):
    """A conversation's columns that decide."""

    last_seq: int
    done_seq: int
    owner: int | None
    epoch: int | None
    fence: int
    orphaned: bool


class Actor:
    """A gateway or worker process."""

    def __init__(self, url: str, kind: Literal["gateway", "worker"] = "gateway") -> None:
        self._url = url
        self.connection = psycopg2.connect(url, options=PLANNER)
        self.connection.autocommit = True
        extensions.register_type(_JSONB_TEXT, self.connection)
        self.cursor = self.connection.cursor()
        self.process = process.register(self.cursor, kind, "test")

    @property
    def id(self) -> int:
        return self.process.process_id

    def as_process(self, process: Process) -> Actor:
        """This one's connection in the name of another process."""
        actor = copy.copy(self)
        actor.process = process
        return actor

    # Transactions

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside commits together at the end of the block."""
        self.cursor.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.cursor.execute("ROLLBACK")
            raise
        self.cursor.execute("COMMIT")

    def holds_up(self, other: Actor, what: Greenlet[..., Any]) -> None:
        """Return once *what*, which *other* does, waits for a lock of this one's transaction."""
        until("the other one to wait for this one's lock", lambda: what.dead or self.pid in other.blocked())
        assert not what.dead, f"it waited for nothing: {what.value or what.exception}"

    def blocked(self) -> list[int]:
        """The connections whose locks this one waits for."""
        watcher = psycopg2.connect(self._url)
        try:
            with watcher.cursor() as cursor:
                cursor.execute("SELECT pg_blocking_pids(%s)", (self.pid,))
                row = cursor.fetchone()
                return [] if row is None else list(row[0])
        finally:
            watcher.close()

    @property
    def pid(self) -> int:
        return int(self.connection.info.backend_pid)

    # Accept and settle

    def accept(self, *arrivals: Arrival, waiting_max: int = 1_000) -> list[Accepted]:
        return accept.accept(self.cursor, self.process, arrivals, waiting_max=waiting_max)

    def say(self, text: str = "hello", **place: Any) -> Accepted:
        return self.accept(arrival(text, **place))[0]

    def head(self, conversation_id: int) -> tuple[LaneKey, Turn] | None:
        return heads.heads(self.cursor, self.process, [conversation_id])[0]

    def settle(self, lane: LaneKey, turn: Turn, **how: Any) -> Settled:
        return self.settle_all([self.settling(lane, turn, **how)])[0]

    def settling(
        self,
        lane: LaneKey,
        turn: Turn,
        *,
        state: Literal["answered", "failed"] = "answered",
        reply: Reply | None = None,
        pushes: Sequence[str] = (),
        drafts: Sequence[OutboxDraft] = (),
        reason: str = "",
        detail: str = "",
        keep: bool = True,
        hand_over: bool = False,
    ) -> Settling:
        settlement = Settlement(
            turn=turn,
            state=state,
            reply=Reply((Text(f"to {turn.message.text}"),)) if reply is None else reply,
            reason=reason,
            detail=detail,
            outbox=(*drafts, *(OutboxDraft(kind="push", payload={"text": text}) for text in pushes)),
        )
        return Settling(lane, settlement, keep=keep, hand_over=hand_over)

    def settle_all(self, batch: Sequence[Settling]) -> list[Settled]:
        return settle.settle(self.cursor, self.process, batch)

    def answer(self, conversation_id: int, **how: Any) -> Settled:
        """Settle the lane's next turn, which must be this process's."""
        found = self.head(conversation_id)
        assert found is not None, "no turn of this lane is to be run by this process"
        return self.settle(*found, **how)

    def results(self, *turn_ids: int) -> list[results.Result]:
        return results.results(self.cursor, turn_ids)

    # Life and death

    def beat(self, dead_after_s: float = 5.0) -> int | None:
        return process.beat(self.cursor, self.process, dead_after_s)

    def bury(self, dead_after_s: float = 5.0) -> Buried:
        return process.bury(self.cursor, dead_after_s)

    def revive(self) -> Process:
        revived = process.revive(self.cursor, self.process)
        assert revived is not None
        self.process = revived
        return revived

    def leave(self) -> None:
        process.leave(self.cursor, self.process)

    def adopt(self, lanes_max: int = 100) -> list[int]:
        return process.adopt(self.cursor, self.process, lanes_max)

    def owned(self) -> dict[int, int]:
        return process.owned(self.cursor, self.process)

    def fall_silent(self, seconds: float = 60.0) -> None:
        """Have the last beat of this process be that long ago."""
        self.rows(
            "UPDATE processes SET beat = clock_timestamp() - make_interval(secs => %s) WHERE id = %s RETURNING id",
            seconds,
            self.id,
        )

    def die(self, buried_by: Actor) -> Buried:
        """Be declared dead by another one."""
        self.fall_silent()
        return buried_by.bury()

    # Outbox

    def take(self, *outbox_ids: int) -> list[Taking]:
        return outbox.take(self.cursor, self.process, outbox_ids)

    def claim(self) -> list[OutboxRow]:
        """Ask for all that waits, and return what this process is to send now."""
        waiting = [row[0] for row in self.rows("SELECT id FROM outbox WHERE state = 'pending' ORDER BY id")]
        return [taking.row for taking in self.take(*waiting) if taking.row is not None]

    def claim_responses(self, *turn_ids: int) -> dict[int, list[int]]:
        return outbox.claim_responses(self.cursor, self.process, turn_ids)

    def finish(self, *batch: Finish) -> list[bool]:
        return outbox.finish(self.cursor, self.process, batch)

    def sending(self) -> set[int]:
        return outbox.owned(self.cursor, self.process)

    # Looking

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(statement, parameters)
        return self.cursor.fetchall()

    def one(self, statement: str, *parameters: Any) -> Any:
        """The only column of the only row, or the only row."""
        ((row),) = self.rows(statement, *parameters)
        return row[0] if len(row) == 1 else row

    def lane(self, conversation_id: int) -> Lane:
        return Lane(
            *self.one(
                "SELECT last_seq, done_seq, owner_process, owner_epoch, fence, orphaned FROM conversations"
                " WHERE id = %s",
                conversation_id,
            )
        )
