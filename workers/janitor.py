"""Looks after what nobody owns: processes that died, and dedupe keys that no platform will send again.

Both may run in every worker at once: burying skips what another one is burying, and pruning finds nothing left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import gevent

from gateway import telemetry
from gateway.channels.base import Channel
from gateway.domain.errors import StoreUnavailable
from gateway.lanes.owner import Owner
from gateway.settings.lanes import LaneSettings
from gateway.store.ledger import deliveries
from gateway.store.postgres import Database

__all__ = ["Janitor"]

_PRUNE_EVERY_S = 3_600.0


class Janitor:
    """The loops."""

    def __init__(
        self, database: Database, owner: Owner, lanes: LaneSettings, channels: Mapping[str, Channel[Any]]
    ) -> None:
        self._database = database
        self._owner = owner
        self._lanes = lanes
        self._channels = channels

    def bury_forever(self) -> None:
        """Declare dead who stopped beating, so that gateways may adopt its lanes.  To be supervised."""
        while True:
            with contextlib.suppress(StoreUnavailable):
                self._owner.bury()
            gevent.sleep(self._lanes.poll_s)

    def prune_forever(self) -> None:
        """Forget old dedupe keys, each channel after its own time.  To be supervised."""
        while True:
            for name, channel in self._channels.items():
                days = max(capabilities.dedupe_days for capabilities in channel.surfaces.values())
                try:
                    self._prune(name, days)
                except StoreUnavailable:
                    continue
            gevent.sleep(_PRUNE_EVERY_S)

    def _prune(self, channel: str, days: float) -> None:
        pruned = 0
        # In portions, each a short statement: accepts wait for the keys that are being forgotten.
        while portion := self._database.run(lambda cursor: deliveries.prune(cursor, channel, days)):
            pruned += portion
        if pruned:
            telemetry.event("dedupe.pruned", channel=channel, rows=pruned)
