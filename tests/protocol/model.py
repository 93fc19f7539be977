"""The state of the model: one conversation, a few processes, and what the platform has seen.

Everything is a tuple, so that a state is its own key in the visited set, and phases are plain strings, as
they are compared millions of times. There is no database and no clock. A transaction is one step, because the
real one is one statement to PostgreSQL under the conversation's row lock; where the protocol's subtlety is
what a transaction saw *before* it had the lock, it is two steps, and the first one records what was seen
(:class:`Seen`, ``Lane.seen``). The reply to a transaction is always a step of its own, because it may be
late, lost, or never read.

Time is relative: ages of beats in ticks, per process, saturating. Nothing compares two processes' clocks, so
none of them is shared.

A look at the lease and the call or send that follows are one step. A SIGSTOP exactly between them is the one
thing that no clock can catch: the late call carries its fence, so that the assistant can refuse it.

Ghosts are facts that no process knows and that only the properties read: ``Turn.calls``, ``Turn.writes``,
``Reply.arrivals``, ``Reply.confirmed``, ``Accept.overtaken``.

Deliberately absent: several conversations (lock order and deadlocks are a matter of SQL, tested on
PostgreSQL), batching, Redis (a hint never decides), and deadlines.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from tests.protocol.rules import Rules

__all__ = [
    "AGE_DEAD",
    "AGE_GONE",
    "FINAL",
    "Accept",
    "AcceptPhase",
    "Beat",
    "Bounds",
    "Direct",
    "Event",
    "Faults",
    "Lane",
    "LanePhase",
    "Ledger",
    "Owner",
    "Process",
    "Reply",
    "ReplyState",
    "Row",
    "Run",
    "Seen",
    "Send",
    "SendPhase",
    "State",
    "Step",
    "TellPhase",
    "Telling",
    "Turn",
    "World",
    "initial",
    "with_process",
]


class Run:
    """What a process is doing, as its machine sees it."""

    UP: Final = "up"
    PAUSED: Final = "paused"
    CRASHED: Final = "crashed"
    LEFT: Final = "left"


class AcceptPhase:
    """How far an accept has come within its process."""

    QUEUED: Final = "queued"
    BEGUN: Final = "begun"
    COMMITTED: Final = "committed"


class LanePhase:
    """How far the owner has come with a turn."""

    LOADING: Final = "loading"
    READY: Final = "ready"
    CALLING: Final = "calling"
    SETTLING: Final = "settling"
    SETTLED: Final = "settled"


class ReplyState:
    """What the outbox says of a reply."""

    PENDING: Final = "pending"
    SENDING: Final = "sending"
    SENT: Final = "sent"
    UNKNOWN: Final = "unknown"


class SendPhase:
    """How far a sender has come with a reply."""

    CLAIMED: Final = "claimed"
    SENT: Final = "sent"


class TellPhase:
    """How far a response has come that tells what is kept."""

    ASKED: Final = "asked"
    TAKEN: Final = "taken"
    TOLD: Final = "told"
    CUT: Final = "cut"
    PUT_OFF: Final = "put off"


#: States of a reply that nobody will touch again.
FINAL: Final = frozenset({ReplyState.SENT, ReplyState.UNKNOWN})

#: Age in ticks from which a beat makes its process a candidate for death.
AGE_DEAD: Final = 2
#: The age written into the row of a process that was declared dead or has left.
AGE_GONE: Final = 3

#: (process, epoch)
Owner: TypeAlias = tuple[int, int]


class Bounds(NamedTuple):
    """How large a world to explore: the faults are budgets for the whole run."""

    processes: int = 2
    deliveries: tuple[int, ...] = (1, 1)  # per message, redeliveries included
    lane_waiting_max: int = 9
    attempts_max: int = 9
    crashes: int = 0
    pauses: int = 0
    lost_replies: int = 0
    drains: int = 0
    sweep: bool = True  # the safety nets: a world without faults must not need them
    reconcile: bool = True
    clocks: bool = False  # beats take time, and the ledger's clock may run ahead by a tick
    replies: bool = False  # a settled turn leaves an outbox row, which is sent
    direct: bool = False  # a process may send itself what it settles
    refusals: int = 0  # how often one that does so finds no room at the platform, and gives the reply back
    settled_before: int = 0  # turns that are settled at the start, their replies pending
    asks: int = 0  # requests that come later, in whose responses those replies are told: they are kept, and not sent
    states_max: int = 400_000


class World(NamedTuple):
    """What is explored: a protocol within bounds."""

    bounds: Bounds
    rules: Rules


class Turn(NamedTuple):
    seq: int
    message: int
    attempts: int = 0
    calls: int = 0
    writes: int = 0


class Reply(NamedTuple):
    """A row of the outbox."""

    seq: int
    state: str = ReplyState.PENDING
    sender: Owner | None = None
    arrivals: int = 0
    own: bool = False  # its settle claimed it: whoever settled it sends it itself
    kept: bool = False  # it is told in the response of a later request, and sent by nobody
    repeat: bool = False  # of one that is kept: it may have been told
    confirmed: bool = False  # it was told, and whoever told it has said so to the ledger


class Row(NamedTuple):
    """A process as the ledger knows it."""

    epoch: int = 0
    age: int = 0


class Ledger(NamedTuple):
    """PostgreSQL: the conversation's row, and the tables around it."""

    last_seq: int
    done_seq: int
    owner: Owner | None
    fence: int
    keys: tuple[int, ...]  # dedupe keys: per message the number of its turn, 0 if there is no key
    turns: tuple[Turn, ...]
    rows: tuple[Row, ...]
    outbox: tuple[Reply, ...]


class Seen(NamedTuple):
    """What an accept saw before it had its locks; judged by only if a rule is taken out."""

    key: int = 0
    last_seq: int = 0
    alive: bool = True


class Accept(NamedTuple):
    message: int
    phase: str
    epoch: int = 0  # of its process when it was sent
    seen: Seen = Seen()
    accepted: bool = False
    grant: int | None = None  # the fence, if the reply says that the lane is ours and has work
    overtaken: bool = False


class Lane(NamedTuple):
    fence: int
    phase: str
    seq: int = 0
    seen: int = 0
    next_seq: int = 0


class Beat(NamedTuple):
    """A beat on its way: how long ago it was sent, and what the ledger said."""

    sent_age: int = 0
    committed: bool = False
    refused: bool = False


class Send(NamedTuple):
    position: int
    phase: str


class Direct(NamedTuple):
    """What a process sends itself, of what it settled: in order, one after the other."""

    rows: tuple[int, ...] = ()
    wired: int = 0  # so many of them, from the first on, are on the wire or were
    broken: bool = False  # one went back: all behind it do
    reserved: int = 0  # the turn that is being settled, and may bring one more
    answered: bool = False  # the ledger has answered that settle: with this one, or with none
    claimed: int = -1
    unsure: bool = False  # it did so before, and that answer was lost


class Telling(NamedTuple):
    """A response in the making.  ``epoch``: in which it took what it tells; ``marked``: that is called a repeat."""

    phase: str
    epoch: int = 0
    marked: bool = False


class Process(NamedTuple):
    """What a process knows. Everything in it but ``run`` dies with it."""

    run: str = Run.UP
    draining: bool = False
    epoch: int = 0
    lease_age: int = 0  # since the sending of the last beat that was confirmed, on its own clock
    accepts: tuple[Accept, ...] = ()
    lane: Lane | None = None
    beat: Beat | None = None
    send: Send | None = None
    direct: Direct | None = None
    telling: Telling | None = None
    suspect: int = -1  # whom its reaper saw overdue; only if a rule is taken out

    @property
    def up(self) -> bool:
        """True while it takes steps of its own."""
        return self.run == Run.UP

    @property
    def connected(self) -> bool:
        """True while a statement of it may reach the ledger: one on its way does not wait for a SIGCONT."""
        return self.run in (Run.UP, Run.PAUSED)


class Faults(NamedTuple):
    """What may still go wrong."""

    crashes: int
    pauses: int
    lost_replies: int
    drains: int
    refusals: int = 0


class State(NamedTuple):
    ledger: Ledger
    processes: tuple[Process, ...]
    acked: tuple[bool, ...]  # per message: the platform has a 2xx
    deliveries: tuple[int, ...]  # per message: how often it may still come
    faults: Faults
    asks: int = 0  # requests that may still come and hear what is kept

    def losing_a_reply(self) -> State:
        """Return the state with one lost reply less to come."""
        return self._replace(faults=self.faults._replace(lost_replies=self.faults.lost_replies - 1))


class Event(NamedTuple):
    """One step of one process; *subject* is a message, a turn or a process, as the kind says."""

    kind: str
    process: int
    subject: int = 0


Step: TypeAlias = tuple[Event, State]


def initial(bounds: Bounds) -> State:
    """Return the state in which every process is registered and no message has come."""
    settled = bounds.settled_before
    messages = len(bounds.deliveries)
    ledger = Ledger(
        last_seq=settled,
        done_seq=settled,
        owner=None,
        fence=0,
        keys=tuple(number + 1 if number < settled else 0 for number in range(messages)),
        turns=tuple(Turn(number + 1, number, writes=1) for number in range(settled)),
        rows=(Row(),) * bounds.processes,
        outbox=tuple(Reply(number + 1, kept=bounds.asks > 0) for number in range(settled)),
    )
    return State(
        ledger,
        (Process(),) * bounds.processes,
        (False,) * messages,
        bounds.deliveries,
        Faults(bounds.crashes, bounds.pauses, bounds.lost_replies, bounds.drains, bounds.refusals),
        bounds.asks,
    )


def with_process(state: State, index: int, process: Process, ledger: Ledger | None = None) -> State:
    """Return *state* with one process changed, and the ledger if one is given."""
    processes = state.processes
    return state._replace(
        ledger=state.ledger if ledger is None else ledger,
        processes=(*processes[:index], process, *processes[index + 1 :]),
    )
