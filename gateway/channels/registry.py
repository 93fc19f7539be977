"""The channels, by the word in ``/hooks/<channel>/<account>``.

A new channel is a folder, an account type and a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.channels.alexa import AlexaChannel
from gateway.channels.base import Channel
from gateway.channels.slack import SlackChannel
from gateway.channels.telegram import TelegramChannel
from gateway.channels.webchat import WebchatChannel

__all__ = ["CHANNELS"]

_ALL: tuple[Channel[Any], ...] = (AlexaChannel(), SlackChannel(), TelegramChannel(), WebchatChannel())

CHANNELS: Mapping[str, Channel[Any]] = MappingProxyType({channel.name: channel for channel in _ALL})
