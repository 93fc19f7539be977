"""One stack for all files with the default settings: tests tell their messages apart by their words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, running_stack
from tests.support.stores import Migrated, Stores


@pytest.fixture(scope="package")
def _shared_stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    with migrated() as url, running_stack(url, stores.redis.url) as stack:
        yield stack


@pytest.fixture
def stack(_shared_stack: Stack) -> Iterator[Stack]:
    """One gateway and one worker; their logs are shown beside a failure."""
    yield _shared_stack
    print(_shared_stack.logs())
