"""A pool of connections to a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import Database


@pytest.fixture
def store_settings(database: str) -> StoreSettings:
    return StoreSettings(database_url=Secret(database))


@pytest.fixture
def pool(store_settings: StoreSettings) -> Iterator[Database]:
    pool = Database(store_settings, application="test")
    yield pool
    pool.close()
