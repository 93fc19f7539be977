"""The promises, each checked on what a step did to the world, never on what the step believed.

As beside it, a property knows nothing of the rules; that every job ends is looked for in the whole graph, by
:func:`at_rest`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.protocol.jobs.ledger import lane_of
from tests.protocol.jobs.model import (
    AGE_DEAD,
    AGE_GONE,
    ENDED,
    Entry,
    Event,
    JobState,
    Phase,
    Row,
    State,
    World,
)

__all__ = [
    "BYSTANDER", "EARLY", "ENDS", "FENCED_START", "FENCED_WRITE", "INNOCENT", "LEASE", "ONE", "ORDER", "OWN_WRITE",
    "POISON", "REPEAT", "SETTLED", "at_rest", "broken_by",
]  # fmt: skip

ENDS: Final = "every job that was asked for ends"
ORDER: Final = "a job starts after all that were in its lane before it was asked for"
ONE: Final = "a lane runs one job at a time"
SETTLED: Final = "what has ended or left its lane is not started"
EARLY: Final = "a job whose try failed is not started before its next one is due"
REPEAT: Final = "a run is repeated only if a death or a lost lease cut it short"
LEASE: Final = "nothing is started or ended by a worker that may be taken for dead"
FENCED_START: Final = "only the owner of a partition starts its jobs"
FENCED_WRITE: Final = "only the owner of a partition settles its jobs"
OWN_WRITE: Final = "a settle ends the run that it is of"
POISON: Final = "a job is run a bounded number of times by workers that die of it"
INNOCENT: Final = "the death that buries a job is of the worker that ran it, and buries no other"
BYSTANDER: Final = "a death is counted for what may have been running"


def broken_by(before: State, event: Event, after: State, world: World) -> str | None:
    """Return the name of the property that this step broke, if any."""
    check = _CHECKS.get(event.kind)
    return check(before, event, after, world) if check else None


def at_rest(state: State) -> bool:
    """True where nothing that was asked for is left undone."""
    return all(row.state in ENDED or row.state == JobState.UNASKED for row in state.ledger.rows)


def _started(before: State, event: Event, after: State, world: World) -> str | None:
    ledger, job, index = before.ledger, event.subject, event.process
    row, process = ledger.rows[job], before.processes[index]
    if ledger.processes[index].age >= AGE_DEAD:
        return LEASE
    if ledger.owner != (index, process.epoch) or ledger.fence != process.fence:
        return FENCED_START
    return _out_of_place(before, job, row, _changed(before, event, after), world) or _once_more(row, world)


def _out_of_place(before: State, job: int, row: Row, entry: Entry, world: World) -> str | None:
    """Return what is wrong with starting this job now and not another one of its lane."""
    ledger = before.ledger
    if row.state != JobState.READY or row.place != entry.place:
        return SETTLED
    if row.held:
        return EARLY
    if _beside(before, job, world):
        return ONE
    if any(ledger.rows[i].state == JobState.READY and ledger.rows[i].place < row.place for i in row.after):
        return ORDER
    return None


def _once_more(row: Row, world: World) -> str | None:
    """Return what is wrong with starting this job again."""
    if row.open is not None and not row.excused:
        return REPEAT
    if row.died >= world.bounds.deaths_max:
        return POISON
    return None


def _changed(before: State, event: Event, after: State) -> Entry:
    """Return the entry that this step took on."""
    known = before.processes[event.process].memory
    return next(entry for entry in known if entry not in after.processes[event.process].memory)


def _beside(state: State, job: int, world: World) -> bool:
    """True if the job, or another one of its lane, runs in a worker that nobody has declared dead."""
    lane = lane_of(job, world)
    for process, row in zip(state.processes, state.ledger.processes, strict=True):
        if row.age == AGE_GONE or row.epoch != process.epoch:
            continue
        for entry in process.memory:
            same = entry.job == job or (lane and lane_of(entry.job, world) == lane)
            if same and entry.phase == Phase.RUNNING:
                return True
    return False


def _ended(before: State, event: Event, after: State, world: World) -> str | None:
    return LEASE if before.ledger.processes[event.process].age >= AGE_DEAD else None


def _settled(before: State, event: Event, after: State, world: World) -> str | None:
    ledger, job = before.ledger, event.subject
    row, written = ledger.rows[job], after.ledger.rows[job]
    if row == written:
        return None
    if event.kind == "settle.stray":
        entry = next(stray.entry for stray in before.strays if stray not in after.strays)
    else:
        memory = before.processes[event.process].memory
        entry = next(e for e in memory if e.place == event.place)
    if ledger.fence != entry.fence or ledger.owner is None or ledger.owner[0] != event.process:
        return FENCED_WRITE
    # A retry that is written twice only waits longer.
    if entry.run and entry.run != row.runs and written.state != JobState.READY:
        return OWN_WRITE
    return None


def _declared(before: State, event: Event, after: State, world: World) -> str | None:
    ledger, index = before.ledger, event.subject
    dead = (index, ledger.processes[index].epoch)
    pairs = list(zip(ledger.rows, after.ledger.rows, strict=True))
    counted = [job for job, (row, written) in enumerate(pairs) if written.deaths > row.deaths]
    last = [job for job in counted if after.ledger.rows[job].deaths == world.bounds.deaths_max]
    if len(last) > 1 or any(ledger.rows[job].begun != dead for job in last):
        return INNOCENT
    if counted and ledger.owner != dead:
        return BYSTANDER
    for job in counted:
        row, lane = ledger.rows[job], lane_of(job, world)
        if row.begun == dead or not lane:
            continue
        for other, head in enumerate(ledger.rows):
            # Neither tried nor read, it may have been committed since.
            seen = head.attempts or other in ledger.processes[index].claims
            in_front = head.state == JobState.READY and head.place < row.place
            if seen and in_front and lane_of(other, world) == lane:
                return BYSTANDER
    return None


_CHECKS: Final[dict[str, Callable[[State, Event, State, World], str | None]]] = {
    "start": _started,
    "end": _ended,
    "settle": _settled,
    "settle.lost": _settled,
    "settle.stray": _settled,
    "declare": _declared,
}
