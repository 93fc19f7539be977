"""What commands tell: to a person in words of their own, to a program in JSON; and who that person is."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import msgspec

from gateway.domain.errors import SwitchboardError
from gateway.settings.load import SettingsError

__all__ = ["caller", "echo_json", "printable", "told", "utc_text"]


def caller() -> str:
    """Return who orders what is ordered, as others will read it: ``user@host``, or the user's number."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # In a container whose user has no name; OSError from Python 3.13 on.
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def utc_text(unix_s: float | None) -> str:
    """Return a time for a table, whose head says that it is UTC; nothing for none."""
    return "" if unix_s is None else datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def printable(text: str) -> str:
    """Return one line that came from elsewhere so that a terminal can show it: it would obey control characters."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def echo_json(value: object) -> None:
    """Print *value* for programs."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


@contextmanager
def told() -> Iterator[None]:
    """Tell a person what our own errors say, and end with their status."""
    try:
        yield
    except (SwitchboardError, SettingsError) as error:
        raise click.ClickException(str(error)) from None
