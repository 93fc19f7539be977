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
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gevent
import redis
from gevent.event import Event

from gateway import telemetry
from gateway.domain.resilience.priority import Priority
from gateway.settings.store import StoreSettings
from gateway.store.redis_client import redis_client

__all__ = ["JobHintReader", "JobHints", "redis_groups"]

#: Jobs that one entry names.  With jobs.hints_per_partition_max it bounds a stream's memory.
_IDS_PER_ENTRY_MAX = 64
#: Hinted jobs that wait to be published; above it new ones are dropped.
_WAITING_MAX = 50_000
#: Seconds between two tries to reach Redis.
_PAUSE_S = 1.0
#: Seconds of one blocking read; between two of them it is noticed that other partitions are to be read.
_LISTEN_S = 0.5
#: Entries of one partition that one read brings.
_READ_MAX = 200
#: Seconds between two trims of what has been read: a stream is capped anyway.
_TRIM_EVERY_S = 1.0
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
        """Send what waits now; False if Redis did not take it, and what waited is dropped."""
        while self._waiting:
            together, self._waiting, self._ids = self._waiting, {}, 0
            try:
                self._send(together)
            except redis.RedisError as error:
                if self._reachable:
                    self._reachable = False
                    telemetry.event("redis.unavailable", reason=type(error).__name__)
                self._waiting, self._ids = {}, 0
                return False
            self._reachable = True
        return True

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._client.close()

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
        self._client = redis_client(settings, patience_s=_LISTEN_S)
        #: By partition, the entry read last.
        self._read: dict[int, bytes] = {}
        #: By partition, the last entry that was read and is still in the stream.
        self._untrimmed: dict[int, bytes] = {}
        self._trimmed_at = 0.0
        self._some = Event()
        self._reachable = True

    def __repr__(self) -> str:
        return f"<JobHintReader of {len(self._read)} partitions>"

    def watch(self, partitions: Iterable[int]) -> None:
        """Read these partitions and no others, within half a second; one that is new here from its start."""
        self._read = {partition: self._read.get(partition, _START) for partition in sorted(partitions)}
        self._some.set()

    def listen_forever(self) -> None:
        """Hand hints to ``on_hint``.  To be supervised."""
        while True:
            try:
                self._listen()
            except redis.RedisError as error:
                if self._reachable:
                    self._reachable = False
                    telemetry.event("redis.unavailable", reason=type(error).__name__)
                # Perhaps another Redis comes back, which counts its entries anew.
                self._read = dict.fromkeys(self._read, _START)
                self._untrimmed = {}
                gevent.sleep(_PAUSE_S)

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._client.close()

    def _listen(self) -> None:
        while True:
            groups = redis_groups(self._read)
            if not groups:
                self._some.clear()
                self._some.wait()
            elif len(groups) == 1:
                self._listen_to(groups[0])
            else:
                _together([gevent.spawn(self._listen_to, group) for group in groups])
            self._trim()

    def _listen_to(self, partitions: Sequence[int]) -> None:
        """Read once, waiting for something to come where nothing has."""
        by_key = {_key(self._prefix, partition).encode(): partition for partition in partitions}
        streams: dict[Any, Any] = {key: self._read.get(partition, _START) for key, partition in by_key.items()}
        found: Any = self._client.xread(streams, count=_READ_MAX, block=int(_LISTEN_S * 1000))
        self._reachable = True
        # A dict of lists of pages in RESP3, a list of pairs in RESP2.
        answers = found.items() if isinstance(found, dict) else found or ()
        for key, answer in answers:
            entries = answer[0] if isinstance(found, dict) else answer
            partition = by_key[key]
            if entries and partition in self._read:
                self._read[partition] = self._untrimmed[partition] = entries[-1][0]
                for _, fields in entries:
                    self._hear(partition, fields)

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


def redis_groups(partitions: Iterable[int]) -> list[list[int]]:
    """Return the partitions in groups of which each can be read by one command: one server's streams all together."""
    together = list(partitions)
    return [together] if together else []


def _key(prefix: str, partition: int) -> str:
    return f"{prefix}jobs:{{{partition}}}"


def _behind(entry: bytes) -> str:
    """Return the lowest id that an entry behind this one can have."""
    milliseconds, _, number = entry.partition(b"-")
    return f"{int(milliseconds)}-{int(number) + 1}"


def _together(reads: list[Any]) -> None:
    try:
        gevent.joinall(reads, raise_error=True)
    finally:
        gevent.killall(reads)
