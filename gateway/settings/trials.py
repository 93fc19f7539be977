"""What only a trial may be told: settings that would let others speak in a platform's name.

A trial is what ``switchboard up`` starts; it says so to its children.  Anywhere else such a setting is refused when it
is read, and not when somebody makes use of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import structs

from gateway.settings.accounts import Account, AlexaAccount
from gateway.settings.environment import EMBEDDED
from gateway.settings.problems import Problems

__all__ = ["note_trial_problems"]

_PEM = "-----BEGIN CERTIFICATE-----"
_AMAZON = next(field.default for field in structs.fields(AlexaAccount) if field.name == "chain_origin")


def note_trial_problems(
    accounts: Iterable[Account | None], environ: Mapping[str, str], problems: Problems
) -> None:
    """Note what only a trial may be told, if this is none; and what no trial could use."""
    for account in accounts:
        if isinstance(account, AlexaAccount):
            _note_alexa(account, environ.get(EMBEDDED, "") != "", problems)


def _note_alexa(account: AlexaAccount, is_trial: bool, problems: Problems) -> None:
    where = f"accounts.{account.channel}.{account.name}"
    if account.trust_root and not is_trial:
        problems.add(
            f"{where}.trust_root",
            "only `switchboard up` takes one: whoever has its key could speak as Amazon.  Without it Amazon's"
            " certificates are trusted",
        )
    if account.chain_origin != _AMAZON and not is_trial:
        problems.add(
            f"{where}.chain_origin", f"expected {_AMAZON}, got another: only `switchboard up` takes one, for trials"
        )
    if account.trust_root and _PEM not in account.trust_root.reveal():
        problems.add(f"{where}.trust_root", "expected certificates in PEM, got something else (not shown)")
    parts = urlsplit(account.chain_origin)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        problems.add(f"{where}.chain_origin", "expected http(s)://host, with a port or a path where it has one")
