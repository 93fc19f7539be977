"""The promises, each checked on what a step did to the world, never on what the step believed.

A property compares the state before a step with the state after it; it knows nothing of the rules. The
one about the end of every turn looks at the whole graph and is checked in explorer.py, by :func:`at_rest`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.protocol.model import AGE_DEAD, FINAL, Bounds, Event, ReplyState, State

__all__ = [
    "ARRIVAL_ORDER",
    "ATTEMPTS",
    "ENDS",
    "FENCED_CALL",
    "FENCED_WRITE",
    "GAPLESS",
    "IN_ORDER",
    "KEPT",
    "LEASE",
    "ONE_TURN",
    "ONE_WRITE",
    "REPLY_ONCE",
    "REPLY_ORDER",
    "TOLD",
    "TOLD_MARKED",
    "TOLD_ONCE",
    "TOLD_TWICE",
    "at_rest",
    "broken_by",
]

KEPT: Final = "what was acknowledged is in the ledger"
ENDS: Final = "every accepted turn ends, and every reply"
ONE_TURN: Final = "a message has one turn"
GAPLESS: Final = "numbers have no gap and no twin"
ARRIVAL_ORDER: Final = "messages keep the order in which a process got them"
IN_ORDER: Final = "a call is for the one turn whose predecessors have all ended"
FENCED_CALL: Final = "only the owner of a lane starts a call"
LEASE: Final = "nothing is started by a process that may be taken for dead"
FENCED_WRITE: Final = "only the owner of a lane settles"
ONE_WRITE: Final = "a turn is settled once"
ATTEMPTS: Final = "a turn is called a bounded number of times"
REPLY_ONCE: Final = "a reply is sent once at most"
REPLY_ORDER: Final = "replies leave in order"

TOLD: Final = "what counts as told was told"
TOLD_ONCE: Final = "what was told, and is known to have been, is told no more"
TOLD_MARKED: Final = "what may have been told before says so"
TOLD_TWICE: Final = "what is kept is told twice at most"


def broken_by(before: State, event: Event, after: State, bounds: Bounds) -> str | None:
    """Return the name of the property that this step broke, if any."""
    check = _CHECKS.get(event.kind)
    broken = check(before, event, after, bounds) if check else None
    if broken:
        return broken
    if after.acked != before.acked or after.ledger.keys != before.ledger.keys:
        return _acknowledged(after)
    return None


def at_rest(state: State, bounds: Bounds) -> bool:
    """True where nothing accepted is left undone."""
    ledger = state.ledger
    if ledger.last_seq > ledger.done_seq:
        return False
    if bounds.asks:
        # What is kept may wait for ever: for a request, and for nothing else.
        return all(row.state in FINAL or row.state == ReplyState.PENDING for row in ledger.outbox)
    if not bounds.replies:
        return True
    return len(ledger.outbox) == ledger.done_seq and all(row.state in FINAL for row in ledger.outbox)


def _acknowledged(state: State) -> str | None:
    messages = {turn.message for turn in state.ledger.turns}
    if any(acked and message not in messages for message, acked in enumerate(state.acked)):
        return KEPT
    return None


def _owns(state: State, index: int) -> bool:
    """True if the lane that the process runs is the one that the ledger gave it, and has not taken back."""
    ledger, process = state.ledger, state.processes[index]
    same_fence = process.lane is not None and process.lane.fence == ledger.fence
    return same_fence and ledger.owner == (index, process.epoch)


def _accepted(before: State, event: Event, after: State, bounds: Bounds) -> str | None:
    ledger = after.ledger
    messages = [turn.message for turn in ledger.turns]
    if len(set(messages)) < len(messages):
        return ONE_TURN
    if [turn.seq for turn in ledger.turns] != list(range(1, ledger.last_seq + 1)):
        return GAPLESS
    accept = next(a for a in before.processes[event.process].accepts if a.message == event.subject)
    if accept.overtaken and len(ledger.turns) > len(before.ledger.turns):
        return ARRIVAL_ORDER
    return None


def _called(before: State, event: Event, after: State, bounds: Bounds) -> str | None:
    ledger = before.ledger
    if ledger.rows[event.process].age >= AGE_DEAD:
        return LEASE
    if not _owns(before, event.process):
        return FENCED_CALL
    if event.subject != ledger.done_seq + 1:
        return IN_ORDER
    if any(turn.calls > bounds.attempts_max for turn in after.ledger.turns):
        return ATTEMPTS
    return None


def _settled(before: State, event: Event, after: State, bounds: Bounds) -> str | None:
    if any(turn.writes > 1 for turn in after.ledger.turns):
        return ONE_WRITE
    # Whatever a settle changes, the number done or the owner, is the owner's to change.
    if after.ledger != before.ledger and not _owns(before, event.process):
        return FENCED_WRITE
    return None


def _sent(before: State, event: Event, after: State, bounds: Bounds) -> str | None:
    if any(row.arrivals > 1 for row in after.ledger.outbox):
        return REPLY_ONCE
    if any(row.arrivals and row.seq > event.subject for row in before.ledger.outbox):
        return REPLY_ORDER
    if before.ledger.rows[event.process].age >= AGE_DEAD:
        return LEASE
    return None


def _told(before: State, event: Event, after: State, bounds: Bounds) -> str | None:
    row, telling = before.ledger.outbox[0], before.processes[event.process].telling
    assert telling is not None, "a response is told by whoever makes one"
    if row.confirmed:
        return TOLD_ONCE
    if row.arrivals and not telling.marked:
        return TOLD_MARKED
    return TOLD_TWICE if after.ledger.outbox[0].arrivals > 2 else None


def _counted(before: State, event: Event, after: State, bounds: Bounds) -> str | None:
    is_told = any(process.telling is not None for process in after.processes)
    lost = (row for row in after.ledger.outbox if row.kept and row.state == ReplyState.SENT and not row.arrivals)
    return TOLD if any(lost) and not is_told else None


_CHECKS: Final[dict[str, Callable[[State, Event, State, Bounds], str | None]]] = {
    "accept.commit": _accepted,
    "accept.lost": _accepted,
    "call.start": _called,
    "settle.commit": _settled,
    "settle.lost": _settled,
    "send": _sent,
    "direct.send": _sent,
    "tell": _told,
    "tell.cut": _told,
    "crash": _counted,
    "tell.finish": _counted,
}
