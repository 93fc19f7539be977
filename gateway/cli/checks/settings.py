"""The settings: can they be read, and do they say who is answered by whom?"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn

__all__ = ["CHECKS"]


def readable(visit: Visit) -> Iterator[Finding]:
    """All of them are valid."""
    if visit.settings is not None:
        accounts, assistants = len(visit.settings.accounts), len(visit.settings.assistants)
        yield ok("settings", f"valid: {_count(accounts, 'account')}, {_count(assistants, 'assistant')}")
        return
    for line in visit.problems:
        where, _, says = line.partition(": ")
        yield fail(where, says, "change it in the file that SWITCHBOARD_CONFIG names, or in the environment")


def used(visit: Visit) -> Iterator[Finding]:
    """Each assistant answers somebody."""
    if visit.settings is None:
        return
    named = {account.assistant for account in visit.settings.accounts.values()}
    for name in sorted(set(visit.settings.assistants) - named):
        yield warn(f"assistants.{name}", "answers on no account", "name it in an account, or take it out")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


CHECKS: list[Check] = [readable, used]
