"""Accept: a delivery comes in, its transaction commits, its reply is read and acknowledged."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.model import (
    AGE_DEAD,
    AGE_GONE,
    Accept,
    AcceptPhase,
    Event,
    Lane,
    LanePhase,
    Ledger,
    Process,
    Seen,
    State,
    Step,
    Turn,
    World,
    with_process,
)
from tests.protocol.rules import Rules

__all__ = ["count_attempt", "deliveries", "epoch_is_current", "granted", "steps"]


def deliveries(state: State, rules: Rules) -> Iterator[Step]:
    """The platform brings a message, for the first time or again, to any process that listens."""
    # Where all processes are alike it does not matter which one it comes to, and likewise for the messages.
    unowned = state.ledger.owner is None and all(row.sender is None for row in state.ledger.outbox)
    one_process = unowned and len(set(state.processes)) == len(set(state.ledger.rows)) == 1
    one_message = one_process and not any(state.ledger.keys) and len(set(state.deliveries)) == 1
    for message, left in enumerate(state.deliveries):
        if not left:
            continue
        remaining = (*state.deliveries[:message], left - 1, *state.deliveries[message + 1 :])
        for index, process in enumerate(state.processes):
            if not process.up or process.draining or any(a.message == message for a in process.accepts):
                continue
            accept = Accept(message, AcceptPhase.QUEUED)
            if not process.accepts or not rules.one_batch_per_conversation:
                accept = _begin(state.ledger, index, process, accept, rules)
            after = with_process(state, index, process._replace(accepts=(*process.accepts, accept)))
            after = after._replace(deliveries=remaining)
            yield Event("deliver", index, message), after if rules.commit_before_ack else _ack(after, message)
            if one_process:
                break
        if one_message:
            break


def steps(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """What may happen next to the accepts of one process."""
    for position, accept in enumerate(process.accepts):
        if accept.phase == AcceptPhase.BEGUN and process.connected:
            ledger, answered, ordered = _commit(state.ledger, index, process, position, world)
            committed = _put(ordered, position, answered)
            yield Event("accept.commit", index, accept.message), with_process(state, index, committed, ledger)
            if state.faults.lost_replies and process.up:
                yield from _lose(state, ledger, index, ordered, position, rules=world.rules)
        elif accept.phase == AcceptPhase.COMMITTED and process.up:
            yield _reply(state, index, process, position, world.rules)


def granted(lane: Lane | None, fence: int, rules: Rules) -> Lane:
    """Return the lane after a grant: a newer one replaces it, an older one is ignored."""
    if lane is None or (lane.fence < fence and rules.newer_grant_replaces_lane):
        return Lane(fence, LanePhase.LOADING)
    return lane


def epoch_is_current(ledger: Ledger, index: int, epoch: int) -> bool:
    """True unless the process was declared dead: to be asked under a lock on its row."""
    row = ledger.rows[index]
    return row.epoch == epoch and row.age != AGE_GONE


def count_attempt(ledger: Ledger) -> tuple[Turn, ...]:
    """Return the turns after their owner's death: the head is presumed to have been running."""
    head = ledger.done_seq + 1
    return tuple(t._replace(attempts=t.attempts + 1) if t.seq == head else t for t in ledger.turns)


def _begin(ledger: Ledger, index: int, process: Process, accept: Accept, rules: Rules) -> Accept:
    """Send the transaction: its first snapshot is taken, its locks are not."""
    begun = accept._replace(phase=AcceptPhase.BEGUN, epoch=process.epoch)
    if rules.keys_insert_unique and rules.numbers_under_lock and rules.taking_checks_own_epoch:
        return begun  # What it saw decides nothing, so it need not multiply the states.
    alive = epoch_is_current(ledger, index, process.epoch)
    return begun._replace(seen=Seen(ledger.keys[accept.message], ledger.last_seq, alive))


def _commit(
    ledger: Ledger, index: int, process: Process, position: int, world: World
) -> tuple[Ledger, Accept, Process]:
    """Run the transaction: keys, numbers, turns, lane."""
    accept, rules = process.accepts[position], world.rules
    message = accept.message
    known = ledger.keys[message] if rules.keys_insert_unique else accept.seen.key
    if known:
        if not rules.duplicates_take_no_number:
            ledger = ledger._replace(last_seq=ledger.last_seq + 1)
    elif ledger.last_seq - ledger.done_seq >= world.bounds.lane_waiting_max:
        refused = ledger if rules.refusal_leaves_no_key else _with_key(ledger, message, -1)
        return refused, Accept(message, AcceptPhase.COMMITTED), process
    else:
        seq = (ledger.last_seq if rules.numbers_under_lock else accept.seen.last_seq) + 1
        ledger = _with_key(ledger, message, seq)
        ledger = ledger._replace(last_seq=seq, turns=(*ledger.turns, Turn(seq, message)))
        process = _overtaking(process, position)
    ledger = _take(ledger, index, accept, rules)
    owned = ledger.owner == (index, accept.epoch) and ledger.last_seq > ledger.done_seq
    told = owned and (not known or rules.accept_names_owner_of_duplicates)
    grant = ledger.fence if told else None
    return ledger, Accept(message, AcceptPhase.COMMITTED, accepted=True, grant=grant), process


def _take(ledger: Ledger, index: int, accept: Accept, rules: Rules) -> Ledger:
    """Take the lane if it has work and no owner. Whoever was declared dead owns nothing any more."""
    me = (index, accept.epoch)
    alive = epoch_is_current(ledger, *me) if rules.taking_checks_own_epoch else accept.seen.alive
    if not alive or not rules.accept_takes_free_lane:
        return ledger
    if ledger.last_seq == ledger.done_seq and rules.accept_takes_only_work:
        return ledger
    taken = ledger._replace(owner=me, fence=ledger.fence + 1 if rules.accept_raises_fence else ledger.fence)
    if ledger.owner is None:
        return taken
    overdue = ledger.owner != me and ledger.rows[ledger.owner[0]].age >= AGE_DEAD
    if overdue and not rules.death_is_declared:
        return taken._replace(turns=count_attempt(ledger))
    return ledger


def _lose(
    state: State, ledger: Ledger, index: int, process: Process, position: int, *, rules: Rules
) -> Iterator[Step]:
    """The connection breaks at COMMIT; *ledger* is the one in which it had succeeded."""
    accept, lost = process.accepts[position], state.losing_a_reply()
    if rules.accept_asked_again:
        # That it had failed is no state of its own: asking again is where it would have been anyway.
        begun = _begin(ledger, index, process, accept._replace(overtaken=False), rules)
        again = _put(process, position, begun)
        yield Event("accept.lost", index, accept.message), with_process(lost, index, again, ledger)
        return
    guessed = _drop(process, index, position, ledger, rules)
    for kind, written in (("accept.lost", ledger), ("accept.rolled_back", state.ledger)):
        after = with_process(lost, index, guessed, written)
        yield Event(kind, index, accept.message), _ack(after, accept.message)


def _reply(state: State, index: int, process: Process, position: int, rules: Rules) -> Step:
    """The process reads the reply: it acknowledges or refuses, and starts the lane if it owns it."""
    accept = process.accepts[position]
    after = _drop(process, index, position, state.ledger, rules)
    if accept.grant is not None:
        lane = granted(process.lane, accept.grant, rules)
        if lane is not process.lane and not rules.grant_loads_head:
            lane = Lane(accept.grant, LanePhase.READY, state.ledger.keys[accept.message])
        after = after._replace(lane=lane)
    changed = with_process(state, index, after)
    if not accept.accepted:
        return Event("accept.refuse", index, accept.message), changed
    return Event("accept.ack", index, accept.message), _ack(changed, accept.message)


def _drop(process: Process, index: int, position: int, ledger: Ledger, rules: Rules) -> Process:
    """Remove an accept that is over; the next one in the queue is sent."""
    rest = process.accepts[:position] + process.accepts[position + 1 :]
    if rest and rest[0].phase == AcceptPhase.QUEUED:
        rest = (_begin(ledger, index, process, rest[0], rules), *rest[1:])
    return process._replace(accepts=rest)


def _overtaking(process: Process, position: int) -> Process:
    """Note which earlier accepts are still under way while a later one gets its number."""
    earlier = (
        a._replace(overtaken=True) if a.phase == AcceptPhase.BEGUN else a for a in process.accepts[:position]
    )
    return process._replace(accepts=(*earlier, *process.accepts[position:]))


def _put(process: Process, position: int, accept: Accept) -> Process:
    accepts = process.accepts
    return process._replace(accepts=(*accepts[:position], accept, *accepts[position + 1 :]))


def _with_key(ledger: Ledger, message: int, seq: int) -> Ledger:
    return ledger._replace(keys=(*ledger.keys[:message], seq, *ledger.keys[message + 1 :]))


def _ack(state: State, message: int) -> State:
    return state._replace(acked=(*state.acked[:message], True, *state.acked[message + 1 :]))
