"""Looks: the owner reads what is ready from its floor on, refills lanes that had no room, and moves its floor."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.jobs.ledger import lane_of
from tests.protocol.jobs.model import (
    Entry,
    Event,
    JobState,
    Ledger,
    Look,
    Phase,
    Process,
    Read,
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
    if not world.rules.looks_begin_at_floor and process.mark > process.floor:
        yield from _ask(state, index, process, _look(state.ledger, process, world, from_floor=False), world)
    for lane, behind in process.spills:
        waiting = [e for e in process.memory if e.phase == Phase.WAITING and lane_of(e.job, world) == lane]
        if not waiting:
            yield from _ask(state, index, process, _refill(state.ledger, process, lane, behind, world), world)


def _ask(state: State, index: int, process: Process, look: Look, world: World) -> Iterator[Step]:
    """Execute a look; its claim is committed with it."""
    known = {entry.place for entry in process.memory}
    if process.awaited is None and all(read.place in known for read in look.rows):
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
    spills = dict(process.spills)
    reads = _reads(ledger, process.floor if from_floor else process.mark)
    if spills:
        reads = [read for read in reads if not _left_out(read, spills, world)]
    # What is in memory already comes as well, but does not count: or what stays there would hide all that is new.
    known = {entry.place for entry in process.memory}
    fresh = [read.place for read in reads if read.place not in known]
    cut = len(fresh) > world.bounds.rows_max
    if cut:
        last = fresh[world.bounds.rows_max - 1]
        reads = [read for read in reads if read.place <= last]
    low = _low(ledger) if world.rules.low_before_look else 0
    return Look(process.fence, tuple(reads), low, _high(ledger, world), cut, from_floor=from_floor)


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


def _left_out(read: Read, spills: dict[int, int], world: World) -> bool:
    """True for what stands in a spilled lane behind what memory had room for."""
    behind = spills.get(lane_of(read.job, world))
    if behind is None:
        return False
    return read.place > behind or not world.rules.spilled_lanes_show_late


def _refill(ledger: Ledger, process: Process, lane: int, behind: int, world: World) -> Look:
    begin = min(behind, process.floor) if world.rules.refill_begins_at_floor else behind
    reads = [read for read in _reads(ledger, begin) if lane_of(read.job, world) == lane]
    rows_max = world.bounds.lane_max + 1
    return Look(process.fence, tuple(reads[:rows_max]), 0, 0, len(reads) > rows_max, lane=lane)


def _read(process: Process, ended: frozenset[int], look: Look, world: World) -> Process:
    """Take in what was read."""
    if look.lane:
        return _refilled(process, ended, look, world)
    for read in look.rows:
        process = _add(process, ended, read, look, world)
    places = [read.place for read in look.rows]
    process = process._replace(mark=max(process.mark, *places)) if places else process
    if look.from_floor:
        process = _move_floor(process, look, places[-1] if look.cut else None, world)
    if process.awaited is None and process.mark > process.floor:
        process = process._replace(awaited=(process.mark, look.high))
    return process


def _move_floor(process: Process, look: Look, cut_at: int | None, world: World) -> Process:
    """Everything up to an earlier mark was seen, once all who wrote when it was read had ended before a look."""
    if not world.rules.floor_awaits_writers:
        return process._replace(floor=process.mark, awaited=None)
    if process.awaited is None or look.low < process.awaited[1]:
        return process
    mark = process.awaited[0]
    if cut_at is not None and cut_at < mark and world.rules.cut_look_proves_less:
        return process._replace(floor=max(process.floor, cut_at))
    return process._replace(floor=max(process.floor, mark), awaited=None)


def _add(process: Process, ended: frozenset[int], read: Read, look: Look, world: World) -> Process:
    """Put a job into memory, or leave it in the ledger behind what its lane has room for."""
    if _is_known(process, ended, read, world):
        return process
    lane = lane_of(read.job, world)
    if lane:
        spills = dict(process.spills)
        waiting = [e for e in process.memory if lane_of(e.job, world) == lane and e.phase == Phase.WAITING]
        if lane in spills:
            if read.place > spills[lane]:
                return process
        elif len(waiting) >= world.bounds.lane_max:
            last = waiting[-1].place
            if read.place > last or not world.rules.late_job_is_kept:
                return process._replace(spills=(*process.spills, (lane, last)))
    return _kept(process, read, look, world)


def _refilled(process: Process, ended: frozenset[int], look: Look, world: World) -> Process:
    """Take in what was read of a spilled lane; with nothing left behind, it is one as all others."""
    spills = dict(process.spills)
    if look.lane not in spills:
        return process
    exhausted = not look.cut
    for read in look.rows:
        if _is_known(process, ended, read, world):
            continue
        waiting = [
            e for e in process.memory if lane_of(e.job, world) == look.lane and e.phase == Phase.WAITING
        ]
        if read.place > spills[look.lane] and len(waiting) >= world.bounds.lane_max:
            exhausted = False
            break
        process = _kept(process, read, look, world)
        spills[look.lane] = max(spills[look.lane], read.place)
    if exhausted:
        del spills[look.lane]
    return process._replace(spills=tuple(sorted(spills.items())))


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
