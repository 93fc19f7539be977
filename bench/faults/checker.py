"""Whether a kill campaign kept what was promised of jobs.  Pure: what was asked for, what ran and what was killed, in.

- Nothing is lost: each job whose asking was acknowledged ran to an end at least once.
- Nothing is out of order: in its lane each job begins behind the one that was asked for before it, and none begins
  while another of its lane runs.
- Effects are repeated only for jobs in flight at a kill: the run before was the killed process's last one in that lane,
  and it had not ended long before.
- A repeat is visible as such: the job says that a process died while it had it.

A process that is stopped and goes on, or that loses PostgreSQL for longer than its lease, is told that it is dead.
What it had in flight may be repeated as after a kill.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bench.queue.records import Step

__all__ = ["Asked", "Key", "Mishap", "Verdict", "judge"]

#: Seconds from the end of a run by which its settlement is committed, unless PostgreSQL is away.
SETTLED_MAX_S = 2.0
#: Seconds after a pause in which a run may still begin that was decided on before it.
DECIDED_BEFORE_S = 2.0
#: Seconds after an outage in which processes may still find out that their lease had run out.
FOUND_OUT_MAX_S = 15.0

#: Lane, number, and which time it was asked for.
Key = tuple[int, int, int]


class Mishap(msgspec.Struct, frozen=True):
    """What happened to whom.  Instants are ``time.monotonic()``."""

    kind: Literal["worker", "machine", "redis", "wiped", "postgres", "pause"]
    at: float
    #: When it was over: the victim was back, or went on.
    until: float
    #: Worker processes that were killed or stopped.
    pids: tuple[int, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """What was asked for, in the order of lanes: jobs 0, 1, 2 ... of each."""

    #: How many of each lane were acknowledged.
    counts: Mapping[int, int]
    #: Tries of which nobody knew whether they had been written; each was asked for again.
    unclear: frozenset[Key] = frozenset()

    def acknowledged(self) -> Iterator[Key]:
        """Return each job that was promised to run."""
        again: dict[tuple[int, int], int] = {}
        for lane, number, asked in self.unclear:
            again[lane, number] = max(again.get((lane, number), 0), asked + 1)
        for lane, count in self.counts.items():
            for number in range(count):
                yield lane, number, again.get((lane, number), 0)


class Verdict(msgspec.Struct):
    """What was found; sentences name lane and number."""

    jobs: int = 0
    runs: int = 0
    repeats: int = 0
    lost: list[str] = []
    disorder: list[str] = []
    #: Repeats of what was not in flight at a kill.
    needless: list[str] = []
    #: Repeats that did not say so.
    hidden: list[str] = []


class _Run(msgspec.Struct):
    """One run of a job."""

    begin: Step
    ended_at: float | None = None

    @property
    def key(self) -> tuple[int, int]:
        return self.begin.number, self.begin.asked


def judge(asked: Asked, steps: Sequence[Step], mishaps: Sequence[Mishap]) -> Verdict:
    """Return what was broken, *steps* in the order in which they were written."""
    verdict = Verdict()
    promised = set(asked.acknowledged())
    finished: set[Key] = set()
    lanes: dict[int, list[_Run]] = defaultdict(list)
    for step in steps:
        key = step.lane, step.number, step.asked
        if key not in promised and key not in asked.unclear:
            verdict.disorder.append(f"{_name(step)} ran, which nobody asked for")
        elif step.ends:
            finished.add(key)
            _end(lanes[step.lane], step)
        else:
            verdict.runs += 1
            _begin(verdict, lanes[step.lane], step, mishaps)
    verdict.jobs = len(promised)
    missing = sorted(promised - finished)
    verdict.lost = [f"lane {lane}, job {number} did not run to an end" for lane, number, _ in missing]
    return verdict


def _begin(verdict: Verdict, lane: list[_Run], step: Step, mishaps: Sequence[Mishap]) -> None:
    run = _Run(step)
    before = lane[-1] if lane else None
    if before is not None and run.key <= before.key:
        verdict.repeats += run.key == before.key
        if _is_stale(step, mishaps):
            # Decided on by a former owner before it was stopped: its lane has gone on meanwhile.
            return
        if run.key < before.key:
            verdict.disorder.append(f"{_name(step)} began after job {before.begin.number}")
            return
        if not _in_flight(before, step, mishaps):
            verdict.needless.append(f"{_name(step)} was repeated, and was not in flight at a kill")
        if step.deaths == 0:
            verdict.hidden.append(f"{_name(step)} was repeated, and did not say so")
    elif before is not None and before.ended_at is None and not _was_cut_short(before, step, mishaps):
        verdict.disorder.append(f"{_name(step)} began while job {before.begin.number} ran")
    lane.append(run)


def _end(lane: list[_Run], step: Step) -> None:
    for run in reversed(lane):
        if (run.begin.number, run.begin.asked, run.begin.pid) == (step.number, step.asked, step.pid):
            run.ended_at = step.at
            return


def _in_flight(before: _Run, step: Step, mishaps: Sequence[Mishap]) -> bool:
    """Whether the run before was under way, or just over, when its process was killed or lost its lease."""
    return any(
        _hits(mishap, before, step)
        and (before.ended_at is None or before.ended_at > mishap.at - SETTLED_MAX_S)
        for mishap in mishaps
    )


def _was_cut_short(before: _Run, step: Step, mishaps: Sequence[Mishap]) -> bool:
    """Whether the run before had no chance to say that it ended."""
    return any(_hits(mishap, before, step) for mishap in mishaps)


def _hits(mishap: Mishap, before: _Run, step: Step) -> bool:
    """Whether it befell whoever ran the run before, not before that began and not after the next did."""
    if mishap.at > step.at:
        return False
    if mishap.kind == "postgres":
        return before.begin.at <= mishap.until + FOUND_OUT_MAX_S
    return before.begin.pid in mishap.pids and before.begin.at <= mishap.until


def _is_stale(step: Step, mishaps: Sequence[Mishap]) -> bool:
    return any(
        mishap.kind == "pause" and step.pid in mishap.pids and 0 <= step.at - mishap.until < DECIDED_BEFORE_S
        for mishap in mishaps
    )


def _name(step: Step) -> str:
    return f"lane {step.lane}, job {step.number}"
