"""The home's two locks and the folder for sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.embedded.errors import StartFailed
from gateway.embedded.home import Home
from tests.embedded.running import starter


def soon() -> float:
    return time.monotonic() + 0.1


def test_a_second_copy_with_the_same_home_is_told_so_in_one_line(tmp_path: Path) -> None:
    """The second starter ends at once with status 1 and starts nothing; the first one is not disturbed."""
    with starter(tmp_path, "obedient-gateway") as first:
        first.wait_for("everything is ready")
        with starter(tmp_path, "obedient-gateway") as second:
            assert second.wait_end() == 1
        assert len(second.lines) == 1
        assert "is in use by another copy" in second.lines[0]
        first.signal(signal.SIGTERM)
        assert first.wait_end() == 0


def test_an_orphan_of_an_earlier_run_holds_the_data(tmp_path: Path) -> None:
    """A child inherits the data lock: until it is gone a new start waits, then gives up with a reason."""
    first = Home(tmp_path)
    first.open(soon())
    orphan = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=first.inherited_fds
    )
    first.close()

    second = Home(tmp_path)
    with pytest.raises(StartFailed, match="processes of an earlier run still hold"):
        second.open(soon())

    orphan.communicate(b"\n")
    second.open(soon())
    second.close()


def test_closing_is_safe_twice_and_unopened(tmp_path: Path) -> None:
    """close() may be called at any time, and leaves no lock file and no socket folder."""
    home = Home(tmp_path / "home")
    home.close()
    home.open(soon())
    assert home.sockets.stat().st_mode & 0o777 == 0o700
    home.close()
    home.close()
    assert sorted(path.name for path in home.root.iterdir()) == ["data", "log", "secrets"]


def test_a_losing_copy_leaves_the_winners_sockets(tmp_path: Path) -> None:
    """A start that is refused must not clear away what belongs to the copy that runs."""
    first, second = Home(tmp_path), Home(tmp_path)
    first.open(soon())
    with pytest.raises(StartFailed):
        second.open(soon())
    second.close()
    assert first.sockets.exists()
    first.close()


def test_a_deep_home_gets_a_short_folder_for_sockets(tmp_path: Path) -> None:
    """Socket paths end at 107 bytes: a deeper home uses a 0700 folder under /tmp, and removes it."""
    home = Home(tmp_path / ("deep" * 30))
    home.open(soon())
    assert len(os.fsencode(home.sockets / ".s.PGSQL.5432")) <= 107
    assert home.sockets.stat().st_mode & 0o777 == 0o700
    home.close()
    assert not home.sockets.exists()


def test_a_strangers_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    """The short name can be guessed, so a link that somebody else put there is never followed or removed."""
    home = Home(tmp_path / ("deep" * 30))
    target = tmp_path / "target"
    target.mkdir()
    home.sockets.symlink_to(target)
    try:
        with pytest.raises(StartFailed, match="not ours"):
            home.open(soon())
        assert target.exists()
    finally:
        home.sockets.unlink()
