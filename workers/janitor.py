"""Looks after what nobody owns: processes that died.

It may run in every worker at once: burying skips what another one is burying.  What is merely old is forgotten by jobs
(``workers/handlers/sweep_*.py``).
"""

from __future__ import annotations

import contextlib

import gevent

from gateway.domain.errors import StoreUnavailable
from gateway.lanes.owner import Owner
from gateway.settings.lanes import LaneSettings

__all__ = ["Janitor"]


class Janitor:
    """The loop."""

    def __init__(self, owner: Owner, lanes: LaneSettings) -> None:
        self._owner = owner
        self._lanes = lanes

    def bury_forever(self) -> None:
        """Declare dead who stopped beating, so that gateways may adopt its lanes.  To be supervised."""
        while True:
            with contextlib.suppress(StoreUnavailable):
                self._owner.bury()
            gevent.sleep(self._lanes.poll_s)
