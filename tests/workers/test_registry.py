"""Loading of handlers: what cannot be loaded is told so that its author finds the line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.errors import SwitchboardError
from gateway.domain.job import Done
from gateway.jobs.kinds import OWN_KINDS
from workers.registry import handlers, job_handler, load_handlers

_TAKEN = """
from workers.registry import job_handler
@job_handler("retention", dict)
def second(job, payload): ...
"""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("syntax_jobs", "import os\ndef f(:\n", "SyntaxError: invalid syntax ({path}:2)"),
        ("value_jobs", "x = 1\n\nraise ValueError('no such drink')\n", "ValueError: no such drink ({path}:3)"),
        ("lost_jobs", "import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found' ({path}:1)"),
        ("exiting_jobs", "import sys\nsys.exit(3)\n", "SystemExit: 3 ({path}:2)"),
        ("taken_jobs", _TAKEN, "'retention' are workers.handlers.retention.retention's already ({path}:3)"),
    ],
)
def test_a_module_that_fails_is_named_with_the_line_of_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SwitchboardError) as caught:
        load_handlers([name])
    told = str(caught.value)
    assert told.startswith(f"worker.handlers: expected a module that can be imported, got {name!r}: ")
    assert told.endswith(said.format(path=path))
    assert "\n" not in told


def test_a_module_that_is_not_there_is_told_without_a_line_of_ours() -> None:
    with pytest.raises(SwitchboardError) as caught:
        load_handlers(["no_such_jobs"])
    assert str(caught.value).endswith("got 'no_such_jobs': ModuleNotFoundError: No module named 'no_such_jobs'")


@pytest.mark.parametrize(
    ("kind", "bounds", "said"),
    [
        ("Bad Kind", {}, "expected a kind of lower-case letters, digits and _ . -, at most 64, got 'Bad Kind'"),
        (7, {}, "got 7"),
        ("a", {"attempts_max": -1}, "expected attempts_max of kind 'a' to be a whole number from 0 (which means jobs."),
        ("a", {"attempts_max": 2.5}, "got 2.5"),
        ("a", {"time_limit_s": -5}, "expected time_limit_s of kind 'a' to be seconds from 0 (which means jobs."),
        ("a", {"time_limit_s": math.nan}, "got nan"),
        ("a", {"time_limit_s": "5"}, "got '5'"),
        ("a", {"in_flight_max": -2}, "expected in_flight_max of kind 'a' to be a whole number from 0 (which means as"),
    ],
)
def test_a_handler_whose_bounds_are_none_is_refused_by_name(kind: Any, bounds: dict[str, Any], said: str) -> None:
    """Law: whoever has many modules of handlers is told which one it is, and of which kind."""

    def perform(job: object, payload: object) -> Done:
        return Done()

    with pytest.raises(SwitchboardError) as caught:
        job_handler(kind, dict, **bounds)(perform)
    assert str(caught.value).startswith(f"{__name__}.{perform.__qualname__}: ")
    assert said in str(caught.value)
    assert kind not in handlers()


@pytest.mark.parametrize("name", ["./my_jobs", "my-jobs", "jobs/mine.py", ".mine", ""])
def test_a_path_is_no_name_of_a_module(name: str) -> None:
    with pytest.raises(SwitchboardError, match="expected the name of a module, such as my_jobs"):
        load_handlers([name])


def test_those_that_ship_are_always_there() -> None:
    assert load_handlers().keys() <= handlers().keys()
    assert "webhook.send" in load_handlers()


def test_the_platforms_own_kinds_are_known_to_those_who_ask() -> None:
    """Law: nobody asks for one of them over HTTP, so none may be left out."""
    shipped = {kind for kind, one in load_handlers().items() if one.perform.__module__.startswith("workers.handlers.")}
    assert shipped == OWN_KINDS
