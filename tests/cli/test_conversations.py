"""``switchboard conversations``: what an operator sees, and what no command shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.conversations.queries import key_hash
from gateway.domain.reply import Reply, Text
from gateway.store.ledger.push import place, push
from tests.cli.spoken import speak
from tests.support.actor import Actor

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def run(database_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["conversations", *arguments], env={"DATABASE_URL": database_url})


def run_json(database_url: str, *arguments: str) -> Any:
    result = run(database_url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_shows_where_each_conversation_stands_newest_first(database: str) -> None:
    speak(database)
    result = run(database, "list")

    assert TIME.sub("TIME", result.output) == (
        "ID  CHANNEL  ACCOUNT    KEY         TURNS  WAITING  STATE    LAST MESSAGE (UTC)\n"
        f" 3  webchat  bartender  {key_hash('eve at home')}      1        1  waiting  TIME\n"
        f" 2  webchat  bartender  {key_hash('bob at home')}      1        0  idle     TIME\n"
        f" 1  slack    bartender  {key_hash('ada at home')}      2        1  running  TIME\n"
    )


def test_list_can_be_narrowed(database: str) -> None:
    speak(database)

    def ids(*arguments: str) -> list[int]:
        return [one["conversation_id"] for one in run_json(database, "list", *arguments)]

    assert ids() == [3, 2, 1]
    assert ids("--channel", "slack") == [1]
    assert ids("--account", "nobody") == []
    assert run(database, "list", "--account", "nobody").output == (
        "There are no such conversations; there are on slack/bartender, webchat/bartender.\n"
    )
    assert "expected a text in UTF-8" in run(database, "list", "--account", "\udc80").output
    refused = run(database, "list", "--channel", "bogus")
    assert (refused.exit_code, "'bogus' is not one of 'alexa', 'slack'" in refused.output) == (2, True)
    assert ids("--limit", "1") == [3]


def test_a_list_that_is_cut_off_says_how_to_go_on(database: str) -> None:
    speak(database)
    first = run(database, "list", "--limit", "2")
    said = re.fullmatch(r"There are more: --before (\S+) shows the next ones\.\n", first.stderr)
    assert said
    rest = run(database, "list", "--before", said[1], "--json")
    assert [one["conversation_id"] for one in json.loads(rest.stdout)] == [1]
    assert rest.stderr == ""
    assert "expected what the page before said" in run(database, "list", "--before", "yesterday").output


def test_a_list_of_nothing_says_so(database: str) -> None:
    assert run(database, "list").output == "There are no conversations yet.\n"
    assert run_json(database, "list") == []


def test_show_tells_what_was_said_with_every_part_in_words(database: str) -> None:
    speak(database)
    result = run(database, "show", "1")
    text = re.sub(r"in \d+\.\d\d s", "in N s", TIME.sub("TIME", result.output))

    assert text == Path(__file__).with_name("show.txt").read_text()


def test_what_nobody_asked_for_is_nobodys_words(database: str) -> None:
    actor = Actor(database)
    said = actor.say()
    actor.answer(said.conversation_id)
    where = place(actor.cursor, said.conversation_id)
    assert where
    reply = Reply((Text("It is ready."),))
    push(actor.cursor, actor.process, said.conversation_id, where, reply, once="1", payloads=[{}])
    shown = run(database, "show", str(said.conversation_id)).output
    assert shown.endswith("\n  (answers nothing)\n  reply: It is ready.\n"), shown


def test_show_as_json_has_the_values_themselves(database: str) -> None:
    speak(database)
    shown = run_json(database, "show", "2")

    assert shown["conversation"]["state"] == "idle"
    [turn] = shown["turns"]
    assert (turn["state"], turn["reason"], turn["user"]) == ("failed", "timeout", "Bob")
    assert turn["message"] == {"kind": "text", "text": "\x1b[2J evil"}
    assert turn["reply"] == {"parts": [{"type": "text", "text": "Sorry"}]}


def test_show_gives_the_last_turns_oldest_first(database: str) -> None:
    speak(database)

    assert [turn["seq"] for turn in run_json(database, "show", "1")["turns"]] == [1, 2]
    assert [turn["seq"] for turn in run_json(database, "show", "1", "--limit", "1")["turns"]] == [2]


def test_a_users_text_cannot_command_the_terminal(database: str) -> None:
    speak(database)
    # As at a terminal: elsewhere click would take some sequences out by itself.
    shown = CliRunner().invoke(
        main, ["conversations", "show", "2"], env={"DATABASE_URL": database}, color=True
    )

    assert "Bob: \ufffd[2J evil\n" in shown.output


def test_neither_shows_the_platforms_key(database: str) -> None:
    speak(database)

    for arguments in (("list",), ("list", "--json"), ("show", "1"), ("show", "1", "--json")):
        assert "at home" not in run(database, *arguments).output


@pytest.mark.parametrize("argument", ["4", "9223372036854775807"])
def test_a_conversation_that_is_not_there_is_one_clear_line(database: str, argument: str) -> None:
    result = run(database, "show", argument)

    assert (result.exit_code, result.output) == (1, f"Error: there is no conversation {argument}\n")


def test_a_database_without_schema_says_what_to_do(empty_database: str) -> None:
    result = run(empty_database, "list")

    assert (result.exit_code, result.output) == (
        1,
        "Error: the database has no schema yet: run `switchboard migrate`\n",
    )


def test_a_schema_of_before_says_what_to_do(database: str) -> None:
    actor = Actor(database)
    actor.cursor.execute("ALTER TABLE conversations DROP COLUMN active_at")
    told = "Error: the database's schema is older than this code: run `switchboard migrate`\n"
    assert (run(database, "list").exit_code, run(database, "list").output) == (1, told)


def test_a_user_who_may_not_read_is_told_so(database: str) -> None:
    actor = Actor(database)
    actor.cursor.execute("DROP ROLE IF EXISTS stranger")
    actor.cursor.execute("CREATE ROLE stranger LOGIN")
    result = run(database.replace("//switchboard@", "//stranger@"), "list")
    actor.cursor.execute("DROP ROLE stranger")
    told = "Error: PostgreSQL does not let the user of DATABASE_URL do this\n"
    assert (result.exit_code, result.output) == (1, told)


def test_no_database_says_what_to_do_and_shows_no_password(tmp_path: Path) -> None:
    for url, told in (
        ("postgresql://me:hunter2@127.0.0.1:1/x", " at the address of DATABASE_URL (store.database_url)"),
        ("", f": start `switchboard up` (SWITCHBOARD_HOME is {tmp_path}), or set DATABASE_URL"),
    ):
        env = {"DATABASE_URL": url, "SWITCHBOARD_HOME": str(tmp_path)}
        result = CliRunner().invoke(main, ["conversations", "list"], env=env)

        assert (result.exit_code, result.output) == (1, f"Error: PostgreSQL cannot be reached{told}\n")


def test_wrong_settings_are_all_told(tmp_path: Path) -> None:
    env = {"SWITCHBOARD_STORE__LOCK_TIMEOUT_S": "soon", "DATABASE_URL": "x", "SWITCHBOARD_HMOE": "x"}
    result = CliRunner().invoke(main, ["conversations", "list"], env=env)

    assert result.exit_code == 1
    assert result.output.startswith("Error: 2 problems in the settings:\n")
