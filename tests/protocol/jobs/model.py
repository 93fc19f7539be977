"""The state of the model: one partition with a few jobs, a few workers, and what is on its way between them.

As in ``tests.protocol.model``: everything is a tuple, a transaction is one step, its reply another one. Places
and transaction numbers are drawn from one counter, as they are never compared with each other, and in one step,
where a world does not say that it has them apart.

A hint decides nothing but when a look takes place. Here a look may take place at any time, and nobody counts
on it before the worker's own poll: hints that come late, twice, out of order or never are all of that.

Fairness: whoever has asked for a job commits; what is due becomes due; a live worker looks, starts, ends.

Ghosts are facts that nobody knows and that only the properties read: ``Row.after``, ``Row.open``,
``Row.begun``, ``Row.excused``, ``Row.died``, ``Row.runs`` and ``Entry.run``.

What a worker has read of the ledger, it knows by the real ``workers.marks``. Its board is a copy of the rules, as no
search could afford the real one (``tests/workers/test_board_model.py`` tries that against a ledger in a dict); what
the ledger does is a copy as well, which ``test_conformance.py`` compares with PostgreSQL.

Deliberately absent: several partitions and priorities (each is alone; a lane has one of both), batches,
laneless jobs' shares and kinds' bounds (the board's own model test has them), claims that end (one that stays
counts too much, never too little, and only up to the point where suspects are marked), kinds that finish
outside the lease (their fate is the outbox's), unique keys, results, and jobs dropped or retried by hand.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from tests.protocol.jobs.marks import Kept
from tests.protocol.jobs.rules import Rules

__all__ = [
    "AGE_DEAD", "AGE_GONE", "ENDED", "Bounds", "Budget", "Entry", "Event", "Giving", "JobState", "Ledger", "Look",
    "Owner", "Phase", "Process", "ProcessRow", "Read", "Row", "Run", "Spec", "Spill", "State", "Step", "Stray", "World",
    "initial", "with_process", "with_row",
]  # fmt: skip


class JobState:
    """What the ledger says of a job."""

    UNASKED: Final = "not asked for"
    OPEN: Final = "being written"
    READY: Final = "ready"
    SCHEDULED: Final = "scheduled"
    DONE: Final = "done"
    BURIED: Final = "buried"


class Phase:
    """How far a worker has come with a job in its memory."""

    WAITING: Final = "waiting"
    MARKED: Final = "marked"
    RUNNING: Final = "running"
    SETTLING: Final = "settling"
    SETTLED: Final = "settled"
    REFUSED: Final = "refused"


class Run:
    """What a worker is doing, as its machine sees it."""

    UP: Final = "up"
    PAUSED: Final = "paused"
    CRASHED: Final = "crashed"


class Giving:
    """How far a worker has come with giving its partition back."""

    NOT: Final = ""
    STOPPED: Final = "stopped"
    RELEASED: Final = "released"


#: States of a job that will not run any more.
ENDED: Final = frozenset({JobState.DONE, JobState.BURIED})

#: Age in ticks from which a beat makes its worker a candidate for death; and that of one declared dead.
AGE_DEAD: Final = 2
AGE_GONE: Final = 3

#: (process, epoch)
Owner: TypeAlias = tuple[int, int]


class Spec(NamedTuple):
    """A job that will be asked for: its lane (0: none) and how each of its runs ends, the last one for good."""

    lane: int
    endings: tuple[str, ...] = ("done",)


class Bounds(NamedTuple):
    """How large a world to explore: the faults are budgets for the whole run."""

    jobs: tuple[Spec, ...]
    asked_before: int = 0  # jobs that are in the ledger at the start
    open_before: int = 0  # of them, the first ones, that are still to be committed
    deaths_before: int = 0  # that they have seen
    processes: int = 2
    deaths_max: int = 2
    suspects_from: int = 1
    rows_max: int = 9  # of a look
    lane_max: int = 9  # of a lane in memory
    sleeps: bool = False  # a lane whose head waits may be put out of memory until then
    crashes: int = 0
    pauses: int = 0
    lost_replies: int = 0
    strays: int = 0  # settles given up on that the ledger executes later
    numbers_apart: bool = False  # a transaction's number and its place are drawn in two steps
    moves: int = 0  # times that a partition is to be given back to be owned elsewhere
    states_max: int = 400_000


class World(NamedTuple):
    """What is explored: a protocol within bounds."""

    bounds: Bounds
    rules: Rules


class Row(NamedTuple):
    """A job in the ledger."""

    state: str = JobState.UNASKED
    place: int = 0
    xid: int = 0  # of the transaction that gave it its place
    held: bool = False  # not due before its next try
    attempts: int = 0
    deaths: int = 0
    marked: int = 0  # the fence under which it was started as a suspect and not settled since
    after: tuple[int, ...] = ()  # jobs of its lane that were ready when it was asked for
    runs: int = 0
    open: Owner | None = None  # who ran it last, while that run is not settled
    begun: Owner | None = None  # who started it last, or was about to, while it is not settled
    excused: bool = False  # that run was cut short by a lease that ran out, or by a death
    died: int = 0  # runs that ended with their worker's death


class ProcessRow(NamedTuple):
    """A worker as the ledger knows it."""

    epoch: int = 0
    age: int = 0
    claims: frozenset[int] = frozenset()


class Ledger(NamedTuple):
    """PostgreSQL: the jobs, the partition's row, the workers' rows; and the sequence."""

    rows: tuple[Row, ...]
    processes: tuple[ProcessRow, ...]
    owner: Owner | None = None
    fence: int = 0
    next_number: int = 1


class Read(NamedTuple):
    """A job as a look found it."""

    job: int
    place: int
    held: bool
    attempts: int
    deaths: int


class Entry(NamedTuple):
    """A job in memory."""

    place: int
    job: int
    attempts: int
    deaths: int
    held: bool = False
    phase: str = Phase.WAITING
    fence: int = 0  # under which it was read
    run: int = 0


class Spill(NamedTuple):
    """A lane that goes on in the ledger: behind which place, and up to where nothing more can come.

    Of one that is asleep nothing is in memory, because its head waits; looks do not leave it out.
    """

    lane: int
    behind: int
    floor: int = 0
    asleep: bool = False


class Look(NamedTuple):
    """The answer to a look, on its way to the worker."""

    fence: int
    rows: tuple[Read, ...]
    low: int
    high: int
    cut: bool
    lane: int = 0  # 0: all; else the lane that is refilled
    floor: int = 0  # of the marks, before it was asked for
    from_floor: bool = True


class Stray(NamedTuple):
    """A settle whose connection was given up, and which the ledger will execute nevertheless."""

    process: int
    entry: Entry


class Process(NamedTuple):
    """What a worker knows. Everything in it but ``run`` dies with it."""

    run: str = Run.UP
    epoch: int = 0
    lease_age: int = 0
    fence: int = 0  # of the partition, 0: not ours
    giving: str = Giving.NOT
    marks: Kept = Kept()
    memory: tuple[Entry, ...] = ()  # by place
    spills: tuple[Spill, ...] = ()  # by lane
    look: Look | None = None
    ended: frozenset[int] = frozenset()  # places that ended while a look was under way

    @property
    def up(self) -> bool:
        """True while it takes steps of its own."""
        return self.run == Run.UP

    @property
    def connected(self) -> bool:
        """True while a statement of it may reach the ledger: one on its way does not wait for a SIGCONT."""
        return self.run in (Run.UP, Run.PAUSED)


class Budget(NamedTuple):
    """What may still happen."""

    crashes: int
    pauses: int
    lost_replies: int
    strays: int
    moves: int


class State(NamedTuple):
    ledger: Ledger
    processes: tuple[Process, ...]
    budget: Budget
    strays: tuple[Stray, ...] = ()

    def losing_a_reply(self) -> State:
        """Return the state with one lost reply less to come."""
        return self._replace(budget=self.budget._replace(lost_replies=self.budget.lost_replies - 1))


class Event(NamedTuple):
    """One step of one worker (-1: of somebody else); *subject* is a job or a worker, as the kind says."""

    kind: str
    process: int
    subject: int = 0
    place: int = 0  # of a job that is settled: which of its stays in a lane the settle is of


Step: TypeAlias = tuple[Event, State]


def initial(bounds: Bounds) -> State:
    """Return the state in which every worker is registered and nobody owns the partition."""
    count = bounds.asked_before
    deaths = bounds.deaths_before
    rows = [Row(JobState.READY, job + 1, job + 1, deaths=deaths, died=deaths) for job in range(count)]
    for job in range(bounds.open_before):
        rows[job] = rows[job]._replace(state=JobState.OPEN)
    for job, spec in enumerate(bounds.jobs[:count]):
        visible = range(bounds.open_before, job)
        earlier = tuple(i for i in visible if spec.lane and bounds.jobs[i].lane == spec.lane)
        rows[job] = rows[job]._replace(after=earlier)
    rows += [Row()] * (len(bounds.jobs) - count)
    ledger = Ledger(tuple(rows), (ProcessRow(),) * bounds.processes, next_number=count + 1)
    budget = Budget(bounds.crashes, bounds.pauses, bounds.lost_replies, bounds.strays, bounds.moves)
    return State(ledger, (Process(),) * bounds.processes, budget)


def with_process(state: State, index: int, process: Process, ledger: Ledger | None = None) -> State:
    """Return *state* with one worker changed, and the ledger if one is given."""
    processes = state.processes
    return state._replace(
        ledger=state.ledger if ledger is None else ledger,
        processes=(*processes[:index], process, *processes[index + 1 :]),
    )


def with_row(ledger: Ledger, job: int, row: Row) -> Ledger:
    """Return *ledger* with one job changed."""
    return ledger._replace(rows=(*ledger.rows[:job], row, *ledger.rows[job + 1 :]))
