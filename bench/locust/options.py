"""What locust is told beside its own options: accounts, their secrets, the rate.  Each is also an environment variable.

A secret belongs into the variable: a command line can be read by everybody on the machine.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from typing import Any

from bench.locust.platforms.alexa import Alexa
from bench.locust.platforms.slack import Slack
from bench.locust.platforms.telegram import Telegram
from bench.locust.platforms.webchat import Webchat
from bench.locust.words import REPLY, SAYS

__all__ = ["NEEDED", "Accounts", "accounts", "add_options", "problems"]

PREFIX = "LOAD_"
#: What must be known to speak on a channel, and what that is.
NEEDED: Mapping[str, Mapping[str, str]] = {
    "slack": {
        "slack_account": "name of the account, as in /hooks/slack/<account>",
        "slack_signing_secret": "what its deliveries are signed with",
    },
    "telegram": {
        "telegram_account": "name of the account, as in /hooks/telegram/<account>",
        "telegram_secret_token": "what its deliveries bear",
    },
    "alexa": {
        "alexa_account": "name of the account, as in /hooks/alexa/<account>",
        "alexa_skill_id": "one of its skill_ids",
        "alexa_key": "file (PEM) of the key that requests are signed with",
        "alexa_chain": "file (PEM) of its certificate, up to the account's trust_root",
    },
    "webchat": {"webchat_account": "name of the account, as in /chat/<account>"},
}
_TOKENS = {
    "slack_bot_token": "refuse chat.postMessage without it",
    "telegram_bot_token": "refuse calls of the Bot API without it",
}
_NUMBERS: Mapping[str, tuple[float, str]] = {
    "rate": (250.0, "messages a second, of all users together"),
    "seconds": (0.0, "stop after so many seconds of speaking; 0: as locust's own options say"),
    "turns": (8, "messages of a conversation, in the mean; then its user begins another one as somebody else"),
    "commands": (0.1, "share of messages that are slash commands, where a platform has them"),
    "repeated": (0.02, "share of messages that their platform delivers twice"),
    "late-s": (5.0, "an answer that comes later is a failure"),
    "patience-s": (30.0, "one that has not come by then is lost"),
}

Accounts = Slack | Telegram | Alexa | Webchat


def add_options(parser: ArgumentParser) -> None:
    """Add ours to locust's."""
    def add(name: str, default: float | str, about: str) -> None:
        variable = PREFIX + name.upper().replace("-", "_")
        more: dict[str, Any] = {"is_secret": True} if "secret" in name or "token" in name else {}
        # That it reads variables, and hides secrets in its page, is locust's parser's own.
        more["env_var"] = variable
        parser.add_argument(f"--{name}", type=type(default), default=default, help=about, **more)

    for name, (number, about) in _NUMBERS.items():
        add(name, float(number), about)
    for needed in (*NEEDED.values(), _TOKENS):
        for name, about in needed.items():
            add(name.replace("_", "-"), "", about)
    add("says", SAYS, "what is said; {number} stands for the message's number")
    add("reply", REPLY, "what the assistant answers to that, to the letter")
    add("stand-in-host", "127.0.0.1", "address at which replies are taken")
    add("stand-in-port", 8099, "its port")
    add("stand-in-url", "", "how the deployment reaches it, if not by http, host and port")
    add("report", "", "write the summary there, as JSON")


def problems(channels: Iterable[str], given: Namespace) -> list[str]:
    """Return what is missing for *channels* or cannot be, a sentence each."""
    found = []
    for channel in channels:
        lack = [name for name in NEEDED[channel] if not getattr(given, name)]
        if lack:
            variables = ", ".join(f"{PREFIX}{name.upper()} ({NEEDED[channel][name]})" for name in lack)
            found.append(f"{channel}: expected {variables}")
    found += [f"--{name}: expected more than 0" for name in ("rate", "turns") if getattr(given, name) <= 0]
    found += [f"--{name}: expected 0 to 1" for name in ("commands", "repeated") if not 0 <= getattr(given, name) <= 1]
    return found


def accounts(channels: Iterable[str], given: Namespace, stand_in: str) -> dict[str, Accounts]:
    """Return the account of each channel.

    :raises OSError: a file of Alexa's cannot be read.
    """
    made: dict[str, Accounts] = {}
    for channel in channels:
        match channel:
            case "slack":
                made[channel] = Slack(
                    account=given.slack_account,
                    signing_secret=given.slack_signing_secret,
                    bot_token=given.slack_bot_token,
                    stand_in=stand_in,
                )
            case "telegram":
                made[channel] = Telegram(
                    account=given.telegram_account,
                    secret_token=given.telegram_secret_token,
                    bot_token=given.telegram_bot_token,
                )
            case "alexa":
                made[channel] = Alexa(
                    account=given.alexa_account,
                    skill_id=given.alexa_skill_id,
                    key=_text(given.alexa_key),
                    chain=_text(given.alexa_chain),
                    stand_in=stand_in,
                )
            case _:
                made[channel] = Webchat(account=given.webchat_account)
    return made


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123  # locust's own options are plain strings, too
        return file.read()
