"""SWITCHBOARD_HOME: the folder that holds all state of one copy, and who may use it.

Two locks, both ``flock`` on a folder, so that no lock file can stay behind and the kernel releases them
whatever kills their holder:

- the home itself: one starter at a time.  A second one is told so at once;
- its data folder: held by the starter *and by every child, which inherits the descriptor*.  After a ``kill
  -9`` of the starter the next one waits here until the last old child is gone.  Whoever holds both knows that
  nothing else runs in this home, so every pid file and socket found in it is stale, even if its pid is
  somebody's again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import time
from pathlib import Path

from gateway.embedded.errors import StartFailed

__all__ = ["Home"]

#: sockaddr_un holds 108 bytes with the final NUL; the longest name we put in the folder is ".s.PGSQL.5432".
_SOCKET_PATH_BYTES_MAX = 107
_SOCKET_NAME_BYTES_MAX = 24
_POLL_S = 0.05


class Home:
    """The folder, once opened.  Not thread-safe: the starter's own."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.data = self.root / "data"
        self.log = self.root / "log"
        self.secrets = self.root / "secrets"
        self.sockets = _socket_folder(self.root)
        self._home_fd = -1
        self._data_fd = -1
        self._locked = False

    @property
    def inherited_fds(self) -> tuple[int, ...]:
        """Descriptors that every child must inherit: they are its share of the data lock."""
        return (self._data_fd,)

    def open(self, deadline: float) -> None:
        """Make the folders, take both locks, and clear away what a killed run left behind."""
        try:
            for folder in (self.root, self.data, self.log, self.secrets):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._home_fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
            self._data_fd = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY)
            self._lock(deadline)
            _remove_own_folder(self.sockets)
            self.sockets.mkdir(mode=0o700)
        except OSError as error:
            self.close()
            raise StartFailed(f"SWITCHBOARD_HOME {self.root}: {error}", reason="home") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the sockets and release the locks.  Safe twice, and if never opened."""
        if self._locked:
            shutil.rmtree(self.sockets, ignore_errors=True)
            # Said aloud, because under gevent (in tests) a close takes effect later.  Never for the data: its
            # lock is one with the children's, and theirs may still be needed.
            fcntl.flock(self._home_fd, fcntl.LOCK_UN)
        for fd in (self._data_fd, self._home_fd):
            if fd >= 0:
                os.close(fd)
        self._home_fd = self._data_fd = -1
        self._locked = False

    def _lock(self, deadline: float) -> None:
        if not _try_lock(self._home_fd):
            raise StartFailed(
                f"{self.root} is in use by another copy: stop that one, or set SWITCHBOARD_HOME",
                reason="home_in_use",
            )
        while not _try_lock(self._data_fd):
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"processes of an earlier run still hold {self.data} (see: fuser -v {self.data})",
                    reason="home_in_use",
                )
            time.sleep(_POLL_S)
        self._locked = True


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _socket_folder(root: Path) -> Path:
    """Return the home's own folder, or a short one derived from its name where paths would be too long."""
    folder = root / "run"
    if len(os.fsencode(folder)) + 1 + _SOCKET_NAME_BYTES_MAX <= _SOCKET_PATH_BYTES_MAX:
        return folder
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return Path(f"/tmp/switchboard-{os.geteuid()}-{name}")  # noqa: S108 - _remove_own_folder refuses a stranger's


def _remove_own_folder(folder: Path) -> None:
    """Remove a folder of a killed run.

    A name under /tmp can be guessed: what is not our own folder is refused.
    """
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StartFailed(f"{folder} is in the way and not ours: remove it", reason="home")
    shutil.rmtree(folder)
