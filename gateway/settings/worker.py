"""The worker processes themselves.  How they run jobs and send replies is in the settings of jobs and of the outbox."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["PROCESSES_MAX", "WorkerSettings"]

#: As many as there are partitions: one more would never have a job.
PROCESSES_MAX = 32


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[worker]``"""

    #: Processes of one `switchboard worker`.  One core each; of all workers together no more than 32 can have jobs,
    #: because that is how many partitions there are.
    processes: Annotated[int, Meta(ge=1, le=PROCESSES_MAX)] = 1
    #: Port on which the first process of a worker shows its metrics to Prometheus, on ``server.host``; the next
    #: process takes the next port, and so on.  0: nowhere.
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    #: Modules with handlers of your own kinds of jobs, by the names that Python knows them by: ``greetings,shop.jobs``
    #: are greetings.py and shop/jobs.py.  Each is imported when a worker starts: it lies in the folder in which the
    #: worker is started, or in one of PYTHONPATH, or is installed.
    handlers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        last = self.metrics_port + self.processes - 1
        if self.metrics_port and last > 65_535:
            raise ValueError(
                f"metrics_port ({self.metrics_port}) must leave a port for each of {self.processes} processes: "
                f"the last one's would be {last}"
            )
