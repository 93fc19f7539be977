"""Random secrets for a copy that runs on the working default: one file each, made once, mode 0600.

``config/switchboard.toml`` names them as ``file:secrets/NAME``.  Nothing of it is in the repository, and two
homes never share one.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from gateway.embedded.trial_authority import ALEXA_CHAIN, ALEXA_KEY, ALEXA_ROOT, alexa_trial

__all__ = ["BARTENDER_SECRET", "SECRETS", "TASTED_SECRET", "ensure_secrets"]


def _hexadecimal() -> str:
    return secrets.token_hex(32)


def _standard_webhooks() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _bot_token() -> str:
    # The form that Telegram's have: a number, a colon, 35 letters.
    return f"{secrets.randbelow(9_000_000_000) + 1_000_000_000}:{secrets.token_urlsafe(32)[:35]}"


#: The gateway signs its calls with it, the assistant verifies them.
BARTENDER_SECRET = "bartender_signing"
TASTED_SECRET = "tasted_signing"

#: Name of each file that the working default refers to, and how its content is made.
SECRETS: dict[str, Callable[[], str]] = {
    BARTENDER_SECRET: _standard_webhooks,
    TASTED_SECRET: _standard_webhooks,
    "slack_bartender_signing": _hexadecimal,
    "slack_tasted_signing": _hexadecimal,
    # Only Slack can give a token that it accepts; this one keeps the account whole until then.
    "slack_bartender_token": _hexadecimal,
    "slack_tasted_token": _hexadecimal,
    "telegram_bartender_secret": _hexadecimal,
    "telegram_tasted_secret": _hexadecimal,
    # Only @BotFather can give one that Telegram accepts.
    "telegram_bartender_token": _bot_token,
    "telegram_tasted_token": _bot_token,
    "webchat_bartender_cookie": _hexadecimal,
    "webchat_tasted_cookie": _hexadecimal,
}


def ensure_secrets(folder: Path) -> None:
    """Make what does not exist yet; what exists is never touched."""
    for name, make in SECRETS.items():
        path = folder / name
        if not path.exists():
            _write(path, make())
    # Of one making: each proves the others.
    if not all((folder / name).exists() for name in (ALEXA_KEY, ALEXA_CHAIN, ALEXA_ROOT)):
        for name, text in alexa_trial().items():
            _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    # Whole or not there, and never readable to others, not even for a moment.
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600, exist_ok=False)
    unfinished.write_text(text)
    unfinished.rename(path)
