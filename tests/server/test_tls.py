"""TLS over sockets that never wait: real kernels' sockets and real OpenSSL clients, and every way in which it ends."""

from __future__ import annotations

import _socket
import contextlib
import ssl
import struct
from collections.abc import Iterator
from itertools import chain

import pytest

from gateway.server.tls import TlsSocket
from tests.server.tls_material import Certificate, Client

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
RECORD_BYTES = 16_384
READ_BYTES = 65_536
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class Pair:
    """A server's TLS socket and a client, over a pair of kernel sockets; nothing in it waits."""

    def __init__(self, certificate: Certificate, version: str, **options: int) -> None:
        self.raw, client = _socket.socketpair()
        self.raw.setblocking(False)
        client.setblocking(False)
        self.server_context = certificate.server_context()
        self.client_context = certificate.client_context()
        self.client_context.minimum_version = self.client_context.maximum_version = VERSIONS[version]
        self._options = options
        self._client_socket = client
        self.begin()

    def begin(self) -> None:
        """Take the contexts as they are now."""
        self.server = TlsSocket(self.raw, self.server_context, **self._options)
        self.client = Client(self._client_socket, self.client_context)

    def shake_hands(self) -> None:
        while data := self.client.outgoing():
            self.client.sock.send(data)
            self.receives_nothing()
            self.client.take()
        # TLS 1.3's tickets come behind the handshake.
        assert self.client.read() == b""

    def receives_nothing(self) -> None:
        with pytest.raises(BlockingIOError):
            self.server.recv(READ_BYTES)

    def close(self) -> None:
        self.raw.close()
        self._client_socket.close()


@pytest.fixture(params=VERSIONS)
def pair(certificate: Certificate, request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(certificate, request.param)
    yield made
    made.close()


@pytest.fixture
def talking(pair: Pair) -> Pair:
    """The handshake is over."""
    pair.shake_hands()
    return pair


def all_sent(server: TlsSocket, data: bytes, client: Client) -> bytes:
    """Send *data* as a connection does, the client reading only when nothing goes any more."""
    rest, received = memoryview(data), bytearray()
    while rest:
        try:
            rest = rest[server.send(rest) :]
        except BlockingIOError:
            received += client.read()
    return bytes(received + client.read())


def fill(sock: _socket.socket) -> int:
    """Leave no room in the kernel for another byte; return how many there was room for."""
    filled = 0
    for size in (65_536, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += sock.send(bytes(size))
    return filled


# What is said.


def test_every_byte_may_come_alone(pair: Pair):
    data = pair.client.outgoing()
    while data:
        for byte in data:
            pair.client.sock.send(bytes([byte]))
            pair.receives_nothing()
        pair.client.take()
        data = pair.client.outgoing()

    records = pair.client.encrypt(REQUEST)
    for byte in records[:-1]:
        pair.client.sock.send(bytes([byte]))
        pair.receives_nothing()
    pair.client.sock.send(records[-1:])
    assert pair.server.recv(READ_BYTES) == REQUEST
    assert pair.client.tls.version() in repr(pair.server)
    assert all_sent(pair.server, b"answer", pair.client) == b"answer"


def test_one_read_returns_all_that_it_decrypts_to(talking: Pair):
    """The watcher would not call again for what only OpenSSL still has."""
    pieces = [b"first", bytes(RECORD_BYTES), b"third"]
    talking.client.sock.send(talking.client.encrypt(*pieces))

    assert talking.server.recv(READ_BYTES) == b"".join(pieces)
    talking.receives_nothing()


def test_a_record_is_read_in_as_many_reads_as_it_takes(talking: Pair):
    records = talking.client.encrypt(bytes(5_000), bytes(500))
    talking.client.sock.send(records)

    received = []
    for _ in range(-(-len(records) // 100)):
        with contextlib.suppress(BlockingIOError):
            received.append(talking.server.recv(100))
    assert received == [bytes(5_000), bytes(500)]


def test_a_request_that_comes_with_the_end_of_the_handshake_is_not_left_lying(pair: Pair):
    pair.client.sock.send(pair.client.outgoing())
    pair.receives_nothing()
    pair.client.take()
    last = pair.client.outgoing()
    if not pair.client.ready:
        # There the server has the last word, so the client is not ready to write yet.
        pair.client.sock.send(last)
        pair.receives_nothing()
        pair.client.take()
        last = pair.client.outgoing()
    pair.client.sock.send(last + pair.client.encrypt(REQUEST))
    assert pair.server.recv(READ_BYTES) == REQUEST


def test_large_bodies_go_both_ways(talking: Pair):
    body = bytes(chain.from_iterable(number.to_bytes(4, "big") for number in range(500_000)))
    received = bytearray()
    for start in range(0, len(body), 50_000):
        rest = talking.client.encrypt(body[start : start + 50_000])
        while rest:
            with contextlib.suppress(BlockingIOError):
                rest = rest[talking.client.sock.send(rest) :]
            with contextlib.suppress(BlockingIOError):
                while True:
                    received += talking.server.recv(READ_BYTES)
    assert received == body
    assert all_sent(talking.server, body, talking.client) == body


def test_what_was_sent_is_with_the_kernel(talking: Pair):
    """No byte that ``send`` has counted waits for another call: nobody would make one."""
    body = bytes(range(256)) * 40_000
    sent = talking.server.send(body)
    assert 0 < sent < len(body)

    received = talking.client.read()
    assert len(received) >= sent
    assert received == body[: len(received)]


def test_a_blocked_send_goes_on_with_the_same_bytes_and_more(talking: Pair):
    filled = fill(talking.raw)
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            talking.server.send(b"one ")
    assert len(talking.client.sock.recv(filled, _socket.MSG_WAITALL)) == filled

    assert talking.server.send(b"one two") == 7
    assert talking.client.read() == b"one two"


@pytest.mark.parametrize("other", [b"two", b"on", b""])
def test_a_blocked_send_does_not_go_on_with_others(talking: Pair, other: bytes):
    """They are encrypted, and would be sent before what is counted."""
    fill(talking.raw)
    with pytest.raises(BlockingIOError):
        talking.server.send(b"one ")
    with pytest.raises(ConnectionAbortedError, match="encrypted already"):
        talking.server.send(other)


def test_nothing_is_said_before_the_handshake(pair: Pair):
    with pytest.raises(BlockingIOError):
        pair.server.send(b"secret")
    pair.client.take()
    assert not pair.client.left
    pair.shake_hands()
    assert all_sent(pair.server, b"secret", pair.client) == b"secret"


def test_the_protocol_is_agreed_upon(pair: Pair):
    pair.server_context.set_alpn_protocols(["http/1.1"])
    pair.client_context.set_alpn_protocols(["h2", "http/1.1"])
    pair.begin()
    pair.shake_hands()
    assert pair.client.tls.selected_alpn_protocol() == "http/1.1"


def test_it_stands_for_its_socket(pair: Pair):
    assert pair.server.fileno() == pair.raw.fileno()
    pair.server.close()
    assert pair.raw.fileno() == -1


# How it ends.


def test_close_notify_is_the_end(talking: Pair):
    talking.client.sock.send(talking.client.close_notify())
    assert talking.server.recv(READ_BYTES) == b""
    talking.client.sock.close()
    assert talking.server.recv(READ_BYTES) == b""


def test_what_came_before_close_notify_is_returned_first(talking: Pair):
    talking.client.sock.send(talking.client.encrypt(REQUEST) + talking.client.close_notify())
    assert talking.server.recv(READ_BYTES) == REQUEST
    talking.client.sock.shutdown(_socket.SHUT_WR)
    assert talking.server.recv(READ_BYTES) == b""


def test_whoever_ended_is_still_answered(talking: Pair):
    talking.client.sock.send(talking.client.encrypt(REQUEST) + talking.client.close_notify())
    talking.client.sock.shutdown(_socket.SHUT_WR)
    assert talking.server.recv(READ_BYTES) == REQUEST
    assert talking.server.recv(READ_BYTES) == b""
    assert talking.server.send(b"answer") == 6

    talking.server.shutdown(_socket.SHUT_WR)
    talking.client.take()
    assert talking.client.left


def test_a_bare_fin_is_the_end_too(talking: Pair):
    talking.client.sock.shutdown(_socket.SHUT_WR)
    assert talking.server.recv(READ_BYTES) == b""
    assert all_sent(talking.server, b"answer", talking.client) == b"answer"


def test_half_a_record_is_never_delivered(talking: Pair):
    talking.client.sock.send(talking.client.encrypt(REQUEST)[:-1])
    talking.client.sock.shutdown(_socket.SHUT_WR)
    talking.receives_nothing()
    assert talking.server.recv(READ_BYTES) == b""


@pytest.mark.parametrize("sent_bytes", [0, 50])
def test_a_fin_within_the_handshake_is_an_error(pair: Pair, sent_bytes: int):
    pair.client.sock.send(pair.client.outgoing()[:sent_bytes])
    pair.client.sock.shutdown(_socket.SHUT_WR)
    if sent_bytes:
        pair.receives_nothing()
    with pytest.raises(ConnectionAbortedError, match="handshake"):
        pair.server.recv(READ_BYTES)


def test_shutdown_says_close_notify_and_what_comes_is_still_read(talking: Pair):
    assert talking.server.send(b"answer") == 6
    talking.server.shutdown(_socket.SHUT_WR)
    assert talking.client.read() == b"answer"
    assert talking.client.ended
    assert talking.client.left

    # The connection lingers: what the client was sending meanwhile is taken, and then its end.
    talking.client.sock.send(talking.client.encrypt(REQUEST))
    assert talking.server.recv(READ_BYTES) == REQUEST
    talking.client.sock.shutdown(_socket.SHUT_WR)
    assert talking.server.recv(READ_BYTES) == b""


def test_close_alone_says_nothing(talking: Pair):
    """A response that is broken off must not look whole to a reader that waits for the end."""
    assert talking.server.send(b"half an ans") == 11
    talking.server.close()
    assert talking.client.read() == b"half an ans"
    assert talking.client.left
    assert not talking.client.ended


def test_shutdown_before_the_handshake_ends_the_socket(pair: Pair):
    pair.server.shutdown(_socket.SHUT_WR)
    pair.client.take()
    assert pair.client.left


# What goes wrong.


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (REQUEST, "http_request"),
        (b"\xff" * 100, "wrong_version_number"),
        (b"SSH-2.0-client\r\n", "wrong_version_number"),
    ],
)
def test_whoever_does_not_speak_tls_is_cut_off(pair: Pair, said: bytes, reason: str):
    pair.client.sock.send(said)
    with pytest.raises(ConnectionAbortedError, match=f"TLS: {reason}"):
        pair.server.recv(READ_BYTES)
    for again in (lambda: pair.server.recv(READ_BYTES), lambda: pair.server.send(b"secret")):
        with pytest.raises(ConnectionAbortedError, match=reason):
            again()
    pair.server.shutdown(_socket.SHUT_WR)
    with contextlib.suppress(BlockingIOError):
        # Nothing at all, or an alert (RFC 8446, section 5.1: content type 21).
        assert pair.client.sock.recv(READ_BYTES)[:1] in {b"", b"\x15"}


def test_a_record_that_somebody_changed_is_an_error(talking: Pair):
    records = bytearray(talking.client.encrypt(REQUEST))
    records[-1] ^= 1
    talking.client.sock.send(records)
    with pytest.raises(ConnectionAbortedError, match="bad_record_mac"):
        talking.server.recv(READ_BYTES)
    with pytest.raises(ssl.SSLError, match="bad record mac"):
        talking.client.read()


def test_a_client_without_the_certificate_that_is_asked_for_is_cut_off(pair: Pair):
    pair.server_context.verify_mode = ssl.CERT_REQUIRED
    pair.begin()
    with pytest.raises(ConnectionAbortedError, match="peer_did_not_return_a_certificate"):
        pair.shake_hands()


def test_a_reset_is_an_error(certificate: Certificate):
    listener = _socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = _socket.socket()
    client.connect(listener.getsockname())
    descriptor, _ = listener._accept()
    raw = _socket.socket(fileno=descriptor)
    raw.setblocking(False)
    try:
        server = TlsSocket(raw, certificate.server_context())
        client.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        with pytest.raises(ConnectionResetError):
            server.recv(READ_BYTES)
    finally:
        raw.close()
        listener.close()


def test_a_peer_that_has_us_answer_and_does_not_read_is_cut_off(certificate: Certificate):
    pair = Pair(certificate, "TLSv1.3", unsent_bytes_max=100)
    fill(pair.raw)
    pair.client.sock.send(pair.client.outgoing())
    with pytest.raises(ConnectionAbortedError, match="does not read"):
        pair.server.recv(READ_BYTES)
    pair.close()


def test_a_slow_reader_holds_one_chunk_and_no_more(talking: Pair):
    fill(talking.raw)
    before = talking.server.waiting_bytes
    for _ in range(100):
        with pytest.raises(BlockingIOError):
            talking.server.send(bytes(1_000_000))
    assert before == 0
    assert 65_536 <= talking.server.waiting_bytes < 70_000
