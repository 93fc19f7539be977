"""Outbox rows in the hands of this worker: taken from the ledger, being sent, their ends on the way back.

Rules:

- A row is in one pair of hands: while its end is not written, nobody here takes it again.
- An end is written until PostgreSQL takes it (gateway/replies/ends.py).
- A row whose taking was cut off, because its job was, is given back once it is known whether it was taken.
- A row that the ledger says this process is sending, and that it knows nothing of, has certainly not been sent: the
  answer to its taking was lost.  The job that carries it takes it again if it still runs here; else it is given back,
  because its conversation would wait for it as long as this process lives, and because it would be called unknown when
  this process leaves.
- Rows that wait without a job that carries them are mended (``outbox.sql``): no function of ours leaves any.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import gevent
from gevent import Greenlet
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.replies.ends import Ends
from gateway.replies.strays import Strays
from gateway.settings.store import StoreSettings
from gateway.store.batcher import Batcher
from gateway.store.ledger import outbox
from gateway.store.ledger.asking import FollowUps, write_ends
from gateway.store.ledger.outbox import Finish, Taking
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database
from gateway.supervision import Supervisor
from gateway.waiting import Awaited

__all__ = ["Sends"]

#: Waiting rows that one look for those without a carrier goes through.
_MEND_ROWS_MAX = 500
#: Seconds that a last look for strays may take, however late it is.
_LAST_LOOK_S = 0.25


class Sends:
    """The rows, and the two statements about them, each for many greenlets at once."""

    def __init__(
        self,
        database: Database,
        process: Callable[[], Process],
        settings: StoreSettings,
        *,
        look_every_s: float,
        follow_ups: FollowUps | None = None,
    ) -> None:
        """*look_every_s*: seconds between two looks for strays, and for rows without a carrier."""
        self._database = database
        self._process = process
        self._look_every_s = look_every_s
        self._follow_ups = follow_ups
        self._held: set[int] = set()
        rows_max, waiting_max = settings.batch_rows_max, settings.batch_waiting_max
        self._takes: Batcher[int, Taking] = Batcher(
            "take", database, self._take, rows_max=rows_max, batches_max=1, waiting_max=waiting_max
        )
        self._ends = Ends(database, self._finish, settings, written=self._held.discard)
        self._strays = Strays(self._owned, self.__contains__, self._give_back, every_s=look_every_s)
        self._mend_behind: datetime | None = None

    def __repr__(self) -> str:
        return f"<Sends of {len(self._held)} rows>"

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, outbox_id: object) -> bool:
        """Whether this process knows that it has the row."""
        return outbox_id in self._held

    def supervise(self, supervisor: Supervisor) -> None:
        """Have it looked after what was lost on its way."""
        supervisor.add("strays", self._strays.watch_forever)
        supervisor.add("mend", self._mend_forever)

    def take(self, outbox_id: int) -> Taking:
        """Take the row, to be sent now if it was ``taken``; it is to be ended then.

        :raises TryLater: PostgreSQL does not answer, or has too much to do; perhaps it was taken all the same.
        """
        if outbox_id in self._held:
            return Taking("elsewhere")
        self._held.add(outbox_id)
        taking: Awaited[Taking] = Awaited()
        try:
            self._takes.tell(outbox_id, lambda _, outcome: taking.put(outcome))
            found = taking.get()
        except Exception:
            self._held.discard(outbox_id)
            raise
        except BaseException:
            # Nobody will send what is perhaps being taken at this moment: once that is known, it goes back.
            self._ends.keep(gevent.spawn(self._give_back_taken, outbox_id, taking))
            raise
        if found.found != "taken":
            self._held.discard(outbox_id)
        return found

    def end(self, finish: Finish) -> bool:
        """Write what became of a row; return whether it was still this process's.  Waits for as long as that takes."""
        return bool(self.put(finish).get())

    def put(self, finish: Finish) -> Greenlet[..., bool]:
        """Do the same behind the caller's back."""
        return self._ends.put(finish)

    def flush(self, deadline: float) -> bool:
        """Give back what was taken without being heard of, and wait until all ends are written; return whether they
        were by *deadline* (monotonic seconds).

        To be called when nothing is taken any more and before this process leaves the ledger, which calls what it has
        not ended unknown: a reply that was sent would go out again, and one that certainly was not would stay away.
        """
        # PostgreSQL may be silent for longer than there is time.  Without its word their fate is unknown indeed.
        patience_s = max(_LAST_LOOK_S, deadline - time.monotonic())
        with contextlib.suppress(StoreUnavailable, gevent.Timeout), gevent.Timeout(patience_s):
            # One look is enough here: what is being taken is held, and what has ended meanwhile is not given back.
            self._give_back([outbox_id for outbox_id in self._owned() if outbox_id not in self._held])
        return self._ends.join(deadline)

    def _give_back_taken(self, outbox_id: int, taking: Awaited[Taking]) -> bool:
        # An error does not say that it was not taken.
        with contextlib.suppress(Exception):
            if taking.get().found != "taken":
                self._held.discard(outbox_id)
                return False
        return self._ends.write(Finish(outbox_id, "wait", reason="claim_lost"))

    def _take(self, cursor: Cursor, batch: Sequence[int]) -> list[Taking]:
        found = outbox.take(cursor, self._process(), batch)
        if taken := sum(taking.found == "taken" for taking in found):
            telemetry.event("outbox.claimed", rows=taken)
        return found

    def _finish(self, cursor: Cursor, batch: Sequence[Finish]) -> list[bool]:
        return write_ends(cursor, self._process(), batch, self._follow_ups)

    def _owned(self) -> set[int]:
        return self._database.run(lambda cursor: outbox.owned(cursor, self._process()))

    def _give_back(self, outbox_ids: Sequence[int]) -> None:
        # In our hands until it is written: a job that took one now would send it while it is given to others.
        self._held.update(outbox_ids)
        for outbox_id in outbox_ids:
            self.put(Finish(outbox_id, "wait", reason="claim_lost"))

    def _mend_forever(self) -> None:
        while True:
            gevent.sleep(self._look_every_s)
            try:
                self._mend()
            except StoreUnavailable:
                continue

    def _mend(self) -> None:
        mended = self._database.run(lambda cursor: outbox.mend(cursor, self._mend_behind, _MEND_ROWS_MAX))
        self._mend_behind = mended.behind
        if mended.carried or mended.given_up:
            telemetry.event("outbox.mended", carried=mended.carried, given_up=mended.given_up)
