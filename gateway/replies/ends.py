"""The ends of sends on their way to the ledger, behind the backs of those who sent.

An end is written until PostgreSQL takes it, also when whoever brought it is cut off meanwhile.

No user waits for an end: what was sent has arrived.  So ends may wait a little for each other, which spares most of
their commits; who needs one hurries them.  What that costs: of a process that is killed, what it has sent in that time
is unknown, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent
import msgspec
from gevent import Greenlet
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import StoreRefused, TryLater
from gateway.settings.store import StoreSettings
from gateway.store.batcher import Batcher
from gateway.store.ledger.outbox import Finish
from gateway.store.postgres import Database

__all__ = ["Ends"]

#: Seconds between two tries of writing an end.
_PAUSE_S = 0.25
#: Reason of an end whose own words PostgreSQL refused.
_UNWRITABLE = "unwritable"


class Ends:
    """Writes them."""

    def __init__(
        self,
        database: Database,
        write: Callable[[Cursor, Sequence[Finish]], list[bool]],
        settings: StoreSettings,
        *,
        written: Callable[[int], None],
        gather_s: float = 0.0,
    ) -> None:
        """*written*: hears of each outbox id whose end is committed; *gather_s*: how long ends wait for each other."""
        self._written = written
        self._writing: set[Greenlet[..., bool]] = set()
        self._finishes: Batcher[Finish, bool] = Batcher(
            "finish",
            database,
            write,
            rows_max=settings.batch_rows_max,
            batches_max=1,
            waiting_max=settings.batch_waiting_max,
            gather_s=gather_s,
        )

    def __len__(self) -> int:
        return len(self._writing)

    def put(self, finish: Finish) -> Greenlet[..., bool]:
        """Have an end written; the greenlet returns whether the row was still this process's."""
        return self.keep(gevent.spawn(self.write, finish))

    def end(self, finish: Finish) -> bool:
        """Do the same and wait for it: without a greenlet of its own, unless the caller is cut off meanwhile."""
        try:
            return self.write(finish)
        except Exception:
            raise
        except BaseException:
            # Written twice it changes nothing: the second one finds a row that has its end.
            self.put(finish)
            raise

    def keep(self, writing: Greenlet[..., bool]) -> Greenlet[..., bool]:
        """Have ``join`` wait for it."""
        self._writing.add(writing)
        writing.rawlink(self._writing.discard)
        return writing

    def hurry(self) -> None:
        """Have what waits, and what is put next, written at once: somebody waits for it."""
        self._finishes.hurry()

    def join(self, deadline: float) -> bool:
        """Wait until all are written; return whether they were by *deadline* (monotonic seconds)."""
        self.hurry()
        gevent.joinall(list(self._writing), timeout=max(0.0, deadline - time.monotonic()))
        return not self._writing

    def write(self, finish: Finish) -> bool:
        """Write an end, however long that takes; return whether the row was still this process's."""
        while True:
            try:
                ours = self._finishes.submit(finish)
            except TryLater:
                gevent.sleep(_PAUSE_S)
            except StoreRefused:
                if finish.reason == _UNWRITABLE:
                    raise
                # A platform's words may be none that can be kept.  The end must be: a row without one would look as if
                # it had never been sent, and go out again.
                finish = msgspec.structs.replace(finish, reason=_UNWRITABLE, detail="", platform_id="")
            else:
                # Not after a crash: what may have been sent must not be taken again as if it had not.
                self._written(finish.outbox_id)
                return ours
