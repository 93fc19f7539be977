"""Jobs for programs that are no gateway and no worker: a script, a cron job, a site of one's own.

    with open_jobs() as jobs:
        jobs.enqueue("report.make", {"account": 7}, lane="account:7")

Its addresses are DATABASE_URL and REDIS_URL, as a worker's are, or the settings' own; no other secret is needed.  What
it gives is :class:`gateway.jobs.jobs.Jobs`, whose promises hold: a job is committed when ``enqueue`` returns.

It works in plain Python and in a program that gevent has patched.  Plain Python waits for the stores as it does for any
other call, one job after the other: ``enqueue_many`` is the fast way there.  A patched program whose greenlets are to
ask at once lets psycopg2 wait in greenlets too (``psycogreen.gevent.patch_psycopg()``, as ``workers/__main__.py``
does).  Either way it belongs to the thread that opened it: another one opens its own.

Fail-closed: without PostgreSQL, or its schema, it does not open.  Fail-open: without Redis a job is found by a worker's
look (``jobs.poll_s``); a plain program's hints go out when it next waits, and at the latest at the exit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from gateway.domain.errors import SwitchboardError
from gateway.jobs.jobs import Jobs
from gateway.settings.jobs import JobSettings
from gateway.settings.load import load_jobs
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database

__all__ = ["open_jobs"]


@contextmanager
def open_jobs(
    store: StoreSettings | None = None, settings: JobSettings | None = None, *, application: str = "switchboard program"
) -> Iterator[Jobs]:
    """Give a way to ask for jobs, closed at the exit; *store* and *settings* are loaded where they are not given.

    :raises SettingsError: the settings are wrong.
    :raises SwitchboardError: an address is missing.
    :raises StoreUnavailable: PostgreSQL does not answer, or has no jobs yet.
    """
    if store is None or settings is None:
        loaded = load_jobs()
        store, settings = store or loaded[0], settings or loaded[1]
    for name, address in (("DATABASE_URL", store.database_url), ("REDIS_URL", store.redis_url)):
        if not address:
            raise SwitchboardError(
                f"expected {name} in the environment, got none; beside `switchboard up` on this machine: "
                "open_jobs(stores()), with stores from gateway.cli.ledger",
                reason="no_address",
            )
    database = Database(store, application=application)
    hints = JobHints(store, settings.hints_per_partition_max)
    jobs = Jobs(database, settings, hints)
    greenlets = []
    try:
        jobs.backlog.look()
        greenlets = [gevent.spawn(hints.publish_forever), gevent.spawn(jobs.backlog.watch_forever)]
        yield jobs
    finally:
        hints.flush()
        gevent.killall(greenlets)
        hints.close()
        database.close()
