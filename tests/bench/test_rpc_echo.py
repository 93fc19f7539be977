"""The echo server for timing clients: whole requests in any pieces, and it stands for nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bench.rpc.speed import EchoServer, echo_server

BODY = b'{"n":1}'
HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\ncontent-length: 7\r\n\r\n"


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with echo_server() as running:
        yield running


@pytest.mark.parametrize(
    "pieces",
    [[HEAD + BODY], [HEAD, BODY], [HEAD[:20], HEAD[20:] + BODY[:3], BODY[3:]], [bytes([b]) for b in HEAD + BODY]],
)
def test_a_request_in_pieces_is_answered_once_it_is_whole(echo: EchoServer, pieces: list[bytes]) -> None:
    """Some clients write head and body apart: half a body echoed would be a wrong answer, and theirs the blame."""
    with connect(echo) as connected:
        for piece in pieces:
            connected.sendall(piece)
        assert read_answer(connected) == BODY
        connected.sendall(HEAD + BODY[::-1])
        assert read_answer(connected) == BODY[::-1]


def test_what_one_connection_has_begun_is_not_anothers(echo: EchoServer) -> None:
    """Half requests are kept by connection, and go with it."""
    with connect(echo) as gone:
        gone.sendall(HEAD + BODY[:3])
    with connect(echo) as first, connect(echo) as second:
        first.sendall(HEAD)
        second.sendall(HEAD + b"2222222")
        assert read_answer(second) == b"2222222"
        first.sendall(b"1111111")
        assert read_answer(first) == b"1111111"


def connect(echo: EchoServer) -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", echo.port), timeout=30)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def read_answer(connected: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < len(BODY):
        more = connected.recv(4_096)
        assert more, "the echo server hung up"
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Length: 7" in head
    return body
