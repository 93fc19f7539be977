"""Telegram's own side and our channel, each written by itself from Telegram's documents: they understand each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from gateway.channels.base import Messages
from gateway.channels.registry import CHANNELS
from gateway.domain.http import Request
from gateway.domain.message import Inbound
from gateway.domain.reply import Button, Buttons, Card, Image, Reply, Text
from gateway.platforms.base import Act, Answer, Call, Picture, Say, Scene, Seen, Served, Tap
from gateway.platforms.telegram import TelegramPlatform
from gateway.settings.accounts import TelegramAccount
from gateway.settings.secret import Secret
from tests.channels.strategies import replies
from tests.platforms.trial_stack import TrialStack

PLATFORM = TelegramPlatform(Path("/nowhere"))
CHANNEL = CHANNELS["telegram"]
TOKEN = "7000000001:AAE-hush"
ACCOUNT = TelegramAccount(
    channel="telegram",
    name="bartender",
    assistant="bartender",
    secret_tokens=(Secret("hush"), Secret("older")),
    bot_token=Secret(TOKEN),
    username="bartender_bot",
)


def scene(number: int = 1, **more: Any) -> Scene:
    return Scene(at_s=1763800000.5, number=number, **more)


def delivered(act: Act, where: Scene, account: TelegramAccount = ACCOUNT) -> Inbound:
    """Return what our channel takes the platform's delivery for; python-telegram-bot reads it as well."""
    delivery = PLATFORM.deliver(account, where, act)
    signed = PLATFORM.signed(account, delivery, at_s=where.at_s)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    request = Request(signed.method, signed.path, "", headers, signed.body)
    assert signed.path == "/hooks/telegram/bartender"
    CHANNEL.verify(request, account, where.at_s)
    theirs = Update.de_json(msgspec.json.decode(signed.body), None)
    assert theirs is not None
    assert theirs.effective_chat is not None
    assert theirs.effective_user is not None
    parsed = CHANNEL.parse(request, account, where.at_s)
    assert isinstance(parsed, Messages)
    [inbound] = parsed.inbound
    assert inbound.conversation_key == PLATFORM.place(account, where)
    assert parsed.acknowledgement is not None
    [sign] = PLATFORM.answered(account, delivery, Answer(200, parsed.acknowledgement.body))
    assert sign.kind == "progress"
    return inbound


def served(payload: dict[str, Any], account: TelegramAccount = ACCOUNT, *, token: str = TOKEN) -> Served:
    """Return what the platform makes of a rendered message."""
    body = msgspec.json.encode(payload["body"])
    call = Call("POST", f"/bot{token}/{payload['method']}", "", {}, body, at_s=1763800001.0, number=9)
    return PLATFORM.served(account, call)


def keyboard(**key: str) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "x", **key}]]}


@pytest.mark.parametrize("place", [{}, {"thread": "gin"}, {"group": True}, {"group": True, "thread": "gin"}])
@pytest.mark.parametrize("named", [True, False])
def test_what_is_said_and_tapped_reaches_the_bot_wherever_it_is(place: dict[str, Any], named: bool) -> None:
    """In private and in a group, in a topic and outside; whether or not the settings know the bot's username."""
    account = ACCOUNT if named else msgspec.structs.replace(ACCOUNT, username="")
    text = delivered(Say("I have gin 🍸"), scene(**place), account)
    command = delivered(Say("/drink gin"), scene(2, **place), account)
    assert (text.message.kind, text.message.text) == ("text", "I have gin 🍸")
    assert (command.message.kind, command.message.name, command.message.text) == ("command", "/drink", "gin")

    reply = Reply((Buttons("Which?", (Button("This", "take:this"), Button("That", "x" * 500))),))
    [payload] = CHANNEL.render(reply, text.surface, text.address, account).payloads
    shown = served(payload, account)
    assert shown.place == PLATFORM.place(account, scene(**place))
    [seen] = shown.seen
    assert [control.label for control in seen.controls] == ["This", "That"]
    tapped = [
        delivered(Tap(control), scene(3 + at, **place), account) for at, control in enumerate(seen.controls)
    ]
    assert [each.message.text for each in tapped] == ["This", "That"]
    assert tapped[0].message.value == "take:this"
    assert tapped[1].address["value_digest"]


def test_the_same_person_is_the_same_everywhere_and_updates_increase() -> None:
    first, second = (
        delivered(Say("a"), scene(5, user="ada")),
        delivered(Say("b"), scene(6, user="ada", group=True)),
    )

    assert first.sender.key == second.sender.key != delivered(Say("c"), scene(7, user="bob")).sender.key
    assert (first.dedupe_keys, second.dedupe_keys) == (("update:5",), ("update:6",))


@given(replies, st.booleans())
def test_whatever_our_channel_sends_is_taken_and_read(reply: Reply, group: bool) -> None:
    """The stand-in refuses what Telegram would refuse; of what we render it takes all, or what is sent instead."""
    address = delivered(Say("hi"), scene(group=group)).address
    for payload in CHANNEL.render(reply, "message", address, ACCOUNT).payloads:
        answers = [served(each) for each in (payload, payload.get("instead")) if each]
        assert any(msgspec.json.decode(each.answer.body)["ok"] for each in answers)


def test_a_photo_and_a_link_are_seen() -> None:
    parts = (
        Text("See [the bar](https://bar.example) 🍸 now", markdown=True),
        Card("Gin", image=Image("https://a.example/1.png", "A glass")),
    )
    seen = [
        served(payload).seen[0]
        for payload in CHANNEL.render(Reply(parts), "message", {"chat_id": "5"}, ACCOUNT).payloads
    ]

    assert seen[0] == Seen("See the bar (https://bar.example) 🍸 now")
    assert (seen[1].text, seen[1].pictures) == ("Gin\nA glass", (Picture("https://a.example/1.png", "photo"),))


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"chat_id": 5, "text": " "}, 400, "message text is empty"),
        ({"chat_id": 5, "text": "🍸" * 2_049}, 400, "message is too long"),
        ({"text": "hi"}, 400, "chat not found"),
        (
            {"chat_id": 5, "text": "hi", "reply_markup": keyboard(callback_data="x" * 65)},
            400,
            "BUTTON_DATA_INVALID",
        ),
        (
            {"chat_id": 5, "text": "hi", "reply_markup": keyboard(url="http://localhost/")},
            400,
            "Wrong HTTP URL",
        ),
    ],
)
def test_what_telegram_would_refuse_is_refused(body: dict[str, Any], code: int, words: str) -> None:
    refused = served({"method": "sendMessage", "body": body})

    assert refused.answer.status == code
    assert words in msgspec.json.decode(refused.answer.body)["description"]
    assert refused.seen == ()


@pytest.mark.parametrize(("token", "code"), [("7000000001:other", 401), ("nonsense", 404)])
def test_another_token_is_refused(token: str, code: int) -> None:
    assert served({"method": "getMe", "body": {}}, token=token).answer.status == code


def test_getme_names_the_bot() -> None:
    answer = served({"method": "getMe", "body": {}}).answer
    assert msgspec.json.decode(answer.body)["result"]["username"] == "bartender_bot"


def test_without_a_secret_nothing_can_be_delivered() -> None:
    mute = msgspec.structs.replace(ACCOUNT, secret_tokens=())
    with pytest.raises(ValueError, match=r"accounts\.telegram\.bartender\.secret_tokens"):
        PLATFORM.signed(mute, PLATFORM.deliver(mute, scene(), Say("hi")), at_s=1.0)


@pytest.mark.parametrize("place", [(), ("--group",), ("--group", "--thread", "gin")])
def test_a_conversation_with_the_bartender(trial: TrialStack, guest: str, place: tuple[str, ...]) -> None:
    """Greeted, asked, tapped: by a real gateway, worker, assistant and stand-in."""
    here = ("telegram", "bartender", "--user", guest, *place)
    greeted = trial.simulate(*here, "/start")
    asked = trial.simulate(*here, "I have rum and lime")
    tapped = trial.simulate(*here, "--tap", "Daiquiri")

    assert greeted.seen[0].notes == ["typing …"]
    assert greeted.seen[-1].kind == asked.seen[-1].kind == "message"
    assert "Daiquiri" in asked.seen[-1].controls
    assert tapped.seen[0].notes == ["the button was taken"]
    assert "Daiquiri" in tapped.seen[-1].text
