"""What is wrong with the settings, all of it at once.

A problem names the setting, what was expected and what was found, and the nearest existing name for a name
that does not exist.  It never shows a secret, and of a longer text only its beginning.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["Problems", "SettingsError", "UnknownAccount", "did_you_mean", "shown"]

SHOWN_CHARS_MAX = 60
_CREDENTIALS = re.compile(r"//[^/\s]*@")


class SettingsError(Exception):
    """The settings cannot be used.  ``problems`` has one line for each thing to repair."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        count = len(problems)
        head = f"{count} problem{'s' if count > 1 else ''} in the settings:"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in problems)]))
        self.problems = problems


class UnknownAccount(SettingsError):
    """An account was asked for that the settings do not have: what was asked is wrong, and they need not be."""

    def __init__(self, channel: str, name: str, there: Iterable[str]) -> None:
        there = tuple(there)
        known = f"expected one of {', '.join(there)}" if there else f"the settings have none (accounts.{channel})"
        message = f"there is no account {name[:SHOWN_CHARS_MAX]!r} on {channel}{did_you_mean(name, there)}; {known}"
        Exception.__init__(self, message)
        self.problems = (message,)


class Problems:
    """Collects problems, so that one start shows all of them."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Note that *what* is wrong with the setting *where*."""
        self._lines.append(f"{where}: {what}")

    def raise_if_any(self) -> None:
        """Raise everything that was noted.

        :raises SettingsError: something was.
        """
        if self._lines:
            raise SettingsError(tuple(self._lines))


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return ``, did you mean ...?`` with the nearest of *known*, or nothing if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f", did you mean {prefix}{near[0]}?" if near else ""


def shown(value: Any) -> str:
    """Return *value* as an error may show it."""
    match value:
        case str():
            # An address may carry a password before its host.
            text = _CREDENTIALS.sub("//***@", value)
            return repr(text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"
