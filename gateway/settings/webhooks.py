"""Webhooks: who is told of what happens here, over HTTP, by Standard Webhooks.

``[webhooks.<name>]`` in the TOML file becomes one :class:`WebhookSettings`.  What an event says, and when it is told
again, is in ``gateway/jobs/webhooks.py``.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from gateway.domain.signing import signing_key
from gateway.settings.problems import Problems
from gateway.settings.secret import Secret

__all__ = ["EVENT_TYPES", "EventType", "WebhookSettings", "note_webhook_problems", "note_webhook_secrets"]

EventType = Literal["turn.answered", "turn.failed", "message.sent", "job.buried"]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

_VISIBLE = re.compile(r"[!-~]+")


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[webhooks.<name>]``"""

    #: Where events are POSTed: https; http too with ``private_addresses_allowed``.
    url: str
    #: ``whsec_`` and base64 of 24 to 64 bytes, newest first; at least one.  Each signs, so that the receiver can change
    #: its own without an outage.
    signing_secrets: tuple[Secret, ...] = ()
    #: What is told.
    events: tuple[EventType, ...]
    #: Seconds for one try, from its first byte to the answer's last.
    timeout_s: Annotated[float, Meta(ge=0.1, le=60)] = 20.0
    #: Whether the address may lead into a private network.  Where it may not, the very address is judged that is
    #: connected to.
    private_addresses_allowed: bool = False


def note_webhook_problems(name: str, settings: WebhookSettings, problems: Problems) -> None:
    """Note what is wrong with ``[webhooks.<name>]``, its secrets apart."""
    where = f"webhooks.{name}"
    schemes = ("https", "http") if settings.private_addresses_allowed else ("https",)
    if not _is_address(settings.url, schemes):
        plain = "" if settings.private_addresses_allowed else f"; http:// only with {where}.private_addresses_allowed"
        problems.add(
            f"{where}.url",
            # Not shown: such addresses often hold a token.
            f"expected an address with {' or '.join(schemes)}:// and a host, in visible ASCII (percent-encode the "
            f"rest), without a name and password (not shown){plain}",
        )
    if not settings.events:
        problems.add(f"{where}.events", f"expected at least one of {', '.join(EVENT_TYPES)}")


def note_webhook_secrets(name: str, settings: WebhookSettings, problems: Problems) -> None:
    """Note what is wrong with the secrets of ``[webhooks.<name>]``."""
    if not settings.signing_secrets:
        problems.add(
            f"webhooks.{name}.signing_secrets",
            "expected at least one: without a signature its receiver could not tell us from anybody else",
        )
    for index, secret in enumerate(settings.signing_secrets):
        try:
            signing_key(secret.reveal())
        except ValueError as error:
            problems.add(f"webhooks.{name}.signing_secrets[{index}]", str(error))


def _is_address(url: str, schemes: tuple[str, ...]) -> bool:
    # What no call can send would make each event a dead letter.
    if not _VISIBLE.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            # A name and a password: no call takes them, so each event would be a dead letter.
            return False
        # Asked for, because a port out of range is found only then.
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
