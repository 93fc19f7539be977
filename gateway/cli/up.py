"""``switchboard up``: everything on one machine (gateway/embedded)."""

from __future__ import annotations

import os
import signal
import sys

import click

from gateway.embedded.child import set_death_signal
from gateway.embedded.up import up as run_everything

__all__ = ["up"]


@click.command()
@click.option("--stop-with-parent", is_flag=True, help="Stop when the process that started this one is gone.")
def up(*, stop_with_parent: bool) -> None:
    """Start stores, gateway, worker and sample assistants, and stop them all on Ctrl-C.

    PORT (8080), HOST (127.0.0.1) and SWITCHBOARD_HOME (.switchboard) say where; DATABASE_URL and REDIS_URL
    name stores to use instead of embedded ones, BARTENDER_URL and PLATFORMS_URL another sample assistant and another
    stand-in for the platforms.  On Ctrl-C what runs has server.drain_s to end, which is 3 here where
    nothing sets it.
    """
    if stop_with_parent:
        set_death_signal(signal.SIGTERM)
    sys.exit(run_everything(os.environ))
