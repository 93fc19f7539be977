"""The server and the application in this process: faults, slow clients, and the drain's end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import msgspec
import pytest

from gateway.demo.bartender.bartender import Bartender
from gateway.demo.bartender.catalogue.load import load_catalogue
from gateway.demo.bartender.serving.app import App
from gateway.demo.bartender.serving.faults import FAULTS, HUGE_BYTES, SLOW_S, Fault
from gateway.demo.bartender.serving.options import Options
from gateway.demo.serving.server import Server, listener
from tests.demo.serving.process import body

GUARD_S = 20.0


@contextmanager
def serving_on(
    options: Options, sleep: Callable[[float], object] = gevent.sleep, silence_max_s: float = GUARD_S
) -> Iterator[socket.socket]:
    """Serve with *options*, and yield a connection."""
    app = App(Bartender(load_catalogue()), options, wall=lambda: 0.0, now=lambda: 0.0, sleep=sleep)
    sock = listener(host=options.host, port=options.port, unix=options.socket)
    server = Server(sock, app, silence_max_s=silence_max_s)
    server.start()
    family = socket.AF_UNIX if options.socket else socket.AF_INET
    client = socket.socket(family)
    client.settimeout(GUARD_S)
    client.connect(sock.getsockname())
    try:
        yield client
    finally:
        client.close()
        server.drain(1.0)


def post(client: socket.socket, sent: bytes = b"") -> None:
    """Send a turn on *client*."""
    sent = sent or body("hello")
    head = f"POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\nConnection: close\r\n\r\n"
    client.sendall(head.encode() + sent)


def received(client: socket.socket, bytes_max: int = 1 << 30) -> bytes:
    """Return what arrives until the end, or until there are *bytes_max* of it."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < bytes_max and (piece := client.recv(1 << 20)):
        pieces.append(piece)
    return b"".join(pieces)


def test_it_serves_on_a_unix_socket(tmp_path: Path) -> None:
    """As well as on a port, and where a killed process has left its socket behind."""
    options = Options(socket=str(tmp_path / "bartender.sock"))
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(options.socket)
    left_behind.close()

    with serving_on(options) as client:
        post(client)
        assert received(client).startswith(b"HTTP/1.1 200 OK")


def test_slow_says_nothing() -> None:
    """It sleeps past every deadline before its first byte."""
    slept: list[float] = []
    with serving_on(Options(fault="slow"), slept.append) as client:
        post(client)
        received(client)

    assert slept == [SLOW_S]


def test_crash_breaks_off_in_the_middle() -> None:
    """A beginning, and no end: neither of the JSON nor of the chunks."""
    with serving_on(Options(fault="crash")) as client:
        post(client)
        answer = received(client)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'{"parts":' in answer
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(("fault", "content"), [("not_json", b"<html>"), ("wrong_schema", b"hologram")])
def test_lies_are_whole_answers(fault: Fault, content: bytes) -> None:
    """Well-formed HTTP around what is no reply."""
    with serving_on(Options(fault=fault)) as client:
        post(client)
        answer = received(client)

    assert content in answer
    assert b"application/json" in answer


def test_huge_is_huge() -> None:
    """More than any gateway should read."""
    with serving_on(Options(fault="huge")) as client:
        post(client)
        assert len(received(client)) > HUGE_BYTES


def test_endless_goes_on_until_the_client_leaves() -> None:
    """A stream of deltas without a reply, however much is read."""
    with serving_on(Options(fault="endless"), lambda _: gevent.sleep(0)) as client:
        post(client)
        answer = received(client, 100_000)

    assert answer.count(b"event: delta") > 1_000
    assert b"event: reply" not in answer


def test_every_fault_has_a_test() -> None:
    """A new one needs one."""
    assert set(FAULTS) == {"slow", "crash", "not_json", "wrong_schema", "huge", "endless"}


def test_an_answer_is_not_changed_by_a_key_that_is_missing() -> None:
    """Without an idempotency key nothing is kept: each call is answered for itself."""
    options = Options()
    with serving_on(options) as client:
        post(client, body("hello"))
        first = received(client)
    with serving_on(options) as client:
        post(client, body("goodbye"))
        second = received(client)

    assert msgspec.json.decode(first.partition(b"\r\n\r\n")[2]) != msgspec.json.decode(
        second.partition(b"\r\n\r\n")[2]
    )


@pytest.mark.parametrize(
    ("unfinished", "answer"),
    [
        (b"", b""),
        (b"POST /turn HTTP/1.1\r\nHost: x\r\nX-Slow:", b"HTTP/1.1 400"),
        (b"POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{", b"HTTP/1.1 408"),
    ],
)
def test_a_client_that_falls_silent_is_cut_off(unfinished: bytes, answer: bytes) -> None:
    """Before a request, within its headers, within its body: nobody is waited for without end."""
    with serving_on(Options(), silence_max_s=0.05) as client:
        client.sendall(unfinished)

        assert received(client).startswith(answer)
