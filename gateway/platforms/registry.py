"""The platforms, by the word in ``/hooks/<channel>/<account>``.

A new one is a file and a line here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.platforms.alexa import AlexaPlatform
from gateway.platforms.base import Platform
from gateway.platforms.slack import SlackPlatform
from gateway.platforms.telegram import TelegramPlatform
from gateway.platforms.webchat import WebchatPlatform

__all__ = ["CHANNELS", "platforms"]

_ALL: dict[str, type[Platform[Any]]] = {
    "alexa": AlexaPlatform,
    "slack": SlackPlatform,
    "telegram": TelegramPlatform,
    "webchat": WebchatPlatform,
}
#: Their words, in the order in which they are shown.
CHANNELS = tuple(_ALL)


def platforms(home: Path) -> dict[str, Platform[Any]]:
    """Return every platform, with what it keeps in *home*."""
    return {name: platform(home) for name, platform in _ALL.items()}
