"""One copy for all files: tests are told apart by the names of those who speak."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.platforms.trial_stack import TrialStack, running_trial
from tests.support.stores import Migrated, Stores

_people = itertools.count(1)


@pytest.fixture(scope="package")
def _shared_trial(stores: Stores, migrated: Migrated) -> Iterator[TrialStack]:
    with migrated() as url, running_trial(url, stores.redis.url) as stack:
        yield stack


@pytest.fixture
def trial(_shared_trial: TrialStack) -> Iterator[TrialStack]:
    """A gateway, a worker, The Bartender and the stand-in; their logs are shown beside a failure."""
    yield _shared_trial
    print(_shared_trial.logs())


@pytest.fixture
def guest() -> str:
    """The name of somebody whom nobody has met."""
    return f"guest {next(_people)}"
