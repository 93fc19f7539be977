"""The queues that are held to the contract."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from tests.contracts.job_queues import MemoryQueue, Queue, RealQueue
from tests.support.waiting import GUARD_S


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    """What waits for ever fails here, at the line where it waits."""
    with gevent.Timeout(3 * GUARD_S):
        yield


@pytest.fixture(params=["memory", "real"])
def queue(request: pytest.FixtureRequest) -> Iterator[Queue]:
    queue: Queue
    if request.param == "memory":
        queue = MemoryQueue()
    else:
        queue = RealQueue(request.getfixturevalue("database"), request.getfixturevalue("redis_url"))
    queue.on("a")
    yield queue
    queue.close()
