"""Platforms: does any account still speak to the stand-in of ``switchboard up``, where that does not run?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from gateway.cli.checks.finding import Check, Finding, Visit, fail
from gateway.embedded.addresses import STAND_IN

__all__ = ["CHECKS"]

_HOST = urlsplit(STAND_IN).netloc


def stand_ins(visit: Visit) -> Iterator[Finding]:
    """Settings copied from the working default: what they send reaches no platform, and nobody on it."""
    if visit.settings is None or visit.embedded is not None:
        return
    for (channel, name), account in sorted(visit.settings.accounts.items()):
        if "." in name:
            # A workspace, which has this of its app's account.
            continue
        for field in msgspec.structs.fields(account):
            value = getattr(account, field.name)
            if any(map(_leads_there, value if isinstance(value, tuple) else (value,))):
                yield fail(
                    f"accounts.{channel}.{name}.{field.name}",
                    f"names the stand-in of `switchboard up` ({_HOST}), which reaches nobody",
                    "take it out: without it the platform itself is meant",
                )


def _leads_there(value: object) -> bool:
    return isinstance(value, str) and (value in (_HOST, STAND_IN) or value.startswith(f"{STAND_IN}/"))


CHECKS: list[Check] = [stand_ins]
