"""What is told of a crash: enough to find the line, and nothing that was said."""

from __future__ import annotations

import pytest

from gateway import telemetry


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
