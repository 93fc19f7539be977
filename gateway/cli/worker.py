"""``switchboard worker``: worker processes and their parent.

The command becomes ``python -m workers.processes`` instead of importing it: the gateway's code never imports the
workers', and their parent keeps nothing of this command in its memory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click

from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from gateway.settings.environment import EMBEDDED, variable
from gateway.settings.load import SettingsError, home_folder, load_store
from gateway.settings.worker import PROCESSES_MAX

__all__ = ["joined", "worker"]

_PROCESSES = variable(("worker", "processes"))


@click.command()
@click.option(
    "--processes",
    type=click.IntRange(1, PROCESSES_MAX),
    metavar="N",
    help="How many, one core each.  Without it: worker.processes, which is 1.",
)
def worker(*, processes: int | None) -> None:
    """Run workers: they send what is due in the outbox, and everything else that is a job.

    One that dies is started again, and what it had goes to the others at once.  SIGTERM ends all in order (a second
    one: by force); SIGHUP replaces them one at a time, with settings read anew.

    Without DATABASE_URL and REDIS_URL it joins the `switchboard up` that runs in SWITCHBOARD_HOME.
    """
    if processes is not None:
        os.environ[_PROCESSES] = str(processes)
    os.environ.update(joined(os.environ))
    # Nothing of ours may wait in a buffer of a program that is about to be replaced.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "workers.processes"])  # noqa: S606  # argv is ours


def joined(environ: Mapping[str, str]) -> dict[str, str]:
    """Return where the programs of the ``switchboard up`` of this home are, for what nothing else says."""
    home = Home(home_folder(environ))
    # Gone with the `up` that made it.  In production there is none, and an address that is missing is told.
    if not home.sockets.is_dir():
        return {}
    try:
        store = load_store(None, environ)
    except SettingsError:
        # The workers' parent tells that, with all other problems of the settings.
        return {}
    plan = Plan(home, {"SWITCHBOARD_CONFIG": environ.get("SWITCHBOARD_CONFIG", "")})
    there, found = plan.environment, {}
    if not store.redis_url:
        found["REDIS_URL"] = there["REDIS_URL"]
    if not store.database_url:
        # Of a ledger of its own the assistants are its own too, and the platforms that replies are sent to.  What joins
        # that trial is a part of it, and may be told what only a trial may.
        names = (EMBEDDED, "BARTENDER_URL", "TASTED_URL", *plan.stand_in_environment)
        found |= {name: there[name] for name in names if not environ.get(name)}
        found["DATABASE_URL"] = there["DATABASE_URL"]
    return found
