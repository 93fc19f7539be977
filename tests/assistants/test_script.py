"""Scripts: the first rule that matches decides, and the rest is echoed."""

from __future__ import annotations

import pytest

from gateway.assistants.decode import decode_reply
from gateway.assistants.script import Rule, Script, Step, encode_reply
from gateway.domain.message import Message
from gateway.domain.reply import Image, Reply, Text
from gateway.settings.assistants import AssistantSettings, ScriptRule

SCRIPT = Script.of_settings(
    (
        ScriptRule(pattern="^hello", text="Hello! You said {text} {and} that is all.", delay_s=0.5),
        ScriptRule(pattern="hello", text="second"),
        ScriptRule(pattern="break", fails_with="http_500"),
    )
)


def text(said: str) -> Message:
    return Message(kind="text", text=said)


def test_the_first_rule_that_matches_decides() -> None:
    assert SCRIPT.step(text("HELLO there")).reply == Reply(
        (Text("Hello! You said HELLO there {and} that is all."),)
    )
    assert SCRIPT.step(text("HELLO there")).delay_s == 0.5
    assert SCRIPT.step(text("oh hello")).reply == Reply((Text("second"),))
    assert SCRIPT.step(text("break it")).fails_with == "http_500"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (text("anything"), "anything"),
        (Message(kind="tap", name="choose", value="negroni"), "negroni"),
        (Message(kind="command", name="/drink"), "/drink"),
        (Message(kind="event"), ""),
    ],
)
def test_what_no_rule_matches_is_echoed(message: Message, said: str) -> None:
    assert SCRIPT.step(message) == Step(reply=Reply((Text(said),)))


def test_parts_that_are_no_text_stay_as_they_are() -> None:
    image = Image("https://example.org/{text}.png", "{text}")

    assert Script([Rule("", Step(reply=Reply((image,))))]).step(text("x")).reply == Reply((image,))


@pytest.mark.parametrize(
    "reply",
    [Reply(), Reply((Text("a"),)), Reply((), {"a": 1}, None, end=True, locale="en"), Reply(state=None)],
)
def test_a_reply_reads_back_as_it_was_written(reply: Reply) -> None:
    """What was absent stays absent, and an empty reply is still one."""
    assert decode_reply(encode_reply(reply), AssistantSettings()) == reply
