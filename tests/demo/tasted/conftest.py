"""The recipes and Tasted, built once: neither changes."""

from __future__ import annotations

import pytest

from gateway.demo.tasted.catalogue.load import Catalogue, load_catalogue
from gateway.demo.tasted.tasted import Tasted
from tests.demo.tasted.cooks import Cook


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def tasted(catalogue: Catalogue) -> Tasted:
    return Tasted(catalogue, pictures="https://tasted.example")


@pytest.fixture
def cook(tasted: Tasted) -> Cook:
    return Cook(tasted)
