"""Lane and settle: the owner loads the head, calls the assistant, settles, and goes on or ends."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.memory import heard
from tests.protocol.model import (
    AGE_DEAD,
    FINAL,
    Direct,
    Event,
    Lane,
    LanePhase,
    Ledger,
    Owner,
    Process,
    Reply,
    ReplyState,
    State,
    Step,
    World,
    with_process,
)
from tests.protocol.rules import Rules

__all__ = ["lease_holds", "steps"]

#: The lease ends this many ticks before the ledger may take the process for dead.
_LEASE_MARGIN = 1


def lease_holds(process: Process, rules: Rules) -> bool:
    """True while the process may start a call or a send, judged by its own clock alone."""
    return process.lease_age < (AGE_DEAD - _LEASE_MARGIN if rules.lease_margin else AGE_DEAD)


def steps(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """What may happen next to the lane of one process."""
    lane = process.lane
    if lane is None:
        return
    if lane.phase == LanePhase.SETTLING and process.connected:
        yield from _settle(state, index, process, lane, world)
    if not process.up:
        return
    if lane.phase in (LanePhase.LOADING, LanePhase.READY) and process.draining:
        yield Event("lane.drop", index, lane.seq), with_process(state, index, process._replace(lane=None))
    elif lane.phase == LanePhase.LOADING:
        yield _load(state, index, process, lane, world)
    elif lane.phase == LanePhase.READY:
        if lease_holds(process, world.rules) or not world.rules.call_inside_lease:
            yield _call(state, index, process, lane)
    elif lane.phase == LanePhase.CALLING:
        settling = process._replace(lane=_settling(lane, lane.seq, state.ledger, world.rules))
        yield Event("call.answer", index, lane.seq), with_process(state, index, settling)
        direct = process.direct or Direct()
        if world.bounds.direct and not process.draining and not (direct.broken or direct.reserved):
            sends = settling._replace(direct=direct._replace(reserved=lane.seq))
            yield Event("call.answer.room", index, lane.seq), with_process(state, index, sends)
    elif lane.phase == LanePhase.SETTLED:
        yield _read_reply(state, index, process, lane, world)


def _load(state: State, index: int, process: Process, lane: Lane, world: World) -> Step:
    """Read the head turn under the grant's fence; an old grant finds nothing."""
    ledger, rules = state.ledger, world.rules
    mine = ledger.owner == (index, process.epoch) and ledger.fence == lane.fence
    if ledger.last_seq == ledger.done_seq or not (mine or not rules.head_loaded_under_fence):
        return Event("lane.nothing", index), with_process(state, index, process._replace(lane=None))
    head = ledger.turns[ledger.done_seq]
    if head.attempts >= world.bounds.attempts_max and rules.last_attempt_buries:
        buried = process._replace(lane=_settling(lane, head.seq, ledger, rules))
        return Event("lane.bury", index, head.seq), with_process(state, index, buried)
    ready = process._replace(lane=lane._replace(phase=LanePhase.READY, seq=head.seq))
    return Event("lane.load", index, head.seq), with_process(state, index, ready)


def _call(state: State, index: int, process: Process, lane: Lane) -> Step:
    """Put the call on the wire."""
    turns = (t._replace(calls=t.calls + 1) if t.seq == lane.seq else t for t in state.ledger.turns)
    ledger = state.ledger._replace(turns=tuple(turns))
    calling = process._replace(lane=lane._replace(phase=LanePhase.CALLING))
    return Event("call.start", index, lane.seq), with_process(state, index, calling, ledger)


def _settling(lane: Lane, seq: int, ledger: Ledger, rules: Rules) -> Lane:
    """Send the settle: what it sees of `turns` is the snapshot from before it has the lock."""
    seen = 0 if rules.settle_reads_locked_row else ledger.last_seq
    return lane._replace(phase=LanePhase.SETTLING, seq=seq, seen=seen)


def _settle(state: State, index: int, process: Process, lane: Lane, world: World) -> Iterator[Step]:
    """Commit the settle, with its reply on the way or lost."""
    ledger, next_seq = _settled(state.ledger, index, process, lane, world)
    answered = process._replace(lane=lane._replace(phase=LanePhase.SETTLED, seen=0, next_seq=next_seq))
    if process.direct and process.direct.reserved == lane.seq:
        claimed = _claimed(process.direct, state.ledger, ledger, (index, process.epoch), lane.seq)
        answered = answered._replace(direct=claimed)
    yield Event("settle.commit", index, lane.seq), with_process(state, index, answered, ledger)
    if not state.faults.lost_replies or not process.up:
        return
    lost = state.losing_a_reply()
    if world.rules.settle_asked_again:
        again = process._replace(lane=_settling(lane, lane.seq, ledger, world.rules))
        yield Event("settle.lost", index, lane.seq), with_process(lost, index, again, ledger)
        return
    more = state.ledger.last_seq > lane.seq
    guessed = process._replace(lane=Lane(lane.fence, LanePhase.READY, lane.seq + 1) if more else None)
    yield Event("settle.rolled_back", index, lane.seq), with_process(lost, index, guessed)


def _settled(ledger: Ledger, index: int, process: Process, lane: Lane, world: World) -> tuple[Ledger, int]:
    """Return the ledger after the settle, and the next turn if the lane is kept."""
    rules = world.rules
    if ledger.fence != lane.fence and rules.settle_checks_fence:
        return ledger, 0
    if ledger.done_seq < lane.seq or not rules.settled_once:
        turns = (t._replace(writes=t.writes + 1) if t.seq == lane.seq else t for t in ledger.turns)
        ledger = ledger._replace(done_seq=lane.seq, turns=tuple(turns))
        if world.bounds.replies and rules.reply_in_settle_commit:
            ledger = ledger._replace(outbox=(*ledger.outbox, _reply(ledger, index, process, lane.seq, rules)))
    more = (ledger.last_seq if rules.settle_reads_locked_row else lane.seen) > ledger.done_seq
    if more and not process.draining:
        # Keeping writes nothing, so what a first run had freed a second one does not get back.
        owned = ledger.owner == (index, process.epoch) or not rules.kept_lane_is_owned
        return ledger, ledger.done_seq + 1 if owned else 0
    if not more and not rules.settle_frees_idle_lane:
        return ledger, 0
    return ledger._replace(owner=None), 0


def _reply(ledger: Ledger, index: int, process: Process, seq: int, rules: Rules) -> Reply:
    """Return the turn's reply: being sent by this process, if nothing in front of it is in others' hands."""
    me = (index, process.epoch)
    first = all(row.state in FINAL or (row.own and row.sender == me) for row in ledger.outbox)
    if process.direct and process.direct.reserved == seq and (first or not rules.claim_behind_own_only):
        return Reply(seq, ReplyState.SENDING, me, own=True)
    return Reply(seq)


def _claimed(direct: Direct, before: Ledger, after: Ledger, me: Owner, seq: int) -> Direct:
    """Return what the settle's answer will say of the reply, once it is read."""
    mine = (n for n, row in enumerate(after.outbox) if (row.seq, row.own, row.sender) == (seq, True, me))
    claimed = next(mine, -1)
    return direct._replace(answered=True, claimed=claimed, unsure=claimed in range(len(before.outbox)))


def _read_reply(state: State, index: int, process: Process, lane: Lane, world: World) -> Step:
    """The owner learns whether it keeps the lane."""
    ledger = state.ledger
    if world.bounds.replies and not world.rules.reply_in_settle_commit:
        ledger = ledger._replace(outbox=(*ledger.outbox, Reply(lane.seq)))
    keeps = lane.next_seq and not process.draining
    after = process._replace(lane=Lane(lane.fence, LanePhase.READY, lane.next_seq) if keeps else None)
    if process.direct and process.direct.answered and process.direct.reserved == lane.seq:
        after = after._replace(direct=heard(process.direct, world.rules))
    return Event("settle.reply", index, lane.seq), with_process(state, index, after, ledger)
