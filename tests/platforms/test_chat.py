"""``switchboard chat``: in a terminal, as a person types, and in a pipe, line in, reply out."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import gevent
import gevent.os
import pytest

from tests.platforms.trial_stack import TrialStack
from tests.support.stack import word
from tests.support.waiting import GUARD_S

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gateway.cli", "chat", *arguments]


def environment(trial: TrialStack) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if name not in trial.env}
    return {**inherited, "SWITCHBOARD_HOME": str(trial.home.root), "PYTHONPATH": str(ROOT), "TERM": "xterm"}


def piped(trial: TrialStack, lines: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        input=lines,
        env=environment(trial),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )


class Terminal:
    """Somebody at a terminal: what they type, and what stands on it."""

    def __init__(self, trial: TrialStack, *arguments: str) -> None:
        # Tests that run in the background ignore it, and so would what they start: at a terminal nobody does.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._fd, theirs = pty.openpty()
        self._process = subprocess.Popen(
            # Its own terminal, or Ctrl-C would be a character like others.
            ["setsid", "--ctty", *command(*arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(trial),
            cwd=ROOT,
        )
        os.close(theirs)
        gevent.os.make_nonblocking(self._fd)
        self.shown = ""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._fd)

    def type(self, text: str) -> None:
        gevent.os.nb_write(self._fd, text.encode())

    def wait_for(self, text: str) -> str:
        """Return what was shown up to *text*, behind what was waited for before."""
        deadline = time.monotonic() + GUARD_S
        while text not in self.shown[self._read :]:
            assert time.monotonic() < deadline, f"no {text!r} in: {self.shown[self._read:]!r}"
            with gevent.Timeout(deadline - time.monotonic(), False):
                self.shown += gevent.os.nb_read(self._fd, 65_536).decode(errors="replace")
        end = self.shown.index(text, self._read) + len(text)
        found, self._read = self.shown[self._read : end], end
        return found

    def wait_end(self) -> int:
        with contextlib.suppress(OSError):
            while piece := gevent.os.nb_read(self._fd, 65_536):
                self.shown += piece.decode(errors="replace")
        return self._process.wait(GUARD_S)


@pytest.fixture
def terminal(trial: TrialStack, guest: str) -> Iterator[Terminal]:
    with Terminal(trial, "bartender", "--user", guest) as it:
        it.wait_for("> ")
        yield it


def test_a_pipe_is_a_line_in_and_a_reply_out(trial: TrialStack, guest: str) -> None:
    """No prompt, no greeting; a number taps; a reply ends with a blank line."""
    done = piped(trial, "I have rum and lime\n\n1\nHow strong is it?\n", "bartender", "--user", guest)
    assert done.returncode == 0, done.stderr
    assert "> " not in done.stdout
    first, second, third = done.stdout.strip().split("\n\n")[:3]
    assert "[1] Daiquiri" in first
    assert "Daiquiri" in second.splitlines()[0]
    assert "%" in third


def test_a_pipe_takes_any_bytes_and_ends_with_ctrl_c(trial: TrialStack, guest: str) -> None:
    """What is no text; a number that no button has and that is too long to be said: refused by an answer of nothing.

    And nobody has to close the pipe of a program that goes on.
    """
    # As for a terminal: tests that run in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    argv = command("bartender", "--user", guest)
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=environment(trial), cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as talking:
        assert talking.stdin is not None
        assert talking.stdout is not None
        for line, is_answered in ((b"negroni\xff", True), (b"1" * 5_000, False)):
            talking.stdin.write(line + b"\n")
            talking.stdin.flush()
            assert bool(list(iter(talking.stdout.readline, b"\n"))) is is_answered
        talking.send_signal(signal.SIGINT)
        assert talking.wait(GUARD_S) == 1
        assert talking.stderr is not None
        told = talking.stderr.read()
        assert told.startswith(b"expected at most 4,000 characters")
        assert told.endswith(b"\nAborted!\n")


def test_a_pipe_whose_gateway_is_gone_says_so(trial: TrialStack) -> None:
    """Status 1, one line."""
    done = piped(trial, "hi\n", "bartender", "--gateway", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 does not answer: Connection refused; start `switchboard up`" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_message_that_is_refused_is_told_and_counted(trial: TrialStack, guest: str) -> None:
    """The page's own words for it, and status 1."""
    done = piped(trial, "x" * 5_000 + "\nHello\n", "bartender", "--user", guest)
    assert done.returncode == 1
    assert "expected at most 4,000 characters" in done.stderr
    assert done.stdout.startswith("\n"), "an answer of nothing"
    assert "[1] " in done.stdout, "the next line is said all the same"


def test_a_person_is_greeted_and_taps_by_number(terminal: Terminal) -> None:
    """What the page shows at first, a suggestion by its number, a button by its own; Ctrl-D ends."""
    assert "Good evening!" in terminal.shown
    assert "[2] I have gin, lemon and honey" in terminal.shown
    terminal.type("2\r")
    terminal.wait_for("[1] Bee's Knees")
    terminal.wait_for("> ")
    terminal.type("1\r")
    terminal.wait_for("[Bee's Knees]")
    terminal.wait_for("[1] Make it")
    terminal.wait_for("> ")
    terminal.type("\x04")
    assert terminal.wait_end() == 0


def test_previews_are_shown_as_they_are_written(terminal: Terminal) -> None:
    """Piece by piece, before the answer stands."""
    terminal.type("Invent one for me\r")
    terminal.wait_for("Give me a moment")
    assert "never made before" not in terminal.shown
    terminal.wait_for("I call it the")
    terminal.wait_for("never made before")


def test_an_answer_that_was_not_waited_for_is_shown_above_the_line_that_is_typed(terminal: Terminal) -> None:
    """Ctrl-C stops the waiting alone; what was half typed stands there again, whole."""
    terminal.type("Invent one for me\r")
    terminal.wait_for("Give me a moment")
    terminal.type("\x03")
    terminal.wait_for("not waiting any more")
    terminal.wait_for("> ")
    terminal.type("what is a neg")
    terminal.wait_for("never made before")
    terminal.wait_for("> what is a neg")
    terminal.type("roni?\r")
    terminal.wait_for("Negroni")


def test_what_comes_by_itself_is_shown(trial: TrialStack, terminal: Terminal) -> None:
    """A message that answers nothing, told to the conversation while its user looks on."""
    said = word()
    terminal.type(f"Hello {said}\r")
    terminal.wait_for("[1] ")
    terminal.wait_for("> ")
    trial.push(said, "Last orders, please!")
    terminal.wait_for("Last orders, please!")
    terminal.wait_for("> ")


def test_a_conversation_goes_on_where_it_was_left(trial: TrialStack, guest: str) -> None:
    """The last answer is shown again; with --new there is nothing to go on from."""
    assert piped(trial, "I have rum and lime\n", "bartender", "--user", guest).returncode == 0
    with Terminal(trial, "bartender", "--user", guest) as again:
        again.wait_for("(1 earlier answers; --new begins anew.)")
        again.wait_for("[1] Daiquiri")
        again.wait_for("> ")
        again.type("1\r")
        again.wait_for("Daiquiri, from")
    with Terminal(trial, "bartender", "--user", guest, "--new") as anew:
        anew.wait_for("Good evening!")
