"""What runs jobs in a worker, put together: from the ledger through memory back to the ledger.

    partitions ─▶ feed ─▶ board ─▶ dispatcher ─▶ executor ─▶ settler ─▶ board: the lane goes on

The data flows one way, and each part knows the next one only; what comes back is told here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable, TooLate
from gateway.domain.hint import Hint, JobDropped, JobsPaused, PartitionsFree
from gateway.domain.job import PARTITIONS, Job, JobEnd
from gateway.jobs.webhooks import Webhooks
from gateway.lanes.owner import Owner
from gateway.settings.settings import Settings
from gateway.store import job_admin
from gateway.store.job_hints import JobHintReader
from gateway.store.ledger import jobs as rows
from gateway.store.postgres import Database
from gateway.supervision import Supervisor
from workers.board import Board, Ending
from workers.context import Tools
from workers.dispatcher import Dispatcher
from workers.executor import Executor
from workers.feed import Feed
from workers.partitions import Partitions
from workers.pauses import Pauses
from workers.progress import Progress
from workers.registry import Handler
from workers.settler import Settler

__all__ = ["Engine"]

#: Seconds at the end of a drain that are left for writing the ends, if it has so many; at most a quarter of it.
_SETTLE_S = 2.0


class Engine:
    """Runs jobs of the partitions that this worker owns."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        settings: Settings,
        handlers: Mapping[str, Handler],
        tools: Tools,
        *,
        announce: Callable[[], None],
    ) -> None:
        jobs = settings.jobs
        self._database = database
        self._owner = owner
        self._settings = settings
        self._board = Board(
            jobs.lane_buffered_max,
            bounds={kind: bound for kind, handler in handlers.items() if (bound := handler.bound(settings))},
        )
        self._partitions = Partitions(
            database,
            owner,
            jobs,
            dead_after_s=settings.lanes.dead_after_s,
            on_taken=self._taken,
            on_release=self._released,
            running_of=self._board.running_of,
            announce=announce,
        )
        fences = self._partitions.fences
        self._progress = Progress(database, lambda: owner.process, jobs)
        self._settler = Settler(
            database,
            lambda: owner.process,
            jobs,
            holds=self._partitions.holds,
            ended_claims=self._board.claims_ended,
            enqueue=rows.enqueue,
            hint=tools.jobs.hint,
            buried=Webhooks(settings.webhooks).buried,
            told=self._settled,
        )
        self._dispatcher = Dispatcher(
            self._board,
            Executor(handlers, tools, jobs, report=self._progress.report),
            self._settler.put,
            fences=fences,
            holds=self._may_start,
            in_flight_max=jobs.jobs_in_flight_max,
            taken=self._took,
            accuse=self._accuse,
        )
        self._feed = Feed(
            database, lambda: owner.process, jobs, self._board, fences=fences, wake=self._dispatcher.wake
        )
        self._pauses = Pauses(lambda: job_admin.read_pauses(database), self._feed.pause, jobs.poll_s)
        self._reader = JobHintReader(settings.store, self._feed.hint)

    def __repr__(self) -> str:
        return f"<Engine: {self._partitions!r}, {self._board!r}>"

    def supervise(self, supervisor: Supervisor) -> None:
        """Have its parts run."""
        supervisor.add("partitions", self._share_forever)
        supervisor.add("pauses", self._pauses.watch_forever)
        supervisor.add("feed", self._feed.read_forever)
        supervisor.add("hints", self._reader.listen_forever)
        supervisor.add("dispatcher", self._dispatcher.watch_forever)
        supervisor.add("claims", self._settler.forget_claims_forever)
        supervisor.add("progress", self._progress.write_forever)

    @property
    def share(self) -> float:
        """Of all jobs, those that are this worker's to run."""
        return len(self._partitions.fences) / PARTITIONS

    def hear(self, hint: Hint) -> None:
        """Act on what another process says, if it is about jobs."""
        match hint:
            case PartitionsFree():
                self._partitions.hint()
            case JobsPaused():
                self._pauses.look_now()
            case JobDropped():
                self._feed.dropped(hint.partition, hint.job_id)
            case _:
                pass

    def declared_dead(self) -> None:
        """Own nothing from here on: this process was silent for too long, and its partitions are others'."""
        self._partitions.drop()
        self._dispatcher.drop()

    def stop(self, deadline: float) -> None:
        """End by *deadline* (monotonic seconds), so that each job ends here or begins elsewhere, in this order.

        1. Take no more: the others share without this worker, and what has not begun is theirs as soon as nothing of
           its partition runs here.
        2. Finish what runs; what takes too long is cut off, and its next owner runs it again.
        3. Write the ends: what is not written would run again although it is done.
        4. Release what is left, now that nothing runs.

        Safe twice, and if never started.
        """
        begun = time.monotonic()
        self._partitions.drain()
        finished = self._dispatcher.stop(deadline - min(_SETTLE_S, max(0.0, deadline - begun) / 4))
        written = self._settler.flush(deadline)
        released = self._partitions.release_all(deadline)
        telemetry.event(
            "jobs.drained",
            finished=finished,
            written=written,
            released=released,
            seconds=time.monotonic() - begun,
        )

    def close(self) -> None:
        """Close its connection; to be called when nothing of it runs any more.  Safe twice."""
        self._reader.close()

    def _share_forever(self) -> None:
        # The first look finds a lease, and need not be made again a second later.
        with contextlib.suppress(TooLate):
            self._owner.wait_until_held(self._settings.jobs.share_every_s)
        self._partitions.hint()
        self._partitions.watch_forever()

    def _may_start(self) -> bool:
        # Not before it is known which kinds are paused, either.
        return self._pauses.known.is_set() and self._owner.holds()

    def _took(self) -> None:
        self._feed.eaten()

    def _taken(self, fences: Mapping[int, int]) -> None:
        self._feed.taken(fences)
        self._reader.watch(self._partitions.fences)

    def _released(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self._feed.released(partition)
        self._board.drop_partitions(partitions)
        self._reader.watch(self._partitions.fences)

    def _accuse(self, suspect: Job) -> bool:
        """Say in the ledger that this suspect is about to be run; without PostgreSQL it waits."""
        try:
            return self._database.run(lambda cursor: rows.accuse(cursor, self._owner.process, suspect))
        except StoreUnavailable:
            return False

    def _settled(self, end: JobEnd, fate: Ending) -> None:
        """Go on after an end was written: the only way in which a lane's next job becomes startable."""
        job = end.job
        self._board.settled(job, fate, time.monotonic(), end.after_s, end.attempts)
        if fate == "snooze":
            self._feed.due_in(end.after_s)
        elif fate == "lost":
            self._partitions.lost(job.partition, job.fence)
        self._dispatcher.wake()
