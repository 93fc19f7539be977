"""A job as :mod:`gateway.jobs.memory` keeps it: what the ledger's table has of one, and how its states follow."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.domain.job import PARTITIONS, Draft, Enqueued, Job, JobEnd, partition_of
from gateway.store.ledger.job_status import JobStatus

__all__ = ["MemoryRow"]


class MemoryRow(msgspec.Struct):
    """A job.  Times are Unix seconds, given by the caller."""

    job_id: int
    asked: Draft
    place: int
    state: str
    created_at: float
    due_at: float
    attempts: int = 0
    progress: Any = None
    end: JobEnd | None = None
    finished_at: float | None = None

    @property
    def unfinished(self) -> bool:
        """Whether it is still to be done."""
        return self.state in {"ready", "scheduled"}

    def is_kept(self, now: float) -> bool:
        """Return whether something can be seen of it: of one that has ended well, while its result is kept."""
        if self.state != "done" or self.finished_at is None:
            return True
        return self.asked.keep_s > 0 and now <= self.finished_at + self.asked.keep_s

    def enqueued(self, *, fresh: bool) -> Enqueued:
        """Return what its asker is told."""
        return Enqueued(self.job_id, self._partition(), fresh)

    def job(self) -> Job:
        """Return it as its handler gets it."""
        asked = self.asked
        return Job(
            job_id=self.job_id,
            place=self.place,
            partition=self._partition(),
            fence=1,
            priority=asked.priority,
            kind=asked.kind,
            lane=asked.lane,
            payload=bytes(asked.payload).decode(),
            attempts=self.attempts,
            deaths=0,
            wait_s=0.0,
            keep_s=asked.keep_s,
            trace_id=asked.trace_id,
            age_s=0.0,
            claim=0,
        )

    def status(self) -> JobStatus:
        """Return how it stands."""
        end = self.end
        return JobStatus(
            job_id=self.job_id,
            kind=self.asked.kind,
            lane=self.asked.lane,
            state=self.state,  # type: ignore[arg-type]  # only the words of JobStatus are ever written
            attempts=self.attempts,
            progress=self.progress,
            result=msgspec.json.decode(end.result) if end is not None and end.result is not None else None,
            reason=end.reason if end is not None else "",
            detail=end.detail if end is not None else "",
            created_at=self.created_at,
            due_at=self.due_at,
            finished_at=self.finished_at,
        )

    def report(self, value: Any) -> None:
        """Take note of its progress."""
        self.progress = msgspec.json.decode(msgspec.json.encode(value))

    def settle(self, end: JobEnd, now: float) -> None:
        """Take note of how a run ended."""
        self.end, self.attempts = end, end.attempts
        match end.fate:
            case "done" | "bury":
                self.state = "done" if end.fate == "done" else "buried"
                self.finished_at = now
            case "retry" | "snooze":
                self.state = "ready" if end.fate == "retry" else "scheduled"
                self.due_at = now + end.after_s

    def _partition(self) -> int:
        lane = self.asked.lane
        return self.job_id % PARTITIONS if lane is None else partition_of(lane)
