"""What locust is told beside its own options: accounts, their secrets, the rate.  Each is also an environment variable.

A secret belongs into the variable: a command line can be read by everybody on the machine.  ``python -m
bench.locust.options`` lists them: locust's own ``--help`` ends before it reads a locustfile, and knows none of them.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.locust.platforms.alexa import Alexa, certificates, signing_key
from bench.locust.platforms.slack import Slack
from bench.locust.platforms.telegram import Telegram
from bench.locust.platforms.webchat import Webchat
from bench.locust.words import REPLY, SAYS, Words

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

#: Addresses to listen at, and none to call.
_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104  # nobody listens there by this

Accounts = Slack | Telegram | Alexa | Webchat


def add_options(parser: ArgumentParser) -> None:
    """Add ours to locust's."""
    def add(name: str, default: float | str, about: str) -> None:
        # That it reads variables is locust's parser's own.  Its page neither shows nor changes them: secrets are not
        # for whoever opens it, and what is read once here would not follow.
        more: dict[str, Any] = {"env_var": PREFIX + name.upper().replace("-", "_"), "include_in_web_ui": False}
        parser.add_argument(f"--{name}", type=type(default), default=default, help=about, **more)

    for name, (number, about) in _NUMBERS.items():
        add(name, float(number), about)
    for needed in (*NEEDED.values(), _TOKENS):
        for name, about in needed.items():
            add(name.replace("_", "-"), "", about)
    add("says", SAYS, "what is said; {number} stands for the message's number")
    add("reply", REPLY, "what the assistant answers to that, to the letter")
    add("stand-in-host", "127.0.0.1", "address at which replies are taken")
    add("stand-in-port", 8099, "its port; 0: any that is free")
    add("stand-in-url", "", "how the deployment reaches it, if not by http, host and port")
    add("report", "", "write the summary there, as JSON")


def problems(channels: Iterable[str], given: Namespace, host: str) -> list[str]:
    """Return what is missing for *channels* or cannot be, a sentence each; *host*: where the gateway is said to be."""
    channels = list(channels)
    return [*_of_addresses(channels, given, host), *_of_accounts(channels, given), *_of_values(given)]


def _of_addresses(channels: list[str], given: Namespace, host: str) -> Iterator[str]:
    if not _is_address(host) or urlsplit(host).path.strip("/"):
        yield f"--host: expected where the gateway is, as https://HOST or http://HOST:PORT, got {host!r}"
    if not 0 <= given.stand_in_port <= 65_535:
        yield f"--stand-in-port: expected 0 to 65535, got {given.stand_in_port}"
    if given.stand_in_url and not _is_address(given.stand_in_url):
        yield f"--stand-in-url: expected http://HOST:PORT or https://HOST, got {given.stand_in_url!r}"
    if given.stand_in_host in _ANYWHERE and not given.stand_in_url and {"slack", "alexa"} & {*channels}:
        yield (
            "--stand-in-url: expected how the deployment reaches it; --stand-in-host "
            f"({given.stand_in_host!r}) is no address to call"
        )


def _of_accounts(channels: list[str], given: Namespace) -> Iterator[str]:
    for channel in channels:
        lack = [name for name in NEEDED[channel] if not getattr(given, name)]
        if lack:
            yield f"{channel}: expected {', '.join(f'{_variable(name)} ({NEEDED[channel][name]})' for name in lack)}"
    if "alexa" not in channels:
        return
    for name, read in (("alexa_key", signing_key), ("alexa_chain", certificates)):
        path = getattr(given, name)
        try:
            if path:
                read(Path(path).read_text("ascii"))
        except OSError as error:
            yield f"{_variable(name)}: expected a {NEEDED['alexa'][name]}, got {path!r}: {error.strerror}"
        except ValueError:
            yield f"{_variable(name)}: expected a {NEEDED['alexa'][name]}, got {path!r} with something else in it"


def _of_values(given: Namespace) -> Iterator[str]:
    def value(name: str) -> float:
        return float(getattr(given, name.replace("-", "_")))

    for name in ("rate", "turns", "late-s", "patience-s"):
        if not 0 < value(name) < float("inf"):
            yield f"--{name}: expected more than 0, got {value(name):g}"
    if not 0 <= value("seconds") < float("inf"):
        yield f"--seconds: expected 0 or more, got {value('seconds'):g}"
    for name in ("commands", "repeated"):
        if not 0 <= value(name) <= 1:
            yield f"--{name}: expected 0 to 1, got {value(name):g}"
    try:
        Words(given.says, given.reply)
    except ValueError as error:
        yield f"--{error}"
    # Found out at the end of a run, its numbers would be gone.
    report = Path(given.report)
    if given.report and (report.is_dir() or not os.access(report.parent, os.W_OK)):
        yield f"--report: expected a file in a folder that can be written to, got {given.report!r}"


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_named = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        return parts.scheme in ("http", "https") and is_named and not parts.query
    except ValueError:
        # A port that is no number, or no port.
        return False


def accounts(channels: Iterable[str], given: Namespace, stand_in: str) -> dict[str, Accounts]:
    """Return the account of each channel; without :func:`problems`."""
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
                    key=Path(given.alexa_key).read_text("ascii"),
                    chain=Path(given.alexa_chain).read_text("ascii"),
                    stand_in=stand_in,
                )
            case _:
                made[channel] = Webchat(account=given.webchat_account)
    return made


class _Listing(ArgumentParser):
    """Stands in for locust's parser where all that is asked for is what ours are."""

    def add_argument(self, *names: str, **more: Any) -> Any:
        more.pop("include_in_web_ui")
        default = f", {more['default']:g}" if isinstance(more["default"], float) else ""
        more["help"] += f" [{more.pop('env_var')}{default}]"
        return super().add_argument(*names, **more, metavar="...")


def main() -> None:
    """List them."""
    usage = "locust -f bench/locust/conversations.py [OPTIONS, or their variables]"
    listing = _Listing(usage=usage, description="Beside locust's own options:", add_help=False)
    add_options(listing)
    listing.print_help()


if __name__ == "__main__":
    main()
