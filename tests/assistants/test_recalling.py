"""Taps whose platform had no room for their value: it is found among the controls that were shown."""

from __future__ import annotations

import msgspec
import pytest

from gateway.assistants.preview import OnPreview, ignore_preview
from gateway.assistants.recalling import TURNS_MAX, Recalling
from gateway.domain.capabilities import Capabilities
from gateway.domain.control import DIGEST, value_digest
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed, StoreUnavailable
from gateway.domain.message import Message
from gateway.domain.reply import Button, Buttons, Card, Item, List, Part, Reply, Text
from gateway.domain.turn import LaneKey, Turn
from gateway.store.ledger.transcripts import Exchange, Past
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN, deadline

VALUE = "a value of more than sixty-four bytes: " + "é" * 40
SAID = Message(kind="text", text="show me")


class Asked:
    """An assistant that keeps what it was asked."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def ask(
        self, turn: Turn, lane_key: LaneKey, capabilities: Capabilities, by: Deadline, on_preview: OnPreview
    ) -> Reply:
        self.turns.append(turn)
        return Reply((Text("ok"),))


class Shown:
    """A transcript of replies with such parts, oldest first."""

    def __init__(self, *parts: Part) -> None:
        self.parts = parts
        self.reads: list[Past] = []

    def before(self, past: Past) -> list[Exchange]:
        self.reads.append(past)
        return [Exchange(seq, SAID, (part,)) for seq, part in enumerate(self.parts, 1)]


def asked(shown: Shown, **address: str) -> Message:
    """Return the message with which the assistant is asked about a tap."""
    assistant = Asked()
    tap = Message(kind="tap", name="button", text="This")
    turn = msgspec.structs.replace(TURN, message=tap, address={"chat_id": "5", **address})
    Recalling(assistant, shown).ask(turn, LANE_KEY, CAPABILITIES, deadline(), ignore_preview)
    return assistant.turns[0].message


@pytest.mark.parametrize(
    "part",
    [
        Buttons("Which?", (Button("Other", "o"), Button("This", VALUE))),
        Card("Which?", buttons=(Button("This", VALUE),)),
        List((Item("Other"), Item("This", value=VALUE))),
    ],
)
def test_a_value_is_found_wherever_it_was_shown(part: Part) -> None:
    message = asked(Shown(Text("earlier"), part, Text("later")), **{DIGEST: value_digest(VALUE)})

    assert (message.kind, message.text, message.value) == ("tap", "This", VALUE)


def test_what_was_not_shown_lately_is_its_label_alone() -> None:
    shown = Shown(Text("nothing to tap"))

    assert asked(shown, **{DIGEST: value_digest(VALUE)}) == Message(kind="tap", name="button", text="This")
    assert shown.reads == [Past(TURN.conversation_id, TURN.seq, TURNS_MAX, 1_000_000)]


def test_other_turns_cost_no_look() -> None:
    shown = Shown(Buttons("Which?", (Button("This", VALUE),)))

    assert asked(shown).value == ""
    assert shown.reads == []


def test_a_tap_is_not_asked_about_without_its_value_while_the_ledger_is_away() -> None:
    class Away(Shown):
        def before(self, past: Past) -> list[Exchange]:
            raise StoreUnavailable("PostgreSQL does not answer", reason="postgres", retry_after_s=1)

    with pytest.raises(AssistantFailed) as caught:
        asked(Away(), **{DIGEST: value_digest(VALUE)})
    assert caught.value.reason == "history_unavailable"
