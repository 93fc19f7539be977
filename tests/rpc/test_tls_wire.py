"""The laws of a TLS connection in use: what an idle one may hear, and what is read and written."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator

import gevent
import gevent.socket
import pytest
from gevent.queue import Queue

from gateway.rpc import BadAnswer
from gateway.rpc.tls import TlsWire
from gateway.rpc.watch import NEVER
from gateway.rpc.watched import WatchedSocket
from tests.rpc.peer import GUARD_S, OK, Link, MakeClient, Serve, answering, to
from tests.rpc.tls_peer import REQUEST, Authority, MakeCaller, ServeTls, secure, soon
from tests.support.stack_settings import free_port
from tests.support.waiting import until

# An idle connection


def test_tickets_that_come_behind_the_handshake_are_no_bytes_that_nobody_asked_for(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    """A server of TLS 1.3 sends them when it likes: a pool that takes them for a lie reuses no connection."""
    caller = call_tls(serve_tls(authority.server_context()).port)
    wire = caller.connect()
    until("the tickets came", lambda: not WatchedSocket.is_quiet(wire))

    assert (wire.is_quiet(), wire.is_alive()) == (True, True)
    assert WatchedSocket.is_quiet(wire)
    assert caller.connect().resumed
    assert caller.ask(wire) == OK
    assert (wire.is_quiet(), wire.is_alive()) == (True, True)
    wire.close()


def test_the_kernel_is_asked_before_the_loop_knows(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    server = serve_tls(authority.server_context())
    caller = call_tls(server.port)
    wire = caller.connect()
    caller.ask(wire)
    assert wire.is_alive()
    wire._socket.shutdown(0)  # readable at once, and the loop has not run
    assert (wire.is_quiet(), wire.is_alive()) == (True, False)
    wire.close()


def test_an_answer_that_nobody_asked_for_ends_an_idle_connection(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    def script(link: Link) -> None:
        link.request()
        link.send(OK)
        server.go_on.wait()
        link.send(b"more")
        link.until_gone()

    server = serve(script, ssl_context=authority.server_context())
    caller = call_tls(server.port)
    wire = caller.connect()
    caller.ask(wire)
    assert wire.is_quiet()
    server.go_on.set()
    until("it came", lambda: not wire.is_quiet())
    assert not wire.is_alive()
    wire.close()


def test_bytes_behind_the_answer_in_one_segment_are_noticed_too(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    """They lie in memory, where no poll of the socket finds them."""

    def script(link: Link) -> None:
        link.request()
        link.send(OK, b"more")
        server.reached.set()
        link.until_gone()

    server = serve(script, ssl_context=authority.server_context())
    caller = call_tls(server.port)
    wire = caller.connect()
    wire.write(REQUEST, soon(), GUARD_S)
    assert server.reached.wait(GUARD_S)
    assert wire.read(65_536, soon()) == OK
    assert (wire.is_quiet(), wire.is_alive()) == (False, False)
    wire.close()


class OpensslServer:
    """OpenSSL's own server: asks for new keys or for another handshake when it is told to."""

    def __init__(self, authority: Authority, *options: str) -> None:
        authority.certify("DNS:localhost")
        self.port = free_port()
        command = [
            "openssl",
            "s_server",
            "-accept",
            str(self.port),
            "-cert",
            "server.pem",
            "-key",
            "server.key",
        ]
        self._running = subprocess.Popen(
            [*command, "-msg", *options],
            cwd=authority.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.hears(b"ACCEPT")

    def hears(self, what: bytes) -> None:
        """Return when it has written a line with *what*."""
        assert self._running.stdout is not None
        with gevent.Timeout(GUARD_S, AssertionError(f"it never said {what!r}")):
            next(line for line in self._running.stdout if what in line)

    def order(self, letter: bytes) -> None:
        assert self._running.stdin is not None
        self._running.stdin.write(letter + b"\n")
        self._running.stdin.flush()

    def stop(self) -> None:
        self._running.kill()
        self._running.wait()
        for pipe in (self._running.stdin, self._running.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def openssl(authority: Authority) -> Iterator[Callable[..., OpensslServer]]:
    servers: list[OpensslServer] = []

    def start(*options: str) -> OpensslServer:
        servers.append(OpensslServer(authority, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def agreed(server: OpensslServer, call_tls: MakeCaller) -> TlsWire:
    """Return a wire whose handshake is over for the server too, and whose tickets were read."""
    wire = call_tls(server.port).connect()
    server.hears(b"Secure Renegotiation")
    until("the rest of the handshake came", lambda: not WatchedSocket.is_quiet(wire))
    assert wire.is_alive()
    return wire


def test_new_keys_may_be_asked_for_while_a_connection_lies_idle(
    openssl: Callable[..., OpensslServer], call_tls: MakeCaller
) -> None:
    server = openssl("-num_tickets", "1")
    wire = agreed(server, call_tls)
    server.order(b"K")
    until("they were asked for", lambda: not WatchedSocket.is_quiet(wire))
    assert wire.is_alive()

    wire.write(b"with the new keys\n", soon(), GUARD_S)
    server.hears(b"<<< TLS 1.3, Handshake [length 0005], KeyUpdate")
    server.hears(b"with the new keys")


def test_new_keys_may_be_asked_for_while_somebody_reads(
    openssl: Callable[..., OpensslServer], call_tls: MakeCaller
) -> None:
    server = openssl("-num_tickets", "1")
    reading = gevent.spawn(agreed(server, call_tls).read, 100, soon())
    server.order(b"K")
    server.hears(b">>> TLS 1.3, Handshake [length 0005], KeyUpdate")
    server.order(b"an answer")

    assert reading.get(timeout=GUARD_S) == b"an answer\n"


def test_another_handshake_is_declined(openssl: Callable[..., OpensslServer], call_tls: MakeCaller) -> None:
    """Renegotiation of TLS 1.2 has been a way in more than once, and nobody needs it."""
    server = openssl("-tls1_2")
    wire = call_tls(server.port).connect()
    server.hears(b"Secure Renegotiation")
    reading = gevent.spawn(wire.read, 100, soon())
    server.order(b"r")

    server.hears(b"Alert [length 0002], warning no_renegotiation")
    reading.join(GUARD_S)


def test_a_connection_that_is_asked_for_another_handshake_while_idle_is_given_up(
    openssl: Callable[..., OpensslServer], call_tls: MakeCaller
) -> None:
    server = openssl("-tls1_2")
    wire = call_tls(server.port).connect()
    server.hears(b"Secure Renegotiation")
    server.order(b"r")
    until("it was asked for", lambda: not WatchedSocket.is_quiet(wire))

    assert not wire.is_alive()


# Reading and writing


def test_a_clean_end_and_a_cut_off_one_are_told_apart(
    serve: Serve, make_client: MakeClient, authority: Authority
) -> None:
    """A body that ends with the connection could be cut by anybody on the way (RFC 9112, section 9.8)."""

    def script(link: Link) -> None:
        link.request()
        link.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        if link.number == 2:
            link._socket.unwrap()

    server = serve(script, ssl_context=authority.server_context())
    client = make_client(tls_ca_file=str(authority.pem))
    with pytest.raises(BadAnswer, match=r"broke inside the answer: .*EOF"):
        client.call(to(secure(server.port)))
    assert client.call(to(secure(server.port))).body == b"half"


def test_large_bodies_pass_both_ways(serve: Serve, call_tls: MakeCaller, authority: Authority) -> None:
    body = bytes(range(256)) * 8192
    received = bytearray()

    def script(link: Link) -> None:
        while len(received) < len(body):
            received.extend(link._socket.recv(65_536))
        link.send(body)
        link.until_gone()

    server = serve(script, ssl_context=authority.server_context())
    wire = call_tls(server.port).connect()
    wire.write(body, soon(), GUARD_S)
    assert wire.written >= len(body)
    answer = bytearray()
    while len(answer) < len(body):
        answer += wire.read(65_536, soon())

    assert (received, answer) == (body, body)
    assert server.ended.empty()
    wire.close()


def test_a_reader_waits_no_longer_than_it_said(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    server = serve(lambda link: link.until_gone(), ssl_context=authority.server_context())
    wire = call_tls(server.port).connect()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            wire.read(100, time.monotonic() + 0.02)
    wire.close()


def kernel_holds(wire: TlsWire) -> int:
    try:
        return len(wire._socket.recv(20_000, socket.MSG_PEEK))
    except BlockingIOError:
        return 0


def test_a_record_that_trickles_in_does_not_extend_the_wait(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    """There is always a byte to be read when the time is over, and never a whole record."""
    server = serve(answering(bytes(16_000)), ssl_context=authority.server_context())
    wire = call_tls(server.port).connect()
    wire.write(REQUEST, soon(), GUARD_S)
    until("it came", lambda: kernel_holds(wire) > 16_000)
    with pytest.raises(TimeoutError):
        wire.read(1, time.monotonic() + 0.01)  # asks the kernel for a byte at a time


def test_a_write_that_nobody_takes_ends_and_knows_that_some_may_have_been_seen(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    def script(link: Link) -> None:
        server.go_on.wait()

    server = serve(script, ssl_context=authority.server_context())
    wire = call_tls(server.port).connect()
    with pytest.raises(TimeoutError):
        wire.write(bytes(50_000_000), soon(), 0.05)
    assert 0 < wire.written < 50_000_000
    wire.close()


def test_what_was_cut_off_in_the_middle_does_not_look_whole(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    ends: Queue[str | None] = Queue()

    def script(link: Link) -> None:
        server.go_on.wait()
        try:
            link.until_gone()
            ends.put("cut off")
        except ssl.SSLError as error:
            ends.put(error.reason)

    server = serve(script, ssl_context=authority.server_context())
    wire = call_tls(server.port).connect()
    with pytest.raises(TimeoutError):
        wire.write(bytes(50_000_000), soon(), 0.05)
    server.go_on.set()
    gevent.socket.wait_write(wire._socket.fileno(), GUARD_S)
    wire.close()

    assert ends.get(timeout=GUARD_S) == "cut off"


def test_an_answer_that_comes_as_its_time_ends_is_not_lost(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    """Whether it is here is asked of the kernel: what asks must not take it from its reader."""
    links: list[Link] = []

    def script(link: Link) -> None:
        links.append(link)
        link.request()
        server.reached.set()
        link.until_gone()

    server = serve(script, ssl_context=authority.server_context())
    caller = call_tls(server.port)
    wire = caller.connect()
    wire.write(REQUEST, soon(), GUARD_S)
    reading = gevent.spawn(wire.read, 65_536, soon())
    assert server.reached.wait(GUARD_S)
    until("its tickets were read", lambda: wire.until < NEVER)
    links[0].send(OK)
    gevent.get_hub().loop.run_callback(wire.expire)  # before the loop looks at its sockets

    assert reading.get(timeout=GUARD_S) == OK


def test_what_was_never_taken_was_never_seen(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    """With OpenSSL's own socket nobody can tell: a failed write may have passed on whole records."""
    server = serve(answering(OK), ssl_context=authority.server_context())
    wire = call_tls(server.port).connect()
    wire.abort()
    with pytest.raises(OSError, match="Broken pipe"):
        wire.write(REQUEST, soon(), GUARD_S)
    assert wire.written == 0
    wire.close()


def test_aborting_a_tls_connection_wakes_its_reader(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    server = serve(lambda link: link.until_gone(), ssl_context=authority.server_context())
    wire = call_tls(server.port).connect()
    reading = gevent.spawn(wire.read, 100, soon())
    gevent.idle()
    wire.abort()
    with pytest.raises(OSError, match=r"EOF occurred|reset by peer"):
        reading.get(timeout=GUARD_S)
    wire.close()
    wire.close()
