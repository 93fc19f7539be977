"""The client that the tests of this folder call with."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gateway.domain.deadline import Deadline
from gateway.rpc import RpcClient
from gateway.settings.rpc import RpcSettings


@pytest.fixture
def rpc() -> Iterator[RpcClient]:
    client = RpcClient(RpcSettings())
    yield client
    client.stop(Deadline.after(5, now=time.monotonic()))
