"""The settings: can they be read, and do they say who is answered by whom?"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn
from gateway.embedded.home import Home
from gateway.embedded.secret_files import SECRETS
from gateway.embedded.trial_authority import ALEXA_ROOT

__all__ = ["CHECKS"]


def readable(visit: Visit) -> Iterator[Finding]:
    """All of them are valid."""
    if visit.settings is not None:
        accounts, assistants = len(visit.settings.accounts), len(visit.settings.assistants)
        yield ok("settings", f"valid: {_count(accounts, 'account')}, {_count(assistants, 'assistant')}")
        return
    if visit.idle:
        yield fail(
            "switchboard up",
            f"does not run (SWITCHBOARD_HOME is {visit.home}), and DATABASE_URL is not set",
            "start it; in production set DATABASE_URL, REDIS_URL, and SWITCHBOARD_CONFIG to settings of your own",
        )
    made = [str(Home(visit.home).secrets / name) for name in (*SECRETS, ALEXA_ROOT)]
    for line in visit.problems:
        where, _, says = line.partition(": ")
        is_trials = any(f" {path}: " in f"{says}: " for path in made)
        if visit.idle and (is_trials or where in ("store.database_url", "store.redis_url")):
            # Starting it mends these, too.
            continue
        do = "change it in the file that SWITCHBOARD_CONFIG names, or in the environment"
        yield fail(where, says, "only `switchboard up` makes it, for trials: name one of your own" if is_trials else do)


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
