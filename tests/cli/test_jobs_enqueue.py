"""``switchboard jobs enqueue``: what is written, how a worker hears of it, and how it refuses."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gevent
import pytest
import redis
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.domain.job import JobEnd, partition_of
from tests.support.actor import Actor
from tests.support.job_actor import JobActor
from tests.support.waiting import GUARD_S, until


class Shell:
    """A person's."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        config = folder / "switchboard.toml"
        config.write_text("[jobs]\npayload_bytes_max = 100\n")
        self.actor = Actor(database_url)
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(config),
            "SWITCHBOARD_HOME": str(folder),
        }

    def run(self, *arguments: object, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(main, ["jobs", "enqueue", *map(str, arguments)], env=self.env, input=stdin)

    def done(self, *arguments: object, stdin: bytes = b"") -> str:
        result = self.run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def refused(self, *arguments: object, stdin: bytes = b"") -> str:
        result = self.run(*arguments, stdin=stdin)
        assert (result.exit_code in {1, 2}, result.stdout) == (True, ""), result.output
        assert self.jobs("id") == []
        return " ".join(result.stderr.split())

    def jobs(self, columns: str) -> list[tuple[Any, ...]]:
        return self.actor.rows(f"SELECT {columns} FROM jobs ORDER BY id")


@pytest.fixture
def shell(tmp_path: Path, database: str, redis_url: str) -> Shell:
    return Shell(tmp_path, database, redis_url)


def test_a_job_is_written_and_its_worker_is_told(shell: Shell, redis_url: str) -> None:
    assert shell.done("greet", '{"name": "Ada"}', "--lane", "user:7") == (
        "Job 1 of kind greet is asked for: `switchboard jobs show 1` shows what becomes of it.\n"
    )

    columns = "kind, payload::text, lane, state, priority, unique_key, keep_s"
    assert shell.jobs(columns) == [("greet", '{"name": "Ada"}', "user:7", "ready", 1, None, 0.0)]
    with redis.Redis.from_url(redis_url) as client:
        [(_, fields)] = client.xrange(f"switchboard:jobs:{{{partition_of('user:7')}}}")
    assert fields == {b"j": b"1 1"}


def test_all_that_a_job_can_be_asked_for_with(shell: Shell) -> None:
    payload = b'{"n": 12345678901234567890}\n'
    shell.done("a", "-", "--priority", "high", "--keep", 60, "--unique", "k", "--in", 600, stdin=payload)
    shell.done("b", "null", "--at", "2999-01-01T00:00:00Z")
    shell.done("c", "[1]", "--at", 32_472_144_000)

    first, *others = shell.jobs("payload::text, priority, keep_s, unique_key, state")
    assert first == ('{"n": 12345678901234567890}', 0, 60.0, "k", "scheduled")
    assert [state for *_, state in others] == ["scheduled", "scheduled"]
    [(soon,), *later] = shell.jobs("extract(epoch FROM due_at)::float8")
    assert soon == pytest.approx(time.time() + 600, abs=100)
    assert later == [(32_472_144_000,)] * 2


def test_a_job_that_bears_the_key_is_the_answer(shell: Shell) -> None:
    assert json.loads(shell.done("a", "1", "--unique", "k", "--json")) == {"job_id": 1, "fresh": True}
    assert json.loads(shell.done("a", "1", "--unique", "k", "--json")) == {"job_id": 1, "fresh": False}
    assert shell.done("a", "1", "--unique", "k") == "Job 1 bears this key and has not ended: no other was written.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["A B", "{}"], "expected a kind of lower-case letters"),
        (["a", "{name: 1}"], "PAYLOAD_JSON: expected JSON, such as"),
        (["a", "NaN"], "PAYLOAD_JSON: expected JSON"),
        (["a", "\udcff"], "PAYLOAD_JSON: expected JSON"),
        (["a", f'"{"x" * 99}"'], "at most 100 bytes (jobs.payload_bytes_max), got 101"),
        (["a", "1", "--lane", ""], "expected lane as a text of 1 to 256 characters"),
        (["a", "1", "--at", "tomorrow"], "'--at': expected a time such as 2030-01-31T13:30:00Z, or Unix seconds"),
        (["a", "1", "--at", "2030-01-01T00:00:00"], "'--at': expected a time zone"),
        (["a", "1", "--at", "nan"], "'--at': expected a time"),
        (["a", "1", "--at", "-inf"], "'--at': expected a time"),
        (["a", "1", "--at", "1e13"], "'--at': expected a time before the year 10000, got '1e13'"),
        (["a", "1", "--at", "9", "--in", "9"], "expected --at or --in, got both"),
        (["a", "1", "--in", "-1"], "'--in': expected a number of seconds from 0 to 3162240000 (100 years), got '-1'"),
        (["a", "1", "--in", "nan"], "'--in': expected a number of seconds"),
        (["a", "1", "--keep", "7776001"], "'--keep': expected a number of seconds from 0 to 7776000 (90 days)"),
        (["a", "1", "--wait", "inf"], "'--wait': expected a number of seconds from 0 on, got 'inf'"),
        (["a", "1", "--wait", "soon"], "'--wait': expected a number of seconds from 0 on, got 'soon'"),
        (["a", "1", "--priority", "urgent"], "is not one of 'high', 'normal', 'low'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(shell: Shell, arguments: list[str], told: str) -> None:
    assert told in shell.refused(*arguments)


def test_a_standard_input_without_json_is_refused(shell: Shell) -> None:
    for stdin, got in ((b"", "got nothing"), (b"{", "got what is none: Input data was truncated")):
        assert f"or - for the standard input, {got}" in shell.refused("a", "-", stdin=stdin)


def test_a_ledger_that_does_not_answer_is_told(shell: Shell) -> None:
    shell.env["DATABASE_URL"] = "postgresql://127.0.0.1:1/none"
    told = "Error: PostgreSQL cannot be reached at the address of DATABASE_URL (store.database_url)\n"
    assert shell.run("a", "1").stderr == told
    shell.env["DATABASE_URL"] = ""
    assert "PostgreSQL cannot be reached: start `switchboard up`" in shell.run("a", "1").stderr


def test_a_ledger_without_a_schema_is_told(shell: Shell, empty_database: str) -> None:
    shell.env["DATABASE_URL"] = empty_database
    assert "switchboard migrate" in shell.run("a", "1").stderr


def test_without_redis_a_job_is_written_all_the_same(shell: Shell) -> None:
    """Law: fail-open: a worker's look finds it."""
    shell.env["REDIS_URL"] = "redis://127.0.0.1:1"
    assert shell.done("a", "1").startswith("Job 1 of kind a is asked for: ")


# Waiting for its end


def test_one_that_has_not_ended_in_time_ends_the_command_with_status_1(shell: Shell) -> None:
    result = shell.run("a", "1", "--wait", "0.01")
    assert (result.exit_code, result.stdout) == (1, "Job 1 of kind a is asked for.\n")
    goes_on = "`switchboard jobs show 1` shows how it goes on.\n"
    assert result.stderr == f"Job 1 has not ended within 0.01 s; it is ready: {goes_on}"
    later = shell.run("a", "1", "--at", "2999-01-01T00:00:00Z", "--wait", "0").stderr
    assert "it is scheduled, due at 2999-01-01 00:00:00 UTC: `switchboard jobs show 2`" in later


@pytest.mark.parametrize(
    ("end", "told", "exit_code"),
    [
        ({"fate": "bury", "reason": "why", "detail": "so"}, "Job 1 is given up: why: so\n", 1),
        ({"fate": "done", "result": '{"sent": 7}'}, 'Job 1 is done: {"sent":7}\n', 0),
    ],
)
def test_the_end_of_one_that_is_waited_for_is_shown(
    shell: Shell, end: dict[str, Any], told: str, exit_code: int
) -> None:
    worker = JobActor(shell.env["DATABASE_URL"])
    worker.take()

    def work() -> None:
        [job] = until("the job is there", worker.scan)
        worker.settle(JobEnd(job, attempts=1, **end), ended_claims=[job.claim])

    working = gevent.spawn(work)
    result = shell.run("a", "1", "--keep", 60, "--wait", GUARD_S)
    working.get(timeout=GUARD_S)

    assert result.exit_code == exit_code
    assert told in (result.stderr if exit_code else result.stdout)
    assert shell.jobs("state") == [("buried" if exit_code else "done",)]


def test_one_that_leaves_nothing_behind_is_done(shell: Shell) -> None:
    worker = JobActor(shell.env["DATABASE_URL"])
    worker.take()

    def work() -> None:
        [job] = until("the job is there", worker.scan)
        worker.settle(JobEnd(job, "done", 0), ended_claims=[job.claim])

    working = gevent.spawn(work)
    shown = json.loads(shell.done("a", "1", "--wait", GUARD_S, "--json"))
    working.get(timeout=GUARD_S)

    assert shown == {"job_id": 1, "fresh": True, "status": None}
