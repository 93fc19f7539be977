"""What many files here begin with: a guard around each test, and feeds that are closed behind it."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from tests.support.waiting import GUARD_S
from tests.workers.reading import Read, Reading


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    """What hangs fails, and says where."""
    with gevent.Timeout(3 * GUARD_S):
        yield


@pytest.fixture
def read(database: str) -> Iterator[Read]:
    """Make a feed over this test's ledger, with these settings."""
    readings: list[Reading] = []

    def reading(**settings: float) -> Reading:
        readings.append(Reading(database, **settings))
        return readings[-1]

    yield reading
    for reading_ in readings:
        reading_.close()
