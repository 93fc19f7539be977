"""Whole workers in the test's own process, on real stores, whose deaths and returns are noticed fast."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from gateway.domain.job import PARTITIONS, Done
from gateway.settings.lanes import LaneSettings
from gateway.settings.settings import Settings
from gateway.telemetry.metrics import Metrics
from tests.contracts.job_queues import RealQueue
from tests.support.waiting import GUARD_S, until
from workers.worker import Worker

__all__ = ["Crew", "Gate"]

_LANES = LaneSettings(beat_s=0.1, dead_after_s=2.0, lease_margin_s=0.3, poll_s=0.1)


class Gate:
    """Runs that go on when the test lets them."""

    def __init__(self, then: Any = None) -> None:
        self.open = Event()
        self.inside = 0
        self.most = 0
        #: What ended the runs that were not let go on.
        self.cut: list[str] = []
        self._then = Done() if then is None else then

    def __call__(self, context: Any, payload: Any) -> Any:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            assert self.open.wait(GUARD_S)
        except BaseException as error:
            self.cut.append(type(error).__name__)
            raise
        finally:
            self.inside -= 1
        return self._then


class Crew(RealQueue):
    """Workers that share one ledger."""

    lanes = _LANES

    def hire(self) -> Worker:
        """Have one worker more, built but not started."""
        settings = Settings(
            home=Path("/nonexistent"),
            accounts={},
            assistants={},
            store=self._store,
            jobs=self._settings,
            lanes=self.lanes,
        )
        worker = Worker(settings, Metrics(), self.handlers, label=f"crew {len(self.workers)}")
        self.workers.append(worker)
        return worker

    def start(self) -> Worker:
        worker = self.hire()
        worker.start()
        return worker

    def leave_to(self, *workers: Worker, partitions: int = PARTITIONS) -> None:
        """Return once these own so many partitions together."""
        until(
            f"{workers} to own {partitions}",
            lambda: sum(len(self.owned(worker)) for worker in workers) == partitions,
        )

    def owned(self, worker: Worker) -> set[int]:
        return set(
            self.one(
                "SELECT coalesce(array_agg(partition::int), '{}') FROM job_partitions WHERE owner_process = %s",
                worker.owner.process_id,
            )
        )

    def declare_dead(self, worker: Worker) -> None:
        """Have the ledger believe that it died, as its parent's word would."""
        label = f"crew {self.workers.index(worker)}"
        assert self.one("SELECT processes_dead FROM process_declare_dead(%s, true)", label) == 1

    def close(self) -> None:
        for worker in self.workers:
            worker.stop(time.monotonic() + 1)
        super().close()

    def turns(self) -> None:
        """Let what is about to happen happen."""
        for _ in range(3):
            gevent.idle()
