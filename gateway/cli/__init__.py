"""The command ``switchboard``: one file per command group, each loaded only when its command is called.

A group file has one ``click`` command whose function bears the name of the file (``up.py`` has ``up``).  To
add a command, write its file and name it in ``COMMANDS`` with its one line of help.
"""

from __future__ import annotations

import importlib
import os

import click

__all__ = ["COMMANDS", "main"]

#: Command, file and help in the order in which a newcomer meets them.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("gateway.cli.up", "Start everything: stores, gateway, worker, sample assistants."),
    "chat": ("gateway.cli.chat", "Speak with an account of the web chat in this terminal."),
    "simulate": ("gateway.cli.simulate", "Speak to an account as a user of its platform, and see what they see."),
    "play": ("gateway.cli.play", "Play scripted conversations and tell whether they went as written."),
    "conversations": ("gateway.cli.conversations", "Look at conversations: list, show."),
    "breakers": ("gateway.cli.breakers", "See and override circuit breakers: list, force, clear."),
    "jobs": ("gateway.cli.jobs", "Workers' jobs: enqueue, list, show, retry, drop, pause, resume."),
    "dead-letters": ("gateway.cli.dead_letters", "What was given up: list, show, retry, drop."),
    "webhooks": ("gateway.cli.webhooks", "See where events are told: list, enable, disable."),
    "users": ("gateway.cli.users", "Do what a person may ask: erase."),
    "telegram": ("gateway.cli.telegram", "Set a bot up at Telegram: set-webhook, webhook, delete-webhook."),
    "doctor": ("gateway.cli.doctor", "Look at everything it needs, and say what to do."),
    "token": ("gateway.cli.token", "Let programs use the API: create, list, revoke."),
    "migrate": ("gateway.cli.migrate", "Bring the database to the newest schema."),
    "routes": ("gateway.cli.routes", "Show every address that the gateway answers."),
    "worker": ("gateway.cli.worker", "Run workers: what sends replies and runs all other jobs."),
}


class _Commands(click.Group):
    """Loads a command's file when the command is called: ``up`` must start without gevent, and fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # click guesses options, and no commands.
        if args and args[0] not in COMMANDS and args[0][:1].isalnum():
            from gateway.settings.problems import did_you_mean  # rarely wanted, and `up` starts fast

            hint = did_you_mean(args[0], COMMANDS) or f"; there are {', '.join(COMMANDS)}"
            ctx.fail(f"No such command {args[0][:40]!r}{hint}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=_Commands)
@click.version_option(package_name="switchboard")
@click.pass_context
def main(context: click.Context) -> None:
    """Switchboard: the front door of a conversational platform."""
    # https://no-color.org; what is no terminal is shown none anyway.
    if os.environ.get("NO_COLOR"):
        context.color = False
