"""The HTTP server: gevent's own, with deadlines for reading and a drain that does not wait for idle connections."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer
from greenlet import greenlet

__all__ = ["Server", "listener"]

CONNECTIONS_MAX = 2_000
BACKLOG = 512
#: How long a connection may say nothing: between requests, in the middle of one, or while it should read an answer.
#: Longer than the gateway keeps one idle, so that it is always the gateway that closes first.
SILENCE_MAX_S = 30.0


class _Handler(WSGIHandler):
    """A connection: known to the server while it waits for a request, and never waiting without end."""

    server: Server

    def handle(self) -> None:
        """Serve requests until the connection ends."""
        self.socket.settimeout(self.server.silence_max_s)
        super().handle()

    def read_requestline(self) -> str:
        """Wait for a request's first line; an empty one closes the connection."""
        if self.server.draining:
            return ""
        waiting = gevent.getcurrent()
        self.server.idle.add(waiting)
        try:
            return str(super().read_requestline())
        except gevent.GreenletExit:
            # The drain's: nobody is being answered on this connection.
            return ""
        finally:
            self.server.idle.discard(waiting)

    def read_request(self, raw_requestline: str) -> Any:
        """Read headers; a connection that breaks or falls silent here is no error worth a traceback."""
        try:
            return super().read_request(raw_requestline)
        except OSError:
            return None

    def log_error(self, msg: str, *args: Any) -> None:
        """Keep a client's mistakes out of the terminal; the answer has told the client."""


class Server(WSGIServer):
    """Serves an application on *sock* until it is drained."""

    handler_class = _Handler

    def __init__(
        self,
        sock: socket.socket,
        app: Callable[..., Iterable[bytes]],
        *,
        silence_max_s: float = SILENCE_MAX_S,
    ) -> None:
        super().__init__(sock, app, spawn=Pool(CONNECTIONS_MAX), log=None)
        self.silence_max_s = silence_max_s
        self.draining = False
        self.idle: set[greenlet] = set()

    def drain(self, deadline_s: float) -> None:
        """Stop accepting, close idle connections, let the running answers end within *deadline_s*, cut the rest."""
        self.draining = True
        self.stop_accepting()
        gevent.killall(list(self.idle), block=False)
        self.stop(timeout=deadline_s)


def listener(*, host: str = "127.0.0.1", port: int = 0, unix: str = "") -> socket.socket:
    """Return the socket to listen on: the one of the path *unix*, if it is given.

    :raises OSError: the address is taken, or is not ours to take.
    """
    from gevent import socket as green  # the kind that the server's loop can wait for

    if unix:
        path = Path(unix)
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            # Left by a process that was killed: nobody else would create a socket under the name we were given.
            path.unlink()
        sock = green.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(unix)
    else:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = green.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    sock.listen(BACKLOG)
    result: socket.socket = sock
    return result
