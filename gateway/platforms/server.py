"""The HTTP server under the stand-in: gevent's own, and one that can hang up in the middle of a call."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

__all__ = ["Server"]

CONNECTIONS_MAX = 500
#: Seconds that a connection may say nothing: longer than the gateway keeps one idle, so that it closes first.
SILENCE_S_MAX = 60.0


class _Handler(WSGIHandler):
    """A connection that the application may cut."""

    def handle(self) -> None:
        """Serve requests until the connection ends."""
        self.socket.settimeout(SILENCE_S_MAX)
        super().handle()

    def get_environ(self) -> dict[str, Any]:
        """Return the request's values, and how to hang up."""
        environ: dict[str, Any] = super().get_environ()
        environ["stand_in.hang_up"] = self._hang_up
        return environ

    def read_request(self, raw_requestline: str) -> Any:
        """Read headers; a connection that breaks or falls silent here is no error worth a traceback."""
        try:
            return super().read_request(raw_requestline)
        except OSError:
            return None

    def log_error(self, msg: str, *args: Any) -> None:
        """Keep a client's mistakes out of the terminal; the answer has told the client."""

    def _hang_up(self) -> None:
        self.close_connection = True
        self.socket.shutdown(socket.SHUT_RDWR)


class Server(WSGIServer):
    """Serves an application on *address* (a host and a port)."""

    handler_class = _Handler

    def __init__(self, address: tuple[str, int], app: Callable[..., Iterable[bytes]]) -> None:
        super().__init__(address, app, spawn=Pool(CONNECTIONS_MAX), log=None, error_log=None)
