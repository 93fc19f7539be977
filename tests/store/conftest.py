"""A pool of connections to a database of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import Database
from tests.support.actor import Actor
from tests.support.waiting import GUARD_S


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    """What waits for ever fails here, at the line where it waits."""
    with gevent.Timeout(3 * GUARD_S):
        yield


@pytest.fixture
def actors(database: str) -> Callable[..., Actor]:
    """Makes processes that share the test's database."""
    return lambda kind="gateway": Actor(database, kind)


@pytest.fixture
def here(actors: Callable[..., Actor]) -> Actor:
    """A gateway process."""
    return actors()


@pytest.fixture
def there(actors: Callable[..., Actor]) -> Actor:
    """Another gateway process."""
    return actors()


@pytest.fixture
def store_settings(database: str) -> StoreSettings:
    return StoreSettings(database_url=Secret(database))


@pytest.fixture
def pool(store_settings: StoreSettings) -> Iterator[Database]:
    pool = Database(store_settings, application="test")
    yield pool
    pool.close()
