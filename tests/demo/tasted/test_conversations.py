"""Whole conversations, as written down in ``conversations/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo.tasted.tasted import Tasted
from tests.demo.tasted.scripts import SCRIPTS, play


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_conversation_goes_as_written(path: Path, tasted: Tasted) -> None:
    """Every expectation of the script comes true."""
    assert "\n".join(play(path, tasted)) == ""


def test_there_are_scripts() -> None:
    """An empty folder would prove nothing."""
    assert len(SCRIPTS) >= 5
