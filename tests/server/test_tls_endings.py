"""How connections over TLS end: in order, so that an answer is known to be whole, or not, so that it is known not to
be."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.server.conftest import Serve
from tests.server.tls_material import Certificate
from tests.support.waiting import GUARD_S


def connected(port: int, certificate: Certificate) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", port), GUARD_S)
    return certificate.client_context().wrap_socket(
        sock, server_hostname="localhost", suppress_ragged_eofs=False
    )


def rest(caller: ssl.SSLSocket) -> bytes:
    """Return what comes until close_notify; :exc:`ssl.SSLError` if there is none."""
    said = b""
    while piece := caller.recv(65_536):
        said += piece
    return said


def broken_off(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [])
    yield b"abc"
    if environ["PATH_INFO"] == "/breaks":
        raise LookupError


def test_an_answer_that_ends_with_its_connection_looks_whole_if_it_is(
    serve: Serve, certificate: Certificate
) -> None:
    """RFC 9112, section 9.8: only close_notify tells such an answer from one that was cut short."""
    port = serve(broken_off, tls=certificate.server_context())
    with connected(port, certificate) as caller:
        caller.sendall(b"GET /whole HTTP/1.0\r\n\r\n")
        assert rest(caller).endswith(b"\r\n\r\nabc")
    with connected(port, certificate) as caller:
        caller.sendall(b"GET /breaks HTTP/1.0\r\n\r\n")
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            rest(caller)


def test_a_caller_that_goes_on_sending_is_told_why_not(serve: Serve, certificate: Certificate) -> None:
    port = serve(broken_off, tls=certificate.server_context())
    with connected(port, certificate) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
        for _ in range(40):
            caller.sendall(bytes(100_000))
        assert rest(caller).startswith(b"HTTP/1.1 413 ")
