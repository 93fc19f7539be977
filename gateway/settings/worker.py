"""The worker process itself.  How it sends is in the outbox's settings."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["WorkerSettings"]


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[worker]``"""

    #: Port on which a worker shows its metrics to Prometheus, on ``server.host``; 0: nowhere.
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
