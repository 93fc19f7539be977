"""Secrets: is there one wherever something is to be proved, and is it a real one?

None is ever shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn
from gateway.embedded.home import Home
from gateway.embedded.secret_files import SECRETS
from gateway.settings.accounts import Account
from gateway.settings.secret import Secret

__all__ = ["CHECKS"]

#: What can be guessed proves nothing.
_CHARS_MIN = 16
#: Settings of accounts that stand for no proof when they are empty.
_OPTIONAL = frozenset({"trust_root"})


def accounts(visit: Visit) -> Iterator[Finding]:
    """Each account has what proves its deliveries and what it sends with, and none that `switchboard up` has made."""
    if visit.settings is None:
        return
    samples = _samples(visit)
    for (channel, name), account in sorted(visit.settings.accounts.items()):
        found = list(_secrets(account))
        problems = [one for one in (_judge(*each, samples) for each in found) if one is not None]
        for state, field, says, do in problems:
            make = fail if state == "fail" else warn
            yield make(f"accounts.{channel}.{name}.{field}", says, do)
        if not problems:
            yield ok(f"accounts.{channel}.{name}", f"{', '.join(field for field, _ in found) or 'needs no secret'}")


def assistants(visit: Visit) -> Iterator[Finding]:
    """Calls to assistants are signed."""
    if visit.settings is None:
        return
    for name, one in sorted(visit.settings.assistants.items()):
        what = f"assistants.{name}.signing_secrets"
        if one.kind != "http":
            continue
        if not any(one.signing_secrets):
            yield warn(
                what,
                "calls are not signed: the assistant cannot tell the gateway from anybody else",
                "set it, and have the assistant verify",
            )
        elif visit.embedded is None and _is_sample(one.signing_secrets, _samples(visit)):
            yield warn(what, "it was made by `switchboard up` for trials", "make one of your own")
        else:
            yield ok(what, "calls are signed")


def api(visit: Visit) -> Iterator[Finding]:
    """Tokens of the settings are for emergencies: they may do everything, and bear no name."""
    if visit.settings is not None and any(visit.settings.api.tokens):
        yield ok("api.tokens", f"{len(visit.settings.api.tokens)}, each of which may do everything")


def _secrets(account: Account) -> Iterator[tuple[str, Sequence[Secret]]]:
    for field in msgspec.structs.fields(account):
        value = getattr(account, field.name)
        if field.name in _OPTIONAL:
            continue
        if field.name == "bot_token" and getattr(account, "workspaces", None) and not value:
            # Each workspace has its own, and is an account of its own.
            continue
        if field.type is Secret:
            yield field.name, (value,)
        elif field.type == tuple[Secret, ...]:
            yield field.name, value


def _judge(field: str, secrets: Sequence[Secret], samples: frozenset[str]) -> tuple[str, str, str, str] | None:
    if not any(secrets):
        what = "nothing can be sent" if field.endswith("_token") else "nothing can be proved: every delivery is refused"
        return "fail", field, f"it is not set, so {what}", "set it to the one of the platform"
    if any(len(secret.reveal()) < _CHARS_MIN for secret in secrets if secret):
        return "warn", field, f"one has fewer than {_CHARS_MIN} characters", "use a longer one: it can be guessed"
    if _is_sample(secrets, samples):
        return "fail", field, "it was made by `switchboard up` for trials", "set it to the one of the platform"
    return None


def _is_sample(secrets: Sequence[Secret], samples: frozenset[str]) -> bool:
    return any(secret.reveal() in samples for secret in secrets if secret)


def _samples(visit: Visit) -> frozenset[str]:
    """Return the secrets that `switchboard up` has made in this home; under it they are meant."""
    if visit.embedded is not None or visit.settings is None:
        return frozenset()
    folder = Home(visit.settings.home).secrets
    return frozenset((folder / name).read_text().strip() for name in SECRETS if (folder / name).is_file())


CHECKS: list[Check] = [accounts, assistants, api]
