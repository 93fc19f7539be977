"""A client without manners: any bytes to a gateway's port, and the status that comes back, if one does."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping

__all__ = ["ANSWER_MAX_S", "ask", "request", "status_of"]

#: Seconds in which every answer begins, whatever was asked.
ANSWER_MAX_S = 8.0
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n")


def request(method: bytes, target: bytes, headers: Mapping[str, str] | bytes, body: bytes = b"") -> bytes:
    """Return the bytes of a request; *headers* as they stand if they are bytes."""
    if not isinstance(headers, bytes):
        lines = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(body)), **headers}
        headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode(
            "utf-8", "surrogatepass"
        )
    return method + b" " + target + b" HTTP/1.1\r\n" + headers + b"\r\n" + body


def status_of(port: int, data: bytes, *, end: bool = False) -> int:
    """Send *data* and return the status, 0 if the connection was closed without one.

    *end*: send nothing more, as a caller does whose request is broken off.
    """
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_MAX_S) as connection:
        received = b""
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while not (found := _STATUS.match(received)) and (piece := connection.recv(4_096)):
                received += piece
        except (BrokenPipeError, ConnectionResetError):
            found = _STATUS.match(received)
    took_s = time.monotonic() - started
    assert took_s < ANSWER_MAX_S, f"no answer for {took_s:.1f} s to {data[:200]!r}"
    assert found or not received, f"no HTTP: {received[:200]!r}"
    return int(found[1]) if found else 0


def ask(
    port: int, method: bytes, target: bytes, headers: Mapping[str, str] | bytes, body: bytes = b""
) -> int:
    """Send a request and return the status."""
    return status_of(port, request(method, target, headers, body), end=isinstance(headers, bytes))
