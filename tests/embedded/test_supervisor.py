"""The supervisor: order, restarts and their limit, stop within a deadline, and nothing left behind."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from gateway.embedded.process import Process, Program
from tests.embedded.running import starter, wait_gone


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_children_stop_in_the_reverse_of_the_start_order(tmp_path: Path, number: signal.Signals) -> None:
    """Any of the three signals stops the last group first, passes on last words, and ends with status 0."""
    with starter(tmp_path, "obedient-store", "obedient-assistant", "obedient-gateway") as it:
        it.wait_for("everything is ready")
        children = it.descendants()
        it.signal(number)
        assert it.wait_end() == 0

    # What a child says comes by a pipe of its own, perhaps a moment behind what is said of it.
    started = [line for line in it.lines if line.endswith("runs")]
    names = ["obedient-store", "obedient-assistant", "obedient-gateway"]
    assert [line.partition("|")[0].strip() for line in started] == names
    assert (tmp_path / "stopped").read_text().split() == names[::-1]
    assert [line for line in it.lines if line.endswith("obedient-store says goodbye")]
    wait_gone(children)
    assert not (tmp_path / "run").exists()


def test_a_child_that_ignores_its_signal_is_killed_in_time(tmp_path: Path) -> None:
    """SIGKILL follows after the program's stop_max_s, here 0.5 s, and the others still stop in order."""
    with starter(tmp_path, "obedient-store", "stubborn-gateway") as it:
        it.wait_for("everything is ready")
        children = it.descendants()
        begin = time.monotonic()
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0

    assert time.monotonic() - begin < 5
    assert (tmp_path / "stopped").read_text().split() == ["obedient-store"]
    wait_gone(children)


def test_a_crashed_child_is_restarted(tmp_path: Path) -> None:
    """One crash is an incident: it is reported, and the child runs again while the others never stopped."""
    with starter(tmp_path, "obedient-store", "fragile-gateway") as it:
        it.wait_for("fragile-gateway ended with status 1; restarting it")
        it.wait_for("fragile-gateway runs")
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0

    assert (tmp_path / "stopped").read_text().split() == ["fragile-gateway", "obedient-store"]


def test_a_crash_loop_stops_everything(tmp_path: Path) -> None:
    """Above the intensity limit the starter names the child, stops the rest, and ends with status 1."""
    with starter(tmp_path, "obedient-store", "crashing-gateway") as it:
        assert it.wait_end() == 1

    restarts = [line for line in it.lines if line.endswith("restarting it")]
    assert len(restarts) == 5
    assert "crashing-gateway ended 6 times within 60 s" in it.lines[-1]
    assert (tmp_path / "stopped").read_text().split() == ["obedient-store"]


@pytest.mark.parametrize("others", [["obedient-gateway"], []])
def test_a_child_that_cannot_run_with_its_settings_stops_everything(tmp_path: Path, others: list[str]) -> None:
    """During the start or after it: it has said what is wrong, and would say it for ever."""
    with starter(tmp_path, "obedient-store", "misfit-worker", *others) as it:
        assert it.wait_end() == 1

    told = [line.partition("| ")[2] for line in it.lines]
    assert told.count("misfit-worker knows what is wrong") == 1
    assert told.index("misfit-worker knows what is wrong") < len(told) - 1
    assert told[-1] == "misfit-worker cannot run with these settings, as it says above; stopping everything"
    assert not any("restarting" in line for line in told)
    assert "obedient-store" in (tmp_path / "stopped").read_text()


def test_a_program_that_ends_before_it_is_ready_ends_the_start(tmp_path: Path) -> None:
    """During the start nothing is tried twice: its last words are shown, and what had started is stopped."""
    (tmp_path / "data" / "postgres").mkdir(mode=0o700, parents=True)
    with starter(tmp_path, "--stores", "obedient-gateway") as it:
        assert it.wait_end() == 1

    told = "\n".join(it.lines)
    assert "postgres ended with status 2; the end of" in told
    assert 'postgresql.conf": No such file' in told
    assert "obedient-gateway" not in told
    assert not (tmp_path / "run").exists()


def test_a_stop_during_the_start_is_heeded(tmp_path: Path) -> None:
    """A signal that comes while a child gets ready ends the start, in order, with status 0."""
    with starter(tmp_path, "obedient-store", "slow-gateway") as it:
        it.wait_for("starting slow-gateway")
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0

    assert (tmp_path / "stopped").read_text().split() == ["obedient-store"]
    assert "everything is ready" not in "\n".join(it.lines)


def test_a_log_that_grew_is_set_aside(tmp_path: Path) -> None:
    """Logs of the stores are bounded: one old file of at most what they wrote in one run."""
    log = tmp_path / "store.log"
    log.write_bytes(b"old" * 4_000_000)
    process = Process(Program(name="store", argv=("/bin/echo", "new"), log=log, once=True))
    process.start()
    process.wait_ready(time.monotonic() + 10)
    assert log.read_text() == "new\n"
    assert log.with_name("store.log.1").stat().st_size == 12_000_000
