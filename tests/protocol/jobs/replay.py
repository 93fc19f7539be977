"""A run of the model, made again with the ledger's own functions: after each step both must say the same.

Each worker and each writer of the model has a connection of its own. A step that happens in a worker's memory
alone touches nothing here. What the model counts, places and epochs, is given its real counterpart when it
appears; fences are the same numbers in both, as the world's one partition is the only one that there is.
"""

from __future__ import annotations

import random
from typing import Any, Final

from gateway.domain.job import Draft, Job, JobEnd, partition_of
from gateway.store.ledger import job_partitions, jobs
from gateway.store.ledger.jobs import Pull
from tests.protocol.jobs.explorer import successors
from tests.protocol.jobs.model import (
    AGE_GONE,
    Entry,
    Event,
    JobState,
    Look,
    Phase,
    State,
    Step,
    World,
    initial,
)
from tests.protocol.jobs.work import fate_of
from tests.support.job_actor import JobActor

__all__ = ["IN_MEMORY", "Replay", "schedule"]

_LANE: Final = "lane"
_PARTITION: Final = partition_of(_LANE)
_PRIORITY: Final = 1
#: Seconds after which what is to come later has not come by itself.
_LATER_S: Final = 3_600.0
#: Steps with which nothing but a worker's memory, its machine or its clock has to do.
IN_MEMORY: Final = frozenset(
    {
        "look.reply",
        "start",
        "end",
        "give up",
        "kill",
        "settle.reply",
        "settle.given_up",
        "release.reply",
    }
    | {"tick", "tick.late", "crash", "pause", "cont", "move"}
)

#: Rare steps, or such as must come one after the other for anything rare to come of them.
_WEIGHTS: Final = {"crash": 2, "tick": 8, "declare": 8, "take": 8, "mark": 4}


def schedule(world: World, seed: int, steps_max: int, begin: State | None = None) -> list[Step]:
    """Return a run of the model in which every step was drawn by lot."""
    draw = random.Random(seed)
    state, run = begin or initial(world.bounds), []
    for _ in range(steps_max):
        steps = list(successors(state, world))
        if not steps:
            break
        ((event, state),) = draw.choices(steps, [_WEIGHTS.get(event.kind, 1) for event, _ in steps])
        run.append((event, state))
    return run


class Replay:
    """One run against a ledger that holds nothing yet."""

    def __init__(self, url: str, world: World) -> None:
        self._world = world
        self._watcher = JobActor(url)
        self._clear()
        self._actors = [JobActor(url) for _ in range(world.bounds.processes)]
        self._writers = [JobActor(url) for _ in world.bounds.jobs]
        self._epochs = {(index, 0): actor.process.epoch for index, actor in enumerate(self._actors)}
        self._ids: dict[int, int] = {}
        #: By the model's number: places are drawn in the same order in both.
        self._places = {0: 0}
        self._open: dict[int, int] = {}
        self.state = initial(world.bounds)
        for job, row in enumerate(self.state.ledger.rows[: world.bounds.asked_before]):
            self._write(job, row.place)
            if row.state != JobState.OPEN:
                self._commit(job)
        self._watcher.cursor.execute("UPDATE jobs SET deaths = %s", (world.bounds.deaths_before,))
        self.check()

    def close(self) -> None:
        """Leave no connection."""
        for actor in (self._watcher, *self._actors, *self._writers):
            actor.connection.close()

    def step(self, event: Event, after: State) -> None:
        """Do what happened, and compare its outcome."""
        before, self.state = self.state, after
        if event.kind not in IN_MEMORY:
            getattr(self, "_" + event.kind.split(".")[0])(event, before, after)
        self.check()

    def check(self) -> None:
        """Compare all that is written."""
        assert self._written() == self._expected()
        owner, epoch, fence = self._watcher.one(
            "SELECT owner_process, owner_epoch, fence FROM job_partitions"
        )
        ledger = self.state.ledger
        theirs = None
        if ledger.owner is not None:
            theirs = (self._actors[ledger.owner[0]].id, self._epochs[ledger.owner])
        assert ((owner, epoch) if owner else None, fence) == (theirs, ledger.fence)

    def _clear(self) -> None:
        self._watcher.cursor.execute("TRUNCATE jobs, job_claims, dead_letters, processes")
        self._watcher.cursor.execute("DELETE FROM job_partitions")
        self._watcher.cursor.execute("INSERT INTO job_partitions (partition) VALUES (%s)", (_PARTITION,))

    def _written(self) -> dict[int, tuple[Any, ...]]:
        rows = self._watcher.rows(
            "SELECT id, state, CASE state WHEN 'ready' THEN place END, state = 'ready' AND due_at > clock_timestamp(),"
            " CASE WHEN state <> 'buried' THEN attempts END, CASE WHEN state <> 'buried' THEN deaths END FROM jobs"
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def _expected(self) -> dict[int, tuple[Any, ...]]:
        expected: dict[int, tuple[Any, ...]] = {}
        for job, row in enumerate(self.state.ledger.rows):
            if row.state == JobState.READY:
                place = self._places[row.place]
                expected[self._ids[job]] = ("ready", place, row.held, row.attempts, row.deaths)
            elif row.state == JobState.SCHEDULED:
                expected[self._ids[job]] = ("scheduled", None, False, row.attempts, row.deaths)
            elif row.state == JobState.BURIED:
                expected[self._ids[job]] = ("buried", None, False, None, None)
        return expected

    # Clients and time

    def _ask(self, event: Event, before: State, after: State) -> None:
        if event.kind == "ask.commit":
            self._commit(event.subject)
        else:
            self._write(event.subject, after.ledger.rows[event.subject].place)

    def _write(self, job: int, place: int) -> None:
        """Write a job in a transaction that stays open."""
        writer, laned = self._writers[job], bool(self._world.bounds.jobs[job].lane)
        writer.cursor.execute("BEGIN")
        if not laned:
            # Without a lane its partition is its id's: that is to be the one that there is.
            last = int(self._watcher.one("SELECT last_value FROM job_places"))
            until = (last // 32 + 2) * 32 + _PARTITION - 1
            self._watcher.one("SELECT setval('job_places', %s)", until)
        (asked,) = writer.ask(Draft(kind="test.noop", payload=job, lane=_LANE if laned else None))
        assert (asked.partition, asked.fresh) == (_PARTITION, True)
        self._ids[job] = self._places[place] = asked.job_id
        self._open[job] = int(writer.one("SELECT pg_current_xact_id()::text::bigint"))

    def _commit(self, job: int) -> None:
        self._writers[job].cursor.execute("COMMIT")
        del self._open[job]

    def _due(self, event: Event, before: State, after: State) -> None:
        self._watcher.make_due(self._ids[event.subject], 1.0)

    def _promote(self, event: Event, before: State, after: State) -> None:
        job_id = self._ids[event.subject]
        self._watcher.make_due(job_id, 1.0)
        assert jobs.promote(self._watcher.cursor, [_PARTITION], 9)[0] == 1
        place = int(self._watcher.one("SELECT place FROM jobs WHERE id = %s", job_id))
        number = after.ledger.rows[event.subject].place
        assert place > max(self._places.values())
        assert number not in self._places, "its place is a new one here"
        self._places[number] = place

    # A worker's statements

    def _look(self, event: Event, before: State, after: State) -> None:
        actor, process = self._actors[event.process], before.processes[event.process]
        behind, known = self._places[process.marks.floor], [self._places[p] for p in process.marks.known]
        skip = [_LANE for spill in process.spills if not spill.asleep]
        fences = {_PARTITION: process.fence}
        pull = Pull(_PARTITION, _PRIORITY, behind, self._world.bounds.rows_max)
        scan = jobs.scan(actor.cursor, actor.process, [pull], fences, known=known, skip_lanes=skip)
        assert all(scan.low <= number < scan.high for number in self._open.values())
        if event.kind == "look":
            self._same(scan.jobs, after.processes[event.process].look)

    def _refill(self, event: Event, before: State, after: State) -> None:
        actor, process = self._actors[event.process], before.processes[event.process]
        (spill,) = process.spills
        begin, rows_max = self._places[spill.floor], self._world.bounds.lane_max + 1
        found = jobs.scan_lanes(
            actor.cursor, actor.process, {_LANE: begin}, {_PARTITION: process.fence}, rows_max
        )
        self._same(found, after.processes[event.process].look)

    def _sleep(self, event: Event, before: State, after: State) -> None:
        # As if it had been read alone each time, and those behind it with others that are in memory still.
        self._watcher.cursor.execute(
            "UPDATE job_claims SET jobs = array_remove(jobs, %s) WHERE process = %s AND epoch = %s",
            (
                self._ids[event.subject],
                self._actors[event.process].id,
                self._epochs[event.process, before.processes[event.process].epoch],
            ),
        )

    def _same(self, found: list[Job], look: Look | None) -> None:
        assert look is not None, "its answer is on its way"
        expected = [
            (self._ids[r.job], self._places[r.place], r.held, r.attempts, r.deaths) for r in look.rows
        ]
        assert [(j.job_id, j.place, j.wait_s > 0, j.attempts, j.deaths) for j in found] == expected
        assert {job.fence for job in found} <= {look.fence}

    def _mark(self, event: Event, before: State, after: State) -> None:
        actor, process = self._actors[event.process], before.processes[event.process]
        entry = next(e for e in process.memory if e not in after.processes[event.process].memory)
        ours = before.ledger.fence == entry.fence and before.ledger.owner == (event.process, process.epoch)
        assert jobs.accuse(actor.cursor, actor.process, self._job(entry)) == ours

    def _settle(self, event: Event, before: State, after: State) -> None:
        entry: Entry
        if event.kind == "settle.stray":
            left = list(after.strays)
            entry = next(stray for stray in before.strays if stray not in left).entry
        else:
            memory = before.processes[event.process].memory
            entry = next(e for e in memory if e.place == event.place)
        actor = self._actors[event.process]
        settled = actor.settle(self._end(entry))
        if event.kind != "settle":
            return
        answered = next(e for e in after.processes[event.process].memory if e.place == event.place)
        assert (settled.held == {_PARTITION}) == (answered.phase == Phase.SETTLED)
        row, written = before.ledger.rows[entry.job], after.ledger.rows[entry.job]
        assert (self._ids[entry.job] in settled.changed) or row == written

    def _job(self, entry: Entry) -> Job:
        return Job(
            self._ids[entry.job], self._places[entry.place], _PARTITION, entry.fence, _PRIORITY, "test.noop",
            _LANE if self._world.bounds.jobs[entry.job].lane else None, "0", entry.attempts, entry.deaths, 0.0, 0.0,
            "", 0.0, 0,
        )  # fmt: skip

    def _end(self, entry: Entry) -> JobEnd:
        job = self._job(entry)
        fate: Any = fate_of(entry, self._world)
        if fate in ("done", "bury"):
            return JobEnd(job, fate, entry.attempts)
        return JobEnd(job, fate, entry.attempts + 1, after_s=_LATER_S)

    # Ownership

    def _take(self, event: Event, before: State, after: State) -> None:
        actor = self._actors[event.process]
        assert job_partitions.take(actor.cursor, actor.process, 9) == {_PARTITION: after.ledger.fence}

    def _compare(self, event: Event, before: State, after: State) -> None:
        actor = self._actors[event.process]
        fence = after.processes[event.process].fence
        assert job_partitions.owned(actor.cursor, actor.process) == {_PARTITION: fence}

    def _release(self, event: Event, before: State, after: State) -> None:
        actor, fence = self._actors[event.process], before.processes[event.process].fence
        released = job_partitions.release(actor.cursor, actor.process, {_PARTITION: fence})
        assert released == ({_PARTITION} if before.ledger != after.ledger else set())

    def _beat(self, event: Event, before: State, after: State) -> None:
        actor, process = self._actors[event.process], before.processes[event.process]
        row = before.ledger.processes[event.process]
        alive = row.epoch == process.epoch and row.age != AGE_GONE
        assert (actor.beat() is not None) == alive
        if not alive:
            actor.revive()
            self._epochs[event.process, row.epoch] = actor.process.epoch

    def _declare(self, event: Event, before: State, after: State) -> None:
        # Nobody else is as old, however slow the machine is.
        self._actors[event.subject].fall_silent(2 * _LATER_S)
        assert self._actors[event.process].bury(_LATER_S).processes == 1
