"""Contestants of the tests' own, run as bench.server runs its own."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.contestants import Contestant, Running, run
from bench.keys import Keys
from bench.stack import ROOT
from tests.support.programs import program

PROGRAM = Path(__file__).with_name("contestant.py")

Serving = Callable[..., AbstractContextManager[Running]]


def contestant(habit: str) -> Contestant:
    """Return a contestant that has *habit*, which is its name too."""
    return Contestant(habit, habit.capitalize(), (sys.executable, str(PROGRAM), habit))


def environment(database_url: str = "") -> dict[str, str]:
    """Return the environment of a contestant."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database_url}


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """Run a contestant that has a habit."""

    @contextlib.contextmanager
    def serve(habit: str, database_url: str = "") -> Iterator[Running]:
        with run([contestant(habit)], environment(database_url), tmp_path) as running:
            assert habit in running, (tmp_path / f"{habit}.log").read_text()
            yield running[habit]

    return serve


@pytest.fixture
def keys(database: str) -> Iterator[Keys]:
    """A filled table."""
    filled = Keys(database)
    filled.fill()
    yield filled
    filled.close()


@pytest.fixture
def wrk() -> None:
    """Leave the test out where the generator is not installed."""
    program("wrk")
