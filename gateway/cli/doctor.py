"""``switchboard doctor``: looks at everything that Switchboard needs, and says what to do where something is wrong."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from gateway.cli.beside import environment, running
from gateway.cli.checks import assistants, bounds, circuits, clocks, platforms, secrets, settings, stores
from gateway.cli.checks import running as processes
from gateway.cli.checks.finding import Check, Finding, Visit
from gateway.cli.ledger import stores as store_settings
from gateway.cli.telling import echo_json, printable
from gateway.settings.environment import EMBEDDED
from gateway.settings.load import SettingsError, home_folder, load, load_store

__all__ = ["doctor"]

#: In the order in which things depend on each other.
GROUPS: dict[str, list[Check]] = {
    "settings": settings.CHECKS,
    "stores": stores.CHECKS,
    "clocks": clocks.CHECKS,
    "assistants": assistants.CHECKS,
    "circuits": circuits.CHECKS,
    "secrets": secrets.CHECKS,
    "platforms": platforms.CHECKS,
    "bounds": bounds.CHECKS,
    "running": processes.CHECKS,
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(*, as_json: bool) -> None:
    """Look at settings, stores, clocks, assistants, circuits, secrets, bounds and what runs.

    Each line is ok, warn (it works, look at it) or fail; the exit status is 1 if anything fails.  Nothing is changed;
    assistants are sent a body that is no turn.
    """
    findings = []
    for finding in _look(_visit()):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    count = Counter(one.state for one in findings)
    if as_json:
        echo_json(findings)
    else:
        click.echo(f"{count['ok']} ok, {count['warn']} to look at, {count['fail']} wrong")
    if count["fail"]:
        raise SystemExit(1)


def _visit() -> Visit:
    environ, embedded = environment(), running()
    try:
        store = store_settings()
        # Else the addresses are those where `switchboard up` would listen, and it does not run.
        idle = embedded is None and not load_store(None, environ).database_url
    except (click.ClickException, SettingsError):
        # They are among the problems of all settings.
        store, idle = None, False
    whole, problems = None, tuple[str, ...]()
    try:
        # What only a trial may be told is no problem of its own where a trial is to be started.
        whole = load(None, {**environ, EMBEDDED: "1"} if idle else environ)
    except SettingsError as error:
        problems = error.problems
    return Visit(
        environ=environ,
        home=home_folder(environ),
        embedded=embedded,
        idle=idle,
        settings=whole,
        problems=problems,
        store=None if idle else store,
    )


def _look(visit: Visit) -> Iterator[Finding]:
    for group, checks in GROUPS.items():
        for check in checks:
            try:
                for finding in check(visit):
                    yield msgspec.structs.replace(finding, group=group)
            except Exception as error:
                # What a check did not think of must not keep the others from looking.  Its text may show an address.
                says = f"could not be looked at: {type(error).__name__} at {_place(error)}"
                do = "that is a fault of this command: please report it"
                yield Finding(state="fail", group=group, what=check.__name__, says=says, do=do)


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _line(one: Finding) -> str:
    do = f": {one.do}" if one.do else ""
    return printable(f"{one.state:<4}  {one.group:<10}  {one.what}: {one.says}{do}")
