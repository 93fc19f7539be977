"""Direct: a process sends itself what it settled, behind the commit, one reply after the other.

The settle has claimed it, if nothing in front of it was in others' hands.  It may find no room at the platform: then it
goes back to the ledger, and whoever else sends takes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.lane import lease_holds
from tests.protocol.memory import heard, tidied
from tests.protocol.model import (
    Direct,
    Event,
    LanePhase,
    Ledger,
    Owner,
    Process,
    Reply,
    ReplyState,
    State,
    Step,
    with_process,
)
from tests.protocol.rules import Rules

__all__ = ["behind_the_first", "busy", "steps"]


def busy(process: Process) -> bool:
    """True while the process has a reply to send, or is about to hear of one."""
    return process.direct is not None and bool(process.direct.rows or process.direct.answered)


def behind_the_first(before: tuple[Reply, ...], after: tuple[Reply, ...], dead: Owner) -> tuple[Reply, ...]:
    """Return the outbox after a death: what the dead had in its hands behind the first was certainly not sent."""
    own = [number for number, row in enumerate(before) if row.own and row.sender == dead]
    back = (row._replace(state=ReplyState.PENDING, sender=None, own=False) for row in before)
    return tuple(old if number in own[1:] else new for number, (old, new) in enumerate(zip(back, after, strict=True)))


def steps(state: State, index: int, process: Process, rules: Rules) -> Iterator[Step]:
    """What may happen next to what one process sends itself."""
    if not process.up:
        return
    if rules.strays_are_given_back:
        yield from _strays(state, index, process)
    direct = process.direct
    if direct is None:
        return
    replaced = process.lane is None or (process.lane.phase, process.lane.seq) != (LanePhase.SETTLED, direct.reserved)
    if direct.answered and replaced:
        # By another grant; else the lane hears of it before it goes on.
        after = process._replace(direct=heard(direct, rules))
        yield Event("direct.hear", index, direct.reserved), with_process(state, index, after)
    if direct.wired:
        yield _finish(state, index, process, direct, rules)
    if direct.wired == len(direct.rows) or (direct.wired and rules.next_after_end):
        return
    seq = state.ledger.outbox[direct.rows[direct.wired]].seq
    if direct.broken:
        yield Event("direct.back", index, seq), _given_back(state, index, process, direct, rules)
        return
    if lease_holds(process, rules) or not rules.send_inside_lease:
        yield _send(state, index, process, direct)
    if state.faults.refusals:
        faults = state.faults._replace(refusals=state.faults.refusals - 1)
        refused = _given_back(state, index, process, direct, rules)._replace(faults=faults)
        yield Event("direct.refused", index, seq), refused


def _strays(state: State, index: int, process: Process) -> Iterator[Step]:
    """Give back what the ledger says this process is sending, and what it knows nothing of: the answer was lost."""
    direct, lane = process.direct or Direct(), process.lane
    if direct.answered or (lane is not None and lane.phase == LanePhase.SETTLING):
        return
    for position, row in enumerate(state.ledger.outbox):
        if row.own and row.sender == (index, process.epoch) and position not in direct.rows:
            ledger = _with(state.ledger, position, row._replace(state=ReplyState.PENDING, sender=None, own=False))
            known = direct._replace(reserved=0) if direct.reserved == row.seq else direct
            after = process._replace(direct=known if known.rows or known.reserved else None)
            yield Event("direct.stray", index, row.seq), with_process(state, index, after, ledger)


def _send(state: State, index: int, process: Process, direct: Direct) -> Step:
    position = direct.rows[direct.wired]
    row = state.ledger.outbox[position]
    arrived = _with(state.ledger, position, row._replace(arrivals=row.arrivals + 1))
    sent = process._replace(direct=direct._replace(wired=direct.wired + 1))
    return Event("direct.send", index, row.seq), with_process(state, index, sent, arrived)


def _finish(state: State, index: int, process: Process, direct: Direct, rules: Rules) -> Step:
    position = direct.rows[0]
    row, ledger = state.ledger.outbox[position], state.ledger
    if row.sender == (index, process.epoch):
        ledger = _with(ledger, position, row._replace(state=ReplyState.SENT, sender=None))
    left = direct._replace(rows=direct.rows[1:], wired=direct.wired - 1)
    ended = process._replace(direct=tidied(left, rules))
    return Event("direct.finish", index, row.seq), with_process(state, index, ended, ledger)


def _given_back(state: State, index: int, process: Process, direct: Direct, rules: Rules) -> State:
    position = direct.rows[direct.wired]
    row, ledger = state.ledger.outbox[position], state.ledger
    if row.sender == (index, process.epoch):
        ledger = _with(ledger, position, row._replace(state=ReplyState.PENDING, sender=None, own=False))
    rest = direct.rows[: direct.wired] + direct.rows[direct.wired + 1 :]
    left = direct._replace(rows=rest, broken=direct.broken or rules.back_takes_all_behind)
    return with_process(state, index, process._replace(direct=tidied(left, rules)), ledger)


def _with(ledger: Ledger, position: int, row: Reply) -> Ledger:
    outbox = ledger.outbox
    return ledger._replace(outbox=(*outbox[:position], row, *outbox[position + 1 :]))
