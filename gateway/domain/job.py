"""Jobs: slow work for workers, and how a piece of it may end.

Jobs of one lane run one at a time, in the order in which they were asked for; jobs without a lane run as there is room.
How a job ends is a value that its handler returns: an exception is a fault of the handler, not an ending.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from gateway.domain.resilience.priority import Priority

__all__ = [
    "PARTITIONS", "SUSPECTS_FROM", "Bury", "Done", "Draft", "Enqueued", "Fate", "Job", "JobEnd", "JobOutcome", "Retry",
    "Snooze", "partition_of",
]  # fmt: skip

#: How many partitions share out the jobs.  Fixed by the ledger's schema: a lane stays in its own.
PARTITIONS = 32

#: Deaths from which a job is a suspect: run alone among suspects, after it was said which one it is.  The ledger's
#: ``jobs_orphan`` knows it as well.
SUSPECTS_FROM = 2

#: done: gone, or kept with its result; retry: in its place, later; snooze: joins its lane anew, later; bury: given up.
Fate = Literal["done", "retry", "snooze", "bury"]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is asked for.  ``payload`` is anything that msgspec can write as JSON."""

    kind: str
    payload: Any
    #: None: in no lane.
    lane: str | None = None
    #: One for all jobs of a lane: each class is read by itself, so of two that differ the later one may run first.
    priority: Priority = Priority.NORMAL
    #: Unix seconds before which it does not join its lane; None: now.
    run_at: float | None = None
    #: While an unfinished job bears the same key, this one is not written.
    unique: str | None = None
    #: Seconds for which its result can be read after its end; 0: it is gone when it has ended well.
    keep_s: float = 0.0
    trace_id: str = ""


class Enqueued(msgspec.Struct, frozen=True):
    """What became of a draft.  Not ``fresh``: an unfinished job bears its unique key, and this is that one."""

    job_id: int
    partition: int
    fresh: bool


class Job(msgspec.Struct, frozen=True):
    """A job in the hands of the worker that owns its partition."""

    job_id: int
    #: Its place in the lane and in the partition.
    place: int
    partition: int
    #: The fence under which its partition was owned when it was read.
    fence: int
    priority: int
    kind: str
    lane: str | None
    #: JSON, as it was written.
    payload: str
    #: Tries that have failed so far.
    attempts: int
    #: Processes that died while they had it.
    deaths: int
    #: Seconds, when it was read, until it may start; more than 0 only where a failed try holds its lane.
    wait_s: float
    keep_s: float
    trace_id: str
    #: Seconds since it was asked for, when it was read.
    age_s: float
    #: What the ledger knows this reading by.
    claim: int


class Done(msgspec.Struct, frozen=True):
    """It is done.  ``result`` is kept where its draft asked for that; ``then`` is asked for in the same commit."""

    result: Any = None
    then: tuple[Draft, ...] = ()


class Retry(msgspec.Struct, frozen=True):
    """Not done; to be tried again in its place, so that its lane waits for it.

    ``after_s`` None: after the kind's own backoff.  Not ``counted``: this was no attempt (there was no room, a bound of
    somebody else's), so it does not count towards the kind's last one.
    """

    reason: str
    detail: str = ""
    after_s: float | None = None
    counted: bool = True


class Snooze(msgspec.Struct, frozen=True):
    """Not yet: it leaves its lane, and joins it anew at its end at ``until`` (Unix seconds)."""

    until: float
    reason: str = ""


class Bury(msgspec.Struct, frozen=True):
    """Never: it is a dead letter, kept whole with its reason."""

    reason: str
    detail: str = ""


JobOutcome = Done | Retry | Snooze | Bury


class JobEnd(msgspec.Struct, frozen=True):
    """What is to be written of one run of a job."""

    job: Job
    fate: Fate
    #: Failed tries so far, this one included.
    attempts: int
    reason: str = ""
    detail: str = ""
    #: Of retry and snooze.
    after_s: float = 0.0
    #: JSON; None: none.
    result: str | None = None
    then: tuple[Draft, ...] = ()


def partition_of(lane: str) -> int:
    """Return the partition of a lane: as the ledger's ``job_partition`` says."""
    return hashlib.sha256(lane.encode()).digest()[0] % PARTITIONS
