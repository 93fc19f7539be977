"""Replies as Block Kit: golden examples, and Slack's limits whatever an assistant says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.base import Rendered
from gateway.channels.registry import CHANNELS
from gateway.channels.slack import limits
from gateway.channels.slack.blocks import without_pictures
from gateway.channels.slack.mrkdwn import to_plain
from gateway.channels.slack.surfaces import MESSAGES_MAX
from gateway.domain.reply import (
    Audio,
    Button,
    Buttons,
    Card,
    Image,
    Item,
    List,
    Part,
    Reply,
    Speech,
    Suggestions,
    Text,
)
from tests.channels.slack.deliveries import ACCOUNT
from tests.channels.strategies import replies

SLACK = CHANNELS["slack"]
CHANNEL = {"team": "T1", "channel": "C1"}
ANSWERABLE = {**CHANNEL, "response_url": "https://hooks.slack.com/commands/1", "visibility": "ephemeral"}
PICTURE = Image("https://a.example/m.png", "A Martini")


def render(*parts: Part, surface: str = "event", address: dict[str, str] = CHANNEL) -> Rendered:
    return SLACK.render(Reply(parts), surface, address, ACCOUNT)


def blocks(*parts: Part) -> list[dict[str, Any]]:
    (payload,) = render(*parts).payloads
    return payload["body"]["blocks"]  # type: ignore[no-any-return]


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def test_a_text_is_a_section_in_which_no_character_means_anything() -> None:
    text = "2 * 3 < 7 & <!channel>"

    assert blocks(Text(text)) == [{"type": "section", "text": plain(text)}]


def test_markdown_is_mrkdwn() -> None:
    assert blocks(Text("**Hi** <!here>", markdown=True)) == [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Hi* &lt;!here&gt;"}}
    ]


def test_a_card_is_a_header_with_what_belongs_to_it() -> None:
    card = Card(
        "Martini", "Stir.", "cold", PICTURE, (Button("Make it", "m"), Button("Site", url="https://a.example"))
    )

    assert blocks(card) == [
        {"type": "header", "text": plain("Martini")},
        {"type": "context", "elements": [plain("cold")]},
        {"type": "section", "text": plain("Stir.")},
        {"type": "image", "image_url": "https://a.example/m.png", "alt_text": "A Martini"},
        {
            "type": "actions",
            "elements": [
                {"type": "button", "text": plain("Make it"), "action_id": "button:1", "value": "m"},
                {"type": "button", "text": plain("Site"), "action_id": "link:2", "url": "https://a.example"},
            ],
        },
    ]


def test_a_list_to_read_is_one_text() -> None:
    listing = List((Item("Gin", "dry"), Item("Rum")), title="Spirits", numbered=True)

    assert blocks(listing) == [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Spirits*"}},
        {"type": "section", "text": plain("1. Gin – dry\n2. Rum")},
    ]


def test_a_list_to_choose_from_has_a_control_at_each_item() -> None:
    listing = List(
        (Item("Gin", "dry", "g"), Item("Rum", image=PICTURE), Item("Rye", value="r", image=PICTURE))
    )
    picture = {"type": "image", "image_url": "https://a.example/m.png", "alt_text": "A Martini"}

    assert blocks(listing) == [
        {
            "type": "section",
            "text": plain("• Gin\ndry"),
            "accessory": {"type": "button", "text": plain("Gin"), "action_id": "item:1", "value": "g"},
        },
        {"type": "section", "text": plain("• Rum"), "accessory": picture},
        {
            "type": "section",
            "text": plain("• Rye"),
            "accessory": {"type": "button", "text": plain("Rye"), "action_id": "item:2", "value": "r"},
        },
        picture,
    ]


def test_pictures_can_be_taken_out_and_leave_links() -> None:
    """A bar in an address ends it for Slack; what is beside a picture stays as it is."""
    odd = Image("https://a.example/?a|b&c", "x > y", title="Which?")
    drawn = [*blocks(odd), *blocks(List((Item("Rum", image=PICTURE), Item("Gin", value="g"))))]

    link, rum, gin = without_pictures(drawn)
    assert link == {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "<https://a.example/?a%7Cb&amp;c|Which? – x &gt; y>"},
    }
    assert rum == {
        "type": "section",
        "text": plain("• Rum"),
        "fields": [{"type": "mrkdwn", "text": "<https://a.example/m.png|A Martini>"}],
    }
    assert gin == drawn[2]
    long = Image("https://a.example/" + "&" * 2_000, "A Martini")
    assert without_pictures(blocks(long)) == [{"type": "section", "text": plain("A Martini")}]


def test_controls_stand_five_in_a_row_and_are_numbered_through_the_message() -> None:
    drawn = blocks(
        Buttons("Which?", tuple(Button(label, label) for label in "abcdefg")), Suggestions(("More",))
    )

    assert [block["type"] for block in drawn] == ["section", "actions", "actions", "actions"]
    assert [len(block["elements"]) for block in drawn[1:]] == [5, 2, 1]
    assert drawn[3]["elements"][0] == {
        "type": "button",
        "text": plain("More"),
        "action_id": "say:8",
        "value": "More",
    }


def test_a_row_of_long_values_is_cut_before_it_is_more_than_a_message() -> None:
    rendered = render(Buttons("Which?", tuple(Button(label, label * 2_000) for label in "äöüéè")))

    assert [len(block["elements"]) for one in rendered.payloads for block in one["body"]["blocks"][-1:]] == [2, 2, 1]
    assert all(len(msgspec.json.encode(one["body"]["blocks"])) <= limits.BLOCKS_BYTES_MAX for one in rendered.payloads)


def test_what_slack_cannot_show_is_degraded_and_told() -> None:
    rendered = render(Speech("Cheers"), Audio("https://a.example/a.mp3", "Clink"))

    assert rendered.degraded == ("speech: shown as text", "audio: shown as its transcript")
    (payload,) = rendered.payloads
    assert [block["text"]["text"] for block in payload["body"]["blocks"]] == [
        "Cheers",
        "Clink",
        "<https://a.example/a.mp3|Audio>",
    ]


def test_the_fallback_text_says_what_the_blocks_show() -> None:
    (payload,) = render(Card("Martini & more", "Stir <it>", image=PICTURE), Suggestions(("More",))).payloads

    assert payload["body"]["text"] == "Martini &amp; more\nStir &lt;it&gt;\nA Martini"


def test_a_message_of_controls_only_still_has_a_fallback_text() -> None:
    (payload,) = render(Suggestions(("More", "Less"))).payloads

    assert payload["body"]["text"] == "More\nLess"


@pytest.mark.parametrize(
    ("surface", "address", "expected"),
    [
        ("event", CHANNEL, {"via": "chat.postMessage", "channel": "C1"}),
        (
            "event",
            {**CHANNEL, "thread_ts": "1.2"},
            {"via": "chat.postMessage", "channel": "C1", "thread_ts": "1.2"},
        ),
        ("view", {**CHANNEL, "channel": "U1"}, {"via": "chat.postMessage", "channel": "U1"}),
        ("command", ANSWERABLE, {"via": "response_url", "response_type": "ephemeral"}),
        (
            "interaction",
            {**ANSWERABLE, "visibility": "in_channel", "thread_ts": "1.2"},
            {
                "via": "response_url",
                "response_type": "in_channel",
                "thread_ts": "1.2",
                "replace_original": False,
            },
        ),
    ],
)
def test_a_reply_goes_where_its_message_came_from(
    surface: str, address: dict[str, str], expected: dict[str, Any]
) -> None:
    (payload,) = render(Text("Hi"), surface=surface, address=address).payloads

    body = {name: value for name, value in payload["body"].items() if name not in {"text", "blocks"}}
    assert {"via": payload["via"], **body} == expected
    assert payload.get("url") == address.get("response_url")


def test_an_empty_reply_is_no_message() -> None:
    assert render() == Rendered(())
    assert render(Text("  \n")) == Rendered(())


def test_a_reply_too_long_for_one_message_becomes_several_in_order() -> None:
    words = [f"word{number}" for number in range(4_000)]

    rendered = render(Text(" ".join(words)))

    assert len(rendered.payloads) > 1
    shown = [block["text"]["text"] for payload in rendered.payloads for block in payload["body"]["blocks"]]
    assert " ".join(shown).split() == words


def test_code_that_is_cut_is_code_in_each_block() -> None:
    code = "\n".join(f"    line_{number} = {number}" for number in range(300))
    drawn = [block["text"]["text"] for block in blocks(Text(f"```python\n{code}\n```", markdown=True))]

    assert len(drawn) > 1
    assert all(text.startswith("```\n    line_") and text.endswith("```") for text in drawn)


def test_a_message_holds_fifty_blocks() -> None:
    """Small blocks run into the number before the bytes."""
    rendered = render(*[List((Item("x", value="y"),))] * 60)

    assert [len(payload["body"]["blocks"]) for payload in rendered.payloads] == [50, 10]


def test_what_does_not_fit_at_all_is_said_and_recorded() -> None:
    rendered = render(*[Text("x" * 40_000)] * 3)

    assert len(rendered.payloads) == MESSAGES_MAX
    assert "too long" in rendered.payloads[-1]["body"]["blocks"][-1]["elements"][0]["text"]
    assert rendered.degraded[-1].endswith(f"blocks beyond {MESSAGES_MAX} messages not shown")


@given(replies, st.sampled_from(["event", "command", "interaction", "view"]))
def test_any_reply_renders_within_slacks_limits(reply: Reply, surface: str) -> None:
    """Every bound of limits.py holds, ids are unique, texts are not empty, and the outbox can keep it."""
    address = ANSWERABLE if surface in {"command", "interaction"} else CHANNEL

    rendered = SLACK.render(reply, surface, address, ACCOUNT)

    assert len(rendered.payloads) <= MESSAGES_MAX
    encoded = msgspec.json.encode(rendered.payloads)
    assert b"\\u0000" not in encoded
    for payload in rendered.payloads:
        body = payload["body"]
        assert body["text"].strip()
        assert len(body["text"]) <= limits.FALLBACK_CHARS_MAX
        assert 1 <= len(body["blocks"]) <= limits.BLOCKS_MAX
        sizes = [len(msgspec.json.encode(block)) for block in body["blocks"]]
        assert sum(sizes) <= limits.BLOCKS_BYTES_MAX or len(sizes) == 1
        ids = [control["action_id"] for control in _controls(body["blocks"])]
        assert len(ids) == len(set(ids))
        bare = without_pictures(body["blocks"])
        assert len(bare) == len(body["blocks"])
        assert b'"image_url"' not in msgspec.json.encode(bare)
        for block in (*body["blocks"], *bare):
            _assert_block(block)


@given(replies)
def test_no_word_of_a_reply_is_lost_in_silence(reply: Reply) -> None:
    """Every text of the reply is in the blocks, unless a line says that it is not."""
    rendered = SLACK.render(reply, "event", CHANNEL, ACCOUNT)
    if rendered.degraded:
        return  # what was changed is told; test_degrade has the laws of changing

    shown = _squeezed("".join(_shown(rendered)))
    for part in reply.parts:
        for text in _plain_texts(part):
            assert _squeezed(text) in shown


def _assert_block(block: dict[str, Any]) -> None:
    match block["type"]:
        case "section":
            assert 1 <= len(block["text"]["text"]) <= limits.SECTION_CHARS_MAX
            assert all(1 <= len(field["text"]) <= limits.FIELD_CHARS_MAX for field in block.get("fields", ()))
        case "header":
            assert 1 <= len(block["text"]["text"]) <= limits.HEADER_CHARS_MAX
        case "context":
            assert 1 <= len(block["elements"]) <= 10
        case "actions":
            assert 1 <= len(block["elements"]) <= limits.ACTIONS_ELEMENTS_MAX
        case "image":
            assert 1 <= len(block["alt_text"]) <= limits.ALT_CHARS_MAX
        case other:
            raise AssertionError(other)
    for control in _controls([block]):
        assert 1 <= len(control["text"]["text"]) <= limits.BUTTON_LABEL_CHARS_MAX
        assert len(control.get("value", "x")) <= 2_000
        assert len(control["action_id"]) <= 255


def _controls(drawn: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in drawn:
        yield from (each for each in block.get("elements", ()) if each["type"] == "button")
        if block.get("accessory", {}).get("type") == "button":
            yield block["accessory"]


def _shown(rendered: Rendered) -> Iterator[str]:
    for payload in rendered.payloads:
        for block in payload["body"]["blocks"]:
            text = block.get("text", {"text": "", "type": ""})
            yield to_plain(text["text"]) if text["type"] == "mrkdwn" else text["text"]
            yield block.get("title", {"text": ""})["text"]
            yield block.get("alt_text", "")
            for each in (*block.get("elements", ()), block.get("accessory", {})):
                yield each.get("alt_text", "")
                yield each["text"]["text"] if each.get("type") == "button" else each.get("text", "")


def _plain_texts(part: Part) -> Iterator[str]:
    """Yield the texts of *part* that are shown as they stand (Markdown changes its marks)."""
    match part:
        case Text(markdown=False) | Buttons():
            yield part.text
        case Image():
            yield from (part.alt, part.title)
        case Card():
            yield from (part.title, part.subtitle, part.text)
        case List():
            yield from (part.title, *(item.title for item in part.items), *(item.text for item in part.items))
        case Suggestions():
            yield from part.texts


def _squeezed(text: str) -> str:
    return "".join(text.replace("\x00", "\ufffd").split())
