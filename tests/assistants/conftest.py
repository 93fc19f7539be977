"""The client that the tests of this folder call with."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.rpc import RpcClient
from gateway.settings.rpc import RpcSettings


@pytest.fixture(autouse=True)
def _declared_events() -> Iterator[None]:
    """Every event is in the catalogue with all its fields, or its test fails."""
    with telemetry.strict():
        yield


@pytest.fixture
def rpc() -> Iterator[RpcClient]:
    client = RpcClient(RpcSettings())
    yield client
    client.stop(Deadline.after(5, now=time.monotonic()))
