"""A deployment to be loaded: the Procfile's gateway and worker on one core, durable stores on the other, four accounts.

Its settings (switchboard.toml) differ from the defaults in what the platforms allow: their rates are those of a
stand-in that has none, its address is on this machine, and Amazon's certificates lead to a root of this run's own,
which only a trial may trust.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bench.chat.contestants import CONTESTANTS, OURS, Running, run
from bench.chat.messages import SIGNING_SECRET, TOKEN
from bench.stack import ASSISTANT_SECRET
from gateway.embedded.trial_authority import ALEXA_CHAIN, ALEXA_KEY, alexa_trial
from gateway.settings.environment import EMBEDDED

__all__ = [
    "ACCOUNT",
    "ALEXA_CHAIN",
    "ALEXA_KEY",
    "COOKIE_SECRET",
    "SECRET_TOKEN",
    "SKILL",
    "certificates",
    "deployment",
    "told",
]

ACCOUNT = "load"
SECRET_TOKEN = "a-secret-token-of-the-benchmark"  # noqa: S105  # protects nothing
BOT_TOKEN = "1234567890:a-bot-token-of-the-benchmark"  # noqa: S105
COOKIE_SECRET = "a secret of the benchmark for cookies, known to both sides"  # noqa: S105
SKILL = "amzn1.ask.skill.load"

_SETTINGS = Path(__file__).with_name("switchboard.toml")
#: Where the file has whom the gateway calls.
_ASSISTANT, _STAND_IN = "http://127.0.0.1:9001/turn", "http://127.0.0.1:8099"


def certificates(home: Path) -> Path:
    """Write a key for Alexa, its chain and its root below *home*, as ``switchboard up`` does; return their folder."""
    folder = home / "secrets"
    folder.mkdir()
    for name, text in alexa_trial().items():
        (folder / name).write_text(text)
    return folder


@contextlib.contextmanager
def deployment(home: Path, *, assistant: str, stand_in: str) -> Iterator[Running]:
    """Run it until the block ends; the addresses of whom it calls may be those of processes yet to come."""
    settings = _SETTINGS.read_text().replace(_ASSISTANT, "{assistant}").replace(_STAND_IN, "{slack}")
    env = {**CONTESTANTS[OURS].env, **told(home, 0), EMBEDDED: "1", "SWITCHBOARD_HOME": str(home)}
    ours = msgspec.structs.replace(CONTESTANTS[OURS], env=env)
    with run(ours, assistant=assistant, slack=stand_in, settings=settings) as running:
        yield running


def told(home: Path, stand_in_port: int) -> Mapping[str, str]:
    """Return the variables that both sides read; *home* has Alexa's certificate."""
    return {
        "LOAD_ASSISTANT_SECRET": ASSISTANT_SECRET,
        "LOAD_SLACK_ACCOUNT": ACCOUNT,
        "LOAD_SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "LOAD_SLACK_BOT_TOKEN": TOKEN,
        "LOAD_TELEGRAM_ACCOUNT": ACCOUNT,
        "LOAD_TELEGRAM_SECRET_TOKEN": SECRET_TOKEN,
        "LOAD_TELEGRAM_BOT_TOKEN": BOT_TOKEN,
        "LOAD_ALEXA_ACCOUNT": ACCOUNT,
        "LOAD_ALEXA_SKILL_ID": SKILL,
        "LOAD_ALEXA_KEY": str(home / "secrets" / ALEXA_KEY),
        "LOAD_ALEXA_CHAIN": str(home / "secrets" / ALEXA_CHAIN),
        "LOAD_WEBCHAT_ACCOUNT": ACCOUNT,
        "LOAD_WEBCHAT_COOKIE_SECRET": COOKIE_SECRET,
        "LOAD_STAND_IN_PORT": str(stand_in_port),
    }
