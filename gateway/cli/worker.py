"""``switchboard worker``: worker processes and their parent.

The command becomes ``python -m workers.processes`` instead of importing it: the gateway's code never imports the
workers', and their parent keeps nothing of this command in its memory.
"""

from __future__ import annotations

import os
import sys

import click

from gateway.settings.environment import variable

__all__ = ["worker"]

_PROCESSES = variable(("worker", "processes"))


@click.command()
@click.option(
    "--processes", type=int, metavar="N", help="How many, one core each.  Without it: worker.processes, which is 1."
)
def worker(*, processes: int | None) -> None:
    """Run workers: they send what is due in the outbox, and everything else that is a job.

    One that dies is started again, and what it had goes to the others at once.  SIGTERM ends all in order (a second
    one: by force); SIGHUP replaces them one at a time, with settings read anew.
    """
    if processes is not None:
        # As a setting, so that its range is told with all other problems of the settings.
        os.environ[_PROCESSES] = str(processes)
    # Nothing of ours may wait in a buffer of a program that is about to be replaced.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "workers.processes"])  # noqa: S606  # argv is ours
