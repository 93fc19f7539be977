"""A program's own word that it works: heard, waited for, and missed with its reason."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from gateway.embedded.errors import StartFailed
from gateway.embedded.process import Process, Program
from gateway.embedded.readiness import Readiness, tell_ready


def test_what_is_said_is_heard(tmp_path: Path) -> None:
    """Once said it stays so, and who says it again is not kept waiting."""
    readiness = Readiness(tmp_path / "ready")
    assert not readiness.has_come()
    tell_ready(str(tmp_path / "ready"))
    assert readiness.has_come()
    tell_ready(str(tmp_path / "ready"))
    assert readiness.has_come()


def test_other_words_are_none(tmp_path: Path) -> None:
    """A program may say how far it is, in one message with it or in others."""
    readiness = Readiness(tmp_path / "ready")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as talking:
        talking.sendto(b"STATUS=loading\nREADY=10", str(tmp_path / "ready"))
        assert not readiness.has_come()
        talking.sendto(b"STATUS=loaded\nREADY=1", str(tmp_path / "ready"))
    assert readiness.has_come()


def test_a_name_without_a_file_is_one_of_systemds(tmp_path: Path) -> None:
    """Written with an @."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"switchboard-test-{tmp_path}"
        listening.bind(f"\0{name}")
        tell_ready(f"@{name}")
        assert listening.recv(100) == b"READY=1"


def test_who_is_never_ready_is_told_with_what_to_look_at(tmp_path: Path) -> None:
    """A name alone would send its reader through all of the output."""
    it = Process(Program(name="it", argv=("/bin/cat",), ready=lambda _pid: False, unready="no handlers"))
    it.start()
    try:
        with pytest.raises(StartFailed, match=r"^it is not ready in time: no handlers$"):
            it.wait_ready(time.monotonic())
    finally:
        it.stop(time.monotonic())
