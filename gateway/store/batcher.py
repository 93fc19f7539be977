"""Many greenlets, one statement: group commit.

Items that arrive while a batch is under way wait and go together in the next one.  An idle system adds no delay, a
busy one shares each round trip and each flush to disk among up to ``rows_max`` items.  The promises:

- One item's bad data fails that item alone: the batch is split in two, and again, until it stands by itself.
- A batch whose answer was lost is run again, so what it does must be safe to repeat.
- With ``exclusive``, items of equal key are never in two batches under way at once, and keep their order.
- With ``gathers``, the next batch starts behind what else this turn of the event loop brings: larger batches for work
  that is short.  Where a batch waits for the disk, starting at once is worth more.
- With ``gather_s``, a batch that is not full waits that long for others, unless somebody hurries: for items that are
  in nobody's way.  A batch of one costs as much as ten rows of a large one.
- What waits is bounded; above the bound ``submit`` refuses at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar, cast

import gevent
import psycopg2
from gevent import get_hub
from gevent.event import Event
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.errors import Overloaded, StoreRefused, StoreUnavailable, SwitchboardError, TryLater
from gateway.greenlets.errands import Errands
from gateway.store.postgres import Database, unavailable
from gateway.waiting import Awaited

__all__ = ["Batcher"]

Item = TypeVar("Item")
Result = TypeVar("Result")

#: SQLSTATE classes of bad data: data exception, integrity constraint violation.
_BAD_DATA = ("22", "23")
#: deadlock_detected, serialization_failure, lock_not_available, and invalid_sql_statement_name (what the connection had
#: prepared was thrown away): the same batch may succeed now.
_REPEATABLE = ("40P01", "40001", "55P03", "26000")
#: Tries of one batch, none of them begun after the time in which PostgreSQL should have answered the first.
_TRIES_MAX = 4
#: Pause before another try, times its number.
_PAUSE_S = 0.02


class _Entry(Awaited[Result], Generic[Item, Result]):
    """An item, and its result."""

    __slots__ = ("item",)

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


class _Told(_Entry[Item, Result]):
    """An item whose result nobody waits for: it is told."""

    __slots__ = ("tell",)

    def __init__(self, item: Item, tell: Callable[[Item, Result | BaseException], None]) -> None:
        super().__init__(item)
        self.tell = tell

    def put(self, outcome: Result | BaseException) -> None:
        self.tell(self.item, outcome)


class Batcher(Generic[Item, Result]):
    """Runs ``work`` on batches of submitted items, at most ``batches_max`` at once."""

    def __init__(
        self,
        name: str,
        database: Database,
        work: Callable[[Cursor, Sequence[Item]], Sequence[Result]],
        *,
        rows_max: int,
        batches_max: int,
        waiting_max: int,
        exclusive: Callable[[Item], Hashable] | None = None,
        gathers: bool = False,
        gather_s: float = 0.0,
    ) -> None:
        self._name = name
        self._database = database
        self._work = work
        self._rows_max = rows_max
        self._batches_max = batches_max
        self._waiting_max = waiting_max
        self._exclusive = exclusive
        self._gathers = gathers
        self._gather_s = gather_s
        self._hurried = Event()
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._keys_under_way: set[Hashable] = set()
        self._batches = 0
        self._errands = Errands()

    def __repr__(self) -> str:
        return f"<Batcher {self._name}: {len(self._waiting)} waiting, {self._batches} under way>"

    def submit(self, item: Item) -> Result:
        """Return the item's result once its batch has committed.

        :raises Overloaded: ``store.batch_waiting_max`` items wait already.
        :raises StoreUnavailable: PostgreSQL did not take the batch; it may have been written all the same.
        :raises StoreRefused: the item itself cannot be written.
        """
        return self._enqueue(item).get()

    def tell(self, item: Item, told: Callable[[Item, Result | BaseException], None]) -> None:
        """Have *item* in a batch, and ``told(item, outcome)`` called in the event loop: its result, or the error that
        ``submit`` would raise.  For those who would need a greenlet only to wait.

        :raises Overloaded: ``store.batch_waiting_max`` items wait already.
        """
        self._append(_Told(item, told))

    def hurry(self) -> None:
        """Let the next batch wait for no others: somebody waits for what is in it, or about to be."""
        self._hurried.set()

    def submit_all(self, items: Sequence[Item]) -> list[Result]:
        """Return the results of several items, which wait together and keep their order.  Raises as ``submit``, once
        the fate of each is known; and "try later" before "refused", which is not the last word on the others."""
        outcomes = self.outcomes(items)
        errors = [outcome for outcome in outcomes if isinstance(outcome, SwitchboardError)]
        if errors:
            raise min(errors, key=lambda error: not isinstance(error, TryLater))
        return cast("list[Result]", outcomes)

    def outcomes(self, items: Sequence[Item]) -> list[Result | SwitchboardError]:
        """Do the same with errors as values: one item's must not hide what became of the others."""
        outcomes: list[Result | SwitchboardError] = []
        for entry in [self._try_enqueue(item) for item in items]:
            try:
                outcomes.append(entry if isinstance(entry, Overloaded) else entry.get())
            except SwitchboardError as error:
                outcomes.append(error)
        return outcomes

    def _try_enqueue(self, item: Item) -> _Entry[Item, Result] | Overloaded:
        try:
            return self._enqueue(item)
        except Overloaded as error:
            return error

    def _enqueue(self, item: Item) -> _Entry[Item, Result]:
        entry: _Entry[Item, Result] = _Entry(item)
        self._append(entry)
        return entry

    def _append(self, entry: _Entry[Item, Result]) -> None:
        if len(self._waiting) >= self._waiting_max:
            raise Overloaded(
                f"{self._waiting_max} rows wait for the ledger already (store.batch_waiting_max)",
                reason="ledger_busy",
                retry_after_s=1,
            )
        self._waiting.append(entry)
        self._start()

    def _start(self) -> None:
        if self._waiting and self._batches < self._batches_max:
            self._batches += 1
            self._errands.start(self._drain)

    def _drain(self) -> None:
        try:
            while batch := self._next():
                keys = set() if self._exclusive is None else {self._exclusive(entry.item) for entry in batch}
                self._keys_under_way |= keys
                try:
                    self._run(batch)
                finally:
                    self._keys_under_way -= keys
                if self._gathers:
                    gevent.sleep(0)
        except BaseException:
            # Killed: what has come meanwhile must not wait for the next item to come.
            get_hub().loop.run_callback(self._start)
            raise
        finally:
            self._batches -= 1

    def _next(self) -> list[_Entry[Item, Result]]:
        if self._gather_s and 0 < len(self._waiting) < self._rows_max:
            self._hurried.wait(self._gather_s)
            self._hurried.clear()
        return self._take()

    def _take(self) -> list[_Entry[Item, Result]]:
        """Return the next batch, in order of arrival; what must not go now stays in its place."""
        if self._exclusive is None or not self._keys_under_way:
            return [self._waiting.popleft() for _ in range(min(self._rows_max, len(self._waiting)))]
        batch: list[_Entry[Item, Result]] = []
        held: deque[_Entry[Item, Result]] = deque()
        while self._waiting and len(batch) < self._rows_max:
            entry = self._waiting.popleft()
            (held if self._exclusive(entry.item) in self._keys_under_way else batch).append(entry)
        self._waiting.extendleft(reversed(held))
        return batch

    def _run(self, batch: list[_Entry[Item, Result]]) -> None:
        try:
            outcomes = self._outcomes([entry.item for entry in batch])
        except BaseException as error:
            outcomes = [error] * len(batch)
            raise
        finally:
            get_hub().loop.run_callback(self._wake, batch, outcomes)

    def _wake(
        self, batch: Sequence[_Entry[Item, Result]], outcomes: Sequence[Result | BaseException]
    ) -> None:
        for entry, outcome in zip(batch, outcomes, strict=True):
            try:
                entry.put(outcome)
            except Exception as error:
                # Of whoever is told: the others of the batch would never hear of theirs.
                telemetry.event(
                    "batch.untold",
                    kind=self._name,
                    reason=type(error).__name__,
                    detail=telemetry.trace(error),
                )

    def _outcomes(self, items: list[Item]) -> list[Result | BaseException]:
        try:
            return list(self._try(items))
        except (psycopg2.Error, ValueError) as error:
            # A plain ValueError is psycopg2's own: a NUL in a string never reaches PostgreSQL.
            if not _is_bad_data(error):
                return [_not_now(error)] * len(items)
            if len(items) == 1:
                return [_refused(error)]
            telemetry.event("batch.split", kind=self._name, rows=len(items), reason=_code(error))
        except Exception as error:
            return [error] * len(items)
        half = len(items) // 2
        return self._outcomes(items[:half]) + self._outcomes(items[half:])

    def _try(self, items: list[Item]) -> Sequence[Result]:
        tries, until = 0, time.monotonic() + self._database.answer_max_s
        while True:
            tries += 1
            try:
                with telemetry.span("batch.committed", kind=self._name, rows=len(items)):
                    return self._database.attempt(lambda cursor: self._work(cursor, items))
            except (StoreUnavailable, psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                # No code: the connection is gone, and nobody knows whether the batch was committed.
                if not _is_repeatable(error) or tries >= _TRIES_MAX or time.monotonic() >= until:
                    raise
            gevent.sleep(_PAUSE_S * tries)


def _code(error: Exception) -> str:
    return getattr(error, "pgcode", None) or type(error).__name__


def _is_bad_data(error: Exception) -> bool:
    # UnicodeEncodeError (a lone surrogate) is a ValueError too.
    return isinstance(error, ValueError) or _code(error)[:2] in _BAD_DATA


def _is_repeatable(error: Exception) -> bool:
    """Whether the same batch may succeed now: 57P is PostgreSQL on its way down or up."""
    code = getattr(error, "pgcode", None)
    return code is None or code in _REPEATABLE or code.startswith("57P")


def _refused(error: Exception) -> StoreRefused:
    return StoreRefused(f"PostgreSQL refuses the row ({_code(error)})", reason="store_refused")


def _not_now(error: Exception) -> Exception:
    """Not the data's fault: a standby that cannot write, a full disk, functions of another version, a lost network."""
    return unavailable(error) if isinstance(error, psycopg2.Error) else error
