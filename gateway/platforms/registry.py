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

__all__ = ["platforms"]

_ALL: tuple[type[Platform[Any]], ...] = (AlexaPlatform, SlackPlatform, TelegramPlatform, WebchatPlatform)


def platforms(home: Path) -> dict[str, Platform[Any]]:
    """Return every platform, with what it keeps in *home*."""
    made = [platform(home) for platform in _ALL]
    return {platform.name: platform for platform in made}
