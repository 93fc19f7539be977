"""Hints about jobs: which have just been written, so that the owner of their partition looks for them at once.

One stream of Redis for each partition, capped; an entry names a batch's jobs of one priority by their ids, never by
content.  The owner reads from behind what it has read, and trims what it has read; a new owner reads from the start.

Rules:

- Fail-open: while Redis is away hints are dropped (told once, when it goes), and the owner's looks at the ledger find
  the same jobs within ``jobs.poll_s``.  A hint that comes twice, or to one who is not the owner any more, harms nobody.
- Publishing never blocks its caller: hints wait in a bounded dict for one greenlet, which sends what has gathered in
  one round trip.
- No consumer group: who may run a job is decided by the owner of its partition in the ledger, and nothing here is
  acknowledged.
- Every command is about one partition, whose key has its number as a hash tag: in a cluster it is one slot's.
- One read for all partitions at one server.  A cluster refuses a read of several slots, so there each partition is read
  by a greenlet with a connection of its own, at once and without polling: as many connections as there are partitions,
  by all workers together.  A partition whose master is gone is read again when it has another; the others go on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gevent
import redis
from gevent import Greenlet
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from gateway import telemetry
from gateway.domain.resilience.priority import Priority
from gateway.settings.store import StoreSettings
from gateway.store.redis_client import redis_client
from gateway.store.redis_several import PartlyReached, SeveralRedis

__all__ = ["JobHintReader", "JobHints"]

#: Jobs that one entry names.  With jobs.hints_per_partition_max it bounds a stream's memory.
_IDS_PER_ENTRY_MAX = 64
#: Hinted jobs that wait to be published; above it new ones are dropped.
_WAITING_MAX = 50_000
#: Seconds between two tries to reach Redis.
_PAUSE_S = 1.0
#: Seconds of one blocking read of all partitions; between two of them it is noticed that others are to be read.
_LISTEN_S = 0.5
#: Seconds of one blocking read of one partition.  It ends sooner when somebody else owns that.
_LISTEN_APART_S = 2.0
#: A partition's read that has waited for less than the first found what was there already, so there is enough to do:
#: the next one gathers for the second.  An idle partition is read at once.
_BUSY_S, _GATHER_S = 0.005, 0.02
#: Entries of one partition that one read brings.
_READ_MAX = 200
#: Seconds between two trims of what has been read: a stream is capped anyway.
_TRIM_EVERY_S = 1.0
#: Seconds for which a hint is let act before the next is read.
_LOOK_S = 0.001
_START = b"0-0"


class JobHints:
    """This process's way of telling partitions' owners of new jobs."""

    def __init__(self, settings: StoreSettings, hints_max: int) -> None:
        self._prefix = settings.redis_prefix
        self._hints_max = hints_max
        self._client = redis_client(settings)
        #: By partition and priority.
        self._waiting: dict[tuple[int, int], list[int]] = {}
        self._ids = 0
        self._some = Event()
        self._sending = BoundedSemaphore(1)
        self._reachable = True

    def __repr__(self) -> str:
        return f"<JobHints {self._ids} jobs waiting>"

    def publish(self, partition: int, priority: int, ids: Sequence[int] = ()) -> None:
        """Have the owner of *partition* told of these jobs, which are committed; without ids, that it should look."""
        if self._ids + len(ids) <= _WAITING_MAX:
            self._waiting.setdefault((partition, priority), []).extend(ids)
            self._ids += len(ids)
            self._some.set()

    def publish_forever(self) -> None:
        """Send what was published.  To be supervised."""
        while True:
            self._some.wait()
            self._some.clear()
            if not self.flush():
                gevent.sleep(_PAUSE_S)

    def flush(self) -> bool:
        """Send what waits now; False if Redis did not take it, and what waited is dropped.

        What the publisher is sending has been sent, too, when this returns: it may be killed then.
        """
        with self._sending:
            return self._flush()

    def _flush(self) -> bool:
        while self._waiting:
            together, self._waiting, self._ids = self._waiting, {}, 0
            try:
                self._send(together)
                self._reachable = True
            except PartlyReached as error:
                # The hints of some partitions are lost, and those of the others need not wait for them.
                self._lost(error.__cause__ or error)
            except redis.RedisError as error:
                self._lost(error)
                self._waiting, self._ids = {}, 0
                return False
        return True

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._client.close()

    def _lost(self, error: BaseException) -> None:
        telemetry.event("redis.missed", reason=type(error).__name__)
        if self._reachable:
            self._reachable = False
            telemetry.event("redis.unavailable", reason=type(error).__name__)

    def _send(self, together: dict[tuple[int, int], list[int]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for (partition, priority), ids in together.items():
            key = _key(self._prefix, partition)
            for start in range(0, len(ids) or 1, _IDS_PER_ENTRY_MAX):
                words = [int(priority), *ids[start : start + _IDS_PER_ENTRY_MAX]]
                pipeline.xadd(
                    key, {"j": " ".join(map(str, words))}, maxlen=self._hints_max, approximate=True
                )
        pipeline.execute()


class JobHintReader:
    """Hears what the owner of some partitions is told."""

    def __init__(
        self, settings: StoreSettings, on_hint: Callable[[int, Priority, Sequence[int]], None]
    ) -> None:
        self._prefix = settings.redis_prefix
        self._on_hint = on_hint
        # Of its own, because a blocking read must be allowed to last longer than the timeout of a command.
        self._client = redis_client(settings, patience_s=_LISTEN_APART_S)
        #: By partition, the entry read last.
        self._read: dict[int, bytes] = {}
        #: By partition, the last entry that was read and is still in the stream.
        self._untrimmed: dict[int, bytes] = {}
        self._trimmed_at = 0.0
        #: Partitions that could not be read.
        self._unread: set[int] = set()
        self._some = Event()

    def __repr__(self) -> str:
        return f"<JobHintReader of {len(self._read)} partitions>"

    def watch(self, partitions: Iterable[int]) -> None:
        """Read these partitions and no others, within half a second; one that is new here from its start."""
        self._read = {partition: self._read.get(partition, _START) for partition in sorted(partitions)}
        self._unread.intersection_update(self._read)
        self._some.set()

    def listen_forever(self) -> None:
        """Hand hints to ``on_hint``.  To be supervised."""
        while True:
            try:
                if isinstance(self._client, SeveralRedis) and self._client.by_slot:
                    self._listen_apart()
                else:
                    self._listen_together()
            except redis.RedisError as error:
                self._lost(self._read, error)
                gevent.sleep(_PAUSE_S)

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._client.close()

    def _listen_together(self) -> None:
        while True:
            self._some.clear()
            if self._read:
                self._listen_to(list(self._read), _LISTEN_S)
                self._trim()
            else:
                self._some.wait()

    def _listen_apart(self) -> None:
        readers: dict[int, Greenlet[[int], None]] = {}
        try:
            while True:
                self._some.clear()
                for partition in [partition for partition in readers if partition not in self._read]:
                    readers.pop(partition).kill(block=False)
                for partition in self._read:
                    if partition not in readers:
                        readers[partition] = gevent.spawn(self._listen_to_one, partition)
                self._some.wait(_TRIM_EVERY_S)
                # What stays is taken out later, or by the cap; that a server is gone is noticed by who reads there.
                with contextlib.suppress(redis.RedisError):
                    self._trim()
                for reader in readers.values():
                    if reader.dead:
                        reader.get()
        finally:
            gevent.killall(list(readers.values()))

    def _listen_to_one(self, partition: int) -> None:
        while True:
            asked_at = time.monotonic()
            try:
                some = self._listen_to([partition], _LISTEN_APART_S)
            except redis.RedisError as error:
                self._lost([partition], error)
                gevent.sleep(_PAUSE_S)
            else:
                if some and time.monotonic() - asked_at < _BUSY_S:
                    gevent.sleep(_GATHER_S)

    def _listen_to(self, partitions: Sequence[int], wait_s: float) -> bool:
        """Read once, waiting for something to come where nothing has; return whether something came."""
        by_key = {_key(self._prefix, partition).encode(): partition for partition in partitions}
        streams: dict[Any, Any] = {key: self._read.get(partition, _START) for key, partition in by_key.items()}
        found: Any = self._client.xread(streams, count=_READ_MAX, block=int(wait_s * 1000))
        self._unread.difference_update(partitions)
        # A dict of lists of pages in RESP3, a list of pairs in RESP2.
        answers = found.items() if isinstance(found, dict) else found or ()
        for key, answer in answers:
            entries = answer[0] if isinstance(found, dict) else answer
            partition = by_key[key]
            if entries and partition in self._read:
                self._read[partition] = self._untrimmed[partition] = entries[-1][0]
                for _, fields in entries:
                    self._hear(partition, fields)
        if found:
            # The next read is written when the look that was told of has its answer: writing takes as long as the look,
            # and would be before it.
            gevent.sleep(_LOOK_S)
        return bool(found)

    def _lost(self, partitions: Iterable[int], error: redis.RedisError) -> None:
        """Begin anew with these: perhaps another Redis comes back, which counts its entries from the start."""
        telemetry.event("redis.missed", reason=type(error).__name__)
        if not self._unread:
            telemetry.event("redis.unavailable", reason=type(error).__name__)
        for partition in partitions:
            self._unread.add(partition)
            self._untrimmed.pop(partition, None)
            if partition in self._read:
                self._read[partition] = _START

    def _hear(self, partition: int, fields: dict[bytes, bytes]) -> None:
        try:
            priority, *ids = map(int, fields[b"j"].split())
            hint = Priority(priority), ids
        except (KeyError, ValueError):
            # A newer process says something that this one does not know: a look will find what matters.
            return
        self._on_hint(partition, *hint)

    def _trim(self) -> None:
        """Take out what has been read: a new owner need not read it again, and Redis need not keep it."""
        now = time.monotonic()
        if not self._untrimmed or now - self._trimmed_at < _TRIM_EVERY_S:
            return
        self._trimmed_at = now
        untrimmed, self._untrimmed = self._untrimmed, {}
        pipeline = self._client.pipeline(transaction=False)
        for partition, entry in untrimmed.items():
            pipeline.xtrim(_key(self._prefix, partition), minid=_behind(entry), approximate=False)
        pipeline.execute()


def _key(prefix: str, partition: int) -> str:
    return f"{prefix}jobs:{{{partition}}}"


def _behind(entry: bytes) -> str:
    """Return the lowest id that an entry behind this one can have."""
    milliseconds, _, number = entry.partition(b"-")
    return f"{int(milliseconds)}-{int(number) + 1}"
