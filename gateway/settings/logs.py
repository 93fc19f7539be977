"""Logging: what is written to stderr, and how."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["LoggingSettings"]


class LoggingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[logging]``"""

    #: The least level that is written.
    level: Literal["debug", "info", "warning", "error"] = "info"
    #: JSON lines, lines for a person, or "auto": for a person when stderr is a terminal.
    format: Literal["auto", "json", "text"] = "auto"
