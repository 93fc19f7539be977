"""The system prompt, with what is known of the turn put in.  Pure: the day is an argument.

A user chooses their own name, and the model takes the system prompt for its operator's word.  So of a name there is
only what names are made of, in one line, and not much of it: it can still be a sentence, but no paragraph, no quote and
no heading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.domain.turn import Turn

__all__ = ["fill"]

_NAME_CHARS_MAX = 40
_IN_NAMES = frozenset(" .'’-")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
_BRACED = re.compile(r"\{([a-z_]+)\}")


def fill(prompt: str, turn: Turn, *, date: str) -> str:
    """Return *prompt* with its placeholders replaced; *date* is the day as ``2026-11-23``."""
    locale = turn.message.locale or turn.sender.locale
    known: Mapping[str, str] = {
        "user_name": _name(turn.sender.name) or "the user",
        "locale": locale if _LOCALE.fullmatch(locale) else "unknown",
        "channel": turn.channel,
        "date": date,
    }
    # In one pass: braces in what is put in mean nothing.
    return _BRACED.sub(lambda found: known.get(found[1], found[0]), prompt)


def _name(name: str) -> str:
    kept = "".join(char if char.isalnum() or char in _IN_NAMES else " " for char in name)
    return " ".join(kept.split())[:_NAME_CHARS_MAX].rstrip()
