"""Callers that take their time: slowloris in all its forms.

The limits under test are fractions of a second and all others are hours, so that what ends a connection is known by
what ended it.  Where time has to pass, another caller whose own time runs out says that it has.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping

import gevent
import pytest

from tests.server.conftest import Serve, Start
from tests.server.raw import Caller
from tests.server.telling import Counter
from tests.server.tls_material import Certificate
from tests.support.waiting import until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
#: Of the limit under test.
SHORT_S = 0.2
#: Between two bytes of a trickle: many within ``SHORT_S``.
DROP_S = 0.02

LONG = {
    "header_timeout_s": 3_600.0,
    "body_timeout_s": 3_600.0,
    "idle_timeout_s": 3_600.0,
    "write_timeout_s": 3_600.0,
    "transfer_rate_min_bytes_s": 1_073_741_824,
}


@pytest.fixture
def counter() -> Counter:
    return Counter()


def trickle(caller: Caller, pieces: Iterable[bytes]) -> gevent.Greenlet[..., None]:
    """Send *pieces* one after the other with a little time between, until nobody takes them any more."""

    def send() -> None:
        try:
            for piece in pieces:
                caller.sock.send(piece)
                gevent.sleep(DROP_S)
        except OSError:
            pass

    return gevent.spawn(send)


def bytes_of(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


def assert_refused(caller: Caller, reason: str, name: str = "") -> None:
    answer = caller.answer()
    assert (answer.status, answer.json["error"], answer.closes) == (408, reason, True), name
    assert caller.ends(), name


def assert_all_refused(callers: Mapping[str, Caller], reason: str) -> None:
    # Each reads at once: who is refused and goes on sending is reset in the end.
    reading = [gevent.spawn(assert_refused, caller, reason, name) for name, caller in callers.items()]
    gevent.joinall(reading, raise_error=True)


@contextlib.contextmanager
def all_at_once(port: int, names: Iterable[str]) -> Iterator[dict[str, Caller]]:
    """Open a connection for each of these."""
    with contextlib.ExitStack() as opened:
        yield {name: opened.enter_context(Caller(port)) for name in names}


# Heads


HEADS = {
    "one byte": [b"G"],
    "half a line": [b"GET / HT"],
    "half a head": [b"GET / HTTP/1.1\r\nHost: a\r\n"],
    "byte by byte": bytes_of(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1_000),
    "a field at a time": [b"GET / HTTP/1.1\r\nHost: a\r\n"] + [b"X: y\r\n"] * 90,
    "behind line breaks": [b"\r\n", b"\r\n", *bytes_of(b"GET /" + b"y" * 1_000)],
}


@pytest.mark.parametrize("again", [False, True], ids=["the first", "a later one"])
def test_a_head_has_its_time(serve: Serve, counter: Counter, again: bool) -> None:
    """However it comes: all at once, because each would wait for the same."""
    port = serve(counter, **LONG | {"header_timeout_s": SHORT_S})
    with all_at_once(port, HEADS) as callers:
        sending = []
        for name, caller in callers.items():
            if again:
                assert caller.send(GET).answer().status == 200
            sending.append(trickle(caller, HEADS[name]))
        assert_all_refused(callers, "head_too_slow")
        gevent.killall(sending)
    assert counter.began == (len(HEADS) if again else 0)


@pytest.mark.parametrize("pieces", [[], itertools.repeat(b"\r\n"), itertools.repeat(b"\n")])
def test_a_connection_on_which_nothing_begins_is_closed(
    start: Start, counter: Counter, pieces: Iterable[bytes]
) -> None:
    """Line breaks before a request are nothing (RFC 9112, section 2.2), however many come."""
    server, port = start(counter, **LONG | {"header_timeout_s": SHORT_S})
    with Caller(port) as caller:
        sending = trickle(caller, pieces)
        assert_ends(caller)
        sending.kill()
    until("nothing is left", lambda: not server.connections)


def assert_ends(caller: Caller) -> None:
    """The server says nothing more and closes; bytes that it had not read make that a reset."""
    with contextlib.suppress(ConnectionResetError):
        assert caller.ends()


@pytest.mark.parametrize("pieces", [[], itertools.repeat(b"\r\n")])
def test_an_idle_connection_is_closed(serve: Serve, counter: Counter, pieces: Iterable[bytes]) -> None:
    port = serve(counter, **LONG | {"idle_timeout_s": SHORT_S})
    with Caller(port) as caller:
        for _ in range(2):
            assert caller.send(GET).answer().status == 200
        sending = trickle(caller, pieces)
        assert_ends(caller)
        sending.kill()


def test_a_head_has_its_time_however_little_was_left_of_the_idle_time(serve: Serve, counter: Counter) -> None:
    port = serve(counter, **LONG | {"idle_timeout_s": SHORT_S})
    with Caller(port) as caller, Caller(port) as witness:
        assert caller.send(GET).answer().status == 200
        caller.send(GET[:10])
        assert witness.send(GET).answer().status == 200
        assert witness.ends()
        assert caller.send(GET[10:]).answer().status == 200


def test_the_idle_time_begins_with_the_answer(serve: Serve, counter: Counter) -> None:
    port = serve(counter, **LONG | {"idle_timeout_s": SHORT_S})
    with Caller(port) as caller, Caller(port) as witness:
        caller.send(GET.replace(b"/", b"/wait", 1))
        assert witness.send(GET).answer().status == 200
        assert witness.ends()
        counter.go.set()
        assert caller.answer().status == 200
        assert caller.send(GET).answer().status == 200


def test_half_a_request_behind_one_that_runs_has_its_time_when_it_is_its_turn(
    serve: Serve, counter: Counter
) -> None:
    port = serve(counter, **LONG | {"header_timeout_s": SHORT_S})
    with Caller(port) as caller, Caller(port) as witness:
        caller.send(GET.replace(b"/", b"/wait", 1) + GET[:10])
        assert witness.ends()
        assert caller.is_silent()
        counter.go.set()
        assert caller.answer().status == 200
        assert_refused(caller, "head_too_slow")


def test_half_a_handshake(serve: Serve, counter: Counter, certificate: Certificate) -> None:
    port = serve(counter, tls=certificate.server_context(), **LONG | {"header_timeout_s": SHORT_S})
    with Caller(port) as silent, Caller(port) as half:
        # A record of a ClientHello that does not come.
        half.send(b"\x16\x03\x01\x01\x00\x01\x00")
        assert silent.ends()
        assert half.ends()


# Bodies

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = HEAD + b"Content-Length: 1000\r\n\r\n"


BODIES = {
    "nothing of a length": (SIZED, []),
    "a length, byte by byte": (SIZED, [b"x"] * 1_000),
    "no chunk": (CHUNKED, []),
    "a chunk's size": (CHUNKED, [b"0"] * 1_000),
    "small chunks": (CHUNKED, [b"1\r\nx\r\n"] * 1_000),
    "an extension": (CHUNKED, [b"1;"] + [b"e"] * 1_000),
    "trailers": (CHUNKED, [b"1\r\nx\r\n0\r\n"] + [b"T: y\r\n"] * 90),
    "a trailer, byte by byte": (CHUNKED, [b"1\r\nx\r\n0\r\nT: "] + [b"y"] * 1_000),
}


def test_a_body_has_its_time(start: Start, counter: Counter) -> None:
    """However it comes: all at once, because each would wait for the same."""
    server, port = start(counter, **LONG | {"body_timeout_s": SHORT_S})
    with all_at_once(port, BODIES) as callers:
        sending = [trickle(caller.send(BODIES[name][0]), BODIES[name][1]) for name, caller in callers.items()]
        assert_all_refused(callers, "body_too_slow")
        gevent.killall(sending)
    until("nothing is left", lambda: not server.connections and not server.buffered_bytes)
    assert not counter.began


def test_a_body_that_comes_fast_enough_has_more_time(serve: Serve, counter: Counter) -> None:
    """600 bytes at 64 bytes a second: almost ten seconds for the rest."""
    port = serve(counter, **LONG | {"body_timeout_s": SHORT_S, "transfer_rate_min_bytes_s": 64})
    with Caller(port) as caller, Caller(port) as witness:
        caller.send(SIZED + b"x" * 600)
        witness.send(SIZED)
        assert_refused(witness, "body_too_slow")
        assert caller.send(b"x" * 400).answer().body == b"1000"


def test_the_time_of_a_body_begins_with_that_body(start: Start, counter: Counter) -> None:
    """Not with an earlier one on the same connection, answered or turned away."""
    server, port = start(counter, **LONG | {"body_timeout_s": 4 * SHORT_S, "in_flight_max": 1})
    with Caller(port) as busy, Caller(port) as caller, Caller(port) as witness:
        busy.send(GET.replace(b"/", b"/wait", 1))
        until("it runs", lambda: server.in_flight == 1)
        caller.trickle([SIZED + b"x" * 600])
        witness.send(SIZED)
        assert caller.send(b"x" * 400).answer().status == 503
        assert_refused(witness, "body_too_slow")
        counter.go.set()
        assert busy.answer().status == 200
        caller.trickle([SIZED + b"x" * 600])
        looks = server._ticks
        until("the server has looked at its deadlines", lambda: server._ticks >= looks + 2)
        assert caller.send(b"x" * 400).answer().body == b"1000"


# Behind the end


def test_a_caller_that_was_refused_is_not_listened_to_for_ever(start: Start, counter: Counter) -> None:
    """Whether it is silent then or sends."""
    server, port = start(counter, **LONG)
    with Caller(port) as silent, Caller(port) as sends:
        for caller in (silent, sends):
            assert caller.send(b"nonsense\r\n\r\n").answer().status == 400
        sending = trickle(sends, itertools.repeat(b"x" * 100))
        until("both connections are closed", lambda: not server.connections)
        sending.kill()
