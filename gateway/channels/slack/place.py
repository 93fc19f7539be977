"""Where a Slack message belongs: its keys in our ledger, and the address of the answer.

A thread is a conversation, and so is what stands outside of threads in one channel.  Everything that enters
a key or an address is cleaned here.
"""

from __future__ import annotations

import re

from gateway.channels.slack.surfaces import EVENT
from gateway.domain.message import Address, Sender, Surface
from gateway.domain.text import clean

__all__ = ["address", "conversation_key", "message_key", "sender", "sent_at", "unasked"]

_TIMESTAMP = re.compile(r"\d{1,12}(\.\d{1,9})?")


def conversation_key(team: str, channel: str, thread_ts: str | None) -> str:
    """Return team, channel and thread as one key."""
    key = f"{team}:{channel}:{thread_ts}" if thread_ts else f"{team}:{channel}"
    return clean(key)


def message_key(team: str, channel: str, ts: str) -> str:
    """Return the key that twins share: ``message`` and ``app_mention`` of one text have two event ids."""
    return clean(f"message:{team}:{channel}:{ts}")


def address(**fields: str | None) -> Address:
    """Return an address of the fields that are known."""
    return {name: clean(value) for name, value in fields.items() if value}


def sender(team: str, user: str, name: str | None = None, locale: str | None = None) -> Sender:
    """Return who wrote.  A user id is unique within its team only."""
    return Sender(key=clean(f"{team}:{user}"), name=clean(name or ""), locale=clean(locale or ""))


def sent_at(ts: str | None) -> float | None:
    """Return a Slack timestamp as Unix seconds, or None: ``float`` alone would take ``nan``."""
    return float(ts) if ts and _TIMESTAMP.fullmatch(ts) else None


def unasked(address: Address) -> tuple[Surface, Address]:
    """Return where a message goes that answers nothing: into the channel, whatever the last delivery was.

    A ``response_url`` is for what answers its delivery, and is void after 30 minutes.
    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
    """
    return EVENT, {name: value for name, value in address.items() if name not in {"response_url", "visibility"}}
