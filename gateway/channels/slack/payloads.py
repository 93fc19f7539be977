"""Slack's payloads, as far as they are read: unknown fields are skipped, most known ones may be absent.

Ids are bounded: three of them make a key, and PostgreSQL indexes at most 2,704 bytes of one.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = [
    "Action",
    "Command",
    "Envelope",
    "Event",
    "EventKind",
    "File",
    "Id",
    "Interaction",
    "MaybeId",
    "User",
    "View",
]

Id = Annotated[str, Meta(min_length=1, max_length=150)]
#: One that Slack may leave out, as null or (in forms) as an empty field.
MaybeId = Annotated[str, Meta(max_length=150)] | None
Values = dict[str, dict[str, "Action"]]


class Authorization(msgspec.Struct):
    """An installation that sees the event.  With ``is_bot``, ``user_id`` is our own bot."""

    user_id: MaybeId = None
    is_bot: bool = False
    #: None of an installation for a whole organization.
    team_id: MaybeId = None
    enterprise_id: MaybeId = None


class Envelope(msgspec.Struct):
    """The outer body of the Events API.  ``event`` stays raw: its shape depends on its type."""

    type: str
    team_id: MaybeId = None
    enterprise_id: MaybeId = None
    #: Through whose installation we are told, in a channel that organizations share: ``team_id`` may be its author's.
    context_team_id: MaybeId = None
    context_enterprise_id: MaybeId = None
    event_id: MaybeId = None
    challenge: str | None = None
    authorizations: list[Authorization] | None = None
    event: msgspec.Raw = msgspec.Raw(b"{}")


class EventKind(msgspec.Struct):
    """What an event is, read before the rest: ``user`` is a string in one type and an object in the next."""

    type: str
    subtype: str | None = None
    bot_id: MaybeId = None


class File(msgspec.Struct):
    """An uploaded file.  Reading ``url_private`` needs the bot's token."""

    name: str | None = None
    mimetype: str | None = None
    size: int | None = None
    url_private: str | None = None


class Event(msgspec.Struct):
    """A message of a user: ``message`` or ``app_mention``."""

    type: str
    user: Id
    channel: Id
    ts: Id
    text: str | None = None
    thread_ts: MaybeId = None
    files: list[File] | None = None
    locale: str | None = None


class Command(msgspec.Struct):
    """The form of a slash command."""

    command: Id
    user_id: Id
    channel_id: Id
    team_id: MaybeId = None
    enterprise_id: MaybeId = None
    user_name: str = ""
    text: str = ""
    response_url: str = ""
    trigger_id: MaybeId = None


class Named(msgspec.Struct):
    """A team, enterprise or channel."""

    id: Id


class User(msgspec.Struct):
    """Who acted.  Block Kit says ``username``, the older payloads ``name``."""

    id: Id
    username: str | None = None
    name: str | None = None
    locale: str | None = None
    #: The workspace from which they act.
    team_id: MaybeId = None


class Label(msgspec.Struct):
    """A text object."""

    text: str = ""


class Option(msgspec.Struct):
    """A choice of a menu."""

    value: str = ""


class Action(msgspec.Struct):
    """An element that was used, or its value in a form's state; which field is set depends on the element."""

    action_id: str | None = None
    action_ts: str | None = None
    #: The name in legacy attachments.
    name: str | None = None
    value: str | None = None
    text: Label | None = None
    selected_option: Option | None = None
    selected_options: list[Option] | None = None
    selected_user: str | None = None
    selected_users: list[str] | None = None
    selected_channel: str | None = None
    selected_channels: list[str] | None = None
    selected_conversation: str | None = None
    selected_conversations: list[str] | None = None
    selected_date: str | None = None
    selected_time: str | None = None
    selected_date_time: int | None = None


class State(msgspec.Struct):
    """What stands in the input fields: block id, then action id."""

    values: Values = {}


class ResponseUrl(msgspec.Struct):
    """An address that a modal's menu asked for."""

    response_url: str
    channel_id: MaybeId = None


class View(msgspec.Struct):
    """A modal."""

    callback_id: str | None = None
    private_metadata: str | None = None
    state: State | None = None
    #: The workspace whose installation opened it, whoever looks at it.
    app_installed_team_id: MaybeId = None


class Container(msgspec.Struct):
    """Where the element stood."""

    channel_id: MaybeId = None
    thread_ts: MaybeId = None
    is_ephemeral: bool = False


class Anchor(msgspec.Struct):
    """The message that was acted on."""

    text: str | None = None
    thread_ts: MaybeId = None


class Interaction(msgspec.Struct):
    """The JSON in the form field ``payload``."""

    type: str
    user: User
    team: Named | None = None
    enterprise: Named | None = None
    channel: Named | None = None
    container: Container | None = None
    message: Anchor | None = None
    actions: list[Action] | None = None
    state: State | None = None
    view: View | None = None
    callback_id: str | None = None
    response_url: str | None = None
    response_urls: list[ResponseUrl] | None = None
    trigger_id: MaybeId = None
    action_ts: str | None = None
