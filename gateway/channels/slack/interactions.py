"""Interactivity: buttons, menus, modals and shortcuts.

https://docs.slack.dev/interactivity/handling-user-interaction and .../reference/interaction-payloads
"""

from __future__ import annotations

import msgspec

from gateway.channels.base import Immediate, Parsed
from gateway.channels.decoding import decode_json
from gateway.channels.slack import place, workspaces
from gateway.channels.slack.commands import delivery_key
from gateway.channels.slack.mrkdwn import to_plain
from gateway.channels.slack.payloads import Action, Interaction, State
from gateway.channels.slack.surfaces import INTERACTION, VIEW
from gateway.domain.errors import NotUnderstood
from gateway.domain.http import json_response
from gateway.domain.message import Address, Inbound, Message
from gateway.domain.text import clean
from gateway.settings.accounts import SlackAccount

__all__ = ["LINK", "SAY", "parse_interaction"]

#: Prefixes of our own action ids: a link that the user's client has opened already, and a suggestion, which
#: is a text that the user need not type.
LINK = "link:"
SAY = "say:"

_DECODER = msgspec.json.Decoder(Interaction)


def parse_interaction(payload: str, body: bytes, account: SlackAccount) -> Parsed:
    """Return what the user did."""
    interaction = decode_json(_DECODER, payload.encode())
    match interaction.type:
        case "block_actions" | "interactive_message":
            messages = _taps(interaction)
        case "view_submission":
            messages = [_submission(interaction)]
        case "message_action" | "shortcut":
            messages = [_shortcut(interaction)]
        case "view_closed":
            messages = []
        case "block_suggestion":
            # Menus that ask us for options are not among what we render.
            return Immediate(json_response({"options": []}))
        case _:
            raise NotUnderstood("an interaction type that Slack does not document", reason="unknown_type")
    key = delivery_key(interaction.trigger_id, body)
    inbound = [_inbound(interaction, message, f"{key}:{at}") for at, message in enumerate(messages)]
    return workspaces.messages(account, _installations(interaction), inbound)


def _installations(interaction: Interaction) -> list[str | None]:
    where = [each.id for each in (interaction.team, interaction.enterprise) if each]
    opened_by = interaction.view.app_installed_team_id if interaction.view else None
    return [opened_by, *where, interaction.user.team_id]


def _team(interaction: Interaction) -> str:
    """Return the team in the keys, the same as events have: that of our installation, and no organization's."""
    opened_by = interaction.view.app_installed_team_id if interaction.view else None
    if opened_by and opened_by.startswith("T"):
        return opened_by
    if interaction.team is not None:
        return interaction.team.id
    # [S] what an organization has installed names no team but that from which its user acts (slackapi/bolt-python#23).
    return interaction.user.team_id or (interaction.enterprise.id if interaction.enterprise else "")


def _taps(interaction: Interaction) -> list[Message]:
    arguments = _arguments(interaction.state)
    messages = []
    for action in interaction.actions or ():
        name = clean(action.action_id or action.name or "")
        value = clean(_value(action))
        sent_at = place.sent_at(action.action_ts or interaction.action_ts)
        if name.startswith(LINK):
            continue
        if name.startswith(SAY):
            messages.append(Message(kind="text", text=value, sent_at=sent_at))
            continue
        messages.append(
            Message(
                kind="tap",
                name=name,
                value=value,
                text=clean(action.text.text if action.text else ""),
                arguments=arguments,
                sent_at=sent_at,
            )
        )
    return messages


def _submission(interaction: Interaction) -> Message:
    view = interaction.view
    if view is None:
        raise NotUnderstood("view_submission without a view", reason="wrong_schema")
    return Message(
        kind="event",
        name=clean(view.callback_id or "view_submission"),
        value=clean(view.private_metadata or ""),
        arguments=_arguments(view.state),
    )


def _shortcut(interaction: Interaction) -> Message:
    text = interaction.message.text if interaction.message else None
    return Message(
        kind="event",
        name=clean(interaction.callback_id or interaction.type),
        text=to_plain(text or ""),
        sent_at=place.sent_at(interaction.action_ts),
    )


def _inbound(interaction: Interaction, message: Message, dedupe_key: str) -> Inbound:
    user = interaction.user
    team = _team(interaction)
    address = _address(interaction, team)
    return Inbound(
        conversation_key=place.conversation_key(team, address["channel"], address.get("thread_ts")),
        dedupe_keys=(dedupe_key,),
        sender=place.sender(team, user.id, user.username or user.name, user.locale),
        message=message,
        surface=INTERACTION if interaction.channel and interaction.response_url else VIEW,
        address=address,
    )


def _address(interaction: Interaction, team: str) -> Address:
    # chat.postMessage takes a user's id for the channel between the bot and that user.
    channel = interaction.channel.id if interaction.channel else interaction.user.id
    container, anchor = interaction.container, interaction.message
    thread_ts = (anchor.thread_ts if anchor else None) or (container.thread_ts if container else None)
    response_url = interaction.response_url
    if interaction.response_urls:
        chosen = interaction.response_urls[0]
        channel, response_url = chosen.channel_id or channel, chosen.response_url
    address = place.address(team=team, channel=channel, thread_ts=thread_ts, response_url=response_url)
    if response_url:
        # As visible as the message that was acted on.
        address["visibility"] = "ephemeral" if container and container.is_ephemeral else "in_channel"
    return address


def _arguments(state: State | None) -> dict[str, str]:
    """Return a form's fields by action id; an id that two blocks share gets its block in front."""
    arguments: dict[str, str] = {}
    for block_id, fields in (state.values if state else {}).items():
        for action_id, action in fields.items():
            name = f"{block_id}.{action_id}" if action_id in arguments else action_id
            arguments[clean(name)] = clean(_value(action))
    return arguments


def _value(action: Action) -> str:
    """Return what the user chose or typed, whichever element it was; several values are joined by commas."""
    one = (
        action.value
        or action.selected_user
        or action.selected_channel
        or action.selected_conversation
        or action.selected_date
        or action.selected_time
    )
    if one:
        return one
    if action.selected_option is not None:
        return action.selected_option.value
    if action.selected_date_time is not None:
        return str(action.selected_date_time)
    options = [option.value for option in action.selected_options or ()]
    return ",".join(
        options or action.selected_users or action.selected_channels or action.selected_conversations or ()
    )
