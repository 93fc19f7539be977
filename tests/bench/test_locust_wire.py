"""Connections of locust's users: kept while they live, replaced when they do not, whatever their descriptors."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.server import StreamServer

from bench.locust.platforms.delivery import json_answer, request
from bench.locust.wire import Connections, serve

ASK = request("POST", "/hook", "127.0.0.1", {"Content-Length": "2"}) + b"{}"
OK = json_answer({"ok": True})

Talk = Callable[[Any, int], None]


class Server:
    """One whose way with each connection is the test's."""

    def __init__(self, talk: Talk) -> None:
        self.connections = 0
        self._talk = talk
        self._server = StreamServer(("127.0.0.1", 0), self._handle)
        self._server.start()
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.stop = self._server.stop

    def _handle(self, connection: Any, _: object) -> None:
        self.connections += 1
        with connection:
            self._talk(connection, self.connections)


@contextlib.contextmanager
def asking(talk: Talk) -> Iterator[tuple[Server, Connections]]:
    server = Server(talk)
    connections = Connections(server.origin, silence_s_max=20.0)
    try:
        yield server, connections
    finally:
        connections.close()
        server.stop()


def patient(connection: Any, _: int) -> None:
    while connection.recv(4096):
        connection.sendall(OK)


def test_a_connection_is_kept_whatever_its_descriptor() -> None:
    """Also above 1,023, which select does not know: so many are open with 2,000 conversations."""
    many = [os.dup(0) for _ in range(1_100)]
    try:
        with asking(patient) as (server, connections):
            assert {connections.ask(ASK)[0] for _ in range(3)} == {200}
            assert server.connections == 1
    finally:
        for each in many:
            os.close(each)


def test_one_that_was_closed_while_it_lay_idle_is_replaced() -> None:
    """And nobody is told: a server may do that."""

    def once(connection: Any, _: int) -> None:
        connection.recv(4096)
        connection.sendall(OK)

    with asking(once) as (server, connections):
        assert [connections.ask(ASK)[0] for _ in range(3)] == [200] * 3
        assert server.connections == 3


@pytest.mark.parametrize(("said", "why"), [(b"", "without an answer"), (OK[:30], "in the middle")])
def test_one_that_breaks_under_a_request_is_told(said: bytes, why: str) -> None:
    """It is not asked a second time: the first may have been taken."""

    def broken(connection: Any, _: int) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with asking(broken) as (server, connections):
        with pytest.raises(ConnectionResetError, match=why):
            connections.ask(ASK)
        assert server.connections == 1


def test_what_closes_by_its_own_word_is_not_kept() -> None:
    """Nor is what it says lost."""

    def last(connection: Any, _: int) -> None:
        connection.recv(4096)
        connection.sendall(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        connection.recv(4096)

    with asking(last) as (server, connections):
        assert [connections.ask(ASK)[2] for _ in range(2)] == [b'{"ok":true}'] * 2
        assert server.connections == 2


def test_calls_are_answered_however_they_are_torn() -> None:
    """Two at once, and one in pieces."""
    heard: list[tuple[str, str, bytes]] = []

    def answering(method: str, path: str, head: bytes, body: bytes) -> bytes:
        heard.append((method, path, body))
        return OK

    server = serve("127.0.0.1", 0, answering)
    connections = Connections(f"http://127.0.0.1:{server.server_port}", silence_s_max=20.0)
    try:
        assert connections.ask(ASK + ASK[:10])[0] == 200
        assert connections.ask(ASK[10:])[0] == 200
        assert heard == [("POST", "/hook", b"{}")] * 2
    finally:
        connections.close()
        server.stop()


def test_an_answer_in_chunks_is_read_whole_wherever_it_is_torn() -> None:
    """What stands before a deployment may make chunks of it; and the connection is kept."""
    chunked = b'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\n{"a\r\n5\r\n":1}\n\r\n0\r\n\r\n'

    def torn(connection: Any, _: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(1, len(chunked)):
            connection.recv(4096)
            connection.sendall(chunked[:at])
            gevent.idle()
            connection.sendall(chunked[at:])

    with asking(torn) as (server, connections):
        for _ in range(1, len(chunked)):
            assert connections.ask(ASK)[::2] == (200, b'{"a":1}\n')
        assert server.connections == 1
