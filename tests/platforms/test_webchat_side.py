"""Web chat's own side against our channel: whose cookie is believed, and that every part of a reply is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.base import Messages
from gateway.channels.webchat import WebchatChannel
from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from gateway.domain.message import Inbound
from gateway.domain.reply import (
    Audio,
    Button,
    Buttons,
    Card,
    File,
    Image,
    Item,
    List,
    Reply,
    Speech,
    Suggestions,
    Text,
)
from gateway.platforms.base import Delivery, Say, Scene, Tap
from gateway.platforms.webchat import WebchatPlatform, read
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret

NOW_S = 1_763_800_000.0
ACCOUNT = WebchatAccount(
    channel="webchat", name="bar", assistant="bartender", cookie_secrets=(Secret("new"), Secret("old"))
)
PAGE = WebchatPlatform(Path())
CHANNEL = WebchatChannel()
PICTURE = Image("https://a.example/p.png", "A picture", title="Its title")


def scene(**more: Any) -> Scene:
    return msgspec.structs.replace(Scene(user="ada", at_s=NOW_S, number=1_763_800_000_000_001), **more)


def received(delivery: Delivery, *, account: WebchatAccount = ACCOUNT) -> Inbound:
    """Return what our channel makes of a delivery."""
    signed = PAGE.signed(account, delivery, at_s=NOW_S)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    request = Request(signed.method, signed.path, "", headers, signed.body)
    CHANNEL.verify(request, ACCOUNT, NOW_S)
    parsed = CHANNEL.parse(request, ACCOUNT, NOW_S)
    assert isinstance(parsed, Messages)
    [inbound] = parsed.inbound
    return inbound


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.strip() and "\x00" not in text))
def test_what_is_typed_is_what_arrives(text: str) -> None:
    text = text.encode(errors="replace").decode()
    assert received(PAGE.deliver(ACCOUNT, scene(), Say(text))).message.text == text


def test_a_name_is_a_visitor_and_a_thread_a_chat() -> None:
    """The same in every run; the place is the conversation that our channel sees."""
    places = [scene(), scene(user="ben"), scene(thread="one"), scene(thread="two")]
    keys = [received(PAGE.deliver(ACCOUNT, place, Say("hi"))).conversation_key for place in places]
    assert len(set(keys)) == len(keys)
    assert keys == [PAGE.place(ACCOUNT, place) for place in places]
    again = received(PAGE.deliver(ACCOUNT, scene(number=5), Say("hi")))
    assert again.conversation_key == keys[0]


def test_only_the_accounts_secret_makes_a_visitor() -> None:
    """Another's cookie is nobody's, and without a secret there is none."""
    other = msgspec.structs.replace(ACCOUNT, cookie_secrets=(Secret("another"),))
    with pytest.raises(Unauthentic):
        received(PAGE.deliver(ACCOUNT, scene(), Say("hi")), account=other)
    bare = msgspec.structs.replace(ACCOUNT, cookie_secrets=())
    with pytest.raises(ValueError, match=r"accounts\.webchat\.bar\.cookie_secrets"):
        received(PAGE.deliver(ACCOUNT, scene(), Say("hi")), account=bare)


def test_every_part_of_a_reply_is_read() -> None:
    """Words, controls in their order, pictures; a tap brings back what stands on it."""
    reply = Reply(
        (
            Text("A text"),
            Speech("A speech"),
            PICTURE,
            Audio("https://a.example/a.mp3", "What it says"),
            File("https://a.example/f.pdf", "A file"),
            Card("A card", "its text", "its line", image=PICTURE, buttons=(Button("Card button", "c"),)),
            List((Item("One", "first", "1"), Item("Two", image=PICTURE)), title="A list", numbered=True),
            Buttons("A question", (Button("Yes", "y"), Button("Away", url="https://a.example/"))),
            Suggestions(("Say this",)),
        )
    )
    asked = received(PAGE.deliver(ACCOUNT, scene(), Say("hi")))
    [payload] = CHANNEL.render(reply, asked.surface, asked.address, ACCOUNT).payloads
    seen = read(payload["parts"])
    for words in ("A text", "A speech", "Its title", "What it says", "A file", "A card", "its line", "its text"):
        assert words in seen.text
    assert "1. One: first\n2. Two\nA question" in seen.text
    assert [control.label for control in seen.controls] == ["Card button", "One", "Yes", "Away", "Say this"]
    assert seen.controls[3].url == "https://a.example/"
    assert len(seen.pictures) == 3

    tap = received(PAGE.deliver(ACCOUNT, scene(), Tap(seen.controls[1]))).message
    assert (tap.kind, tap.name, tap.value, tap.text) == ("tap", "item", "1", "One")
    said = received(PAGE.deliver(ACCOUNT, scene(), Tap(seen.controls[4]))).message
    assert (said.kind, said.text) == ("text", "Say this")
