"""What updates say to the bot, case by case."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.domain.message import Attachment, Inbound, Message, Sender
from tests.channels.telegram.updates import (
    ACCOUNT,
    ADA,
    BOT,
    GROUP,
    TELEGRAM,
    callback,
    heard,
    message,
    parsed,
    update,
)

SENT_AT = 1763800000.0
PHOTO = [{"file_id": "small", "file_unique_id": "a", "width": 90, "height": 60, "file_size": 1000},
         {"file_id": "large", "file_unique_id": "b", "width": 1280, "height": 853, "file_size": 90000}]  # fmt: skip
FILE = {"file_id": "F1", "file_unique_id": "u", "file_size": 1234}


def command(text: str, length: int, **fields: Any) -> dict[str, Any]:
    """Return a message that begins with a command of *length*."""
    return {"text": text, "entities": [{"type": "bot_command", "offset": 0, "length": length}], **fields}


def mention(text: str, name: str, **fields: Any) -> dict[str, Any]:
    """Return a message in which *name* is mentioned."""
    at = len(text[: text.index(name)].encode("utf-16-le")) // 2
    return {"text": text, "entities": [{"type": "mention", "offset": at, "length": len(name)}], **fields}


def test_a_text_is_placed_by_chat_and_update() -> None:
    assert heard(update(text="I have gin")) == Inbound(
        conversation_key="4815162342",
        dedupe_keys=("update:10001",),
        sender=Sender(key="4815162342", name="Ada Lovelace", locale="en-GB"),
        message=Message(kind="text", text="I have gin", sent_at=SENT_AT),
        surface="message",
        address={"chat_id": "4815162342"},
    )


LONG_URL = "https://a.example/" + "x" * 3_000


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (command("/start", 6), Message("command", "", "/start")),
        (command("/start from_poster", 6), Message("command", "from_poster", "/start")),
        (command("/drink@bartender_bot gin  fizz ", 20), Message("command", "gin  fizz", "/drink")),
        ({"text": "/usr/bin is full"}, Message("text", "/usr/bin is full")),
        (
            {
                "text": "🍸 the bar is open",
                "entities": [{"type": "text_link", "offset": 3, "length": 7, "url": "https://bar.example"}],
            },
            Message("text", "🍸 the bar (https://bar.example) is open"),
        ),
        (
            {"photo": PHOTO, "caption": "this one?"},
            Message(
                "text",
                "this one?",
                attachments=(Attachment("image", "telegram-file:large", "image/jpeg", size_bytes=90000),),
            ),
        ),
        (
            {"photo": PHOTO},
            Message(
                "attachment",
                attachments=(Attachment("image", "telegram-file:large", "image/jpeg", size_bytes=90000),),
            ),
        ),
        (
            {"voice": {**FILE, "duration": 3, "mime_type": "audio/ogg"}},
            Message(
                "attachment",
                attachments=(Attachment("audio", "telegram-file:F1", "audio/ogg", size_bytes=1234),),
            ),
        ),
        (
            {"document": {**FILE, "file_name": "menu.pdf", "mime_type": "application/pdf"}},
            Message(
                "attachment",
                attachments=(
                    Attachment("file", "telegram-file:F1", "application/pdf", "menu.pdf", size_bytes=1234),
                ),
            ),
        ),
        (
            {"animation": {**FILE, "mime_type": "video/mp4"}, "document": {**FILE, "mime_type": "video/mp4"}},
            Message(
                "attachment",
                attachments=(Attachment("video", "telegram-file:F1", "video/mp4", size_bytes=1234),),
            ),
        ),
        (
            {"sticker": {**FILE, "type": "regular", "width": 512, "height": 512, "emoji": "🍋",
                         "is_animated": False, "is_video": False}},
            Message(
                "attachment",
                attachments=(Attachment("image", "telegram-file:F1", "image/webp", "🍋", size_bytes=1234),),
            ),
        ),
        (
            {"location": {"latitude": 48.2, "longitude": 16.4}},
            Message("attachment", attachments=(Attachment("location", latitude=48.2, longitude=16.4),)),
        ),
        (
            {
                "location": {"latitude": 48.2, "longitude": 16.4},
                "venue": {"location": {"latitude": 48.2, "longitude": 16.4}, "title": "Loos", "address": "Kärntner"},
            },
            Message(
                "attachment",
                attachments=(Attachment("location", name="Loos, Kärntner", latitude=48.2, longitude=16.4),),
            ),
        ),
        (
            {"contact": {"phone_number": "+43123", "first_name": "Bob"}},
            Message("attachment", attachments=(Attachment("contact", "tel:+43123", name="Bob"),)),
        ),
        ({"dice": {"emoji": "🎲", "value": 4}}, Message("text", "🎲 4")),
        ({"media_of_next_year": {}, "caption": "what is this?"}, Message("text", "what is this?")),
        (
            {
                "text": "here",
                "entities": [{"type": "text_link", "offset": 0, "length": 4, "url": LONG_URL}],
            },
            Message("text", f"here ({LONG_URL})"),
        ),
    ],
)  # fmt: skip
def test_what_is_said_in_private(fields: dict[str, Any], expected: Message) -> None:
    found = heard(update(**fields))

    assert found is not None
    assert found.message == msgspec.structs.replace(expected, sent_at=SENT_AT)


def test_an_edited_message_says_so_and_is_a_message_of_its_own() -> None:
    edited = {**update("edited_message", text="I have gin", edit_date=1763800050), "update_id": 10_003}
    found = heard(edited)

    assert found is not None
    assert found.message == Message("text", "I have gin", "edited", sent_at=1763800050.0)
    assert found.dedupe_keys == ("update:10003",)
    silent = msgspec.structs.replace(ACCOUNT, answers_edits=False)
    assert heard(edited, silent) is None
    assert heard(update(text="not edited"), silent) is not None


@pytest.mark.parametrize(
    "value",
    [
        update("channel_post", chat={"id": -1005, "type": "channel"}, text="news"),
        update("edited_channel_post", chat={"id": -1005, "type": "channel"}, text="news"),
        update("business_message", text="not ours"),
        update(chat={"id": -1005, "type": "channel"}, text="news"),
        update(**{"from": BOT}, text="our own"),
        update(**{"from": {**BOT, "id": 5}}, text="another bot's"),
        update(
            chat=GROUP,
            is_automatic_forward=True,
            sender_chat={"id": -1005, "type": "channel"},
            **command("/all", 4),
        ),
        update(chat={**GROUP, "is_direct_messages": True}, direct_messages_topic={"topic_id": 9}, **command("/gin", 4)),
        update(new_chat_members=[BOT]),
        update(left_chat_member=BOT),
        update(new_chat_title="Before work"),
        update(pinned_message=message(text="pinned")),
        update(chat=GROUP, migrate_from_chat_id=-77),
        update(poll={"id": "1", "question": "Gin?"}),
        update("edited_message", location={"latitude": 1.0, "longitude": 2.0, "live_period": 900}),
        {"update_id": 1, "my_chat_member": {"chat": GROUP, "from": ADA, "date": 1, "new_chat_member": {}}},
        {"update_id": 1, "chat_member": {}},
        {"update_id": 1, "poll_answer": {"poll_id": "1", "option_ids": [0]}},
        {"update_id": 1, "message_reaction": {}},
        {"update_id": 1, "inline_query": {"id": "1", "from": ADA, "query": "gin", "offset": ""}},
        {"update_id": 1, "pre_checkout_query": {"id": "1"}},
        {"update_id": 1, "something_of_next_year": {"text": "hello"}},
        {"update_id": 1},
    ],
)
def test_what_is_nobodys_to_answer_is_understood_and_ignored(value: dict[str, Any]) -> None:
    assert parsed(value).inbound == ()
    assert parsed(value).acknowledgement is None


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (mention("@bartender_bot what now?", "@bartender_bot"), "what now?"),
        (mention("@Bartender_Bot, what now?", "@Bartender_Bot"), "what now?"),
        (mention("🍸🍸 ask @bartender_bot", "@bartender_bot"), "🍸🍸 ask @bartender_bot"),
        (
            {"text": "and now?", "reply_to_message": message(chat=GROUP, text="Stir.", **{"from": BOT})},
            "and now?",
        ),
        (command("/drink@bartender_bot gin", 20), "gin"),
        (command("/drink gin", 6), "gin"),
        (
            {
                "photo": PHOTO,
                "caption": "@bartender_bot this?",
                "caption_entities": [{"type": "mention", "offset": 0, "length": 14}],
            },
            "this?",
        ),
    ],
)
def test_what_is_said_to_the_bot_in_a_group(fields: dict[str, Any], text: str) -> None:
    """A reply goes to the message that asked, and everybody of a group is in one conversation."""
    found = heard(update(chat=GROUP, **fields))

    assert found is not None
    assert found.message.text == text
    assert found.conversation_key == "-1001234567890"
    assert found.sender.key == "4815162342"
    assert found.address == {"chat_id": "-1001234567890", "reply_to": "77"}


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "what shall we drink?"},
        {"text": "bartender_bot is away"},
        mention("@bartender_bot2 hello", "@bartender_bot2"),
        mention("@ada hello", "@ada"),
        command("/drink@other_bot gin", 16),
        {"text": "yes", "reply_to_message": message(chat=GROUP, text="gin?")},
        {"text": "yes", "reply_to_message": message(chat=GROUP, **{"from": {**BOT, "id": 5}}, text="gin?")},
        {
            "text": "in a topic of ours",
            "reply_to_message": message(
                chat=GROUP, **{"from": BOT}, forum_topic_created={"name": "Gin", "icon_color": 1}
            ),
        },
        {"photo": PHOTO},
    ],
)
def test_people_who_talk_to_each_other_are_left_alone(fields: dict[str, Any]) -> None:
    assert heard(update(chat=GROUP, **fields)) is None


def test_a_bot_may_be_told_to_answer_everything() -> None:
    everything = msgspec.structs.replace(ACCOUNT, group_messages="all")

    assert heard(update(chat=GROUP, text="what shall we drink?"), everything) is not None
    assert heard(update(chat=GROUP, **command("/drink@other_bot gin", 16)), everything) is None


def test_without_a_username_what_telegram_lets_through_by_command_or_reply_is_ours() -> None:
    nameless = msgspec.structs.replace(ACCOUNT, username="")

    assert heard(update(chat=GROUP, **command("/drink@bartender_bot gin", 20)), nameless) is not None
    assert heard(update(chat=GROUP, text="what shall we drink?"), nameless) is None


def test_a_topic_is_a_conversation_of_its_own_and_a_thread_of_replies_is_none() -> None:
    topic = heard(update(chat=GROUP, message_thread_id=5, is_topic_message=True, **command("/gin", 4)))
    thread = heard(update(chat=GROUP, message_thread_id=5, **command("/gin", 4)))

    assert topic is not None
    assert thread is not None
    assert (topic.conversation_key, topic.address["thread_id"]) == ("-1001234567890:5", "5")
    assert thread.conversation_key == "-1001234567890"
    assert thread.address == {"chat_id": "-1001234567890", "reply_to": "77"}


def test_an_anonymous_administrator_is_a_person_all_the_same() -> None:
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    found = heard(update(chat=GROUP, sender_chat=GROUP, **{"from": anonymous}, **command("/gin", 4)))

    assert found is not None
    assert found.sender == Sender(key="-1001234567890", name="After work")


KEYBOARD = [
    [{"text": "Make it", "callback_data": "b:make:negroni"}, {"text": "More", "callback_data": "s:More"}],
    [{"text": "Surprise me", "callback_data": "S:3"}, {"text": "Long", "callback_data": "B:digest"}],
]


@pytest.mark.parametrize(
    ("data", "expected", "address"),
    [
        ("b:make:negroni", Message("tap", "Make it", "button", "make:negroni"), {}),
        ("i:show:negroni", Message("tap", "", "item", "show:negroni"), {}),
        ("b:", Message("tap", "", "button", ""), {}),
        ("s:More", Message("text", "More"), {}),
        ("S:3", Message("text", "Surprise me"), {}),
        ("B:digest", Message("tap", "Long", "button"), {"value_digest": "digest"}),
    ],
)
def test_a_tap_brings_what_its_button_stands_for(
    data: str, expected: Message, address: dict[str, str]
) -> None:
    found = heard(callback(data, keyboard=KEYBOARD))

    assert found is not None
    assert found.message == expected
    assert found.address == {"chat_id": "4815162342", **address}
    assert found.sender.key == "4815162342", "whoever tapped, and not whose message it was"
    assert found.dedupe_keys == ("update:10002",)


@pytest.mark.parametrize("data", [None, "", "x", "what another program wrote", "b", "z:1"])
def test_a_tap_that_is_not_of_our_making_is_taken_and_ignored(data: str | None) -> None:
    made = parsed(callback(data, keyboard=KEYBOARD))

    assert made.inbound == ()
    assert made.acknowledgement is not None, "or the button would load for ever"


def test_a_tap_under_a_message_that_telegram_shows_no_more() -> None:
    """Old messages come without their content; the data is enough."""
    query = callback("b:make:negroni")
    query["callback_query"]["message"] = {"chat": GROUP, "message_id": 3, "date": 0}
    found = heard(query)

    assert found is not None
    assert found.message == Message("tap", "", "button", "make:negroni")


def test_a_suggestion_whose_words_are_gone_is_taken_and_says_nothing() -> None:
    query = callback("S:3")
    query["callback_query"]["message"] = {"chat": GROUP, "message_id": 3, "date": 0}

    assert parsed(query).inbound == ()
    assert parsed(query).acknowledgement is not None


def test_every_inbound_names_a_surface() -> None:
    found = heard(update(text="hi"))
    assert found is not None
    assert found.surface in TELEGRAM.surfaces
