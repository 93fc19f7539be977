"""What a handler meets when :mod:`gateway.jobs.memory` performs its job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from gateway.domain.deadline import Deadline
from gateway.domain.job import Job, JobOutcome

__all__ = ["MemoryContext", "MemoryHandler"]


class MemoryHandler(Protocol):
    """What a kind's handler is known by: those that ``workers.registry`` registers are such."""

    @property
    def decode(self) -> Callable[[str], Any]:
        """Read a payload."""
        ...

    @property
    def perform(self) -> Callable[[Any, Any], JobOutcome]:
        """Perform a job: of its context and payload."""
        ...

    @property
    def attempts_max(self) -> int:
        """Failed tries; 0: ``jobs.attempts_max``."""
        ...

    @property
    def time_limit_s(self) -> float:
        """Seconds for one try; 0: ``jobs.time_limit_s``."""
        ...


class MemoryContext(msgspec.Struct, frozen=True):
    """What a handler is given beside its payload."""

    job: Job
    deadline: Deadline
    #: Whatever the test wants its handlers to work with.
    tools: Any
    progress: Callable[[Any], None]

    @property
    def job_id(self) -> int:
        """The job's id."""
        return self.job.job_id

    @property
    def attempt(self) -> int:
        """Which try this is, counted from 1."""
        return self.job.attempts + 1

    @property
    def trace_id(self) -> str:
        """The trace that asked for the job."""
        return self.job.trace_id

    def holds(self) -> bool:
        """Return that a call or a send may be started now."""
        return True
