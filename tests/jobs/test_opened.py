"""``open_jobs``: jobs asked for by a program of one's own, with and without gevent's patches."""

from __future__ import annotations

import os
import subprocess
import sys

import gevent
import msgspec
import pytest
import redis

from gateway.domain.errors import StoreUnavailable, SwitchboardError
from gateway.domain.job import PARTITIONS, partition_of
from gateway.jobs.opened import open_jobs
from gateway.settings.jobs import JobSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from tests.support.job_actor import JobActor
from tests.support.waiting import GUARD_S, until

PROGRAM = """
from gateway.jobs.opened import open_jobs
from gateway.domain.job import Draft
import gevent.monkey
import socket

assert not gevent.monkey.is_module_patched("socket")
with open_jobs() as jobs:
    one = jobs.enqueue("report.make", {"account": 7}, lane="account:7", unique="k")
    again = jobs.enqueue("report.make", {"account": 7}, lane="account:7", unique="k")
    many = jobs.enqueue_many([Draft(kind="report.make", payload=n, lane="account:7") for n in range(300)])
    print(one.job_id == again.job_id, one.fresh, again.fresh, len(many))
    print(jobs.status(one.job_id).state, jobs.wait(one.job_id, 0.1).state)
"""


def hinted(redis_url: str, lane: str) -> list[int]:
    """Return the jobs that the owner of a lane's partition was told of."""
    with redis.Redis.from_url(redis_url) as client:
        entries = client.xrange(f"switchboard:jobs:{{{partition_of(lane)}}}")
    return [int(word) for _, fields in entries for word in fields[b"j"].split()[1:]]


def test_a_plain_program_asks_for_jobs_with_no_other_secret(database: str, redis_url: str) -> None:
    """Law: unpatched Python will do, and the settings of the stores are enough."""
    names = ("PATH", "SWITCHBOARD_CONFIG", "SWITCHBOARD_HOME")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={**kept, "DATABASE_URL": database, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )
    assert (found.stderr, found.returncode) == ("", 0)
    assert found.stdout == "True True False 300\nready ready\n"

    actor = JobActor(database)
    ids = [job_id for (job_id,) in actor.rows("SELECT id FROM jobs ORDER BY place")]
    assert len(ids) == 301
    assert sorted(hinted(redis_url, "account:7")) == sorted(ids)


def test_greenlets_of_a_patched_program_ask_at_once(store_settings: StoreSettings, redis_url: str) -> None:
    with open_jobs(store_settings, JobSettings()) as jobs:
        asking = [gevent.spawn(jobs.enqueue, "a", n, lane="l") for n in range(50)]
        ids = {one.get(timeout=GUARD_S).job_id for one in asking}
    assert len(ids) == 50
    assert set(hinted(redis_url, "l")) == ids


def test_the_last_hint_goes_out_when_the_program_fails(store_settings: StoreSettings, redis_url: str) -> None:
    def program() -> None:
        with open_jobs(store_settings, JobSettings()) as jobs:
            jobs.enqueue("a", 1, lane="l")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        program()
    assert hinted(redis_url, "l") == [1]


def test_nothing_of_it_is_left_behind(store_settings: StoreSettings) -> None:
    with open_jobs(store_settings, JobSettings(), application="opened") as jobs:
        jobs.enqueue("a", 1)
    actor = JobActor(store_settings.database_url.reveal())
    look = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'opened'"
    until("the connections are closed", lambda: actor.rows(look) == [(0,)])


@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
def test_an_address_that_is_missing_is_named(store_settings: StoreSettings, missing: str) -> None:
    without = msgspec.structs.replace(store_settings, **{missing.lower(): Secret("")})
    told = f"expected {missing} in the environment"
    with pytest.raises(SwitchboardError, match=told), open_jobs(without, JobSettings()):
        pass


def test_it_does_not_open_without_a_schema(store_settings: StoreSettings, empty_database: str) -> None:
    bare = msgspec.structs.replace(store_settings, database_url=Secret(empty_database))
    with pytest.raises(StoreUnavailable, match="switchboard migrate"), open_jobs(bare, JobSettings()):
        pass


def test_without_redis_it_opens_all_the_same(store_settings: StoreSettings) -> None:
    """Law: fail-open: a worker's look finds what it asked for."""
    deaf = msgspec.structs.replace(store_settings, redis_url=Secret("redis://127.0.0.1:1"))
    with open_jobs(deaf, JobSettings()) as jobs:
        assert 0 <= jobs.enqueue("a", 1).partition < PARTITIONS
