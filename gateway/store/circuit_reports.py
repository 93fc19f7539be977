"""What each process says of its circuits, so that a person sees those of all.

A report is a key of Redis that expires: it is made anew all the time, and a process that died is silent soon.  Who
there is to ask is known from the ledger, so a process that does not report is told from one that does not exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import redis
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import StoreUnavailable
from gateway.settings.store import StoreSettings
from gateway.store.redis_client import redis_client

__all__ = ["REPORT_LIVES_S", "Circuit", "CircuitReports", "LiveProcess", "encode_report", "live_processes"]

#: Seconds that a report is believed.  Three are written in that time.
REPORT_LIVES_S = 15.0
#: Seconds without a beat after which a process is not asked: more than any sensible lanes.dead_after_s, which a command
#: need not know.  Who is declared dead before is not asked either.
_SILENT_S = 60


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint's circuit in one process."""

    state: str
    #: Unix seconds since when it is in this state, or known at all.
    since: float
    #: Why it came to it; empty if nothing ever happened.
    reason: str = ""
    #: Of the last seconds (rpc.breaker_window_s).
    calls: int = 0
    failed: int = 0
    slow: int = 0
    #: Seconds until it may be tried again.
    open_for_s: float = 0.0
    #: Another process found it failing lately.
    suspected: bool = False


class LiveProcess(msgspec.Struct, frozen=True, kw_only=True):
    """One that may have something to say."""

    process_id: int
    kind: str
    label: str


#: By the endpoint's label.  Fields of a newer version are passed over.
_Report = dict[str, Circuit]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Report).decode


def live_processes(cursor: Cursor) -> list[LiveProcess]:
    """Return the processes that live, by id."""
    cursor.execute(
        "SELECT id, kind, label FROM processes"
        " WHERE beat > clock_timestamp() - make_interval(secs => %s) ORDER BY id",
        (_SILENT_S,),
    )
    return [LiveProcess(process_id=row[0], kind=row[1], label=row[2]) for row in cursor.fetchall()]


class CircuitReports:
    """Writes this process's report and reads all."""

    def __init__(self, settings: StoreSettings) -> None:
        self._prefix = settings.redis_prefix
        self._client = redis_client(settings)

    def write(self, process_id: int, report: bytes) -> None:
        """Replace the report of *process_id*.

        :raises StoreUnavailable: Redis does not answer.
        """
        try:
            self._client.set(self._key(process_id), report, ex=math.ceil(REPORT_LIVES_S))
        except redis.RedisError as error:
            raise _silent() from error

    def read(self, process_ids: Iterable[int]) -> dict[int, dict[str, Circuit]]:
        """Return the reports of those of *process_ids* that report.

        :raises StoreUnavailable: Redis does not answer.
        """
        ids = list(process_ids)
        # Not MGET, which in a cluster only takes keys of one slot.
        pipeline = self._client.pipeline(transaction=False)
        for process_id in ids:
            pipeline.get(self._key(process_id))
        try:
            found = zip(ids, pipeline.execute(), strict=True)
        except redis.RedisError as error:
            raise _silent() from error
        return {process_id: _understood(report) for process_id, report in found if report is not None}

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._client.close()

    def _key(self, process_id: int) -> str:
        return f"{self._prefix}circuits:{process_id}"


def encode_report(circuits: dict[str, Circuit]) -> bytes:
    """Return a report as it is written."""
    return _encode(circuits)


def _understood(report: bytes) -> _Report:
    try:
        return _decode(report)
    except msgspec.MsgspecError:
        # Another version's: that process lives and reports, but what it says cannot be shown.
        return {}


def _silent() -> StoreUnavailable:
    return StoreUnavailable(
        "Redis does not answer (store.redis_url)", reason="redis_unreachable", retry_after_s=2
    )
