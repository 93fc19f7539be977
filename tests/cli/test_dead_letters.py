"""``switchboard dead-letters``: what an operator sees of what was given up, and does about it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
import redis
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store.ledger import deliveries
from gateway.store.ledger.outbox import Finish
from tests.intake.test_dead_letters import EVENT
from tests.support.actor import Actor

CONFIG = """
[assistants.a]
url = "http://127.0.0.1:1/turn"
[accounts.slack.bot]
assistant = "a"
signing_secrets = ["env:TEST_SECRET"]
"""


class Shell:
    """An operator's, beside a gateway's hands in the same ledger."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        config = folder / "switchboard.toml"
        config.write_text(CONFIG)
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(config),
            "SWITCHBOARD_HOME": str(folder),
            "TEST_SECRET": "x" * 32,
            "LOGNAME": "ada",
        }
        self.actor = Actor(database_url)
        self.database_url = database_url

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(main, ["dead-letters", *map(str, arguments)], env=self.env)

    def done(self, *arguments: object) -> str:
        result = self.run(*arguments)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def json(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def fail(self, lane: str = "lane") -> None:
        said = self.actor.say(lane=lane)
        self.actor.answer(said.conversation_id, state="failed", reason="timeout", detail="no\x1b[2J answer")

    def deliver(self, body: bytes) -> None:
        deliveries.dead_letter(
            self.actor.cursor,
            channel="slack",
            account="bot",
            reason="not_json",
            detail="",
            body=body,
            content_type="application/json",
        )


@pytest.fixture
def shell(tmp_path: Path, database: str, redis_url: str) -> Shell:
    return Shell(tmp_path, database, redis_url)


def test_a_list_of_nothing_says_so(shell: Shell) -> None:
    assert shell.done("list") == "There are no such dead letters.\n"
    assert shell.json("list") == []


def test_list_shows_what_was_given_up_newest_first(shell: Shell) -> None:
    shell.fail()
    shell.deliver(b"{")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", shell.done("list"))
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "ID KIND CHANNEL ACCOUNT ABOUT REASON SINCE (UTC) CLOSED",
        "2 delivery slack bot not_json TIME",
        "1 turn slack bot turn 1 timeout TIME",
    ]
    assert [one["letter_id"] for one in shell.json("list", "--kind", "turn")] == [1]
    assert shell.json("list", "--account", "other") == []
    cut = shell.run("list", "--limit", 1)
    assert cut.stderr == "There are more: --before 2 shows the next ones.\n"
    assert [one["letter_id"] for one in shell.json("list", "--before", 2)] == [1]


def test_show_tells_all_of_one_and_cannot_command_the_terminal(shell: Shell) -> None:
    shell.fail()
    shell.deliver(b'{"a": "\x1b[2J"')
    # As at a terminal: elsewhere click would take some sequences out by itself.
    shown = CliRunner().invoke(main, ["dead-letters", "show", "1"], env=shell.env, color=True).stdout
    assert shown.startswith("Dead letter 1, a turn: open\n  account: slack/bot\n  conversation: 1\n  turn: 1\n")
    assert "  detail: no\ufffd[2J answer" in shown
    assert '  body: {"a": "\ufffd[2J"' in CliRunner().invoke(
        main, ["dead-letters", "show", "2"], env=shell.env, color=True
    ).stdout
    assert shell.json("show", 1)["reason"] == "timeout"
    assert shell.run("show", 77).output == (
        "Error: there is no dead letter 77; `switchboard dead-letters list --state any` shows all\n"
    )


def unsent(shell: Shell, fate: Literal["not_sent", "unknown"]) -> None:
    said = shell.actor.say()
    shell.actor.answer(said.conversation_id, pushes=["A gimlet?"])
    worker = Actor(shell.database_url, "worker")
    [row] = worker.claim()
    worker.finish(Finish(row.outbox_id, fate, reason="closed_early"))


@pytest.mark.parametrize(
    ("fate", "known", "twice"),
    [
        ("unknown", "it is not known whether it arrived", ", and its user may get it twice"),
        ("not_sent", "it was not sent", ""),
    ],
)
def test_what_did_not_surely_arrive_is_told_where_it_was_said_and_where_it_is_retried(
    shell: Shell, fate: Literal["not_sent", "unknown"], known: str, twice: str
) -> None:
    """Law: that a turn was answered does not pass for an answer that arrived; who may get something twice is told."""
    unsent(shell, fate)
    conversation = ["conversations", "show", "1"]
    shown = CliRunner().invoke(main, conversation, env=shell.env).stdout
    assert shown.endswith(f"\n  message 1: {known} (closed_early): dead letter 1\n"), shown
    told = json.loads(CliRunner().invoke(main, [*conversation, "--json"], env=shell.env).stdout)["undelivered"]
    assert [(one["outbox_id"], one["state"], one["letter_id"]) for one in told] == [(1, fate, 1)]

    letter = shell.done("show", 1)
    assert "`switchboard conversations show 1` shows what was said.\n" in letter
    assert f"`switchboard dead-letters retry 1` sends it again{twice}; `drop 1` closes" in letter
    retried = shell.done("retry", 1)
    marked = f"{twice} (marked where the channel can)" if twice else ""
    assert retried == f"Dead letter 1 is retried: message 1 waits to be sent{marked}.\n"
    # It is on its way again, and the letter has nothing more to be done about it.
    assert "message 1" not in CliRunner().invoke(main, conversation, env=shell.env).stdout
    assert "`switchboard" not in shell.done("show", 1)


def test_a_turn_is_retried_and_gateways_are_told(shell: Shell, redis_url: str) -> None:
    shell.fail()
    client = redis.Redis.from_url(redis_url)
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("switchboard:gateways")
        heard.get_message(timeout=5)
        assert shell.done("retry", 1) == "Dead letter 1 is retried: turn 2 of conversation 1 waits.\n"
        said = heard.get_message(timeout=5)
    client.close()
    assert said
    assert json.loads(said["data"]) == {"type": "orphans"}
    assert shell.actor.adopt() == [1]
    [letter] = shell.json("list", "--state", "closed")
    assert (letter["closed_as"], letter["closed_by"][:4]) == ("retried", "ada@")
    shown = CliRunner().invoke(main, ["conversations", "show", "1"], env=shell.env).stdout
    assert (shown.count(": hello\n"), shown.count("  (asked again: what was said in turn 1)\n")) == (1, 1)


def test_a_delivery_is_retried_with_its_accounts_settings(shell: Shell) -> None:
    shell.deliver(EVENT)
    assert shell.done("retry", 1) == "Dead letter 1 is retried: turn 1 of conversation 1 waits.\n"


def test_a_shell_without_the_accounts_secrets_is_told_of_another_way(shell: Shell) -> None:
    """And other kinds need none."""
    shell.deliver(EVENT)
    shell.fail()
    shell.env["TEST_SECRET"] = ""
    result = shell.run("retry", 1)
    assert (result.exit_code, "POST /api/v1/dead-letters/ID/retry" in result.output) == (1, True)
    assert shell.done("retry", 2)
    assert [one["letter_id"] for one in shell.json("list")] == [1]


def test_what_cannot_be_retried_is_told_and_hinders_no_other(shell: Shell) -> None:
    """Law: a script sees that not all was done."""
    shell.fail("a")
    shell.fail("b")
    shell.done("drop", 1)
    result = shell.run("retry", 77, 1, 2)
    assert result.exit_code == 1
    assert result.stdout == "Dead letter 2 is retried: turn 3 of conversation 2 waits.\n"
    assert re.fullmatch(
        r"Error: there is no dead letter 77; [^\n]*\nError: dead letter 1 was dropped already by ada@\S+\n",
        result.stderr,
    )
    assert shell.json("retry", 1)["retried"] == []


def test_what_is_dropped_is_closed(shell: Shell) -> None:
    shell.fail()
    assert shell.done("drop", 1, 1) == "Dead letter 1 is dropped.\n"
    assert shell.json("list") == []
    assert shell.json("drop", 1)["problems"]


def test_without_redis_it_is_done_and_found_later(tmp_path: Path, database: str) -> None:
    shell = Shell(tmp_path, database, "redis://127.0.0.1:1")
    shell.fail()
    result = shell.run("retry", 1)
    assert result.exit_code == 0
    assert result.stderr.startswith("Redis does not answer: gateways and workers find it by themselves")


def test_without_a_schema_it_says_what_to_do(tmp_path: Path, empty_database: str) -> None:
    env = {"DATABASE_URL": empty_database, "SWITCHBOARD_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}
    for arguments in (["list"], ["show", "1"], ["retry", "1"], ["drop", "1"]):
        result = CliRunner().invoke(main, ["dead-letters", *arguments], env=env)
        said = "Error: the database has no schema yet: run `switchboard migrate`\n"
        assert (result.exit_code, result.output) == (1, said), arguments
