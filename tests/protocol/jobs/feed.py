"""Looks: the owner reads what is ready from its floor on, refills lanes that had no room, and moves its floor.

A lane whose head waits may be put out of memory at any time, and read again at any time, due or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.jobs.ledger import lane_of
from tests.protocol.jobs.marks import kept, woken
from tests.protocol.jobs.model import (
    Entry,
    Event,
    JobState,
    Ledger,
    Look,
    Phase,
    Process,
    Read,
    Spill,
    State,
    Step,
    World,
    with_process,
)

__all__ = ["steps"]


def steps(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """What the feed of one worker may do next."""
    if not process.up:
        return
    look = process.look
    if look is not None:
        after = process._replace(look=None, ended=frozenset())
        if not world.rules.low_before_look:
            look = look._replace(low=_low(state.ledger))
        if look.fence == process.fence or not (world.rules.look_is_of_its_fence or not process.fence):
            after = _read(after, process.ended, look, world)
        yield Event("look.reply", index, look.lane), with_process(state, index, after)
        return
    if not process.fence or process.giving:
        return
    yield from _ask(state, index, process, _look(state.ledger, process, world, from_floor=True), world)
    if not world.rules.looks_begin_at_floor and process.marks.mark > process.marks.floor:
        yield from _ask(state, index, process, _look(state.ledger, process, world, from_floor=False), world)
    for spill in process.spills:
        if not _waiting(process, spill.lane, world):
            awake = _spilling(process, spill._replace(asleep=False))
            yield from _ask(state, index, awake, _refill(state.ledger, process, spill, world), world)
    if world.bounds.sleeps:
        for entry in process.memory:
            if _is_held_head(process, entry, world):
                unclaimed = _unclaimed(state.ledger, index, process, entry.job)
                asleep = _asleep(process, entry, world)
                yield Event("sleep", index, entry.job), with_process(state, index, asleep, unclaimed)


def _ask(state: State, index: int, process: Process, look: Look, world: World) -> Iterator[Step]:
    """Execute a look; its claim is committed with it."""
    known = {entry.place for entry in process.memory}
    if process.marks.awaited is None and not look.lane and all(read.place in known for read in look.rows):
        return  # Nothing to tell.
    ledger = state.ledger
    if look.rows and world.rules.look_is_claimed:
        row = ledger.processes[index]
        if row.epoch == process.epoch:
            claimed = row._replace(claims=row.claims | {read.job for read in look.rows})
            ledger = ledger._replace(
                processes=(*ledger.processes[:index], claimed, *ledger.processes[index + 1 :])
            )
    kind = "look" if look.from_floor else "look.mark"
    kind = "refill" if look.lane else kind
    yield Event(kind, index, look.lane), with_process(state, index, process._replace(look=look), ledger)
    if state.budget.lost_replies and look.rows:
        yield Event("look.lost", index, look.lane), state.losing_a_reply()._replace(ledger=ledger)


def _reads(ledger: Ledger, behind: int) -> list[Read]:
    """Return what is ready behind a place, by place."""
    found = sorted(
        (row.place, job)
        for job, row in enumerate(ledger.rows)
        if row.state == JobState.READY and row.place > behind
    )
    rows = ledger.rows
    return [Read(job, place, rows[job].held, rows[job].attempts, rows[job].deaths) for place, job in found]


def _look(ledger: Ledger, process: Process, world: World, *, from_floor: bool) -> Look:
    """Return the answer to a look at all that is new and in no spilled lane."""
    spilled = {spill.lane for spill in process.spills if not spill.asleep}
    reads = _reads(ledger, process.marks.floor if from_floor else process.marks.mark)
    reads = [r for r in reads if r.place not in process.marks.known and lane_of(r.job, world) not in spilled]
    rows_max = world.bounds.rows_max
    cut = len(reads) >= rows_max
    low = _low(ledger) if world.rules.low_before_look else 0
    return Look(process.fence, tuple(reads[:rows_max]), low, _high(ledger, world), cut, from_floor=from_floor)


def _low(ledger: Ledger) -> int:
    """Return the number below which every transaction has ended."""
    writing = [row.xid for row in ledger.rows if row.state == JobState.OPEN and row.xid]
    return min(writing, default=ledger.next_number)


def _high(ledger: Ledger, world: World) -> int:
    """Return a number above which no transaction has begun: one that is drawn."""
    if world.rules.high_is_drawn:
        return ledger.next_number
    return (
        max((row.xid for row in ledger.rows if row.state not in (JobState.UNASKED, JobState.OPEN)), default=0)
        + 1
    )


def _refill(ledger: Ledger, process: Process, spill: Spill, world: World) -> Look:
    """Return the answer to a look at a spilled lane."""
    begin = spill.floor if world.rules.spill_keeps_its_floor else min(spill.behind, process.marks.floor)
    begin = begin if world.rules.refill_begins_at_floor else spill.behind
    reads = [read for read in _reads(ledger, begin) if lane_of(read.job, world) == spill.lane]
    rows_max = world.bounds.lane_max + 1
    cut = len(reads) >= rows_max
    return Look(process.fence, tuple(reads[:rows_max]), 0, 0, cut, lane=spill.lane, floor=process.marks.floor)


def _read(process: Process, ended: frozenset[int], look: Look, world: World) -> Process:
    """Take in what was read."""
    if look.lane:
        return _refilled(process, ended, look, world)
    marks = woken(process.marks)
    cut = look.cut and world.rules.cut_look_proves_less
    fresh = marks.read(look.rows, look.low, look.high, cut=cut)  # type: ignore[type-var]
    if not world.rules.floor_awaits_writers:
        marks.floor = marks.mark
    process = process._replace(marks=kept(marks))
    for read in fresh:
        process = _add(process, ended, read, look, world)  # type: ignore[arg-type]
    return process


def _add(process: Process, ended: frozenset[int], read: Read, look: Look, world: World) -> Process:
    """Put a job into memory, or leave it in the ledger behind what its lane has room for."""
    if _is_known(process, ended, read, world):
        return process
    lane = lane_of(read.job, world)
    waiting = _waiting(process, lane, world) if lane else []
    spilled = next((spill for spill in process.spills if spill.lane == lane), None)
    if spilled is not None:
        if read.place > spilled.behind:
            return process
        process = _spilling(process, spilled._replace(asleep=False))
    elif len(waiting) >= world.bounds.lane_max:
        last = waiting[-1].place
        if read.place > last:
            return _spilling(process, Spill(lane, last))
    return _bounded(_kept(process, read, look, world), lane, world)


def _refilled(process: Process, ended: frozenset[int], look: Look, world: World) -> Process:
    """Take in what was read of a spilled lane; with nothing left behind, it is one as all others."""
    spill = next((spill for spill in process.spills if spill.lane == look.lane), None)
    if spill is None:
        return process
    exhausted = not look.cut
    for read in look.rows:
        if _is_known(process, ended, read, world):
            continue
        waiting = _waiting(process, look.lane, world)
        if read.place > spill.behind and len(waiting) >= world.bounds.lane_max:
            exhausted = False
            break
        process = _bounded(_kept(process, read, look, world), look.lane, world)
        spill = next(other for other in process.spills if other.lane == look.lane)
        waiting = _waiting(process, look.lane, world)
        full = len(waiting) >= world.bounds.lane_max
        spill = spill._replace(behind=waiting[-1].place if full else max(spill.behind, read.place))
        process = _spilling(process, spill)
    if exhausted:
        return process._replace(spills=tuple(other for other in process.spills if other.lane != look.lane))
    return _spilling(process, spill._replace(floor=max(spill.floor, min(look.floor, spill.behind))))


def _is_held_head(process: Process, entry: Entry, world: World) -> bool:
    """True if it waits for its next try, and nothing of its lane runs."""
    lane = lane_of(entry.job, world)
    of_lane = [other for other in process.memory if lane and lane_of(other.job, world) == lane]
    return entry.held and of_lane[:1] == [entry] and all(other.phase == Phase.WAITING for other in of_lane)


def _unclaimed(ledger: Ledger, index: int, process: Process, job: int) -> Ledger:
    """Return the ledger when the claim has ended by which a worker had read a job, and no other one."""
    row = ledger.processes[index]
    if row.epoch != process.epoch:
        return ledger
    row = row._replace(claims=row.claims - {job})
    return ledger._replace(processes=(*ledger.processes[:index], row, *ledger.processes[index + 1 :]))


def _asleep(process: Process, head: Entry, world: World) -> Process:
    """Put all of a lane out of memory."""
    lane = lane_of(head.job, world)
    kept = tuple(entry for entry in process.memory if lane_of(entry.job, world) != lane)
    process = process._replace(memory=kept)
    if not world.rules.sleeping_lane_is_known:
        return process
    floor = next((spill.floor for spill in process.spills if spill.lane == lane), 0)
    behind = head.place - 1
    return _spilling(process, Spill(lane, behind, min(floor, behind), asleep=True))


def _bounded(process: Process, lane: int, world: World) -> Process:
    """Put the last one out of a lane that holds too many."""
    waiting = _waiting(process, lane, world) if lane else []
    if len(waiting) <= world.bounds.lane_max:
        return process
    last = waiting[-1]
    process = process._replace(memory=tuple(entry for entry in process.memory if entry != last))
    floor = next((spill.floor for spill in process.spills if spill.lane == lane), 0)
    behind = waiting[-2].place
    return _spilling(process, Spill(lane, behind, min(floor, behind)))


def _spilling(process: Process, spill: Spill) -> Process:
    others = [other for other in process.spills if other.lane != spill.lane]
    return process._replace(spills=tuple(sorted([*others, spill])))


def _waiting(process: Process, lane: int, world: World) -> list[Entry]:
    return [e for e in process.memory if e.phase == Phase.WAITING and lane_of(e.job, world) == lane]


def _is_known(process: Process, ended: frozenset[int], read: Read, world: World) -> bool:
    if world.rules.ends_while_reading and read.place in ended:
        return True
    if world.rules.known_by_place:
        return any(entry.place == read.place for entry in process.memory)
    return any(entry.job == read.job for entry in process.memory)


def _kept(process: Process, read: Read, look: Look, world: World) -> Process:
    held = read.held and world.rules.held_is_read_as_held
    fence = look.fence if world.rules.look_is_of_its_fence else process.fence
    entry = Entry(read.place, read.job, read.attempts, read.deaths, held, fence=fence)
    return process._replace(memory=tuple(sorted((*process.memory, entry))))
