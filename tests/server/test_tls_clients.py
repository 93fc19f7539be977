"""Clients that others have written, over TCP: Python's ssl, curl, and ``openssl s_client`` with key updates."""

from __future__ import annotations

import _socket
import contextlib
import hashlib
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent import socket, subprocess
from gevent.socket import wait_read, wait_write
from gunicorn.config import Config
from gunicorn.sock import ssl_context

from gateway.server.tls import TlsSocket
from tests.server.tls_material import Certificate
from tests.support.programs import program
from tests.support.waiting import GUARD_S, until

READ_BYTES = 65_536
KEY_UPDATES = 20


class Echo:
    """Waits as a connection does, on the socket below.  Sends lines back, and a body to whoever names its length."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._greenlet = gevent.spawn(self._accept)
        #: How each connection ended.
        self.endings: list[str] = []

    def _accept(self) -> None:
        while True:
            accepted, _ = self._listener.accept()
            raw = _socket.socket(fileno=accepted.detach())
            raw.setblocking(False)
            try:
                self._serve(TlsSocket(raw, self._context))
                self.endings.append("ended")
            except OSError as error:
                self.endings.append(str(error))
            finally:
                raw.close()

    def _serve(self, connected: TlsSocket) -> None:
        data = b""
        while piece := self._received(connected):
            data += piece
            if data.startswith(b"POST"):
                head, found, body = data.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0]) if found else 0
                if not found or len(body) < length:
                    continue
                self._send(connected, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + body)
                data = b""
            elif b"\n" in data:
                line, _, data = data.partition(b"\n")
                self._send(connected, line + b"\n")
        connected.shutdown(_socket.SHUT_WR)

    def _received(self, connected: TlsSocket) -> bytes:
        while True:
            wait_read(connected.fileno(), timeout=GUARD_S)
            with contextlib.suppress(BlockingIOError):
                return connected.recv(READ_BYTES)

    def _send(self, connected: TlsSocket, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[connected.send(rest) :]
            except BlockingIOError:
                wait_write(connected.fileno(), timeout=GUARD_S)

    def stop(self) -> None:
        self._greenlet.kill()
        self._listener.close()


@pytest.fixture
def echo(certificate: Certificate) -> Iterator[Echo]:
    """With the context that gunicorn makes of its settings."""
    config = Config()
    config.set("certfile", certificate.certfile)
    config.set("keyfile", certificate.keyfile)
    made = Echo(ssl_context(config))
    yield made
    made.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pythons_own_client(echo: Echo, certificate: Certificate, version: ssl.TLSVersion):
    context = certificate.client_context()
    context.minimum_version = context.maximum_version = version
    head = b"Content-Length: 3000000\r\n\r\n"
    body = os.urandom(3_000_000)
    answer = b"HTTP/1.1 200 OK\r\n" + head + body
    with (
        socket.create_connection(("127.0.0.1", echo.port), timeout=GUARD_S) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as client,
    ):
        writing = gevent.spawn(client.sendall, b"POST / HTTP/1.1\r\n" + head + body)
        received = bytearray()
        while len(received) < len(answer) and (piece := client.recv(READ_BYTES)):
            received += piece
        writing.get(timeout=GUARD_S)
        assert received == answer
        # It says close_notify and waits for ours.
        client.unwrap()
    assert until("the server saw the end", lambda: echo.endings) == ["ended"]


def test_curl(echo: Echo, certificate: Certificate, tmp_path: Path):
    """A body of some megabytes up and down, over one connection and then over another."""
    body = tmp_path / "body"
    body.write_bytes(os.urandom(3_000_000))
    for _ in range(2):
        answer = subprocess.run(
            [
                *(program("curl"), "--silent", "--show-error", "--fail", "--max-time", str(GUARD_S), "--http1.1"),
                *("--cacert", certificate.certfile, "--data-binary", f"@{body}", "--header", "Expect:"),
                f"https://localhost:{echo.port}/",
            ],
            capture_output=True,
            env={"PATH": os.environ["PATH"]},
        )
        assert answer.returncode == 0, answer.stderr
        assert hashlib.sha256(answer.stdout).digest() == hashlib.sha256(body.read_bytes()).digest()


def test_curl_without_tls(echo: Echo):
    answer = subprocess.run(
        [program("curl"), "--silent", "--max-time", str(GUARD_S), f"http://localhost:{echo.port}/"],
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert answer.returncode != 0
    assert until("the server saw the end", lambda: echo.endings) == ["TLS: http_request"]


def test_key_updates_that_ask_for_ours(echo: Echo, certificate: Certificate):
    """Each has us change our key too and say so (RFC 8446, section 4.6.3), and the talk goes on."""
    client = subprocess.Popen(
        [
            *(program("openssl"), "s_client", "-tls1_3", "-CAfile", certificate.certfile),
            *("-verify_return_error", "-servername", "localhost", "-connect", f"127.0.0.1:{echo.port}"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        with gevent.Timeout(GUARD_S):
            for number in range(KEY_UPDATES):
                # s_client takes a command only from the beginning of what it reads, so each has to be waited for.
                client.stdin.write(b"line %d\n" % number)
                client.stdin.flush()
                read_until(client, b"line %d\n" % number)
                client.stdin.write(b"K\n")
                client.stdin.flush()
                read_until(client, b"KEYUPDATE\n")
            client.stdin.write(b"Q\n")
            client.stdin.flush()
            assert client.wait() == 0
    finally:
        client.kill()
        client.wait()
        client.stdin.close()
        client.stdout.close()
    assert until("the server saw the end", lambda: echo.endings) == ["ended"]


def read_until(client: subprocess.Popen[bytes], wanted: bytes) -> None:
    for line in client.stdout:
        if line == wanted:
            return
    pytest.fail(f"s_client left without {wanted!r}")
