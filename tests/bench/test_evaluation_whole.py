"""The whole program: stopped by Ctrl-C, gone on with, refused to another plan; its JSON and its page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.stack import ROOT
from tests.support.waiting import until

_ENDS_MAX_S = 120


def begun(path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start it with the only contestant that needs nothing installed."""
    argv = [sys.executable, "-m", "bench.evaluation", "--contestants", "ours", "--json", str(path), *arguments]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.usefixtures("wrk")
def test_a_run_is_stopped_and_goes_on(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C is told how, and loses no take."""
    path, journal = tmp_path / "evaluation.json", tmp_path / "evaluation.journal"
    lines = ("--only", "echo,kvs_get", "--rounds", "3")

    first = begun(path, *lines)
    until("a take is kept", lambda: journal.exists() and journal.read_text().count('"took"') >= 1, guard_s=60)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=_ENDS_MAX_S)
    assert first.returncode == 1
    assert "the same command goes on: .venv/bin/python -m bench.evaluation --contestants ours" in said
    assert "Traceback" not in said
    assert not path.exists()
    kept = [line for line in journal.read_text().splitlines() if '"took"' in line]
    assert 1 <= len(kept) < 6

    other = begun(path, "--only", "echo", "--rounds", "3")
    said, _ = other.communicate(timeout=_ENDS_MAX_S)
    assert other.returncode == 1
    assert "its measures: echo, kvs_get; now: echo\nFinish that one, or forget it with --fresh: " in said
    assert f"-m bench.evaluation --only echo,kvs_get --contestants ours --rounds 3 --json {path}\n" in said

    # Nobody can write a page there.
    (tmp_path / "evaluation.html").mkdir()
    again = begun(path, *lines)
    said, _ = again.communicate(timeout=_ENDS_MAX_S)
    assert again.returncode == 1
    assert f"{len(kept)} takes are done" in said
    assert path.exists()
    (tmp_path / "evaluation.html").rmdir()

    drawn = begun(path, *lines)
    said, _ = drawn.communicate(timeout=_ENDS_MAX_S)
    assert drawn.returncode == 0, said
    assert "6 takes are done" in said
    assert "Switchboard has no place in this run: nobody else has a result." in said
    assert "Nine did not take part: Falcon, gunicorn sync; " in said
    assert not journal.exists()
    results = json.loads(path.read_text())
    assert [measured["name"] for measured in results["measures"]] == ["echo", "kvs_get"]
    takes = [take for measured in results["measures"] for take in measured["results"][0]["takes"]]
    assert len(takes) == 6
    for line in kept:
        assert json.loads(line)["taken"] in takes
    assert results["goals"] == []
    assert "Switchboard" in (tmp_path / "evaluation.html").read_text()
