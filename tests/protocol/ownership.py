"""Who owns the lane: time, beats, death and takeover, leaving in order."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol import direct, kept
from tests.protocol.accept import count_attempt, epoch_is_current, granted
from tests.protocol.model import (
    AGE_DEAD,
    AGE_GONE,
    Beat,
    Event,
    Ledger,
    Process,
    Reply,
    ReplyState,
    Row,
    Run,
    State,
    Step,
    World,
    with_process,
)
from tests.protocol.rules import Rules

__all__ = ["steps"]


def steps(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """What time, its own heartbeat, the reaper and the sweeper may do to one process."""
    yield from _time(state, index, process, world)
    yield from _beats(state, index, process, world)
    yield from _death(state, index, world.rules)
    if not process.up:
        return
    if process.draining:
        if not process.accepts and process.lane is None and process.send is None and not direct.busy(process):
            yield _leave(state, index, process, world.rules)
    elif process.lane is None and state.ledger.last_seq > state.ledger.done_seq:
        yield from _pick_up(state, index, process, world)


def _time(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """Let a tick pass for a process in trouble; one that beats in time has no age to speak of."""
    row, beat = state.ledger.rows[index], process.beat
    late = process.lease_age > 0 or (beat is not None and beat.sent_age > 0)
    if process.run == Run.LEFT or (process.up and not late):
        return
    older = _with_row(state.ledger, index, row if row.age == AGE_GONE else row._replace(age=_tick(row.age)))
    aged = process
    if process.connected:
        sent = beat._replace(sent_age=_tick(beat.sent_age)) if beat else None
        aged = process._replace(lease_age=_tick(process.lease_age), beat=sent)
    # Nobody may count on a late process being later still: it may as well beat.
    yield Event("tick.late" if process.up else "tick", index), with_process(state, index, aged, older)
    ahead = row.age > process.lease_age or (beat is not None and beat.committed and row.age > beat.sent_age)
    if world.bounds.clocks and process.connected and row.age < AGE_DEAD and not ahead:
        yield Event("tick.ledger", index), state._replace(ledger=older)


def _beats(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """The heartbeat: one step, or sent, executed and answered where the world has clocks."""
    ledger, beat = state.ledger, process.beat
    alive = epoch_is_current(ledger, index, process.epoch)
    fresh = _with_row(ledger, index, Row(process.epoch)) if alive else ledger
    if not world.bounds.clocks:
        if process.up and process.lease_age:
            after = _confirmed(process, index, fresh, world.rules, alive=alive, age=0)
            yield Event("beat", index), with_process(state, index, *after)
    elif beat is None:
        if process.up:
            yield Event("beat.send", index), with_process(state, index, process._replace(beat=Beat()))
    elif not beat.committed:
        if process.connected:
            executed = process._replace(beat=beat._replace(committed=True, refused=not alive))
            yield Event("beat.commit", index), with_process(state, index, executed, fresh)
    elif process.up:
        age = beat.sent_age if world.rules.lease_from_before_send else 0
        read = process._replace(beat=None)
        after = _confirmed(read, index, ledger, world.rules, alive=not beat.refused, age=age)
        yield Event("beat.reply", index), with_process(state, index, *after)


def _confirmed(
    process: Process, index: int, ledger: Ledger, rules: Rules, *, alive: bool, age: int
) -> tuple[Process, Ledger]:
    """The beat's reply is read: the lease is renewed, or the process learns that it was declared dead."""
    if alive or not rules.beat_checks_epoch:
        return process._replace(lease_age=age), ledger
    reborn = process._replace(epoch=ledger.rows[index].epoch, lease_age=0)
    if rules.reregistering_drops_lanes:
        reborn = reborn._replace(lane=None, send=None, direct=None)
    return reborn, _with_row(ledger, index, Row(reborn.epoch))


def _death(state: State, index: int, rules: Rules) -> Iterator[Step]:
    """Another live process declares this one dead, in one update that looks at the beat again."""
    reaper = next((i for i, other in enumerate(state.processes) if i != index and other.up), None)
    if reaper is None:
        return
    overdue = state.ledger.rows[index].age == AGE_DEAD
    if rules.declare_rechecks_beat:
        if overdue:
            yield Event("declare", reaper, index), state._replace(ledger=_buried(state.ledger, index, rules))
        return
    watcher = state.processes[reaper]
    if watcher.suspect == index:
        done = watcher._replace(suspect=-1)
        buried = _buried(state.ledger, index, rules)
        yield Event("declare", reaper, index), with_process(state, reaper, done, buried)
    elif overdue:
        yield Event("suspect", reaper, index), with_process(state, reaper, watcher._replace(suspect=index))


def _buried(ledger: Ledger, index: int, rules: Rules) -> Ledger:
    """Return the ledger after a death: epoch gone, lanes ownerless, sends of unknown outcome."""
    epoch = ledger.rows[index].epoch
    dead = (index, epoch)
    after = _with_row(ledger, index, Row(epoch + 1, AGE_GONE))
    if rules.death_ends_sends:
        ended = (_given_up(row, rules) if row.sender == dead else row for row in ledger.outbox)
        after = after._replace(outbox=direct.behind_the_first(ledger.outbox, tuple(ended), dead))
    if ledger.owner != dead:
        return after
    return after._replace(
        owner=None if rules.death_frees_lanes else dead,
        fence=ledger.fence + 1 if rules.death_raises_fence else ledger.fence,
        turns=count_attempt(ledger) if rules.death_counts_attempt else ledger.turns,
    )


def _given_up(row: Reply, rules: Rules) -> Reply:
    """Return a reply whose sender died: nobody knows whether it arrived."""
    if row.kept:
        return kept.ended(row, ReplyState.UNKNOWN, rules)
    return row._replace(state=ReplyState.UNKNOWN if rules.unknown_not_resent else ReplyState.PENDING, sender=None)


def _pick_up(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """The safety nets: claim a lane without owner, start a lane of one's own that does not run."""
    ledger, me, rules = state.ledger, (index, process.epoch), world.rules
    if ledger.owner is None and world.bounds.sweep and rules.sweep_claims_ownerless:
        if not epoch_is_current(ledger, *me) and rules.taking_checks_own_epoch:
            return
        fence = ledger.fence + 1 if rules.claim_raises_fence else ledger.fence
        claimed = ledger._replace(owner=me, fence=fence)
        running = process._replace(lane=granted(None, fence, rules))
        yield Event("claim", index), with_process(state, index, running, claimed)
        if state.faults.lost_replies:
            yield Event("claim.lost", index), state.losing_a_reply()._replace(ledger=claimed)
    elif ledger.owner == me and world.bounds.reconcile and rules.reconcile_own_lanes:
        running = process._replace(lane=granted(None, ledger.fence, rules))
        yield Event("reconcile", index), with_process(state, index, running)


def _leave(state: State, index: int, process: Process, rules: Rules) -> Step:
    """A drained process frees what it still owns, signs off and exits."""
    ledger = _with_row(state.ledger, index, Row(process.epoch, AGE_GONE))
    if ledger.owner == (index, process.epoch) and rules.leaving_frees_lanes:
        ledger = ledger._replace(owner=None)
    return Event("leave", index), with_process(state, index, Process(run=Run.LEFT), ledger)


def _tick(age: int) -> int:
    return min(AGE_DEAD, age + 1)


def _with_row(ledger: Ledger, index: int, row: Row) -> Ledger:
    return ledger._replace(rows=(*ledger.rows[:index], row, *ledger.rows[index + 1 :]))
