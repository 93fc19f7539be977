"""Slack's own side against two others that read Slack's documents: its SDK's verifier, and our channel."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from gateway.channels.base import Messages
from gateway.channels.slack import SlackChannel
from gateway.channels.slack.blocks import without_pictures
from gateway.domain.http import Request
from gateway.domain.message import Inbound
from gateway.domain.reply import Button, Buttons, Card, Image, Item, List, Reply, Suggestions, Text
from gateway.platforms.base import Act, Answer, Call, Delivery, Say, Scene, Seen, Tap
from gateway.platforms.slack import SlackPlatform
from gateway.platforms.slack.blocks import refused, shown
from gateway.settings.accounts import SlackAccount, SlackWorkspace
from gateway.settings.secret import Secret
from tests.channels.strategies import replies

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW_S = 1_763_800_000.0
JSON = {"content-type": "application/json"}
ACCOUNT = SlackAccount(
    channel="slack",
    name="bar",
    assistant="bartender",
    signing_secrets=(Secret(SECRET), Secret("an older one")),
    bot_token=Secret("xoxb"),
)
SLACK = SlackPlatform(Path())
BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Yes"}}
CHANNEL = SlackChannel()


def scene(number: int = 1_763_800_000_000_001, **more: object) -> Scene:
    whole = Scene(user="ada", at_s=NOW_S, number=number, origin="http://127.0.0.1:8089")
    return msgspec.structs.replace(whole, **more)


def received(delivery: Delivery) -> list[Inbound]:
    """Return what our channel makes of a delivery."""
    signed = SLACK.signed(ACCOUNT, delivery, at_s=NOW_S)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    request = Request(signed.method, signed.path, "", headers, signed.body)
    CHANNEL.verify(request, ACCOUNT, NOW_S)
    parsed = CHANNEL.parse(request, ACCOUNT, NOW_S)
    assert isinstance(parsed, Messages)
    return list(parsed.inbound)


@pytest.mark.parametrize("act", [Say("hello & <there>"), Say("/bar rum")])
def test_slacks_sdk_accepts_the_signature(act: Act) -> None:
    """The reference verifier, over the bytes and headers as they go over the wire."""
    signed = SLACK.signed(ACCOUNT, SLACK.deliver(ACCOUNT, scene(), act), at_s=time.time(), repeat=2)
    assert SignatureVerifier(SECRET).is_valid_request(signed.body, dict(signed.headers))
    assert signed.headers["X-Slack-Retry-Num"] == "2"
    assert not SignatureVerifier("another").is_valid_request(signed.body, dict(signed.headers))


def test_without_a_secret_nothing_is_signed() -> None:
    """The setting is named."""
    bare = msgspec.structs.replace(ACCOUNT, signing_secrets=(Secret(" "),))
    with pytest.raises(ValueError, match=r"accounts\.slack\.bar\.signing_secrets"):
        SLACK.signed(bare, SLACK.deliver(bare, scene(), Say("hi")), at_s=NOW_S)


@given(st.text(min_size=1).filter(lambda text: text.strip() and "\x00" not in text))
@example("a <b> & &lt; <@U1> <!channel>")
def test_what_is_typed_is_what_arrives(text: str) -> None:
    """Whatever somebody types, escaped on the way: as a message, in a channel, as a command."""
    text = text.encode(errors="replace").decode().lstrip("/") or "x"
    [message] = received(SLACK.deliver(ACCOUNT, scene(), Say(text)))
    assert message.message.text == text
    [mention] = received(SLACK.deliver(ACCOUNT, scene(group=True), Say(text)))
    assert mention.message.text.strip() == text.strip()
    [command] = received(SLACK.deliver(ACCOUNT, scene(), Say(f"/bar {text.strip()}")))
    assert (command.message.name, command.message.text) == ("/bar", text.strip())


def test_people_threads_and_rooms_are_conversations_of_their_own() -> None:
    """And the same person is the same in every run."""

    def key(**more: object) -> str:
        [inbound] = received(SLACK.deliver(ACCOUNT, scene(**more), Say("hi")))
        return inbound.conversation_key

    places: list[dict[str, object]] = [{}, {"user": "ben"}, {"thread": "one"}, {"thread": "two"}, {"group": True}]
    places.append({"group": True, "thread": "one"})
    assert len({key(**place) for place in places}) == len(places)
    assert key() == key(number=5)


def test_a_workspace_of_several_speaks_through_the_apps_one_address() -> None:
    """Our channel takes what it does for its account, and for no other one's."""
    both = {team: SlackWorkspace(bot_token=Secret(f"xoxb-{team}")) for team in ("T1", "T2")}
    app = msgspec.structs.replace(ACCOUNT, workspaces=both)
    for one, act in itertools.product(app.installed(), (Say("hi"), Say("/bar hi"))):
        signed = SLACK.signed(one, SLACK.deliver(one, scene(), act), at_s=NOW_S)
        assert signed.path == "/hooks/slack/bar"
        headers = {name.lower(): value for name, value in signed.headers.items()}
        parsed = CHANNEL.parse(Request(signed.method, signed.path, "", headers, signed.body), app, NOW_S)
        assert isinstance(parsed, Messages)
        assert parsed.account == one.name


@pytest.mark.parametrize(
    ("block", "most"),
    [
        (lambda size: {"type": "image", "image_url": "x" * size, "alt_text": "x"}, 3_000),
        (lambda size: {"type": "image", "image_url": "https://a.example/1.png", "alt_text": "x" * size}, 2_000),
        (lambda size: {"type": "actions", "elements": [{**BUTTON, "action_id": "x" * size}]}, 255),
    ],
)
def test_what_is_too_long_for_slack_is_refused(block: Callable[[int], dict[str, object]], most: int) -> None:
    assert refused({"blocks": [block(most)]}) == ""
    assert refused({"blocks": [block(most + 1)]}) == "invalid_blocks"


def test_blocks_that_are_too_long_together_are_refused() -> None:
    section = {"type": "section", "text": {"type": "plain_text", "text": "x" * 2_900}}
    assert refused({"blocks": [section] * 4}) == ""
    assert refused({"blocks": [section] * 5}) == "msg_blocks_too_long"


@settings(max_examples=30)
@given(replies)
def test_whatever_our_channel_sends_is_taken_and_read(reply: Reply) -> None:
    """With its pictures and without; a control alone may have a value that no message holds."""
    for payload in CHANNEL.render(reply, "event", {"channel": "C1"}, ACCOUNT).payloads:
        blocks = payload["body"]["blocks"]
        for body in (payload["body"], {**payload["body"], "blocks": without_pictures(blocks)}):
            assert refused(body) == "" or (refused(body), len(blocks)) == ("msg_blocks_too_long", 1)
            assert shown(body, ts="1", ephemeral=False).kind == "message"


def test_links_in_place_of_pictures_are_taken_and_read() -> None:
    picture = Image("https://a.example/1.png", "A glass")
    items = List((Item("Rum", image=picture),))
    [payload] = CHANNEL.render(Reply((picture, items)), "event", {"channel": "C1"}, ACCOUNT).payloads
    body = {**payload["body"], "blocks": without_pictures(payload["body"]["blocks"])}

    assert refused(body) == ""
    link = "A glass (https://a.example/1.png)"
    assert shown(body, ts="1", ephemeral=False) == Seen(f"{link}\n• Rum\n{link}")
    assert refused({"blocks": [{**body["blocks"][1], "fields": [{"type": "mrkdwn", "text": ""}]}]}) == "invalid_blocks"


def test_twins_share_a_message_and_nothing_else() -> None:
    """Two events of one text: the second dedupe key is the same, the first is not."""
    place = scene(group=True)
    twin = SLACK.twin(ACCOUNT, place, Say("hi"))
    assert twin is not None
    [one], [other] = received(SLACK.deliver(ACCOUNT, place, Say("hi"))), received(twin)
    assert one.message == other.message
    assert one.dedupe_keys[0] != other.dedupe_keys[0]
    assert one.dedupe_keys[1] == other.dedupe_keys[1]
    assert SLACK.twin(ACCOUNT, scene(), Say("hi")) is None


# A command is of its channel, whatever thread it is typed in.
@pytest.mark.parametrize(("act", "where"), [(Say("hi"), {}), (Say("hi"), {"thread": "one"}), (Say("/bar hi"), {})])
def test_an_answer_comes_where_it_was_asked_and_its_buttons_say_what_they_are(
    act: Act, where: dict[str, str]
) -> None:
    """Every part that our channel draws is read; a tap brings back name, value and label, in the same conversation."""
    reply = Reply(
        (
            Text("Some *text* & <more>"),
            Card("A card", "its words", image=Image("https://a.example/p.png", "A picture")),
            List((Item("One", value="first"), Item("Two", value="second")), title="Which?"),
            Buttons("And?", (Button("Yes", "y"), Button("Away", url="https://a.example/"))),
            Suggestions(("Say this",)),
        )
    )
    place = scene(**where)
    [asked] = received(SLACK.deliver(ACCOUNT, place, act))
    seen = shown_in(reply, asked, place)
    assert "Some *text* & <more>" in seen.text
    assert [picture.alt for picture in seen.pictures] == ["A picture"]
    assert [control.label for control in seen.controls] == ["One", "Two", "Yes", "Away", "Say this"]
    assert [control.url for control in seen.controls if control.url] == ["https://a.example/"]

    [tap] = received(SLACK.deliver(ACCOUNT, place, Tap(seen.controls[1])))
    assert (tap.message.kind, tap.message.value, tap.message.text) == ("tap", "second", "Two")
    assert tap.conversation_key == asked.conversation_key
    [said] = received(SLACK.deliver(ACCOUNT, place, Tap(seen.controls[4])))
    assert (said.message.kind, said.message.text) == ("text", "Say this")
    assert received(SLACK.deliver(ACCOUNT, place, Tap(seen.controls[3]))) == []


def shown_in(reply: Reply, asked: Inbound, place: Scene) -> Seen:
    """Return the one message that a reply becomes, seen at *place*."""
    [payload] = CHANNEL.render(reply, asked.surface, asked.address, ACCOUNT).payloads
    path = "/api/chat.postMessage"
    if "url" in payload:
        path = payload["url"].removeprefix("http://127.0.0.1:8089/slack/bar")
    headers = {"authorization": "Bearer xoxb", "content-type": "application/json"}
    served = SLACK.served(
        ACCOUNT, Call("POST", path, "", headers, msgspec.json.encode(payload["body"]), NOW_S, 1)
    )
    assert served.place == SLACK.place(ACCOUNT, place), served.answer.body
    [seen] = served.seen
    return seen


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(200), None),
        (Answer(200, b'{"text":"now"}', JSON), "now"),
        (Answer(200, b"plainly", {"content-type": "text/plain"}), "plainly"),
        (Answer(503, b"overloaded"), "The command failed with the error “dispatch_failed”."),
        (Answer(200, b"{", JSON), "The command failed with the error “invalid_response”."),
    ],
)
def test_what_a_command_answers_is_shown(answer: Answer, text: str | None) -> None:
    """JSON, plain text, nothing, and what Slackbot says of a failure."""
    command = SLACK.deliver(ACCOUNT, scene(), Say("/bar rum"))
    assert [seen.text for seen in SLACK.answered(ACCOUNT, command, answer)] == ([text] if text else [])


def test_what_an_event_answers_is_shown_to_nobody() -> None:
    """Whatever it is."""
    event = SLACK.deliver(ACCOUNT, scene(), Say("rum"))
    body = Answer(200, b'{"text":"now"}', JSON)
    assert SLACK.answered(ACCOUNT, event, body) == ()
    assert SLACK.answered(ACCOUNT, event, Answer(503)) == ()
