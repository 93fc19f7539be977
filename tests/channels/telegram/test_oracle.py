"""Updates as python-telegram-bot reads them: over generated updates, its fields and ours say the same."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from telegram import Message, MessageEntity, Update

from gateway.channels.telegram.payloads import Update as Ours
from tests.channels.telegram.updates import ACCOUNT, heard

_ids = st.integers(1, 2**52)
_texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), st.sampled_from("🍸🍋é/@")
    ),
    min_size=1,
    max_size=30,
).filter(str.strip)
_users = st.fixed_dictionaries(
    {"id": _ids, "is_bot": st.booleans(), "first_name": _texts},
    optional={
        "last_name": _texts,
        "username": st.just("ada"),
        "language_code": st.sampled_from(["en", "de-AT"]),
    },
)
_chats = st.one_of(
    st.fixed_dictionaries({"id": _ids, "type": st.just("private"), "first_name": _texts}),
    st.fixed_dictionaries(
        {
            "id": _ids.map(lambda number: -number),
            "type": st.sampled_from(["group", "supergroup"]),
            "title": _texts,
        }
    ),
    st.fixed_dictionaries(
        {"id": _ids.map(lambda number: -number), "type": st.just("channel"), "title": _texts}
    ),
)
_file = {"file_id": st.just("F1"), "file_unique_id": st.just("u")}
_contents = st.one_of(
    st.fixed_dictionaries({"text": _texts}),
    st.fixed_dictionaries(
        {
            "photo": st.lists(
                st.fixed_dictionaries({**_file, "width": st.integers(1, 99), "height": st.integers(1, 99)}),
                min_size=1,
            )
        },
        optional={"caption": _texts},
    ),
    st.fixed_dictionaries(
        {"voice": st.fixed_dictionaries({**_file, "duration": st.integers(1, 9)})},
        optional={"caption": _texts},
    ),
    st.fixed_dictionaries(
        {"document": st.fixed_dictionaries(_file, optional={"file_name": _texts, "mime_type": _texts})},
        optional={"caption": _texts},
    ),
    st.fixed_dictionaries(
        {
            "location": st.fixed_dictionaries(
                {"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)}
            )
        }
    ),
    st.fixed_dictionaries(
        {"contact": st.fixed_dictionaries({"phone_number": st.just("+43"), "first_name": _texts})}
    ),
    st.fixed_dictionaries({"new_chat_title": _texts}),
)


@st.composite
def _messages(draw: st.DrawFn) -> dict[str, Any]:
    message = {"message_id": draw(_ids), "date": draw(st.integers(1, 2**31)), "chat": draw(_chats)}
    message |= draw(_contents)
    if draw(st.booleans()) or message["chat"]["type"] == "private":
        message["from"] = draw(_users)
    if draw(st.booleans()):
        message |= {"message_thread_id": draw(st.integers(1, 2**31)), "is_topic_message": draw(st.booleans())}
    text = message.get("text") or message.get("caption")
    if text:
        at = draw(st.integers(0, len(text) - 1))
        start = _units(text[:at])
        kind = draw(st.sampled_from(["bold", "bot_command", "mention", "text_link"]))
        entity = {
            "type": kind,
            "offset": start,
            "length": _units(text[at : draw(st.integers(at + 1, len(text)))]),
        }
        entity |= {"url": "https://bar.example"} if kind == "text_link" else {}
        message["entities" if "text" in message else "caption_entities"] = [entity]
    return message


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


_updates = st.one_of(
    st.fixed_dictionaries({"update_id": _ids, "message": _messages()}),
    st.fixed_dictionaries({"update_id": _ids, "edited_message": _messages()}),
    st.fixed_dictionaries({"update_id": _ids, "channel_post": _messages()}),
    st.fixed_dictionaries(
        {
            "update_id": _ids,
            "callback_query": st.fixed_dictionaries(
                {"id": st.just("q1"), "from": _users, "chat_instance": st.just("c"), "message": _messages()},
                optional={"data": st.sampled_from(["b:x", "i:y", "s:Hello", "S:1", "unknown"])},
            ),
        }
    ),
)


@given(_updates)
def test_we_read_what_python_telegram_bot_reads(value: dict[str, Any]) -> None:
    theirs = Update.de_json(msgspec.json.decode(msgspec.json.encode(value)), None)
    assert theirs is not None
    ours = msgspec.convert(value, Ours)
    assert ours.update_id == theirs.update_id
    assert (ours.message is None, ours.edited_message is None) == (
        theirs.message is None,
        theirs.edited_message is None,
    )
    _agree(heard(value), theirs)


def _agree(found: Any, theirs: Update) -> None:
    """What we take for a message to the bot is one in their reading, and says the same."""
    message = theirs.effective_message
    if found is None:
        return
    assert message is not None
    assert isinstance(message, Message)
    assert theirs.effective_user is not None or message.sender_chat is not None
    assert theirs.effective_user is None or found.sender.key == str(theirs.effective_user.id)
    assert theirs.effective_user is None or found.sender.locale == (theirs.effective_user.language_code or "")
    chat = theirs.effective_chat
    assert chat is not None
    topic = message.message_thread_id if message.is_topic_message else None
    assert found.conversation_key == (f"{chat.id}:{topic}" if topic else str(chat.id))
    assert found.dedupe_keys == (f"update:{theirs.update_id}",)
    said = found.message
    if theirs.callback_query is not None:
        assert theirs.callback_query.data in {"b:x", "i:y", "s:Hello", "S:1"}
        return
    assert said.sent_at == message.date.timestamp()
    assert message.date.tzinfo is dt.UTC
    _same_words(said, message)
    _same_attachments(said, message)


def _same_words(said: Any, message: Message) -> None:
    text = message.text or message.caption or ""
    entities = message.parse_entities() if message.text else message.parse_caption_entities()
    [(entity, stretch)] = entities.items() or [(None, "")]
    if entity is None:
        assert said.text == text.strip()
    elif said.kind == "command":
        assert (entity.type, entity.offset) == (MessageEntity.BOT_COMMAND, 0)
        assert text.startswith(said.name)
        assert text.endswith(said.text)
    elif entity.type == MessageEntity.TEXT_LINK:
        # Where they see the link we spell it.
        assert f"{stretch} (https://bar.example)".strip() in said.text
    else:
        assert said.text in text


def _same_attachments(said: Any, message: Message) -> None:
    theirs = message.effective_attachment
    if theirs is None:
        assert said.attachments == ()
        return
    [attachment] = said.attachments
    match attachment.kind:
        case "location":
            assert message.location is not None
            assert (attachment.latitude, attachment.longitude) == (
                message.location.latitude,
                message.location.longitude,
            )
        case "contact":
            assert message.contact is not None
            assert attachment.url == f"tel:{message.contact.phone_number}"
        case _:
            largest = max(theirs, key=lambda size: size.width) if isinstance(theirs, tuple) else theirs
            assert attachment.url == f"telegram-file:{largest.file_id}"  # type: ignore[union-attr]
            assert attachment.name == (getattr(largest, "file_name", None) or "")


@given(_updates)
def test_whoever_is_a_bot_in_their_reading_is_not_answered(value: dict[str, Any]) -> None:
    theirs = Update.de_json(msgspec.json.decode(msgspec.json.encode(value)), None)
    assert theirs is not None
    speaker = theirs.effective_user
    found = heard(value, ACCOUNT)
    if speaker is None or speaker.is_bot or theirs.channel_post is not None:
        assert found is None
    elif theirs.message is not None and theirs.message.chat.type == "private" and theirs.message.text:
        assert found is not None
