"""Who owns the partition: time, beats, death, taking and giving back; and what may befall a worker."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.jobs.ledger import lane_of
from tests.protocol.jobs.model import (
    AGE_DEAD,
    AGE_GONE,
    Event,
    Giving,
    JobState,
    Ledger,
    Process,
    ProcessRow,
    Run,
    State,
    Step,
    World,
    with_process,
    with_row,
)
from tests.protocol.jobs.work import busy, dropped

__all__ = ["counted_by_death", "steps"]


def steps(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """What time, its own watch over partitions, the reaper and bad luck may do to one worker."""
    yield from _time(state, index, process, world)
    yield from _death(state, index, world)
    yield from _faults(state, index, process)
    if not process.up:
        return
    if process.giving:
        yield from _give_back(state, index, process, world)
    elif process.fence:
        if state.budget.moves and _another(state, index):
            stopped = process._replace(giving=Giving.STOPPED)
            moved = state._replace(budget=state.budget._replace(moves=state.budget.moves - 1))
            yield Event("move", index), with_process(moved, index, stopped)
    else:
        yield from _take(state, index, process, world)


def _time(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """Let a tick pass for a worker in trouble; and let one that is late beat."""
    row = state.ledger.processes[index]
    if not process.up or process.lease_age:
        age = row.age if row.age == AGE_GONE else min(AGE_DEAD, row.age + 1)
        aged = process
        if process.connected:
            aged = process._replace(lease_age=min(AGE_DEAD, process.lease_age + 1))
        older = _with_process_row(state.ledger, index, row._replace(age=age))
        # Nobody may count on a late worker being later still: it may as well beat.
        yield Event("tick.late" if process.up else "tick", index), with_process(state, index, aged, older)
    if process.up and process.lease_age:
        yield Event("beat", index), _beaten(state, index, process, row, world)


def _beaten(state: State, index: int, process: Process, row: ProcessRow, world: World) -> State:
    """The lease is renewed, or the worker learns that it was declared dead."""
    ledger = state.ledger
    if row.epoch == process.epoch and row.age != AGE_GONE:
        fresh = _with_process_row(ledger, index, row._replace(age=0))
        return with_process(state, index, process._replace(lease_age=0), fresh)
    if not world.rules.beat_checks_epoch:
        return with_process(state, index, process._replace(lease_age=0))
    reborn = process._replace(epoch=row.epoch, lease_age=0)
    if world.rules.new_epoch_drops_all:
        # What runs is killed; what is on its way to the ledger is refused there.
        reborn = dropped(reborn, world.rules)._replace(memory=())
    return with_process(state, index, reborn, _with_process_row(ledger, index, ProcessRow(row.epoch)))


def _take(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """Take the partition if nobody owns it; find it if the answer to a take was lost."""
    ledger, me, rules = state.ledger, (index, process.epoch), world.rules
    row = ledger.processes[index]
    if ledger.owner is None:
        current = row.epoch == process.epoch and row.age != AGE_GONE
        if not current and rules.taking_checks_own_epoch:
            return
        fence = ledger.fence + 1 if rules.new_owner_new_fence else max(1, ledger.fence)
        taken = ledger._replace(owner=me, fence=fence)
        yield Event("take", index), with_process(state, index, process._replace(fence=fence), taken)
        if state.budget.lost_replies:
            yield Event("take.lost", index), state.losing_a_reply()._replace(ledger=taken)
    elif ledger.owner == me and rules.owned_is_compared:
        yield Event("compare", index), with_process(state, index, process._replace(fence=ledger.fence))


def _give_back(state: State, index: int, process: Process, world: World) -> Iterator[Step]:
    """Release the partition once nothing of it runs; the reply may be lost."""
    ledger, rules = state.ledger, world.rules
    if process.giving == Giving.RELEASED:
        yield Event("release.reply", index), with_process(state, index, dropped(process, rules))
        return
    if busy(process) and rules.release_only_when_empty:
        return
    if ledger.owner == (index, process.epoch) and ledger.fence == process.fence:
        fence = ledger.fence + 1 if rules.new_owner_new_fence else ledger.fence
        ledger = ledger._replace(owner=None, fence=fence)
    released = process._replace(giving=Giving.RELEASED)
    yield Event("release", index), with_process(state, index, released, ledger)
    if state.budget.lost_replies:
        after = process if rules.release_asked_again else process._replace(giving=Giving.NOT)
        yield Event("release.lost", index), with_process(state.losing_a_reply(), index, after, ledger)


def _death(state: State, index: int, world: World) -> Iterator[Step]:
    """Another live worker declares this one dead, in one update that looks at the beat."""
    reaper = next((i for i, other in enumerate(state.processes) if i != index and other.up), None)
    if reaper is None or state.ledger.processes[index].age != AGE_DEAD:
        return
    yield Event("declare", reaper, index), state._replace(ledger=_buried(state.ledger, index, world))


def counted_by_death(ledger: Ledger, index: int, world: World) -> list[int]:
    """Return the jobs that count a death with this worker's: of what it had read, what may have been running."""
    rules, process = world.rules, ledger.processes[index]
    dead = (index, process.epoch)
    if not rules.death_is_counted or (ledger.owner != dead and rules.death_counts_own_partition):
        return []
    heads: dict[int, tuple[int, int]] = {}
    for job in process.claims:
        row = ledger.rows[job]
        if row.state != JobState.READY or (row.held and not rules.death_counts_heads):
            continue
        lane = lane_of(job, world) or -1 - job
        heads[lane] = min(heads.get(lane, (row.place, job)), (row.place, job))
    counted = {job for _, job in heads.values() if not ledger.rows[job].held}
    if rules.death_counts_heads and rules.death_counts_no_lane_asleep:
        counted = {job for job in counted if not _waits_behind_a_tried_one(ledger, job, world)}
    if rules.suspect_is_marked:
        suspects_from = world.bounds.suspects_from
        counted = {job for job in counted if ledger.rows[job].deaths < suspects_from}
        counted |= {job for job, row in enumerate(ledger.rows) if row.marked and row.marked == ledger.fence}
    return sorted(counted)


def _waits_behind_a_tried_one(ledger: Ledger, job: int, world: World) -> bool:
    lane, place = lane_of(job, world), ledger.rows[job].place
    return any(
        lane and lane_of(other, world) == lane
        for other, row in enumerate(ledger.rows)
        if row.state == JobState.READY and row.place < place and (row.attempts or row.held)
    )


def _cleared_by_death(ledger: Ledger, index: int, counted: list[int], world: World) -> list[int]:
    """Return the suspects that the death of another clears: the worker had read them, and ran that one alone."""
    suspects_from, rows = world.bounds.suspects_from, ledger.rows
    if all(rows[job].deaths < suspects_from for job in counted):
        return []
    held = (job for job in ledger.processes[index].claims if job not in counted)
    return [job for job in held if rows[job].state == JobState.READY and rows[job].deaths == suspects_from]


def _buried(ledger: Ledger, index: int, world: World) -> Ledger:
    """Return the ledger after a death: epoch gone, partition free, deaths counted."""
    epoch = ledger.processes[index].epoch
    dead = (index, epoch)
    counted = counted_by_death(ledger, index, world)
    cleared = _cleared_by_death(ledger, index, counted, world)
    for job in counted:
        row = ledger.rows[job]
        ledger = with_row(ledger, job, row._replace(deaths=row.deaths + 1))
    for job in cleared:
        row = ledger.rows[job]
        ledger = with_row(ledger, job, row._replace(deaths=row.deaths - 1, died=min(row.died, row.deaths - 1)))
    for job, row in enumerate(ledger.rows):
        if row.open == dead:
            ledger = with_row(ledger, job, row._replace(excused=True, died=row.died + 1))
    after = _with_process_row(ledger, index, ProcessRow(epoch + 1, AGE_GONE))
    if ledger.owner != dead or not world.rules.death_frees_partition:
        return after
    fence = ledger.fence + 1 if world.rules.new_owner_new_fence else ledger.fence
    return after._replace(owner=None, fence=fence)


def _faults(state: State, index: int, process: Process) -> Iterator[Step]:
    """Kill -9, SIGSTOP and SIGCONT anywhere. At least one worker stays up."""
    if process.run == Run.PAUSED:
        yield Event("cont", index), with_process(state, index, process._replace(run=Run.UP))
    if not process.up or not _another(state, index):
        return
    budget = state.budget
    if budget.crashes:
        crashed = with_process(state, index, Process(run=Run.CRASHED))
        yield Event("crash", index), crashed._replace(budget=budget._replace(crashes=budget.crashes - 1))
    if budget.pauses:
        paused = with_process(state, index, process._replace(run=Run.PAUSED))
        yield Event("pause", index), paused._replace(budget=budget._replace(pauses=budget.pauses - 1))


def _another(state: State, index: int) -> bool:
    return any(process.up for i, process in enumerate(state.processes) if i != index)


def _with_process_row(ledger: Ledger, index: int, row: ProcessRow) -> Ledger:
    processes = ledger.processes
    return ledger._replace(processes=(*processes[:index], row, *processes[index + 1 :]))
