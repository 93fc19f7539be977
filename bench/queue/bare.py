"""A worker with promises less, to see what each costs: ``python -m bench.queue.bare PROMISE,...``.

It is the product's own worker, without its parent, of which some parts are replaced before it begins:

ends     a lane goes on before the end of its last job is written: after a kill, more than one of it may run again, and
         nobody counts the death; as many ends may be unwritten as jobs may be under way beside them
limits   no time limit, and no look at the lease or the fence before a job begins
claims   nobody writes down what a worker has in its hands: nobody counts deaths, and a repeat does not show
fences   ends are written whoever the partition belongs to
"""

from gevent import monkey

monkey.patch_all()

import contextlib
import math
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg2

import workers.engine
import workers.worker
from gateway.domain.job import Job, JobEnd
from gateway.settings.jobs import JobSettings
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database
from workers.board import Board, Ending
from workers.dispatcher import Dispatcher
from workers.settler import Settler

SCHEMA = "bare"
#: Places of jobs whose lane has gone on, and whose end is yet to be written.
_AHEAD: set[int] = set()


class Early(Settler):
    """Tells that an end is written before it is, of a bounded number of them: what a settler takes has a bound, too."""

    def __init__(
        self,
        database: Database,
        process: Callable[[], Process],
        settings: JobSettings,
        *,
        told: Callable[[JobEnd, Ending], None],
        **options: Any,
    ) -> None:
        super().__init__(database, process, settings, told=self._written, **options)
        self._ahead_max = settings.jobs_in_flight_max
        self._tell = told

    def put(self, end: JobEnd) -> None:
        if end.fate == "done" and len(_AHEAD) < self._ahead_max:
            _AHEAD.add(end.job.place)
            self._tell(end, end.fate)
        super().put(end)

    def _written(self, end: JobEnd, fate: Ending) -> None:
        if end.job.place in _AHEAD:
            _AHEAD.remove(end.job.place)
        else:
            self._tell(end, fate)


class Remembering(Board):
    """Knows what the ledger still shows although its lane has gone on: it would run again."""

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with super().reading():
            self._ended |= _AHEAD
            yield

    def knows(self, place: int) -> bool:
        return place in _AHEAD or super().knows(place)


class Boundless(Dispatcher):
    """Runs jobs for as long as they like, and whoever they belong to."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "holds": lambda: True})

    def _run(self, job: Job) -> None:
        self._settle(self._executor.execute(job, math.inf))


class Elsewhere(Database):
    """Finds functions of ``SCHEMA`` before the ledger's own."""

    def _connect(self) -> Any:
        connection = super()._connect()
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path TO {SCHEMA}, public")
        return connection


def without_ends() -> None:
    vars(workers.engine).update(Settler=Early, Board=Remembering)


def without_limits() -> None:
    vars(workers.engine)["Dispatcher"] = Boundless


def without_claims() -> None:
    claimed = r"claimed AS \(\s*INSERT INTO job_claims.*?RETURNING id\s*\)"
    for function in ("jobs_scan", "jobs_scan_lanes"):
        _change(function, {claimed: "claimed AS (SELECT 0::bigint AS id)"})


def without_fences() -> None:
    locked, ours = r"PERFORM 1 FROM \(\s*SELECT 1 FROM job_partitions.*?\) AS locked;", r"ours := ARRAY\(.*?\n    \);"
    _change("jobs_settle", {locked: "", ours: "ours := parts;"})


WITHOUT: Mapping[str, Callable[[], None]] = {
    "ends": without_ends,
    "limits": without_limits,
    "claims": without_claims,
    "fences": without_fences,
}


def _change(function: str, changes: Mapping[str, str]) -> None:
    """Put a copy of one of the ledger's functions into ``SCHEMA``, with each pattern, which is there once, replaced."""
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", (f"public.{function}",))
        [[definition]] = cursor.fetchall()
        definition = definition.replace(f"public.{function}", f"{SCHEMA}.{function}")
        for pattern, new in changes.items():
            definition, count = re.subn(pattern, new, definition, flags=re.DOTALL)
            assert count == 1, f"{function} has {pattern} once"
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        cursor.execute(definition)
    connection.close()
    vars(workers.worker)["Database"] = Elsewhere


if __name__ == "__main__":
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    with connection, connection.cursor() as cursor:
        # What another variant left there.
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    connection.close()
    for promise in sys.argv[1].split(","):
        WITHOUT[promise]()
    sys.argv[1:] = []
    runpy.run_module("workers", run_name="__main__")
