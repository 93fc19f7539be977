"""Random secrets for a copy that runs without configuration: one file each, made once, mode 0600.

Settings name secrets as ``env:NAME``; what the environment does not set is set from here for the
children.  Nothing of it is in the repository, and two homes never share one.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["SECRETS", "ensure_secrets"]


def _hexadecimal() -> str:
    return secrets.token_hex(32)


def _standard_webhooks() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


#: Environment name of each secret that the working default refers to, and how one is made.
SECRETS: dict[str, Callable[[], str]] = {
    "SLACK_SIGNING_SECRET": _hexadecimal,
    "WEBCHAT_COOKIE_SECRET": _hexadecimal,
    "ASSISTANT_SIGNING_SECRET": _standard_webhooks,
}


def ensure_secrets(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that *environment* does not set, made if they do not exist yet."""
    missing = {name: make for name, make in SECRETS.items() if not environment.get(name)}
    return {name: _ensure(folder / name.lower(), make) for name, make in missing.items()}


def _ensure(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        unfinished = path.with_name(path.name + ".unfinished")
        unfinished.unlink(missing_ok=True)
        # Never readable to others, not even for a moment; whole or not there.
        unfinished.touch(mode=0o600, exist_ok=False)
        unfinished.write_text(make())
        unfinished.rename(path)
    return path.read_text()
