"""A real cluster and real sentinels, each started once: a test that kills a server starts it again."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway import telemetry
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from tests.support.redis_several import Cluster, Sentinels, redis_cluster, redis_sentinels
from tests.support.waiting import GUARD_S


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    """What waits for ever fails here, at the line where it waits."""
    with gevent.Timeout(3 * GUARD_S):
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with redis_cluster() as running:
        yield running


@pytest.fixture(scope="session")
def sentinels() -> Iterator[Sentinels]:
    with redis_sentinels() as running:
        yield running


@pytest.fixture(params=["cluster", "sentinels"])
def several(request: pytest.FixtureRequest) -> Cluster | Sentinels:
    """Each kind of a Redis that is several."""
    running: Cluster | Sentinels = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def store_settings(several: Cluster | Sentinels) -> StoreSettings:
    return StoreSettings(redis_url=Secret(several.url))


class Missed:
    """Counts how often Redis was missed."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def writer(self, event: Event) -> Writer | None:
        return (lambda fields: self.reasons.append(fields["reason"])) if event.name == "redis.unavailable" else None


@pytest.fixture
def missed() -> Iterator[Missed]:
    missed = Missed()
    telemetry.attach(missed)
    yield missed
    telemetry.detach(missed)
