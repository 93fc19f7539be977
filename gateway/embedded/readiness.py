"""A program's own word that it works, told as systemd has it told: sd_notify(3).

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.  For what nobody can ask from outside: a worker
listens nowhere.
"""

from __future__ import annotations

import contextlib
import socket
import weakref
from pathlib import Path

__all__ = ["NOTIFY_SOCKET", "Readiness", "tell_ready"]

#: The variable that names the socket.
NOTIFY_SOCKET = "NOTIFY_SOCKET"
_READY = b"READY=1"
_MESSAGE_BYTES_MAX = 4_096


class Readiness:
    """Listens at *path*, made anew, until the word has come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.unlink(missing_ok=True)
        self._socket = _socket()
        # With us, if nobody has said anything by then.
        weakref.finalize(self, self._socket.close)
        self._socket.bind(str(path))
        self._has_come = False

    def has_come(self) -> bool:
        """Return whether the program has said that it works."""
        while not self._has_come:
            try:
                told = self._socket.recv(_MESSAGE_BYTES_MAX)
            except BlockingIOError:
                return False
            self._has_come = _READY in told.split(b"\n")
        # Who says it again, being started again, talks to nobody.
        self._socket.close()
        self._path.unlink(missing_ok=True)
        return True


def tell_ready(address: str) -> None:
    """Say at *address* that this process works; nothing is said, and nothing waited for, where nobody listens."""
    with _socket() as talking, contextlib.suppress(OSError):
        # An abstract address is written with an @.
        talking.sendto(_READY, "\0" + address[1:] if address.startswith("@") else address)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    # And not as a flag of its making, which gevent's sockets do not heed.
    made.setblocking(False)
    return made
