"""Starts and ends: what may start, how it ends, and the settle with its reply on the way, lost, or given up on."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.jobs.ledger import lane_of
from tests.protocol.jobs.marks import Kept
from tests.protocol.jobs.model import (
    AGE_DEAD,
    Entry,
    Event,
    Giving,
    JobState,
    Ledger,
    Phase,
    Process,
    Row,
    State,
    Step,
    Stray,
    World,
    with_process,
    with_row,
)
from tests.protocol.jobs.rules import Rules

__all__ = ["busy", "dropped", "lease_holds", "steps", "strays"]

#: The lease ends this many ticks before the ledger may take the worker for dead.
_LEASE_MARGIN = 1

_BUSY = frozenset({Phase.MARKED, Phase.RUNNING, Phase.SETTLING, Phase.SETTLED, Phase.REFUSED})


def lease_holds(process: Process) -> bool:
    """True while the worker may start something, judged by its own clock alone."""
    return process.lease_age < AGE_DEAD - _LEASE_MARGIN


def busy(process: Process) -> bool:
    """True while anything runs that is not known to be settled; what was only marked will not start any more."""
    return any(entry.phase in _BUSY and entry.phase != Phase.MARKED for entry in process.memory)


def dropped(process: Process, rules: Rules) -> Process:
    """Return the worker without its partition: all is forgotten but what runs or is on its way to the ledger."""
    left = tuple(entry for entry in process.memory if entry.phase in _BUSY and entry.phase != Phase.MARKED)
    process = process._replace(fence=0, giving=Giving.NOT, memory=left, spills=())
    return process._replace(marks=Kept()) if rules.new_owner_reads_anew else process


def steps(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """What may happen next to the jobs in one worker's memory."""
    holds = lease_holds(process)
    for position, entry in enumerate(process.memory):
        if entry.phase == Phase.SETTLING and process.connected:
            yield from _settle(state, index, process, position, world)
        if not process.up:
            continue
        if entry.phase in (Phase.WAITING, Phase.MARKED):
            stopped = process.giving and world.rules.release_stops_starts
            allowed = process.fence and not stopped and (holds or not world.rules.start_inside_lease)
            if allowed and _may_start(state.ledger, process, entry, world):
                yield _start(state, index, process, position, world)
        elif entry.phase == Phase.RUNNING:
            if holds or not world.rules.runs_end_with_lease:
                settling = _with(process, position, entry._replace(phase=Phase.SETTLING))
                yield Event("end", index, entry.job), with_process(state, index, settling)
            else:
                yield _kill(state, index, process, position)
        elif entry.phase in (Phase.SETTLED, Phase.REFUSED):
            told = _told(process, position, world)
            yield Event("settle.reply", index, entry.job), with_process(state, index, told)


def strays(state: State, world: World) -> Iterator[Step]:
    """A settle that its worker has given up on is executed after all; nobody reads its reply."""
    for number, stray in enumerate(state.strays):
        ledger, _ = _settled(state.ledger, stray.process, stray.entry, world)
        left = state.strays[:number] + state.strays[number + 1 :]
        yield (
            Event("settle.stray", stray.process, stray.entry.job),
            state._replace(ledger=ledger, strays=left),
        )


def fate_of(entry: Entry, world: World) -> str:
    """Return how this run of the job ends."""
    if entry.deaths >= world.bounds.deaths_max and world.rules.last_death_buries:
        return "bury"
    endings = world.bounds.jobs[entry.job].endings
    return endings[min(entry.attempts, len(endings) - 1)]


def _may_start(ledger: Ledger, process: Process, entry: Entry, world: World) -> bool:
    """Judge by memory alone, but for what its clock tells: that a held job is due."""
    rules = world.rules
    if entry.phase == Phase.MARKED:
        return True
    if entry.held and ledger.rows[entry.job].held:
        return False
    to_run_alone = _suspect(entry, world) and rules.suspects_run_alone
    if to_run_alone and any(_suspect(other, world) and other.phase in _BUSY for other in process.memory):
        return False
    lane = lane_of(entry.job, world)
    if not lane:
        return True
    for other in process.memory:
        if other is entry or lane_of(other.job, world) != lane:
            continue
        if other.phase == Phase.WAITING:
            before = other.place < entry.place
            if before and (not other.held or rules.retry_holds_lane):
                return False
        elif other.phase in (Phase.RUNNING, Phase.MARKED):
            if rules.lane_runs_one:
                return False
        elif rules.start_after_settle:
            return False
    return True


def _suspect(entry: Entry, world: World) -> bool:
    bounds = world.bounds
    return bounds.suspects_from <= entry.deaths < bounds.deaths_max


def _start(state: State, index: int, process: Process, position: int, world: World) -> Step:
    """Run it; one that has seen too many deaths is given up instead, and a suspect is marked first."""
    entry, me = process.memory[position], (index, process.epoch)
    if entry.deaths >= world.bounds.deaths_max and world.rules.last_death_buries:
        burying = _with(process, position, entry._replace(phase=Phase.SETTLING))
        return Event("give up", index, entry.job), with_process(state, index, burying)
    row = state.ledger.rows[entry.job]
    if _suspect(entry, world) and entry.phase == Phase.WAITING and world.rules.suspect_is_marked:
        ours = state.ledger.owner == me and state.ledger.fence == process.fence
        ledger = state.ledger
        if ours:
            ledger = with_row(ledger, entry.job, row._replace(marked=process.fence, begun=me))
        ready = _with(process, position, entry._replace(phase=Phase.MARKED))
        return Event("mark", index, entry.job), with_process(state, index, ready, ledger)
    ran = row._replace(runs=row.runs + 1, open=me, begun=me, excused=False)
    running = entry._replace(phase=Phase.RUNNING, run=ran.runs)
    return (
        Event("start", index, entry.job),
        with_process(state, index, _with(process, position, running), with_row(state.ledger, entry.job, ran)),
    )


def _kill(state: State, index: int, process: Process, position: int) -> Step:
    """The lease has run out: what runs is ended, and waits again, should the partition still be ours."""
    entry = process.memory[position]
    waiting = entry._replace(phase=Phase.WAITING, run=0)
    killed = _with(process, position, waiting if entry.fence == process.fence else None)
    row = state.ledger.rows[entry.job]
    ledger = state.ledger
    if row.open == (index, process.epoch) and row.runs == entry.run:
        ledger = with_row(ledger, entry.job, row._replace(excused=True))
    return Event("kill", index, entry.job), with_process(state, index, killed, ledger)


def _settle(state: State, index: int, process: Process, position: int, world: World) -> Iterator[Step]:
    """Commit the settle, with its reply on the way, or lost; or give it up before it is executed."""
    entry = process.memory[position]
    ledger, held = _settled(state.ledger, index, entry, world)
    answered = _with(process, position, entry._replace(phase=Phase.SETTLED if held else Phase.REFUSED))
    yield Event("settle", index, entry.job, entry.place), with_process(state, index, answered, ledger)
    if not process.up:
        return
    if state.budget.lost_replies:
        lost = state.losing_a_reply()
        after = process
        if not world.rules.settle_asked_again:
            after = _with(process, position, entry._replace(phase=Phase.WAITING, run=0))
        yield Event("settle.lost", index, entry.job, entry.place), with_process(lost, index, after, ledger)
    if state.budget.strays:
        given_up = state._replace(
            budget=state.budget._replace(strays=state.budget.strays - 1),
            strays=(*state.strays, Stray(index, entry)),
        )
        yield Event("settle.given_up", index, entry.job, entry.place), given_up


def _settled(ledger: Ledger, index: int, entry: Entry, world: World) -> tuple[Ledger, bool]:
    """Return the ledger after the settle, and whether the partition is still this worker's."""
    rules = world.rules
    ours = ledger.fence == entry.fence and ledger.owner is not None and ledger.owner[0] == index
    if not ours and rules.settle_checks_fence:
        return ledger, False
    row = ledger.rows[entry.job]
    if row.state != JobState.READY or (row.place != entry.place and rules.settle_names_place):
        return ledger, True
    marked = 0 if rules.mark_ends_with_settle else row.marked
    fate = fate_of(entry, world)
    if fate in ("done", "bury"):
        # Of what has ended only that is known; its ghosts go with it.
        ended = Row(JobState.DONE if fate == "done" else JobState.BURIED)
        return with_row(
            ledger, entry.job, ended if rules.high_is_drawn else ended._replace(xid=row.xid)
        ), True
    kept = row._replace(attempts=entry.attempts + 1, marked=marked, open=None, begun=None, excused=False)
    if fate == "retry":
        return with_row(ledger, entry.job, kept._replace(held=True)), True
    return with_row(ledger, entry.job, kept._replace(state=JobState.SCHEDULED)), True


def _told(process: Process, position: int, world: World) -> Process:
    """Read the reply: the lane goes on, its head waits for its next try, or the partition is not ours."""
    entry = process.memory[position]
    if entry.phase == Phase.REFUSED:
        gone = _with(process, position, None)
        return dropped(gone, world.rules) if entry.fence == process.fence else gone
    if entry.fence != process.fence:
        return _with(process, position, None)
    if fate_of(entry, world) == "retry":
        again = entry._replace(phase=Phase.WAITING, attempts=entry.attempts + 1, held=True, run=0)
        return _with(process, position, again)
    told = _with(process, position, None)
    if told.look is not None:
        told = told._replace(ended=told.ended | {entry.place})
    return told


def _with(process: Process, position: int, entry: Entry | None) -> Process:
    """Return the worker with one entry changed, or without it."""
    memory = process.memory
    kept = () if entry is None else (entry,)
    return process._replace(memory=(*memory[:position], *kept, *memory[position + 1 :]))
