"""``python -m bench.rpc.echo``: the echo server for bench.rpc, so bare that it is not what limits a client.

HTTP/1.1 over epoll as far as the contestants speak it: whole requests with Content-Length, one at a time on a
connection; head and body may come in any pieces.  It prints its port, and ends when its stdin does.  For timing
clients, and for nothing else.
"""

from __future__ import annotations

import re
import select
import socket
import sys

__all__ = ["Echo"]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_RECV_BYTES = 65_536
#: A client's heads are all the same, and are looked into once.
_HEADS_MAX = 1_000


class Echo:
    """Answers every request with its own body."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._connections: dict[int, socket.socket] = {}
        self._begun: dict[int, bytes] = {}
        self._lengths: dict[bytes, int] = {}

    def run(self, until_fd: int) -> None:
        """Serve until *until_fd* can be read."""
        epoll = select.epoll()
        listener_fd = self._listener.fileno()
        for fd in (listener_fd, until_fd):
            epoll.register(fd, select.EPOLLIN)
        while True:
            for fd, _ in epoll.poll():
                connection = self._connections.get(fd)
                if connection is not None:
                    self._serve(fd, connection)
                elif fd == listener_fd:
                    accepted, _ = self._listener.accept()
                    accepted.setblocking(False)
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._connections[accepted.fileno()] = accepted
                    epoll.register(accepted.fileno(), select.EPOLLIN)
                else:
                    return

    def _serve(self, fd: int, connection: socket.socket) -> None:
        try:
            data = connection.recv(_RECV_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._begun.pop(fd, None)
            del self._connections[fd]
            connection.close()  # which takes it out of epoll too
            return
        if self._begun:
            data = self._begun.pop(fd, b"") + data
        body_at = data.find(b"\r\n\r\n") + 4
        if body_at > 3 and len(data) - body_at == self._length(data[:body_at]):
            body = data[body_at:]
            connection.send(_HEAD % len(body) + body)
        else:
            self._begun[fd] = data

    def _length(self, head: bytes) -> int:
        length = self._lengths.get(head)
        if length is None:
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(self._lengths) < _HEADS_MAX:
                self._lengths[head] = length
        return length


if __name__ == "__main__":
    echo = Echo()
    print(echo.port, flush=True)
    echo.run(sys.stdin.fileno())
