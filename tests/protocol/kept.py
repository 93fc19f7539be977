"""Kept replies: a later request's response takes one, tells it, and says what became of that.

A response may find no room for what it took, and puts it off; it may break off, and then nobody knows whether it was
heard. Left out: how many are told at once, and that a repeat of the same request is told the same again; both are a
matter of SQL, tested on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.protocol.accept import epoch_is_current
from tests.protocol.lane import lease_holds
from tests.protocol.model import (
    Event,
    Ledger,
    Process,
    Reply,
    ReplyState,
    State,
    Step,
    Telling,
    TellPhase,
    with_process,
)
from tests.protocol.rules import Rules

__all__ = ["ended", "steps"]

_OUTCOMES: Final = {
    TellPhase.TOLD: ReplyState.SENT,
    TellPhase.CUT: ReplyState.UNKNOWN,
    TellPhase.PUT_OFF: ReplyState.PENDING,
}


def steps(state: State, index: int, process: Process, rules: Rules) -> Iterator[Step]:
    """What may happen next to the one kept reply, by a response of one process."""
    telling, row = process.telling, state.ledger.outbox[0]
    if telling is not None and telling.phase in _OUTCOMES:
        if process.connected:
            yield _finish(state, index, process, telling, rules)
    elif not process.up:
        return
    elif telling is None:
        if state.asks:
            asked = with_process(state, index, process._replace(telling=Telling(TellPhase.ASKED)))
            yield Event("ask", index, row.seq), asked._replace(asks=state.asks - 1)
        mine = row.state == ReplyState.SENDING and row.sender == (index, process.epoch)
        if mine and rules.strays_are_given_back:
            # It was taken, and the answer to that was lost: it was certainly not told.
            given = Telling(TellPhase.PUT_OFF, process.epoch, row.repeat)
            yield Event("tell.stray", index, row.seq), with_process(state, index, process._replace(telling=given))
    elif telling.phase == TellPhase.ASKED:
        yield from _take(state, index, process, rules)
    elif not rules.told_in_its_own_life or (telling.epoch == process.epoch and lease_holds(process, rules)):
        yield from _tell(state, index, process, telling)
    else:
        yield Event("tell.drop", index, row.seq), with_process(state, index, process._replace(telling=None))


def ended(row: Reply, outcome: str, rules: Rules) -> Reply:
    """Return the reply after a telling: one whose outcome is unknown is told again, once, and marked."""
    again = outcome == ReplyState.UNKNOWN and not (row.repeat and rules.told_again_once)
    back = again or outcome == ReplyState.PENDING
    repeat = row.repeat or (again and rules.retelling_is_marked)
    return row._replace(state=ReplyState.PENDING if back else outcome, sender=None, repeat=repeat)


def _take(state: State, index: int, process: Process, rules: Rules) -> Iterator[Step]:
    """Take it, or answer without it."""
    ledger, me = state.ledger, (index, process.epoch)
    row = ledger.outbox[0]
    alive = epoch_is_current(ledger, *me) or not rules.taking_checks_own_epoch
    if row.state != ReplyState.PENDING or not alive:
        yield Event("tell.nothing", index, row.seq), with_process(state, index, process._replace(telling=None))
        return
    taken = ledger
    if rules.telling_takes_the_row:
        sending = row._replace(state=ReplyState.SENDING, sender=me)
        taken = _with(ledger, sending if rules.told_when_written else row._replace(state=ReplyState.SENT))
    telling = process._replace(telling=Telling(TellPhase.TAKEN, process.epoch, row.repeat))
    yield Event("tell.take", index, row.seq), with_process(state, index, telling, taken)
    if state.faults.lost_replies:
        lost = with_process(state.losing_a_reply(), index, process._replace(telling=None), taken)
        yield Event("tell.take.lost", index, row.seq), lost


def _tell(state: State, index: int, process: Process, telling: Telling) -> Iterator[Step]:
    """Write the response: whole, or until it breaks off; or it has no room for it."""
    row = state.ledger.outbox[0]
    heard = _with(state.ledger, row._replace(arrivals=row.arrivals + 1))
    for kind, phase, ledger in (
        ("tell", TellPhase.TOLD, heard),
        ("tell.cut", TellPhase.CUT, heard),
        ("tell.put_off", TellPhase.PUT_OFF, state.ledger),
    ):
        after = process._replace(telling=telling._replace(phase=phase))
        yield Event(kind, index, row.seq), with_process(state, index, after, ledger)


def _finish(state: State, index: int, process: Process, telling: Telling, rules: Rules) -> Step:
    """Record the outcome: of a row that is another's by now, or was taken in another life, nothing."""
    row, outcome = state.ledger.outbox[0], _OUTCOMES[telling.phase]
    mine = row.state == ReplyState.SENDING and row.sender == (index, telling.epoch)
    ledger = state.ledger
    if mine or not rules.telling_ends_its_own:
        after = ended(row, outcome, rules) if rules.told_when_written else row
        ledger = _with(ledger, after._replace(confirmed=row.confirmed or outcome == ReplyState.SENT))
    idle = process._replace(telling=None)
    return Event("tell.finish", index, row.seq), with_process(state, index, idle, ledger)


def _with(ledger: Ledger, row: Reply) -> Ledger:
    return ledger._replace(outbox=(row, *ledger.outbox[1:]))
