"""What is told of a crash: enough to find the line, and nothing that was said."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gateway import telemetry
from tests.support.waiting import GUARD_S


def _raised(outer: BaseException, inner: BaseException | None = None) -> BaseException:
    try:
        if inner is None:
            raise outer
        try:
            raise inner
        except BaseException as error:
            raise outer from error
    except BaseException as error:
        return error


def test_the_place_and_the_classes_are_told() -> None:
    told = telemetry.trace(_raised(ValueError("outer"), KeyError("inner")))

    first, second = told.split("; from ")
    assert first.startswith("ValueError in ")
    assert second.startswith("KeyError in ")
    assert "tests/telemetry/test_crash.py:" in first
    assert first.endswith(" _raised")


def test_what_an_error_says_is_not_told() -> None:
    """Its text may quote a user: ``int("...")`` does."""
    secret = "tell nobody"
    with pytest.raises(ValueError, match=secret) as caught:
        int(secret)

    assert secret not in telemetry.trace(caught.value)
    assert secret not in telemetry.trace(_raised(RuntimeError(secret), caught.value))


def test_an_error_that_nobody_raised_has_a_class_only() -> None:
    assert telemetry.trace(ValueError("never raised")) == "ValueError"


def test_a_long_way_is_told_by_its_end() -> None:
    """The innermost frames say where it happened; a chain of causes, or a circle of them, has an end as well."""

    def fall(depth: int) -> None:
        if depth:
            fall(depth - 1)
        raise RecursionError

    with pytest.raises(RecursionError) as caught:
        fall(50)

    deep, error = caught.value, ValueError()
    assert telemetry.trace(deep).count(" > ") < 10
    deep.__cause__, error.__cause__ = error, deep
    assert telemetry.trace(deep).count("; from ") < 5


def test_a_greenlet_that_fails_alone_is_told_without_what_it_was_given() -> None:
    """In a process of its own, as gevent's event loop is this one's."""
    program = """
import sys
import gevent
from gateway import telemetry
from gateway.settings.logs import LoggingSettings
from gateway.telemetry import logs
from gateway.telemetry.greenlets import tell_of_crashes

telemetry.attach(logs.configure(LoggingSettings(format="json")))
tell_of_crashes()
gevent.spawn(int, "tell nobody").join()
gevent.spawn(sys.exit, 7)
gevent.sleep(0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=GUARD_S, check=False
    )

    assert ended.returncode == 7
    [line] = ended.stderr.splitlines()
    assert {"event": "greenlet.crashed", "level": "error", "reason": "ValueError"}.items() <= json.loads(line).items()
    assert "tell nobody" not in ended.stderr
