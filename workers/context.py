"""What a handler is given beside its payload: which job it performs, how long it has, and the worker's tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.channels.base import Channel
from gateway.domain.deadline import Deadline
from gateway.domain.job import Job
from gateway.jobs.jobs import Jobs
from gateway.lanes.owner import Owner
from gateway.replies.sending import Sender
from gateway.rpc.client import RpcClient
from gateway.settings.settings import Settings
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from workers.sends import Sends

__all__ = ["Context", "Tools"]


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What handlers work with.  One for the whole worker; everything in it is made for many greenlets."""

    settings: Settings
    database: Database
    owner: Owner
    rpc: RpcClient
    channels: Mapping[str, Channel[Any]]
    jobs: Jobs
    signals: Signals
    sends: Sends
    sender: Sender
    #: Monotonic seconds.
    clock: Callable[[], float]
    #: Unix seconds.
    wall_clock: Callable[[], float]
    #: From [0, 1).
    draw: Callable[[], float]


class Context(msgspec.Struct, frozen=True):
    """One run of one job."""

    job: Job
    #: When the run is ended, whatever it is doing.
    deadline: Deadline
    tools: Tools
    report: Callable[[Job, Any], None]

    @property
    def job_id(self) -> int:
        """The job's id; it stays the same over all its tries, so others may know a repeat by it."""
        return self.job.job_id

    @property
    def attempt(self) -> int:
        """Which try this is, counted from 1; tries that a death of the worker cut short are not counted."""
        return self.job.attempts + 1

    @property
    def trace_id(self) -> str:
        """The trace that asked for the job."""
        return self.job.trace_id

    def holds(self) -> bool:
        """Return whether a call or a send may be started now: the worker's lease still holds."""
        return self.tools.owner.holds()

    def progress(self, value: Any) -> None:
        """Let callers read *value*, anything that can be JSON; the newest is written every ``jobs.progress_every_s``.

        :raises TypeError: it cannot be JSON.
        """
        self.report(self.job, value)
