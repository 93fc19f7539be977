"""Two gateways and a worker whose deaths are noticed fast.  What a test killed is started again for the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import FAST_BEATS, GatewayProcess, Stack, running_stack
from tests.support.stores import Migrated, Stores


@pytest.fixture(scope="package")
def _mortal_stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    settings = {**FAST_BEATS, "lanes.lane_waiting_max": 100}
    with migrated() as url, running_stack(url, stores.redis.url, gateways=2, settings=settings) as stack:
        yield stack


@pytest.fixture
def stack(_mortal_stack: Stack) -> Iterator[Stack]:
    """Two gateways and one worker, all alive; their logs are shown beside a failure."""
    _mortal_stack.revive(gateways=2, workers=1)
    yield _mortal_stack
    print(_mortal_stack.logs())


@pytest.fixture
def gateways(stack: Stack) -> tuple[GatewayProcess, GatewayProcess]:
    """The two gateways."""
    first, second = (gateway for gateway in stack.gateways if not gateway.ended())
    return first, second
