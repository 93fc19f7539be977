"""Whole conversations, as written down in ``conversations/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo.bartender.bartender import Bartender
from gateway.demo.bartender.catalogue.load import Catalogue
from tests.demo.bartender.scripts import SCRIPTS, play


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_conversation_goes_as_written(path: Path, bartender: Bartender, catalogue: Catalogue) -> None:
    """Every expectation of the script comes true."""
    assert "\n".join(play(path, bartender, catalogue)) == ""


def test_there_are_scripts() -> None:
    """An empty folder would prove nothing."""
    assert len(SCRIPTS) >= 7
