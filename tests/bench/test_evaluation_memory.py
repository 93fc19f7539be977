"""Memory of connections is told only of those whose memory tells of connections."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from bench.answers import WrongAnswer
from bench.evaluation.measures.memory import Memory
from bench.evaluation.stage import Rounded
from bench.keys import Keys
from bench.rounds import Field
from tests.bench.conftest import contestant, environment
from tests.bench.evaluating import WARMING


def test_who_takes_its_heap_beforehand_is_left_out(tmp_path: Path, keys: Keys) -> None:
    """Nothing grows, which is no virtue."""
    there = {
        "honest": contestant("honest"),
        "ahead": msgspec.structs.replace(contestant("honest"), name="ahead", heap_ahead=True),
    }
    stage = Rounded(Field(environment(), tmp_path, contestants=there), keys, os.getpid(), quick=False, warming=WARMING)
    idle = Memory("idle", list(there), connections=200, ballast=20)
    assert idle.take("honest", stage).values["connection_kb"] > 0
    with pytest.raises(WrongAnswer, match="its heap beforehand"):
        idle.take("ahead", stage)
