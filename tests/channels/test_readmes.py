"""The channels' pages: what they tell to paste is taken, and every setting stands in their tables."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from gateway import channels
from gateway.channels.alexa.words import STOPS
from gateway.channels.base import Messages
from gateway.domain.message import Inbound
from gateway.platforms.alexa.requests import BUILT_IN
from gateway.settings.accounts import Account, AlexaAccount, SlackAccount, TelegramAccount
from gateway.settings.load import load
from tests.channels.alexa.deliveries import ACCOUNT, ALEXA, NOW_S, intent, signed

FOLDER = Path(channels.__file__).parent
ASSISTANT = '\n[assistants.shop]\nurl = "http://127.0.0.1:8090/turn"\n'


def page(channel: str) -> str:
    return (FOLDER / channel / "README.md").read_text()


def pasted(channel: str, language: str) -> str:
    """Return the page's first block in *language*, without its indentation."""
    found = re.search(rf"^( *)```{language}\n(.*?)^\1```", page(channel), re.DOTALL | re.MULTILINE)
    assert found
    return "".join(line.removeprefix(found[1]) for line in found[2].splitlines(keepends=True))


@pytest.mark.parametrize("channel", ["alexa", "slack", "telegram"])
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


def test_alexas_carrier_phrases_end_in_the_slot_that_the_account_reads() -> None:
    """Amazon builds no sample that is nothing but a slot of this type, and allows it one in a sentence."""
    asked = [one for one in alexas_intents() if one["samples"]]
    [said] = asked
    [slot] = said["slots"]

    assert slot["type"] == "AMAZON.SearchQuery"
    assert slot["name"] in AlexaAccount(channel="alexa", name="shop", assistant="shop").text_slots
    assert len(said["samples"]) == len(set(said["samples"])) > 1
    for sample in said["samples"]:
        assert re.fullmatch(rf"[a-z' ]*[a-z] \{{{slot['name']}\}}", sample), sample
    assert heard(said["name"], slot["name"]).message.text == "something with gin"


def test_alexas_own_intents_are_those_that_are_read() -> None:
    """What certification wants, what ends a session, what the page speaks of, and what `simulate alexa` says."""
    own = [one["name"] for one in alexas_intents() if not one["samples"]]
    wanted = {"AMAZON.CancelIntent", "AMAZON.HelpIntent", "AMAZON.StopIntent", "AMAZON.FallbackIntent"}
    described = set(re.findall(r"AMAZON\.\w+Intent", page("alexa").replace(pasted("alexa", "json"), "")))

    assert own == sorted(set(own))
    assert set(own) >= wanted | STOPS | described | {f"AMAZON.{name}Intent" for name in BUILT_IN.values()}
    assert {name for name in own if heard(name).surface == "stop"} == STOPS
    assert {name for name in own if not heard(name).message.text} == {"AMAZON.FallbackIntent"}
    assert heard("AMAZON.YesIntent").message.text == "yes"


def test_alexas_invocation_name_is_one_that_amazon_takes() -> None:
    """[D] choose-the-invocation-name: two words at least, lower case, none that are Alexa's own."""
    words = alexas_model()["invocationName"].split()

    assert len(words) > 1
    assert all(re.fullmatch(r"[a-z][a-z'.]*", word) for word in words)
    assert not {"alexa", "amazon", "echo", "computer", "skill", "app", "the", "a", "an"} & set(words)
    assert f"open {' '.join(words)}" in page("alexa")


def alexas_model() -> Any:
    return json.loads(pasted("alexa", "json"))["interactionModel"]["languageModel"]


def alexas_intents() -> list[dict[str, Any]]:
    intents: list[dict[str, Any]] = alexas_model()["intents"]
    return intents


def heard(name: str, slot: str = "") -> Inbound:
    """Return what the gateway makes of it, with something said in *slot*."""
    slots = {slot: {"name": slot, "value": "something with gin"}} if slot else {}
    parsed = ALEXA.parse(signed(intent(name, slots)), ACCOUNT, NOW_S)
    assert isinstance(parsed, Messages)
    [inbound] = parsed.inbound
    return inbound
