"""A start is over with the first right answer, and what was started is gone afterwards."""

from __future__ import annotations

import os
import sys
import time

import pytest

from bench.answers import WrongAnswer
from bench.contestants import answers, free_port
from bench.evaluation.measures.cold_start import start
from tests.bench.conftest import PROGRAM, environment

#: Opens its port at once, as gunicorn's master does, and is a contestant half a second later.
SLOW = f"""
import os, runpy, socket, sys, time
early = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), reuse_port=True, backlog=0)
time.sleep(0.5)
early.close()
sys.argv = ["contestant.py", "honest"]
runpy.run_path({str(PROGRAM)!r})
"""


def test_a_start_ends_with_the_first_right_answer() -> None:
    """Not when somebody listens."""
    port = free_port()
    began = time.perf_counter()
    took_s, busy_s = start([sys.executable, "-c", SLOW], {**environment(), "PORT": str(port)}, port)
    assert 0.5 < took_s < time.perf_counter() - began
    assert 0 < busy_s < took_s
    assert not answers(port)


def test_who_ends_instead_of_serving_is_out() -> None:
    """With its status."""
    with pytest.raises(WrongAnswer, match="ended with status 3"):
        start(["/bin/sh", "-c", "exit 3"], dict(os.environ), free_port())
