"""Every command that tells something tells it to programs, too."""

from __future__ import annotations

from collections.abc import Iterator

import click

from gateway.cli import main

#: Those that run until they are ended, or that have nothing to tell but that it is done.
WITHOUT = {"up", "worker", "chat", "migrate", "telegram delete-webhook"}


def leaves(command: click.Command, context: click.Context, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, with its whole name."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for each in command.list_commands(context):
        below = command.get_command(context, each)
        assert below
        yield from leaves(below, context, f"{name} {each}".strip())


def test_every_command_has_json_but_those_that_tell_nothing() -> None:
    """Law: a new one cannot forget it."""
    found = dict(leaves(main, click.Context(main)))
    without = {name for name, one in found.items() if not any("--json" in param.opts for param in one.params)}
    assert without == WITHOUT
    assert len(found) > 2 * len(WITHOUT)
