"""Telegram's updates, as far as they are read: unknown fields are skipped, most known ones may be absent.

https://core.telegram.org/bots/api#update.  Ids have at most 52 significant bits; whatever has more is no id.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = [
    "CallbackQuery",
    "Chat",
    "Contact",
    "Entity",
    "FileOf",
    "Location",
    "Message",
    "Update",
    "User",
    "Venue",
]

Id = Annotated[int, Meta(ge=-(2**53), le=2**53)]
#: Message texts have 4,096 units and captions 1,024; business accounts may write longer ones.
Text = Annotated[str, Meta(max_length=40_000)]
ShortText = Annotated[str, Meta(max_length=1_000)]


class User(msgspec.Struct):
    """A person or a bot."""

    id: Id
    is_bot: bool = False
    first_name: ShortText = ""
    last_name: ShortText | None = None
    username: ShortText | None = None
    #: The language of the user's client.
    language_code: ShortText | None = None


class Chat(msgspec.Struct):
    """Where it was said.  ``type``: private, group, supergroup or channel."""

    id: Id
    type: str = ""
    title: ShortText | None = None
    #: The letter box of a channel: a supergroup to look at, in which each person has a topic that nobody else sees.
    is_direct_messages: bool = False


class Entity(msgspec.Struct):
    """A stretch of a text that means something; ``offset`` and ``length`` count UTF-16 code units."""

    type: str
    offset: Id
    length: Id
    #: As long as a text: a link that is longer than we thought must not cost its user the message.
    url: Text | None = None


class FileOf(msgspec.Struct):
    """A photo's size, a document, a voice message ...: what all of them say of their file."""

    file_id: ShortText
    file_name: ShortText | None = None
    mime_type: ShortText | None = None
    file_size: Id | None = None
    width: Id = 0
    #: A sticker's.
    emoji: ShortText | None = None
    is_animated: bool = False
    is_video: bool = False


class Contact(msgspec.Struct):
    """A telephone number that the user shares."""

    phone_number: ShortText
    first_name: ShortText = ""
    last_name: ShortText | None = None


class Location(msgspec.Struct):
    """A point on the map."""

    latitude: float
    longitude: float
    #: There while a live location goes on: edits of it are where somebody is now, not what they say.
    live_period: Id | None = None


class Venue(msgspec.Struct):
    """A place with a name."""

    location: Location
    title: ShortText = ""
    address: ShortText = ""


class Dice(msgspec.Struct):
    """A die, a dart ... and how it fell."""

    emoji: ShortText
    value: Id


class Button(msgspec.Struct):
    """A button of one of our own keyboards."""

    text: ShortText = ""
    callback_data: ShortText | None = None


class Keyboard(msgspec.Struct):
    """The keyboard under a message."""

    inline_keyboard: list[list[Button]] = []


class Quoted(msgspec.Struct):
    """The message that is replied to, as far as it says to whom."""

    from_: User | None = msgspec.field(name="from", default=None)
    #: Every message of a topic replies to the one that began the topic.
    forum_topic_created: Any = None


class Message(msgspec.Struct):
    """What somebody said, or a service message, in which no field of the content is set."""

    message_id: Id
    chat: Chat
    date: Id = 0
    edit_date: Id | None = None
    from_: User | None = msgspec.field(name="from", default=None)
    #: In whose name it was said, if not the user's own: a group's anonymous administrator, a channel.
    sender_chat: Chat | None = None
    is_automatic_forward: bool = False
    message_thread_id: Id | None = None
    is_topic_message: bool = False
    reply_to_message: Quoted | None = None
    text: Text | None = None
    entities: list[Entity] | None = None
    caption: Text | None = None
    caption_entities: list[Entity] | None = None
    photo: list[FileOf] | None = None
    voice: FileOf | None = None
    audio: FileOf | None = None
    video: FileOf | None = None
    video_note: FileOf | None = None
    animation: FileOf | None = None
    document: FileOf | None = None
    sticker: FileOf | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: Contact | None = None
    dice: Dice | None = None
    reply_markup: Keyboard | None = None


class CallbackQuery(msgspec.Struct):
    """A tap on a button of ours.  ``message`` is absent under messages that were sent inline, which ours never are."""

    id: ShortText
    from_: User = msgspec.field(name="from")
    message: Message | None = None
    data: ShortText | None = None


class Update(msgspec.Struct):
    """One delivery.  At most one of its fields is there; those that are not read here are nobody's to answer."""

    update_id: Id
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: CallbackQuery | None = None
