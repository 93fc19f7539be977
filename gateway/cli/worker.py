"""``switchboard worker``: a worker process.

The command becomes ``python -m workers`` instead of importing it: the gateway's code never imports the
workers', and they patch the process in their own first lines.
"""

from __future__ import annotations

import os
import sys

import click

__all__ = ["worker"]


@click.command()
def worker() -> None:
    """Run a worker: it sends what is due in the outbox."""
    # Nothing of ours may wait in a buffer of a program that is about to be replaced.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "workers"])  # noqa: S606  # argv is ours
