"""Which partitions of jobs this worker owns.

    look at the ledger ─▶ compare ─▶ end what is being given up ─▶ share ─▶ take | give up | keep

Every ``jobs.share_every_s``, and at once after a hint.  Rules:

- A partition is given up in two steps: nothing of it is started any more (``on_release``), and as soon as nothing of it
  runs, the ledger is told and the others are hinted.  What runs is never handed over: its lane would have two.
- The ledger says what is ours.  An answer that was lost is made up for by the next look; what the ledger gave to
  somebody else is dropped.
- Declared dead, this worker owns nothing, and an answer from before that is void, although nobody has told the ledger.
- Without a lease nothing is taken.  What is owned is kept, because it may hold again in a moment: starting is forbidden
  by the lease itself.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.settings.jobs import JobSettings
from gateway.store.ledger import job_partitions
from gateway.store.ledger.job_partitions import Ownership
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database
from workers.share import Keep, Release, Take, share

__all__ = ["Identity", "Partitions"]

#: Seconds between two looks at whether what is being given up still runs.
_LEAVING_LOOK_S = 0.05
#: Seconds that the last word about what is given up may take, however late it is.
_LAST_WORD_S = 0.5


class Identity(Protocol):
    """The part of the owner that is asked: who this process is, and whether its lease holds."""

    @property
    def process(self) -> Process:
        """Who this process is, or :exc:`StoreUnavailable`."""
        ...

    def holds(self) -> bool:
        """Return whether anything may be begun now."""
        ...


class Partitions:
    """This worker's partitions."""

    def __init__(
        self,
        database: Database,
        owner: Identity,
        settings: JobSettings,
        *,
        dead_after_s: float,
        on_taken: Callable[[Mapping[int, int]], None],
        on_release: Callable[[Collection[int]], None],
        running_of: Callable[[int], int],
        announce: Callable[[], None],
    ) -> None:
        self._database = database
        self._owner = owner
        self._settings = settings
        self._dead_after_s = dead_after_s
        #: Told of partitions with their fences, to be read from now on.
        self._on_taken = on_taken
        #: Told of partitions of which nothing may be started any more: of several at once, because it costs a walk
        #: through all that is in memory.
        self._on_release = on_release
        self._running_of = running_of
        #: Tells all workers to look: there is something to be had, or the number of workers changes.
        self._announce = announce
        self._fences: dict[int, int] = {}
        self._leaving: dict[int, int] = {}
        #: Counts how often everything was dropped: an answer from another life is void.
        self._lives = 0
        self._announced: Process | None = None
        self._draining = False
        self._drained: Process | None = None
        self._hinted = Event()
        #: One look at a time: its answers are all there is to know.
        self._look_lock = BoundedSemaphore()

    def __repr__(self) -> str:
        return f"<Partitions: {len(self._fences)} owned, {len(self._leaving)} being given up>"

    @property
    def fences(self) -> Mapping[int, int]:
        """The partitions of which jobs may be read and started, with their fences."""
        return self._fences

    def holds(self, partition: int, fence: int) -> bool:
        """Return whether what ran of the partition may be written: it is ours, if only until that has ended."""
        return self._fences.get(partition) == fence or self._leaving.get(partition) == fence

    def hint(self) -> None:
        """Look now."""
        self._hinted.set()

    def watch_forever(self) -> None:
        """Keep this worker's share until killed.  To be supervised."""
        while True:
            self._hinted.wait(_LEAVING_LOOK_S if self._leaving else self._settings.share_every_s)
            self._hinted.clear()
            with contextlib.suppress(StoreUnavailable):
                self.look()

    def look(self) -> None:
        """Look once, and act on it.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        with self._look_lock:
            if not self._owner.holds():
                return
            me, life = self._owner.process, self._lives
            self._introduce(me)
            ownership = self._database.run(
                lambda cursor: job_partitions.look(cursor, self._dead_after_s),
            )
            if life == self._lives:
                self._compare(ownership, me)
                self._share(ownership, me)
                self._end_leaving(me)

    def lost(self, partition: int, fence: int) -> None:
        """Drop a partition of which the ledger has said that it is not ours under this fence."""
        for held in (self._fences, self._leaving):
            if held.get(partition) == fence:
                del held[partition]
                self._on_release([partition])
        self.hint()

    def drop(self) -> None:
        """Own nothing from now on: this process was declared dead, and its fences are void."""
        self._lives += 1
        partitions = [*self._fences, *self._leaving]
        self._fences.clear()
        self._leaving.clear()
        if partitions:
            self._on_release(partitions)

    def drain(self) -> None:
        """Take nothing more, and have the others share without this worker; what is owned is given up.  Safe twice."""
        self._draining = True
        self._leave([*self._fences])
        self.hint()

    def release_all(self, deadline: float) -> bool:
        """Give everything up as it comes to an end; return whether all was by *deadline* (monotonic seconds).

        Safe twice, and if nothing was ever owned.
        """
        self.drain()
        while True:
            # PostgreSQL may be silent for longer than there is time.
            patience_s = max(_LAST_WORD_S, deadline - time.monotonic())
            ends = contextlib.suppress(StoreUnavailable, gevent.Timeout)
            with ends, gevent.Timeout(patience_s), self._look_lock:
                me = self._owner.process
                self._introduce(me)
                self._end_leaving(me)
            if not self._leaving:
                return True
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            gevent.sleep(min(_LEAVING_LOOK_S, left_s))

    def _introduce(self, me: Process) -> None:
        if self._draining and self._drained != me:
            # Again after having been declared dead: who comes back shares as everybody does.
            self._database.run(lambda cursor: job_partitions.drain(cursor, me))
            self._drained = self._announced = me
            self._announce()
        if self._announced != me:
            self._announced = me
            self._announce()

    def _compare(self, ownership: Ownership, me: Process) -> None:
        """Believe the ledger where it knows better: answers may have been lost."""
        theirs = {partition for partition, owner in ownership.owners.items() if owner == me.process_id}
        if lost := (self._fences.keys() | self._leaving.keys()) - theirs:
            for partition in lost:
                self._fences.pop(partition, None)
                self._leaving.pop(partition, None)
            self._on_release(lost)
            self.hint()
        if theirs - self._fences.keys() - self._leaving.keys():
            life = self._lives
            owned = self._database.run(lambda cursor: job_partitions.owned(cursor, me))
            if life == self._lives:
                self._taken(
                    {
                        partition: fence
                        for partition, fence in owned.items()
                        if partition not in self._fences and partition not in self._leaving
                    }
                )

    def _share(self, ownership: Ownership, me: Process) -> None:
        workers = [worker for worker in ownership.workers if worker != me.process_id or not self._draining]
        match share(me.process_id, workers, self._fences.keys(), self._running_of):
            case Take(partitions_max):
                if None in ownership.owners.values():
                    life = self._lives
                    taken = self._database.run(lambda cursor: job_partitions.take(cursor, me, partitions_max))
                    if life == self._lives:
                        self._taken(taken)
            case Release(partitions):
                self._leave(partitions)
            case Keep():
                pass

    def _taken(self, fences: Mapping[int, int]) -> None:
        if not fences:
            return
        self._fences.update(fences)
        telemetry.event("partitions.taken", partitions=len(fences), owned=len(self._fences))
        if self._draining:
            # Asked for before, answered after.
            self._leave(fences)
        else:
            self._on_taken(fences)

    def _leave(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self._leaving[partition] = self._fences.pop(partition)
        if partitions:
            self._on_release(partitions)

    def _end_leaving(self, me: Process) -> None:
        """Tell the ledger of what is given up and runs no more."""
        idle = {
            partition: fence for partition, fence in self._leaving.items() if not self._running_of(partition)
        }
        if not idle:
            return
        life = self._lives
        self._database.run(lambda cursor: job_partitions.release(cursor, me, idle))
        # Those that the ledger did not release were not ours any more: either way they are nothing of ours now.
        if life == self._lives:
            for partition in idle:
                self._leaving.pop(partition, None)
        telemetry.event("partitions.released", partitions=len(idle), owned=len(self._fences))
        self._announce()
