"""``switchboard telegram``: a bot set up over real HTTP at a stand-in for Telegram."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.support.stand_in import Call, StandIn, cut, status

TOKEN = "7000000001:AAE-hush_never_to_be_seen"
SECRET = "hush-secret_1"


class BotApi(StandIn):
    """The Bot API, as far as a bot is set up."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.bot = {"id": 7000000001, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}
        self.webhook: dict[str, Any] = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}

    def methods(self) -> list[str]:
        assert all(call.path.startswith(f"/bot{TOKEN}/") for call in self.calls)
        return [call.path.rpartition("/")[2] for call in self.calls]

    def _answer(self, call: Call) -> None:
        match call.path.rpartition("/")[2]:
            case "getMe":
                result: object = self.bot
            case "getWebhookInfo":
                result = self.webhook
            case "setWebhook":
                self.webhook |= {"url": call.json["url"], "allowed_updates": call.json["allowed_updates"]}
                result = True
            case _:
                self.webhook = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
                result = True
        call.answer(msgspec.json.encode({"ok": True, "result": result}))


class Shell:
    """A terminal with an account in its settings."""

    def __init__(self, folder: Path, api: str) -> None:
        self.folder = folder
        (folder / "token").write_text(TOKEN + "\n")
        (folder / "secret").write_text(SECRET)
        (folder / "old").write_text("older")
        self.write(api)

    def write(self, api: str, **more: str) -> None:
        fields = {
            "assistant": '"shop"',
            "username": '"shop_bot"',
            "bot_token": '"file:token"',
            "secret_tokens": '["file:secret", "file:old"]',
            "api_base_url": f'"{api}"',
            **more,
        }
        lines = "\n".join(f"{name} = {value}" for name, value in fields.items() if value)
        (self.folder / "switchboard.toml").write_text(f"[accounts.telegram.shop]\n{lines}\n")

    def run(self, *arguments: str, fails: bool = False) -> Result:
        env = {
            "SWITCHBOARD_HOME": str(self.folder),
            "SWITCHBOARD_CONFIG": str(self.folder / "switchboard.toml"),
            "DATABASE_URL": None,
        }
        result = CliRunner().invoke(main, ["telegram", *arguments], env=env)
        assert (result.exit_code != 0) == fails, result.output
        assert TOKEN not in result.output
        assert SECRET not in result.output
        assert not isinstance(result.exception, BaseException) or isinstance(result.exception, SystemExit)
        return result


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as standing_in:
        yield standing_in


@pytest.fixture
def shell(tmp_path: Path, api: BotApi) -> Shell:
    return Shell(tmp_path, api.origin)


def test_a_webhook_is_set_with_the_newest_secret_and_what_is_read(shell: Shell, api: BotApi) -> None:
    result = shell.run("set-webhook", "shop", "--url", "https://bots.example/")

    assert result.output == (
        f"{api.origin} (api_base_url of the account: a stand-in or another server, not Telegram) delivers the updates "
        "of @shop_bot to https://bots.example/hooks/telegram/shop.\n"
    )
    assert api.methods() == ["getMe", "setWebhook", "getWebhookInfo"]
    assert api.calls[1].json == {
        "url": "https://bots.example/hooks/telegram/shop",
        "secret_token": SECRET,
        "allowed_updates": ["message", "edited_message", "callback_query"],
    }


def test_waiting_updates_can_be_thrown_away_and_edits_not_asked_for(shell: Shell, api: BotApi) -> None:
    shell.write(api.origin, answers_edits="false")
    told = json.loads(
        shell.run("set-webhook", "shop", "--url", "https://bots.example", "--drop-pending", "--json").stdout
    )

    assert api.calls[1].json["drop_pending_updates"] is True
    assert told["webhook"]["allowed_updates"] == ["message", "callback_query"]
    assert told["bot"]["username"] == "shop_bot"
    assert told["warnings"] == []


def test_another_username_and_privacy_mode_are_told(shell: Shell, api: BotApi) -> None:
    shell.write(api.origin, username='"other_bot"', group_messages='"all"')
    lines = shell.run("set-webhook", "shop", "--url", "https://bots.example").output.splitlines()

    assert lines[1].startswith('But accounts.telegram.shop.username is "other_bot": set it to "shop_bot"')
    assert lines[2].startswith('But accounts.telegram.shop.group_messages is "all", and privacy mode is on')


def test_the_webhook_is_shown_with_what_went_wrong_last(shell: Shell, api: BotApi) -> None:
    assert shell.run("webhook", "shop").output == "The updates of @shop_bot are delivered nowhere; 0 wait.\n"
    api.webhook = {
        "url": "https://bots.example/hooks/telegram/shop",
        "pending_update_count": 7,
        "last_error_date": 1763800000,
        "last_error_message": "Wrong response from the webhook: 503\x1b[2J",
    }
    assert shell.run("webhook", "shop").output == (
        "The updates of @shop_bot are delivered to https://bots.example/hooks/telegram/shop; 7 wait.\n"
        "The last delivery that failed, 2025-11-22 08:26:40 UTC: Wrong response from the webhook: 503\ufffd[2J\n"
    )


def test_a_webhook_can_be_taken_away(shell: Shell, api: BotApi) -> None:
    shell.run("set-webhook", "shop", "--url", "https://bots.example")
    told = shell.run("delete-webhook", "shop").output
    assert told.startswith(f"{api.origin} (api_base_url of the account: ")
    assert told.endswith(", not Telegram) delivers no updates of this bot any more.\n")
    assert api.webhook["url"] == ""


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://bots.example", "https://HOST"),
        ("bots.example", "https://HOST, got 'bots.example'"),
        ("https://a/?x=1", "https://HOST, got 'https://a/?x=1'"),
        ("https://[::1/", "https://HOST, got 'https://[::1/'"),
    ],
)
def test_an_address_that_telegram_cannot_call_is_refused_here(
    shell: Shell, api: BotApi, url: str, problem: str
) -> None:
    assert problem in shell.run("set-webhook", "shop", "--url", url, fails=True).output
    assert api.calls == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"bot_token": ""}, "accounts.telegram.shop.bot_token: expected a token of @BotFather's"),
        (
            {"bot_token": '"file:secret"'},
            "accounts.telegram.shop.bot_token: expected a token of @BotFather's",
        ),
        ({"secret_tokens": "[]"}, "accounts.telegram.shop.secret_tokens: the newest one is empty"),
        (
            {"secret_tokens": '["file:token"]'},
            "accounts.telegram.shop.secret_tokens: the newest one has other characters",
        ),
        ({"bot_token": '"file:nothing"'}, "cannot read"),
    ],
)
def test_what_is_missing_in_the_settings_is_named(
    shell: Shell, api: BotApi, fields: dict[str, str], problem: str
) -> None:
    shell.write(api.origin, **fields)
    assert problem in shell.run("set-webhook", "shop", "--url", "https://bots.example", fails=True).output
    assert "setWebhook" not in api.methods()


def test_an_account_that_is_not_there_is_told_with_the_nearest(shell: Shell) -> None:
    """Law: the argument is wrong, and not the settings."""
    result = shell.run("webhook", "shopp", fails=True)
    assert result.exit_code == 2
    assert "there is no account 'shopp' on telegram, did you mean shop?; expected one of shop\n" in result.output
    assert "problem" not in result.output


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (status("401 Unauthorized", b'{"ok":false,"error_code":401,"description":"Unauthorized"}'),
         "Telegram does not know accounts.telegram.shop.bot_token"),
        (status("400 Bad Request", b'{"ok":false,"description":"Bad Request: bad webhook: IP address is reserved"}'),
         "getMe was refused: Bad Request: bad webhook: IP address is reserved"),
        (status("502 Bad Gateway", b"<html>"), "getMe was refused: HTTP 502"),
        (status("200 OK", b'{"ok":true,"result":"?"}'), "getMe was answered with something else"),
        (cut, ""),
    ],
)  # fmt: skip
def test_what_telegram_refuses_is_told_in_its_words(
    shell: Shell, api: BotApi, behaviour: Any, problem: str
) -> None:
    api.usually(behaviour)
    assert problem in shell.run("webhook", "shop", fails=True).output


def test_nobody_there_is_an_error_and_no_traceback(shell: Shell) -> None:
    shell.write("http://127.0.0.1:9")
    assert shell.run("webhook", "shop", fails=True).output.startswith("Error: ")
