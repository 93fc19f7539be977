"""The catalogue and the Bartender, built once: neither changes."""

from __future__ import annotations

import pytest

from gateway.demo.bartender.bartender import Bartender
from gateway.demo.bartender.catalogue.load import Catalogue, load_catalogue


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def bartender(catalogue: Catalogue) -> Bartender:
    return Bartender(catalogue)
