"""Commands and the person who gives them: who that is, what is told of errors, and JSON for programs."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from gateway.domain.errors import SwitchboardError
from gateway.settings.problems import SettingsError

__all__ = ["echo_json", "person", "told"]


def person() -> str:
    """Return who gives this command, as far as the machine knows."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@contextmanager
def told() -> Iterator[None]:
    """Tell a person what our own errors say."""
    try:
        yield
    except (SwitchboardError, SettingsError) as error:
        raise click.ClickException(str(error)) from None


def echo_json(value: object) -> None:
    """Print *value* for a program."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
