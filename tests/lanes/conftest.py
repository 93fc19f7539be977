"""What waits for ever fails at the line where it waits."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from tests.support.waiting import GUARD_S


@pytest.fixture(autouse=True)
def _guard() -> Iterator[None]:
    with gevent.Timeout(2 * GUARD_S):
        yield
