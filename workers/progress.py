"""What running jobs say of their progress, written for their callers to read: the newest of each, now and then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import msgspec

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Job
from gateway.settings.jobs import JobSettings
from gateway.store.ledger import jobs as rows
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database

__all__ = ["Progress"]

_encode = msgspec.json.Encoder().encode


class Progress:
    """Takes reports of jobs."""

    def __init__(self, database: Database, process: Callable[[], Process], settings: JobSettings) -> None:
        self._database = database
        self._process = process
        self._settings = settings
        #: The newest that has not been written, by job id.
        self._newest: dict[int, tuple[Job, str]] = {}

    def __repr__(self) -> str:
        return f"<Progress of {len(self._newest)} jobs to be written>"

    def report(self, job: Job, value: Any) -> None:
        """Have *value* written, in the place of what the job reported before.

        :raises TypeError: it cannot be JSON.
        """
        self._newest[job.job_id] = job, _json(value)

    def write_forever(self) -> None:
        """Write what was reported, every ``jobs.progress_every_s``.  To be supervised."""
        while True:
            gevent.sleep(self._settings.progress_every_s)
            # Fail-open: a report is there to be looked at, and the next one is newer.
            with contextlib.suppress(StoreUnavailable):
                self._write()

    def _write(self) -> None:
        # As many as there are now, and no more: who reports all the time would keep this going without a pause.
        for _ in range(0, len(self._newest), self._settings.batch_rows_max):
            portion = list(self._newest)[: self._settings.batch_rows_max]
            reports = [self._newest.pop(job_id) for job_id in portion]
            self._write_together(reports)

    def _write_together(self, reports: Sequence[tuple[Job, str]]) -> None:
        self._database.run(lambda cursor: rows.progress(cursor, self._process(), reports))


def _json(value: Any) -> str:
    try:
        encoded = _encode(value)
        # A ``msgspec.Raw`` is written as it is, whatever it is; PostgreSQL would refuse others' reports with it.
        msgspec.json.decode(encoded)
        return encoded.decode()
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise TypeError(f"expected a report that can be written as JSON: {error}") from None
