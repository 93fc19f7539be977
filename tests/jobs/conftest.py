"""Jobs over real stores: what a process has of them, and what the ledger has."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import Database
from tests.support.waiting import GUARD_S


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    """What waits for ever fails here, at the line where it waits."""
    with gevent.Timeout(2 * GUARD_S):
        yield


@pytest.fixture
def store_settings(database: str, redis_url: str) -> StoreSettings:
    return StoreSettings(database_url=Secret(database), redis_url=Secret(redis_url))


@pytest.fixture
def pool(store_settings: StoreSettings) -> Iterator[Database]:
    pool = Database(store_settings, application="test")
    yield pool
    pool.close()
