"""The line that says what is waited for: there while it is, gone before anything else is shown, and for people only."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest

from gateway.cli.waiting import Waiting
from tests.support.waiting import until


class Screen(io.StringIO):
    """What a terminal is sent."""

    def isatty(self) -> bool:
        return True


def test_the_line_is_there_while_something_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sign replaces the last one, in a line that fits; what is said takes its place, and nothing is left over."""
    screen = Screen()
    monkeypatch.setenv("COLUMNS", "20")
    with redirect_stderr(screen), redirect_stdout(screen):
        waiting = Waiting(look_s=0.001)
        with waiting.about("waiting for an answer"):
            until("two signs", lambda: screen.getvalue().count("\r\033[K…") >= 2)
            waiting.say("Here.")
            until("another", lambda: not screen.getvalue().endswith("Here.\n"))
    assert "\r\033[K… waiting for , 0 s\r\033[K" in screen.getvalue()
    assert "\r\033[KHere.\n\r\033[K… " in screen.getvalue()
    assert screen.getvalue().endswith("0 s\r\033[K")


def test_who_is_no_terminal_is_told_nothing() -> None:
    """A pipe, and a program that asked for JSON."""
    for screen, silent in ((io.StringIO(), False), (Screen(), True)):
        with redirect_stderr(screen), Waiting(silent=silent, look_s=0.0).about("an answer"):
            pass
        assert screen.getvalue() == ""
