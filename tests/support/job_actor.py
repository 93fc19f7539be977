"""A worker process of the ledger in the hands of a test, as far as jobs go: one connection, no greenlets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.domain.job import PARTITIONS, Draft, Enqueued, Fate, Job, JobEnd
from gateway.store.ledger import job_partitions, jobs
from gateway.store.ledger.jobs import Pull, Scan, Settled
from tests.support.actor import Actor

__all__ = ["JobActor", "asked", "end"]

ALL = 1_000


def asked(n: int = 0, *, kind: str = "test.noop", **how: Any) -> Draft:
    """A draft like no other if *n* is."""
    return Draft(kind=kind, payload={"n": n}, **how)


def end(job: Job, fate: Fate = "done", **how: Any) -> JobEnd:
    """What became of a run."""
    return JobEnd(job, fate, how.pop("attempts", job.attempts), **how)


class JobActor(Actor):
    """Asks, reads, settles."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "worker")
        self.fences: dict[int, int] = {}

    def ask(self, *drafts: Draft) -> list[Enqueued]:
        return jobs.enqueue(self.cursor, drafts)

    def take(self, partitions_max: int = PARTITIONS) -> dict[int, int]:
        taken = job_partitions.take(self.cursor, self.process, partitions_max)
        self.fences |= taken
        return taken

    def look(
        self,
        *,
        behind: int = 0,
        priorities: Sequence[int] = (0, 1, 2),
        rows_max: int = ALL,
        known: Sequence[int] = (),
        skip_lanes: Sequence[str] = (),
        skip_kinds: Sequence[str] = (),
        finishing: Sequence[int] = (),
    ) -> Scan:
        """Read all that this process owns."""
        pulls = [
            Pull(partition, priority, behind, rows_max)
            for partition in self.fences
            for priority in priorities
        ]
        return jobs.scan(
            self.cursor,
            self.process,
            pulls,
            self.fences,
            known=known,
            skip_lanes=skip_lanes,
            skip_kinds=skip_kinds,
            finishing=finishing,
        )

    def scan(self, **how: Any) -> list[Job]:
        return self.look(**how).jobs

    def settle(self, *ends: JobEnd, ended_claims: Sequence[int] = ()) -> Settled:
        return jobs.settle(self.cursor, self.process, ends, ended_claims)

    def promote(self, rows_max: int = ALL) -> tuple[int, float | None]:
        return jobs.promote(self.cursor, list(self.fences), rows_max)

    def states(self) -> dict[int, str]:
        return dict(self.rows("SELECT id, state FROM jobs ORDER BY id"))

    def claims(self) -> int:
        return int(self.one("SELECT count(*) FROM job_claims"))

    def make_due(self, job_id: int, ago_s: float = 0.0) -> None:
        """Have the time of a job that was to come later be now, or some seconds ago."""
        self.rows(
            "UPDATE jobs SET due_at = clock_timestamp() - make_interval(secs => %s) WHERE id = %s RETURNING id",
            ago_s,
            job_id,
        )
