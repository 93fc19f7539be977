"""The channels' pages: what they tell to paste is taken, and every setting stands in their tables."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
import yaml

from gateway import channels
from gateway.settings.accounts import Account, SlackAccount, TelegramAccount
from gateway.settings.load import load

FOLDER = Path(channels.__file__).parent
ASSISTANT = '\n[assistants.shop]\nurl = "http://127.0.0.1:8090/turn"\n'


def page(channel: str) -> str:
    return (FOLDER / channel / "README.md").read_text()


def pasted(channel: str, language: str) -> str:
    """Return the page's first block in *language*, without its indentation."""
    found = re.search(rf"^( *)```{language}\n(.*?)^\1```", page(channel), re.DOTALL | re.MULTILINE)
    assert found
    return "".join(line.removeprefix(found[1]) for line in found[2].splitlines(keepends=True))


@pytest.mark.parametrize("channel", ["slack", "telegram"])
def test_the_account_of_the_page_loads(tmp_path: Path, channel: str) -> None:
    text = pasted(channel, "toml")
    settings = tmp_path / "switchboard.toml"
    settings.write_text(text + ASSISTANT)
    (tmp_path / "secrets").mkdir()
    for name in re.findall(r"file:(secrets/\w+)", text):
        (tmp_path / name).write_text("1234567:a-secret-of-some-length")
    environ = {"SWITCHBOARD_HOME": str(tmp_path), "DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h/0"}

    account = load(settings, environ).accounts[channel, "shop"]

    assert set(tomllib.loads(text)["accounts"][channel]["shop"]) <= set(account.__struct_fields__)


@pytest.mark.parametrize(("channel", "kind"), [("slack", SlackAccount), ("telegram", TelegramAccount)])
def test_every_setting_stands_in_the_page(channel: str, kind: type[Account]) -> None:
    """`chat_…` stands for all that begin so."""
    table = page(channel).partition("| setting | what it decides |")[2].partition("\n\n")[0]
    named = [cell for row in table.splitlines() for cell in re.findall(r"`(\w+…?)`", row.split("|")[:2][-1])]
    own = set(kind.__struct_fields__) - set(Account.__struct_fields__)
    begun = tuple(name.removesuffix("…") for name in named if name.endswith("…"))

    assert {one for one in own if one not in named and not one.startswith(begun or "…")} == set()
    assert {name for name in named if not name.endswith("…")} <= own


def test_slacks_manifest_asks_for_what_the_channel_reads() -> None:
    """Its addresses are the account's, and each of its events has the scope that Slack wants for it."""
    manifest = yaml.safe_load(pasted("slack", "yaml"))
    settings, features = manifest["settings"], manifest["features"]
    addresses = {
        settings["event_subscriptions"]["request_url"],
        settings["interactivity"]["request_url"],
        *(command["url"] for command in features["slash_commands"]),
    }
    scopes = {"message.im": "im:history", "app_mention": "app_mentions:read"}

    assert addresses == {"https://bots.example/hooks/slack/shop"}
    assert set(settings["event_subscriptions"]["bot_events"]) == set(scopes)
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == {"chat:write", "commands", *scopes.values()}
    assert features["app_home"]["messages_tab_enabled"]
    assert msgspec.json.encode(manifest), "plain values: Slack takes the same as JSON"
