"""``switchboard jobs``: what an operator sees of jobs, and how the word of one reaches workers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import pytest
import redis
from click.testing import CliRunner, Result
from psycopg2.extensions import cursor as Cursor

from gateway.cli import main
from gateway.domain.job import Draft, Enqueued, JobEnd
from gateway.domain.resilience.priority import Priority
from gateway.store.ledger import job_partitions, jobs
from gateway.store.ledger.process import Process, register
from tests.support.waiting import until

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


class Shell:
    """An operator's, and a worker's hands in the same ledger."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        config = folder / "switchboard.toml"
        config.write_text("")
        self.database_url = database_url
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(config),
            "SWITCHBOARD_HOME": str(folder),
            "LOGNAME": "ada",
        }

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(main, ["jobs", *map(str, arguments)], env=self.env)

    def done(self, *arguments: object) -> str:
        result = self.run(*arguments)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def json(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        connection = psycopg2.connect(self.database_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
        connection.close()

    def worker(self) -> tuple[Process, dict[int, int]]:
        with self.cursor() as cursor:
            process = register(cursor, "worker", "w.example:7")
            return process, job_partitions.take(cursor, process, 32)

    def ask(self, kind: str, **draft: Any) -> Enqueued:
        with self.cursor() as cursor:
            return jobs.enqueue(cursor, [Draft(kind=kind, payload=draft.pop("payload", {}), **draft)])[0]

    def bury(self, kind: str, reason: str = "why", detail: str = "", **draft: Any) -> Enqueued:
        asked = self.ask(kind, **draft)
        with self.cursor() as cursor:
            process = register(cursor, "worker", "burier")
            fences = job_partitions.take(cursor, process, 32)
            pulls = [jobs.Pull(asked.partition, priority, 0, 100) for priority in Priority]
            found = jobs.scan(cursor, process, pulls, fences)
            [job] = [job for job in found.jobs if job.job_id == asked.job_id]
            jobs.settle(cursor, process, [JobEnd(job, "bury", 2, reason=reason, detail=detail)], [job.claim])
            job_partitions.release(cursor, process, fences)
        return asked


@pytest.fixture
def shell(tmp_path: Path, database: str, redis_url: str) -> Shell:
    return Shell(tmp_path, database, redis_url)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


# List and show


def test_a_list_of_nothing_says_so(shell: Shell) -> None:
    assert shell.done("list") == "There are no such jobs.\n"
    assert shell.json("list") == {"counts": [], "pauses": [], "jobs": []}


def test_a_list_that_is_cut_off_says_how_to_go_on(shell: Shell) -> None:
    for kind in ("a", "b", "a", "a"):
        shell.ask(kind)
    first = shell.run("list", "--limit", 2, "--kind", "a")
    assert (first.exit_code, first.stderr) == (0, "There are more: --before 3 shows the next ones.\n")
    rest = shell.run("list", "--limit", 2, "--kind", "a", "--before", 3)
    assert (rest.exit_code, rest.stderr) == (0, "")
    assert shell.run("list", "--limit", 3, "--kind", "a").stderr == ""


def test_list_shows_jobs_counts_and_pauses(shell: Shell) -> None:
    shell.bury("greet", reason="timeout", lane="conversation:5", priority=Priority.HIGH)
    shell.ask("greet", lane="conversation:5")
    shell.ask("report.make", run_at=4_000_000_000)
    shell.run("pause", "report.make", "--reason", "it burns")
    shown = re.sub(r"by \S+ since", "by SOMEBODY since", shell.done("list"))
    shown = re.sub(r"(\d+) s$", "N s", TIME.sub("YYYY-MM-DD hh:mm:ss", shown), flags=re.MULTILINE)
    assert shown == Path(__file__).with_name("jobs.txt").read_text()


def test_list_is_narrowed_and_goes_on_behind_a_page(shell: Shell) -> None:
    ids = [shell.ask(kind, lane="l").job_id for kind in ("a", "b", "a")]
    buried = shell.bury("a").job_id

    def listed(*arguments: object) -> list[int]:
        return [one["job_id"] for one in shell.json("list", *arguments)["jobs"]]

    assert listed() == [buried, *reversed(ids)]
    assert listed("--kind", "a", "--lane", "l") == [ids[2], ids[0]]
    assert listed("--state", "buried") == [buried]
    assert listed("--limit", 1, "--before", ids[2]) == [ids[1]]


def test_a_kind_that_is_misspelt_in_a_list_is_told(shell: Shell) -> None:
    shell.ask("greet")
    result = shell.run("list", "--kind", "gret", "--json")
    assert (result.exit_code, json.loads(result.stdout)["jobs"]) == (0, [])
    assert result.stderr == "There is none of kind gret in any state; did you mean greet?\n"
    for kind in ("greet", "zebra"):
        assert shell.run("list", "--kind", kind).stderr == ""
    assert shell.run("list", "--kind", "greet", "--state", "buried").stderr == ""


def test_show_tells_all_of_one_job(shell: Shell) -> None:
    job = shell.bury("greet", reason="timeout", detail="nobody\x1b[2J there", lane="l", payload={"to": "Ada"})
    shell.worker()
    lines = shell.done("show", job.job_id).splitlines()
    assert lines[0] == f"Job {job.job_id} of kind greet: buried"
    assert "  failed tries: 2" in lines
    assert "  reason: timeout" in lines
    assert '  payload: {"to":"Ada"}' in lines
    assert f"  partition: {job.partition}, owned by w.example:7" in lines
    assert "  detail: nobody\ufffd[2J there" in lines, "a terminal would obey it"
    assert re.fullmatch(r"  dead letter 1: [-: \d]+ timeout: nobody\ufffd\[2J there", lines[-1])
    assert shell.json("show", job.job_id)["payload"] == {"to": "Ada"}


def test_a_job_that_is_gone_is_known_by_its_dead_letters(shell: Shell) -> None:
    job = shell.ask("greet").job_id
    shell.done("drop", job)
    result = shell.run("show", job)
    assert result.exit_code == 1
    said = rf"Error: job {job} is gone; its last dead letter says dropped: greet \(ready\) by ada@"
    assert re.match(said, result.output)
    assert shell.run("show", 77).output == "Error: there is no job 77: it is done, or never was\n"


# Retry


def test_a_retried_job_is_ready_and_its_owner_is_told(shell: Shell, client: redis.Redis) -> None:
    """Law: once it is committed, so that who looks finds it; and before the command ends."""
    first, second = shell.bury("greet", priority=Priority.HIGH), shell.bury("greet")
    assert shell.done("retry", first.job_id, second.job_id) == "".join(
        f"Job {one.job_id} is ready again, at the end of its lane.\n" for one in (first, second)
    )
    hinted = {
        (one.partition, fields[b"j"].decode())
        for one in (first, second)
        for _, fields in client.xrange(f"switchboard:jobs:{{{one.partition}}}")
    }
    assert hinted == {(first.partition, f"0 {first.job_id}"), (second.partition, f"1 {second.job_id}")}
    view = shell.json("show", first.job_id)
    assert (view["state"], view["attempts"], view["letters"][0]["closed_as"]) == ("ready", 0, "retried")
    assert view["detail"].startswith("by ada@")


def test_what_cannot_be_retried_is_told_and_hinders_no_other(shell: Shell) -> None:
    """Law: a script sees that not all was done."""
    buried, ready = shell.bury("greet").job_id, shell.ask("greet").job_id
    result = shell.run("retry", 77, ready, buried)
    assert result.exit_code == 1
    assert result.stdout == f"Job {buried} is ready again, at the end of its lane.\n"
    assert result.stderr == (
        "Error: there is no job 77: it is done, was dropped, or never was\n"
        f"Error: job {ready} is ready: only what was buried can be retried\n"
    )
    again = shell.run("retry", ready, "--json")
    assert again.exit_code == 1
    assert json.loads(again.stdout) == {
        "retried": [],
        "problems": [f"job {ready} is ready: only what was buried can be retried"],
    }


def test_a_job_named_twice_is_retried_or_dropped_once(shell: Shell) -> None:
    job = shell.bury("greet").job_id
    assert shell.done("retry", job, job).count("ready again") == 1
    assert shell.done("drop", job, job).count("is dropped") == 1


# Drop


def test_a_dropped_job_is_gone_and_workers_are_told(shell: Shell, client: redis.Redis) -> None:
    job = shell.ask("greet")
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("switchboard:workers")
        heard.get_message(timeout=5)
        assert shell.done("drop", job.job_id) == f"Job {job.job_id} is dropped.\n"
        said = heard.get_message(timeout=5)
    assert said
    assert json.loads(said["data"]) == {"type": "job_dropped", "job_id": job.job_id, "partition": job.partition}
    assert shell.json("list")["jobs"] == []


def test_that_a_worker_had_read_it_is_told(shell: Shell) -> None:
    job = shell.ask("greet")
    process, fences = shell.worker()
    with shell.cursor() as cursor:
        jobs.scan(cursor, process, [jobs.Pull(job.partition, 1, 0, 10)], fences)
    assert shell.done("drop", job.job_id) == (
        f"Job {job.job_id} is dropped: w.example:7 had read it, and may be running it.\n"
    )


# Pause and resume


def test_a_pause_stands_until_it_is_taken_back_and_workers_are_told(shell: Shell, client: redis.Redis) -> None:
    shell.ask("greet")
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("switchboard:workers")
        heard.get_message(timeout=5)
        assert shell.done("pause", "greet", "--reason", "it burns") == (
            "No job of kind greet is started from now on, until `switchboard jobs resume greet`.\n"
        )
        [paused] = shell.json("list")["pauses"]
        assert (paused["kind"], paused["reason"], paused["by"][:4]) == ("greet", "it burns", "ada@")
        assert shell.json("list")["jobs"][0]["paused"] is True
        assert shell.done("resume", "greet") == "Jobs of kind greet are started again.\n"
        said = [heard.get_message(timeout=5) for _ in range(2)]
    assert [json.loads(one["data"]) for one in said if one] == [{"type": "jobs_paused"}] * 2
    assert shell.json("list")["pauses"] == []


def test_a_kind_that_nobody_asked_for_may_be_a_typing_error(shell: Shell) -> None:
    """It is paused all the same: a queue that is empty now is no reason why it should not be stopped."""
    shell.ask("reply.send")
    result = shell.run("pause", "reply.sent", "--reason", "why")
    assert result.exit_code == 0
    assert result.stderr == "There is none of that kind at this moment; did you mean reply.send?\n"
    result = shell.run("pause", "zebra", "--reason", "why")
    assert result.stderr == "There is none of that kind at this moment.\n"
    assert [one["kind"] for one in shell.json("list")["pauses"]] == ["reply.sent", "zebra"]


def test_resuming_what_is_not_paused_is_told(shell: Shell) -> None:
    result = shell.run("resume", "greet")
    assert (result.exit_code, result.output) == (1, "Error: jobs of kind greet are not paused\n")


def test_pause_and_resume_have_json_for_programs(shell: Shell) -> None:
    paused = shell.json("pause", "greet", "--reason", "why")
    assert (paused["kind"], paused["reason"]) == ("greet", "why")
    assert shell.json("resume", "greet") == {"kind": "greet", "paused": False}


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["pause", "greet"], 2, "Missing option '--reason'"),
        (["pause", "Two Words", "--reason", "why"], 1, "expected a kind of lower-case letters"),
        (["pause", "greet", "--reason", "\x1b[2J"], 1, "expected a reason: 1 to 500 printable characters"),
        (["resume", "nul\0"], 1, "expected a kind of lower-case letters"),
        (["list", "--state", "lost"], 2, "'lost' is not one of"),
        (["list", "--kind", "nul\0"], 1, "expected a kind of lower-case letters"),
        (["list", "--lane", "nul\0"], 1, "expected a lane"),
        (["list", "--lane", ""], 1, "got 0 characters"),
        (["list", "--before", "x"], 2, "expected an id, a whole number from 1 on as lists show it, got 'x'"),
        (["show", "0"], 2, "expected an id, a whole number from 1 on as lists show it, got '0'"),
        (["show", "9" * 19], 2, "expected an id"),
        (["show", "9" * 9_999], 2, "expected an id"),
        (["retry"], 2, "Missing argument"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, arguments: list[str], status: int, text: str) -> None:
    result = shell.run(*arguments)
    assert result.exit_code == status
    assert text in result.output


def test_a_statement_that_is_ended_is_told(shell: Shell) -> None:
    """Whoever waits too long for a lock, or meets a PostgreSQL that is stopped, is told so in words."""
    with shell.cursor() as blocker, shell.cursor() as operator:
        blocker.execute("BEGIN; LOCK TABLE jobs")
        asking = gevent.spawn(shell.run, "list")

        def ended() -> bool:
            operator.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            return operator.fetchone() == (1,)

        until("its statement to be ended", ended)
        result = asking.get()
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: PostgreSQL does not do this now (")


def test_without_redis_everything_is_done_and_told_later(tmp_path: Path, database: str) -> None:
    """Law: PostgreSQL is enough."""
    shell = Shell(tmp_path, database, "redis://127.0.0.1:1")
    buried, ready = shell.bury("greet").job_id, shell.ask("greet").job_id
    later = "Redis does not answer: workers find it by themselves (jobs.poll_s).\n"
    assert shell.run("retry", buried).stderr == later
    assert shell.run("pause", "greet", "--reason", "why").stderr == later
    assert shell.run("resume", "greet").stderr == later
    dropped = shell.run("drop", ready)
    assert dropped.exit_code == 0
    assert dropped.stderr == "Redis does not answer: what a worker has read already may still be run.\n"
    assert [one["job_id"] for one in shell.json("list")["jobs"]] == [buried]


def test_without_a_schema_it_says_what_to_do(tmp_path: Path, empty_database: str, redis_url: str) -> None:
    shell = Shell(tmp_path, empty_database, redis_url)
    pause = ["pause", "a", "--reason", "b"]
    for arguments in (["list"], ["show", 1], ["retry", 1], ["drop", 1], pause, ["resume", "a"]):
        result = shell.run(*arguments)
        assert (result.exit_code, result.output) == (
            1,
            "Error: the database has no schema yet: run `switchboard migrate`\n",
        ), arguments
