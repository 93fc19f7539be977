"""One listening socket: what is accepted from it, and what every request that comes through it has in common."""

from __future__ import annotations

import _socket
import errno
import socket
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

from gateway import telemetry
from gateway.server.held import HeldBody
from gateway.server.reader import Request

if TYPE_CHECKING:
    from gateway.server.server import Server

__all__ = ["Listener"]

#: Connections taken before others get their turn.
_ACCEPTS_MAX = 64
#: Seconds without accepting when that fails, as without a descriptor.
_REST_S = 0.2
#: What accept reports of one caller, and passes; a network's errors among them (accept(2)).
_CALLERS_OWN = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
    }
)
_READ = 1


class Listener:
    """Accepts for a server, from a socket that is bound, listening, and ours to close."""

    def __init__(self, server: Server, sock: _socket.socket, *, scheme: str, multiprocess: bool) -> None:
        self._server = server
        self._socket = sock
        sock.setblocking(False)
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            # Inherited by what is accepted: an answer is one write, and is not to wait for a second one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, port = sock.getsockname()[:2]
        else:
            # PEP 3333 wants both; a unix socket has neither.
            host, port = "localhost", 443 if scheme == "https" else 80
        self._template: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scheme,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            # The body is all here: nobody needs to ask for its length.
            "wsgi.input_terminated": True,
            "gateway.hold": HeldBody,
        }
        self._watcher = server.loop.io(sock.fileno(), _READ)
        self._watcher.start(self._on_readable)

    def __repr__(self) -> str:
        return f"<Listener {self._template['SERVER_NAME']}:{self._template['SERVER_PORT']}>"

    def environ_of(self, request: Request) -> dict[str, Any]:
        """Return the whole environ of a request that came through here."""
        own = request.environ
        return {
            **self._template,
            "SERVER_PROTOCOL": "HTTP/1.1" if request.http_1_1 else "HTTP/1.0",
            "RAW_URI": request.target.decode("ascii"),
            "wsgi.input": BytesIO(own["gateway.body"]),
            **own,
        }

    def stop(self) -> None:
        """Take all who wait in the kernel's queue, and close.  Safe twice.

        They have connected: with the last process that has the socket open they would get a reset.
        """
        if self._socket.fileno() < 0:
            return
        self._watcher.close()
        while self._accept() is None:
            pass
        self._socket.close()

    def _on_readable(self) -> None:
        for _ in range(_ACCEPTS_MAX):
            error = self._accept()
            if error is not None:
                if not isinstance(error, BlockingIOError):
                    self._rest(error)
                return

    def _accept(self) -> OSError | None:
        """Take one connection; return what says that no more can be taken now."""
        try:
            descriptor, address = self._socket._accept()  # type: ignore[attr-defined]  # typeshed has no private names
        except BlockingIOError as error:
            return error
        except OSError as error:
            # Whatever else it is, asking again at once would bring it again.
            return None if error.errno in _CALLERS_OWN else error
        listening = self._socket
        sock = _socket.socket(listening.family, listening.type, listening.proto, descriptor)
        sock.setblocking(False)
        self._server.open(self, sock, address)
        return None

    def _rest(self, error: OSError) -> None:
        """Leave callers in the kernel's queue for a moment: nearly always until there are descriptors again."""
        telemetry.event("server.exhausted", reason=errno.errorcode.get(error.errno or 0, "unknown"))
        self._watcher.stop()
        timer = self._server.loop.timer(_REST_S)

        def again() -> None:
            timer.close()
            if self._socket.fileno() >= 0:
                self._watcher.start(self._on_readable)

        timer.start(again)
