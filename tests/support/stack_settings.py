"""What the processes of a test's stack are told: their accounts, their secrets, and quicker looks than in production.

Accounts: ``shop`` (its assistant is patient), ``hasty`` (gives its assistant a second and a half), ``nowhere`` (nobody
listens at its assistant's address), ``mute`` (no secret is configured), ``counted`` (its platform takes few messages of
it, or waits for a second only), each on Slack, on Telegram, on Alexa and on web chat; ``app``, on Slack alone, which
three workspaces have installed (``WORKSPACES``, with their bot tokens).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gateway.settings.environment import EMBEDDED
from gateway.settings.schedules import PLATFORM_SCHEDULES
from tests.support.alexa_platform import SKILL, alexa_root
from tests.support.slack_platform import BOT_TOKEN, SIGNING_SECRET
from tests.support.telegram_platform import TELEGRAM_SECRET, TELEGRAM_TOKEN, USERNAME
from tests.support.visitor import COOKIE_SECRET

__all__ = ["COUNTED_PER_S", "FAST_BEATS", "WORKSPACES", "Settings", "environment", "free_port", "write_config"]

ROOT = Path(__file__).parents[2]
#: A dead process is found within two seconds: for tests of takeovers.  Others keep the five seconds of the product,
#: because on a busy machine a live process may miss a beat or two.
FAST_BEATS = {"lanes.beat_s": 0.2, "lanes.dead_after_s": 1.5, "lanes.lease_margin_s": 0.3}
#: Quick looks, so that a test waits for what it tests and not for a poll.
_QUICK = {
    "lanes.poll_s": 0.1,
    "jobs.poll_s": 0.1,
    "jobs.share_every_s": 0.2,
    "outbox.backoff_base_s": 0.05,
    "server.probe_fresh_s": 0.05,
    # No test is to depend on the minute at which it is run.
    **{f"schedules.{name}.on": "false" for name in PLATFORM_SCHEDULES},
}

#: Messages a second to one channel or chat by the account ``counted``.
COUNTED_PER_S = 2.0

#: The workspaces of the account ``app``; the second one has an assistant of its own, at whose address nobody listens;
#: the two others are of one tenant.
WORKSPACES = {"T0ONE": "xoxb-of-one", "T0TWO": "xoxb-of-two", "T0THREE": "xoxb-of-three"}

Settings = Mapping[str, float | str]


def environment(database_url: str, redis_url: str, folder: Path, settings: Settings) -> dict[str, str]:
    """Return what a process of the stack is started with."""
    # Nothing of ours that the caller's shell may hold: a test must not depend on it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHBOARD_")}
    given = {
        f"SWITCHBOARD_{name.upper().replace('.', '__')}": str(value)
        for name, value in {**_QUICK, **settings}.items()
    }
    return {
        **inherited,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
        "SWITCHBOARD_CONFIG": str(folder / "switchboard.toml"),
        "SWITCHBOARD_HOME": str(folder),
        "SWITCHBOARD_LOGGING__FORMAT": "text",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "WEB_CONCURRENCY": "1",
        "HOST": "127.0.0.1",
        "TEST_SIGNING_SECRET": SIGNING_SECRET,
        "TEST_BOT_TOKEN": BOT_TOKEN,
        **{f"TEST_BOT_TOKEN_{team_id}": token for team_id, token in WORKSPACES.items()},
        "TEST_COOKIE_SECRET": COOKIE_SECRET,
        "TEST_TELEGRAM_SECRET": TELEGRAM_SECRET,
        "TEST_TELEGRAM_TOKEN": TELEGRAM_TOKEN,
        # A root of our own is a trial's alone.
        EMBEDDED: "1",
        "TEST_ALEXA_ROOT": alexa_root(),
        **given,
    }


def write_config(path: Path, assistant_url: str, slack_api: str, telegram_api: str, alexa: str) -> None:
    """Write the accounts and assistants, none of them with a secret in it."""
    nobody = f"http://127.0.0.1:{free_port()}/turn"
    parts = [
        "[rpc]\nprivate_addresses_allowed = true\n",  # the stand-ins are on this machine
        f'[assistants.patient]\nurl = "{assistant_url}"\n',
        (
            f'[assistants.hasty]\nurl = "{assistant_url}"\n'
            "slow_s = 0.9\nfirst_byte_timeout_s = 1.0\nidle_timeout_s = 1.0\ntotal_timeout_s = 1.5\n"
        ),
        f'[assistants.nobody]\nurl = "{nobody}"\n',
    ]
    for account, assistant in (
        ("shop", "patient"),
        ("hasty", "hasty"),
        ("nowhere", "nobody"),
        ("mute", "patient"),
        ("counted", "patient"),
    ):
        signed, cookies, secret = (
            ("env:TEST_SIGNING_SECRET", "env:TEST_COOKIE_SECRET", "env:TEST_TELEGRAM_SECRET")
            if account != "mute"
            else ("", "", "")
        )
        # The platforms' own rates would be what most tests wait for.
        per_s, burst = (COUNTED_PER_S, 1) if account == "counted" else (1_000, 1_000)
        patience_s = 1.0 if account == "counted" else 4.0
        parts.append(
            f'[accounts.slack.{account}]\nassistant = "{assistant}"\nbot_token = "env:TEST_BOT_TOKEN"\n'
            f'api_base_url = "{slack_api}"\nresponse_url_hosts = ["{urlsplit(slack_api).netloc}"]\n'
            f"channel_posts_per_s = {per_s}\nchannel_posts_burst = {burst}\n"
            f"signing_secrets = {_list(signed)}\n"
            f'[accounts.telegram.{account}]\nassistant = "{assistant}"\nbot_token = "env:TEST_TELEGRAM_TOKEN"\n'
            f'api_base_url = "{telegram_api}"\nusername = "{USERNAME}"\nsecret_tokens = {_list(secret)}\n'
            f"chat_messages_per_s = {per_s}\nchat_messages_burst = {burst}\n"
            "bot_messages_per_s = 1000\nbot_messages_burst = 1000\n"
            f'[accounts.alexa.{account}]\nassistant = "{assistant}"\ntrust_root = "env:TEST_ALEXA_ROOT"\n'
            f'chain_origin = "{alexa}"\napi_hosts = ["{urlsplit(alexa).netloc}"]\nanswer_by_s = {patience_s}\n'
            f"skill_ids = {_list(SKILL if account != 'mute' else '')}\n"
            f'[accounts.webchat.{account}]\nassistant = "{assistant}"\ncookie_secrets = {_list(cookies)}\n'
        )
    parts.append(
        f'[accounts.slack.app]\nassistant = "patient"\nsigning_secrets = ["env:TEST_SIGNING_SECRET"]\n'
        f'api_base_url = "{slack_api}"\nchannel_posts_per_s = {COUNTED_PER_S}\nchannel_posts_burst = 1\n'
        f'[accounts.slack.app.workspaces.T0ONE]\nbot_token = "env:TEST_BOT_TOKEN_T0ONE"\ntenant = "one"\n'
        f'[accounts.slack.app.workspaces.T0TWO]\nbot_token = "env:TEST_BOT_TOKEN_T0TWO"\nassistant = "nobody"\n'
        f'[accounts.slack.app.workspaces.T0THREE]\nbot_token = "env:TEST_BOT_TOKEN_T0THREE"\ntenant = "one"\n'
    )
    path.write_text("\n".join(parts))


def _list(reference: str) -> str:
    return f'["{reference}"]' if reference else "[]"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
