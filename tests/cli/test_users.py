"""``switchboard users erase``: asked for once, after a question, and what it says of the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import redis
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.support.actor import Actor
from tests.support.handling import Handling, job
from tests.support.ledger_view import LedgerView
from tests.support.waiting import until
from workers.registry import load_handlers

ADA = ("slack", "bot", "T1:U1")


class Shell:
    """An operator's."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        (folder / "switchboard.toml").write_text("")
        self.view = LedgerView(database_url)
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(folder / "switchboard.toml"),
            "SWITCHBOARD_HOME": str(folder),
        }

    def erase(self, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(main, ["users", "erase", *arguments], env=self.env, input=answer)

    def jobs(self) -> list[dict[str, Any]]:
        return self.view.rows("SELECT * FROM jobs ORDER BY id")

    def end_job(self, assignments: str) -> None:
        """Have the job end as a worker would."""
        until("the job", self.jobs)
        self.view.rows(f"UPDATE jobs SET {assignments}")


@pytest.fixture
def shell(tmp_path: Path, database: str, redis_url: str) -> Shell:
    Actor(database).say(user="T1:U1")
    return Shell(tmp_path, database, redis_url)


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., None]]:
    greenlets: list[gevent.Greenlet[..., Any]] = []
    yield lambda do, *how: greenlets.append(gevent.spawn(do, *how))
    gevent.joinall(greenlets, raise_error=True)


def test_it_asks_before_it_does_it(shell: Shell) -> None:
    refused = shell.erase(*ADA, answer="n\n")
    assert refused.exit_code == 1
    assert "Remove all that T1:U1 has left behind on slack/bot?" in refused.stderr
    assert shell.jobs() == []
    assert shell.erase(*ADA, answer="y\n").exit_code == 0
    assert [one["kind"] for one in shell.jobs()] == ["user.erase"]


def test_without_waiting_it_says_where_the_report_will_be(shell: Shell, redis_url: str) -> None:
    done = shell.erase(*ADA, "--yes")
    [asked] = shell.jobs()
    assert done.output == (
        f"Job {asked['id']} removes it: `switchboard jobs show {asked['id']}` shows the report when it has ended.\n"
    )
    client = redis.Redis.from_url(redis_url)
    assert client.keys("*jobs:*"), "and a worker is told"
    client.close()


def test_whom_nobody_knows_is_refused_unless_that_is_meant(shell: Shell) -> None:
    refused = shell.erase("slack", "bot", "T1:U2", "--yes")
    told = "Error: no user of this key has spoken on slack/bot; --even-if-unknown looks for what names them\n"
    assert (refused.exit_code, refused.stderr) == (1, told)
    assert shell.jobs() == []
    assert shell.erase("slack", "bot", "T1:U2", "--yes", "--even-if-unknown").exit_code == 0


def test_a_user_is_named_by_a_conversation_and_their_key_is_not_shown(shell: Shell, database: str) -> None:
    """On web chat the key is a part of a cookie: an operator has no other way to it, and needs none."""
    [conversation] = Actor(database).rows("SELECT id FROM conversations")
    refused = shell.erase("--conversation", str(conversation[0]), answer="n\n")
    asked = f"Remove all that the user of conversation {conversation[0]}"
    assert (asked in refused.stderr, "T1:U1" in refused.output) == (True, False)
    Actor(database).rows("UPDATE users SET name = E'Ada\\x1b' RETURNING id")
    asked += ", Ada\ufffd, has left behind on slack/bot?"
    assert asked in shell.erase("--conversation", str(conversation[0]), answer="n\n").stderr
    done = shell.erase("--conversation", str(conversation[0]), "--yes")
    assert (done.exit_code, "T1:U1" in done.output) == (0, False)
    assert [one["payload"]["key"] for one in shell.jobs()] == ["T1:U1"]


def test_nobody_is_guessed(shell: Shell, database: str) -> None:
    """What is removed is gone: of several the right one must be named, and of two ways one."""
    gateway = Actor(database)
    [conversation] = gateway.rows("SELECT id FROM conversations")
    gateway.rows("UPDATE users SET gone_at = now() RETURNING id")
    erased = shell.erase("--conversation", str(conversation[0]), "--yes")
    assert "its user has been erased" in erased.stderr
    gateway.rows("UPDATE users SET gone_at = NULL RETURNING id")
    gateway.say(user="T1:U2")
    several = shell.erase("--conversation", str(conversation[0]), "--yes")
    assert "several users have spoken in conversation" in several.stderr
    assert "there is no conversation 4711" in shell.erase("--conversation", "4711", "--yes").stderr
    for both in ([*ADA, "--conversation", "1"], ["slack", "bot"], []):
        assert "expected CHANNEL ACCOUNT KEY, or --conversation ID" in shell.erase(*both, "--yes").stderr
    assert shell.jobs() == []


def test_an_account_that_nobody_has_spoken_on_is_told_with_those_there_are(shell: Shell) -> None:
    refused = shell.erase("slack", "bto", "T1:U1", "--yes")
    assert refused.stderr == "Error: nobody has ever spoken on slack/bto, expected one of slack/bot\n"
    shell.view.rows("DELETE FROM turns")
    shell.view.rows("DELETE FROM conversations")
    refused = shell.erase("slack", "bto", "T1:U1", "--yes")
    assert refused.stderr == "Error: nobody has ever spoken on slack/bto, nor anywhere else\n"
    assert "got 0 characters" in shell.erase("slack", "bot", "", "--yes").stderr
    assert "expected a number of seconds from 0 on, got 'nan'" in shell.erase(*ADA, "--yes", "--wait", "nan").stderr


def test_it_waits_for_the_report(shell: Shell, meanwhile: Callable[..., None]) -> None:
    meanwhile(shell.end_job, """state = 'done', result = '{"users": 1, "turns": 3, "dead_letters": 2, "jobs": 0}'""")
    done = shell.erase(*ADA, "--yes", "--wait", "60")
    assert done.output == "Removed: 1 users, 3 turns, 2 dead letters.\n"


def test_an_erasure_that_was_given_up_is_no_success(shell: Shell, meanwhile: Callable[..., None]) -> None:
    meanwhile(shell.end_job, "state = 'buried', reason = 'time_limit', detail = 'too long'")
    done = shell.erase(*ADA, "--yes", "--wait", "60")
    assert (done.exit_code, "given up: time_limit" in done.output) == (1, True)


def test_programs_are_told_as_json(shell: Shell, meanwhile: Callable[..., None]) -> None:
    meanwhile(shell.end_job, """state = 'done', result = '{"users": 1}'""")
    told = json.loads(shell.erase(*ADA, "--yes", "--wait", "60", "--json").stdout)
    assert (told["job_id"], told["status"]["result"]) == (shell.jobs()[0]["id"], {"users": 1})


def test_what_is_asked_for_is_what_the_handler_reads(shell: Shell, database: str, redis_url: str) -> None:
    """Law: between the command and the worker stands nothing but the ledger."""
    gateway = Actor(database)
    gateway.rows("UPDATE conversations SET done_seq = last_seq, owner_process = NULL RETURNING id")
    gateway.rows("UPDATE turns SET state = 'answered' RETURNING id")
    shell.erase(*ADA, "--yes")
    [asked] = shell.jobs()
    handler = load_handlers()["user.erase"]
    with Handling(database, redis_url) as worker:
        outcome: Any = worker.run(handler, job(handler, asked["payload"], job_id=asked["id"]))
    assert (outcome.result["users"], outcome.result["turns"]) == (1, 1)
    assert shell.view.rows("SELECT key FROM users WHERE gone_at IS NULL") == []
    shown = CliRunner().invoke(main, ["conversations", "show", "1"], env=shell.env)
    assert shown.output.splitlines()[-1] == "  (erased)", "and no blank words of nobody's"
