"""Slash commands.  https://docs.slack.dev/interactivity/implementing-slash-commands"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gateway.channels.base import Parsed
from gateway.channels.decoding import convert
from gateway.channels.slack import place, workspaces
from gateway.channels.slack.mrkdwn import to_plain
from gateway.channels.slack.payloads import Command
from gateway.channels.slack.surfaces import COMMAND
from gateway.domain.message import Inbound, Message
from gateway.domain.text import clean
from gateway.settings.accounts import SlackAccount

__all__ = ["delivery_key", "parse_command"]


def parse_command(form: Mapping[str, str], body: bytes, account: SlackAccount) -> Parsed:
    """Return the command that *form* carries."""
    command = convert(form, Command)
    team = command.team_id or command.enterprise_id or ""
    inbound = Inbound(
        conversation_key=place.conversation_key(team, command.channel_id, None),
        dedupe_keys=(delivery_key(command.trigger_id, body),),
        sender=place.sender(team, command.user_id, command.user_name),
        message=Message(kind="command", name=clean(command.command), text=to_plain(command.text)),
        surface=COMMAND,
        address=place.address(
            team=team,
            channel=command.channel_id,
            response_url=command.response_url,
            # Slack's own default: the channel did not ask.
            visibility="ephemeral",
        ),
    )
    return workspaces.messages(account, (command.team_id, command.enterprise_id), [inbound])


def delivery_key(trigger_id: str | None, body: bytes) -> str:
    """Return the dedupe key of a delivery that has no event id: its trigger, or else its very bytes."""
    return clean(f"trigger:{trigger_id}") if trigger_id else "body:" + hashlib.sha256(body).hexdigest()
