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

from gateway.demo.bartender.serving.options import Options

__all__ = ["Server", "listener"]

CONNECTIONS_MAX = 2_000
BACKLOG = 512
#: How long a kept connection may wait for its next request: longer than the gateway keeps one idle.
IDLE_MAX_S = 75.0
#: From a request's first line to the last byte of its body.
READ_MAX_S = 10.0


class _Handler(WSGIHandler):
    """A connection: known to the server while it waits, and never waiting without end."""

    server: Server

    def read_requestline(self) -> str:
        """Wait for a request's first line; an empty one closes the connection."""
        if self.server.draining:
            return ""
        waiting = gevent.getcurrent()
        self.server.idle.add(waiting)
        try:
            with gevent.Timeout(IDLE_MAX_S):
                return str(super().read_requestline())
        except (gevent.Timeout, gevent.GreenletExit):
            # Nobody is being answered on this connection, so its end is nobody's loss.
            return ""
        finally:
            self.server.idle.discard(waiting)

    def read_request(self, raw_requestline: str) -> Any:
        """Read headers, within the time for reading."""
        try:
            with gevent.Timeout(READ_MAX_S):
                return super().read_request(raw_requestline)
        except gevent.Timeout:
            return None

    def get_environ(self) -> Any:
        """Let the body be read within the time for reading."""
        environ = super().get_environ()
        environ["wsgi.input"] = _Timed(environ["wsgi.input"])
        return environ

    def log_error(self, msg: str, *args: Any) -> None:
        """Keep a client's mistakes out of the terminal; the answer has told the client."""


class _Timed:
    """A request body that must arrive in time."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, bytes_max: int) -> bytes:
        with gevent.Timeout(READ_MAX_S, TimeoutError("request body")):
            return bytes(self._body.read(bytes_max))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class Server(WSGIServer):
    """Serves an application on *sock* until it is drained."""

    handler_class = _Handler

    def __init__(self, sock: socket.socket, app: Callable[..., Iterable[bytes]]) -> None:
        super().__init__(sock, app, spawn=Pool(CONNECTIONS_MAX), log=None)
        self.draining = False
        self.idle: set[greenlet] = set()

    def drain(self, deadline_s: float) -> None:
        """Stop accepting, close idle connections, let the running answers end within *deadline_s*, cut the rest."""
        self.draining = True
        self.stop_accepting()
        gevent.killall(list(self.idle), block=False)
        self.stop(timeout=deadline_s)


def listener(options: Options) -> socket.socket:
    """Return the socket to listen on.

    :raises OSError: the address is taken, or is not ours to take.
    """
    from gevent import socket as green  # the kind that the server's loop can wait for

    if options.socket:
        path = Path(options.socket)
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            # Left by a process that was killed: nobody else would create a socket under the name we were given.
            path.unlink()
        sock = green.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(options.socket)
    else:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        sock = green.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((options.host, options.port))
    sock.listen(BACKLOG)
    result: socket.socket = sock
    return result
