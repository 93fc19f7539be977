"""Asks for the jobs of schedules at their times.

    look ─▶ is it for this worker to act? ─▶ set those that are new or changed ─▶ tick those that are due ─▶ wait

Rules:

- A tick and its job are one transaction, which does nothing where the tick is not as it was read: each tick has exactly
  one job, however many workers see it and whatever dies meanwhile.
- Ticks that were missed (no worker lived, PostgreSQL was away) are made up for by one job, as soon as it can be asked
  for.  The next tick is then the first one to come.
- The worker that was started last acts alone, because it knows the newest settings: during a rolling restart two
  workers with different settings do not undo each other's changes.  That is for the settings' sake; the first rule does
  not need it.
- A schedule that is new, or whose time was changed, ticks at its next time from then on: nothing of its past is made up
  for.  The same is true of one that was away or off for a while.
- Times are the ledger's clock's.
- A kind that no handler here performs is warned of, once, by the worker that acts: other workers may have it, and where
  they have not, each tick is a dead letter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Protocol

import gevent
import msgspec
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.cron import next_tick
from gateway.domain.errors import BadRequest, StoreUnavailable
from gateway.domain.job import Draft, Enqueued
from gateway.domain.resilience.priority import Priority
from gateway.settings.schedules import ScheduleSettings, time_zone
from gateway.store.ledger import schedules as rows
from gateway.store.ledger.process import Process
from gateway.store.ledger.schedules import Read, Scheduled
from gateway.store.postgres import Database

__all__ = ["Scheduler"]

#: Seconds between two looks: how soon a worker finds that it is for it to act.
_LOOK_EVERY_S = 5.0
#: Seconds before another look where one failed: PostgreSQL is away, or this process is not in the ledger yet.
_AWAY_S = 0.5
#: Seconds by which a look may come early or late after a tick; ticks are whole seconds.
_PAUSE_MIN_S = 0.02


class Writer(Protocol):
    """What is needed of :class:`gateway.jobs.jobs.Jobs`."""

    def write(self, cursor: Any, drafts: Sequence[Draft]) -> list[Enqueued]:
        """Write jobs in a transaction."""
        ...

    def hint(self, enqueued: Sequence[Enqueued], drafts: Sequence[Draft]) -> None:
        """Tell of them once they are committed."""
        ...


class _Schedule(msgspec.Struct, frozen=True):
    """One of the settings, ready to tick."""

    cron: str
    zone: tzinfo
    #: What its times are worked out of, as one text.
    timing: str
    draft: Draft


class Scheduler:
    """The loop."""

    def __init__(
        self,
        database: Database,
        jobs: Writer,
        schedules: Mapping[str, ScheduleSettings],
        *,
        kinds: Collection[str],
        me: Callable[[], Process],
        dead_after_s: float,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        """*kinds* are those of jobs that this worker performs.

        *me* raises :exc:`StoreUnavailable` as long as this process is not in the ledger.
        """
        self._database = database
        self._jobs = jobs
        self._schedules = {name: _schedule(name, one) for name, one in schedules.items() if one.on}
        #: Those of which no handler here knows the kind, until they have been told.
        self._strange = {name: one.draft.kind for name, one in self._schedules.items() if one.draft.kind not in kinds}
        self._me = me
        self._dead_after_s = dead_after_s
        self._look_every_s = look_every_s

    def __repr__(self) -> str:
        return f"<Scheduler of {', '.join(sorted(self._schedules)) or 'nothing'}>"

    def tick_forever(self) -> None:
        """Tick until killed.  To be supervised."""
        while True:
            wait_s = min(self._look_every_s, _AWAY_S)
            # Fail-open: what is missed meanwhile is made up for by the first look that succeeds.
            with contextlib.suppress(StoreUnavailable):
                wait_s = self.tick()
            gevent.sleep(max(_PAUSE_MIN_S, wait_s))

    def tick(self) -> float:
        """Look once, and do what is due; return the seconds until the next look.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        process = self._me()
        found = self._database.run(lambda cursor: rows.read(cursor, process, self._dead_after_s))
        if not found.leads:
            return self._look_every_s
        self._warn()
        nexts = {name: self._next(name, one, found) for name, one in self._schedules.items()}
        self._write_changes(found, nexts)
        return min([self._look_every_s, *(at - found.now for at in nexts.values())])

    def _warn(self) -> None:
        for name, kind in self._strange.items():
            telemetry.event("schedule.unknown_kind", schedule=name, kind=kind, detail="see worker.handlers")
        self._strange = {}

    def _next(self, name: str, schedule: _Schedule, found: Read) -> float:
        """Return when *schedule* ticks next, having it tick now if it is due."""
        stands = found.schedules.get(name)
        if stands is not None and stands.timing == schedule.timing and stands.next_at > found.now:
            return stands.next_at
        at = next_tick(schedule.cron, schedule.zone, found.now)
        if stands is not None and stands.timing == schedule.timing:
            self._tick(name, schedule, stands, at, late_s=found.now - stands.next_at)
        return at

    def _tick(self, name: str, schedule: _Schedule, stands: Scheduled, at: float, *, late_s: float) -> None:
        drafts = [schedule.draft]

        def work(cursor: Cursor) -> list[Enqueued]:
            cursor.execute("BEGIN")
            if not rows.tick(cursor, name, stands, at):
                cursor.execute("ROLLBACK")
                return []
            asked = self._jobs.write(cursor, drafts)
            cursor.execute("COMMIT")
            return asked

        try:
            asked = self._database.run(work)
        except BadRequest as error:
            # Too large a payload, say: told once a tick, and not in the way of others.
            telemetry.event("schedule.failed", schedule=name, reason=error.reason, detail=str(error))
            self._database.run(lambda cursor: rows.set_next(cursor, {name: Scheduled(schedule.timing, at)}))
            return
        if asked:
            self._jobs.hint(asked, drafts)
            outcome = "asked" if asked[0].fresh else "skipped"
            telemetry.event("schedule.ticked", schedule=name, outcome=outcome, late_s=late_s)

    def _write_changes(self, found: Read, nexts: Mapping[str, float]) -> None:
        changed = {
            name: Scheduled(one.timing, nexts[name])
            for name, one in self._schedules.items()
            if name not in found.schedules or found.schedules[name].timing != one.timing
        }
        if changed:
            self._database.run(lambda cursor: rows.set_next(cursor, changed))
        if gone := found.schedules.keys() - self._schedules.keys():
            self._database.run(lambda cursor: rows.forget(cursor, sorted(gone)))


def _schedule(name: str, settings: ScheduleSettings) -> _Schedule:
    its_own = f"schedule:{name}"
    return _Schedule(
        cron=settings.cron,
        zone=time_zone(settings.timezone),
        timing=f"{' '.join(settings.cron.split())} {settings.timezone}",
        draft=Draft(
            kind=settings.kind,
            payload=settings.payload,
            lane=settings.lane or its_own,
            priority=Priority[settings.priority.upper()],
            unique=its_own if settings.skip_unfinished else None,
        ),
    )
