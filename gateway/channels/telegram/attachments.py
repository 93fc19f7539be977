"""What came with a message: files, places, contacts.

A file has no address: who holds the bot's token asks ``getFile`` for one, which then has the token in it and is good
for an hour.  So an attachment says which file it is, and no address with a token is ever written anywhere.
https://core.telegram.org/bots/api#getfile
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from gateway.channels.telegram.payloads import Contact, FileOf, Location, Message
from gateway.domain.message import Attachment
from gateway.domain.text import clean

__all__ = ["FILE", "attachments"]

#: In front of a ``file_id``.
FILE = "telegram-file:"

_Kind = Literal["image", "audio", "video", "file"]


def attachments(message: Message) -> Iterator[Attachment]:
    """Yield what *message* carries beside its words."""
    if message.photo:
        # The same picture in several sizes: the largest of them.
        yield _file("image", max(message.photo, key=lambda size: size.width), "image/jpeg")
    for audio in (message.voice, message.audio):
        if audio is not None:
            yield _file("audio", audio)
    for video in (message.video, message.video_note, message.animation):
        if video is not None:
            yield _file("video", video, "video/mp4")
    # An animation is told a second time, as the document that older programs know.
    if message.document is not None and message.animation is None:
        yield _file(_family(message.document), message.document)
    if message.sticker is not None:
        yield _sticker(message.sticker)
    if message.venue is not None:
        yield _place(
            message.venue.location, ", ".join(filter(None, (message.venue.title, message.venue.address)))
        )
    elif message.location is not None:
        yield _place(message.location)
    if message.contact is not None:
        yield _contact(message.contact)


def _file(kind: _Kind, file: FileOf, media_type: str = "") -> Attachment:
    return Attachment(
        kind=kind,
        url=clean(FILE + file.file_id),
        media_type=clean(file.mime_type or media_type),
        name=clean(file.file_name or ""),
        size_bytes=file.file_size,
    )


def _family(document: FileOf) -> _Kind:
    match (document.mime_type or "").partition("/")[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
    return "file"


def _sticker(sticker: FileOf) -> Attachment:
    if sticker.is_video:
        media_type = "video/webm"
    else:
        media_type = "application/x-tgsticker" if sticker.is_animated else "image/webp"
    return Attachment(
        kind="image",
        url=clean(FILE + sticker.file_id),
        media_type=media_type,
        # What it stands for: the nearest thing to a name that a sticker has.
        name=clean(sticker.emoji or ""),
        size_bytes=sticker.file_size,
    )


def _place(location: Location, name: str = "") -> Attachment:
    return Attachment(
        kind="location", name=clean(name), latitude=location.latitude, longitude=location.longitude
    )


def _contact(contact: Contact) -> Attachment:
    name = f"{contact.first_name} {contact.last_name or ''}".strip()
    return Attachment(kind="contact", url=clean(f"tel:{contact.phone_number}"), name=clean(name))
