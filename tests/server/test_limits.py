"""Every bound of ``[server]`` that counts something, at the bound and one above it."""

from __future__ import annotations

import pytest

from tests.server.conftest import Serve, Start
from tests.server.raw import Answer, Caller, answers
from tests.server.telling import Counter, told
from tests.support.waiting import until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"


def post(body: bytes, *, path: bytes = b"/", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (path, size, body)


def assert_refused(answer: Answer, status: int, reason: str, *, closes: bool = True) -> None:
    assert (answer.status, answer.json["error"], answer.closes) == (status, reason, closes)
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.fixture
def counter() -> Counter:
    return Counter()


# connections_max


@pytest.mark.parametrize("asks", [b"", GET, post(b"x" * 10_000)])
def test_one_connection_too_many_is_told_so_and_closed(start: Start, counter: Counter, asks: bytes) -> None:
    server, port = start(counter, connections_max=2)
    with Caller(port) as one, Caller(port) as two:
        for caller in (one, two):
            assert caller.send(GET).answer().status == 200
        with Caller(port) as three, told("http.refused") as refused:
            three.send(asks)
            assert_refused(three.answer(), 503, "connections_max")
            assert three.ends()
            assert refused.reasons == ["connections_max"]
        # The others are as before, and the place of one that leaves can be taken.
        assert one.send(GET).answer().status == 200
        two.close()
        until("the second has left", lambda: len(server.connections) == 1)
        with Caller(port) as four:
            assert four.send(GET).answer().status == 200
    assert counter.began == 4


# in_flight_max


def test_one_request_too_many_is_told_so_at_once_and_keeps_its_connection(start: Start, counter: Counter) -> None:
    server, port = start(counter, in_flight_max=2)
    with Caller(port) as one, Caller(port) as two, Caller(port) as three:
        one.send(WAIT)
        two.send(WAIT)
        until("both run", lambda: counter.began == 2)
        for _ in range(3):
            assert_refused(three.send(GET).answer(), 503, "in_flight_max", closes=False)
        counter.go.set()
        assert [one.answer().status, two.answer().status] == [200, 200]
        assert three.send(GET).answer().status == 200
        assert server.in_flight == 0


def test_a_burst_of_quick_requests_is_not_too_many(start: Start, counter: Counter) -> None:
    """What has come in one turn of the loop and has not begun does not count against what comes behind it."""
    server, port = start(counter, in_flight_max=2)
    with Caller(port) as one:
        one.send(WAIT)
        until("it runs", lambda: counter.began == 1)
        burst = [Caller(port) for _ in range(20)]
        for caller in burst:
            caller.send(GET)
        assert [caller.answer().status for caller in burst] == [200] * 20
        for caller in burst:
            caller.close()
        counter.go.set()
        assert one.answer().status == 200
    assert server.in_flight == 0


def test_who_said_that_this_was_the_last_request_is_let_go(start: Start, counter: Counter) -> None:
    _, port = start(counter, in_flight_max=1)
    with Caller(port) as one, Caller(port) as two:
        one.send(WAIT)
        until("it runs", lambda: counter.began == 1)
        two.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert_refused(two.answer(), 503, "in_flight_max")
        assert two.ends()
        counter.go.set()


def test_hundreds_of_pipelined_requests_are_told_so_in_order(start: Start, counter: Counter) -> None:
    """Each in its turn, and not each on the stack of the one before."""
    _, port = start(counter, in_flight_max=1, pipelined_max=1_000)
    with Caller(port) as one, Caller(port) as two:
        one.send(WAIT)
        until("it runs", lambda: counter.began == 1)
        two.send(GET * 600)
        for _ in range(600):
            assert_refused(two.answer(), 503, "in_flight_max", closes=False)
        counter.go.set()
        assert two.send(GET).answer().status == 200


def test_a_body_that_is_turned_away_is_no_longer_counted(start: Start, counter: Counter) -> None:
    server, port = start(counter, in_flight_max=1)
    with Caller(port) as one, Caller(port) as two:
        one.send(WAIT)
        until("it runs", lambda: counter.began == 1)
        for _ in range(2):
            two.trickle([post(b"x" * 1_000, length=2_000), b"y" * 1_000])
            assert_refused(two.answer(), 503, "in_flight_max", closes=False)
            assert server.buffered_bytes == 0
        counter.go.set()


# pipelined_max


def test_requests_behind_one_another(serve: Serve, counter: Counter) -> None:
    with Caller(serve(counter, pipelined_max=3)) as caller:
        caller.send(GET * 3)
        assert [caller.answer().closes for _ in range(3)] == [False, False, False]
        # Behind the last one that is taken the connection ends, so that its caller knows which were answered.
        caller.send(GET * 4)
        assert [answer.closes for answer in answers(caller.rest())] == [False, False, True]
    assert counter.began == 6


# buffered_bytes_max

_HALF = [post(b"x" * 600, length=1_200)]


def test_bodies_that_arrive_count_together(start: Start, counter: Counter) -> None:
    server, port = start(counter, buffered_bytes_max=1_200)
    with Caller(port) as one, Caller(port) as two, Caller(port) as three:
        one.trickle(_HALF)
        two.trickle(_HALF)
        assert server.buffered_bytes == 1_200
        three.trickle([post(b"x", length=2)])
        assert_refused(three.answer(), 503, "buffered_bytes_max")
        assert three.ends()
        assert server.buffered_bytes == 1_200
        # What the last read of a body brings does not wait for anything: it is a request then.
        assert one.send(b"y" * 600).answer().body == b"1200"
        assert server.buffered_bytes == 600
        with Caller(port) as four:
            assert four.trickle(_HALF).send(b"y" * 600).answer().body == b"1200"
        assert two.send(b"y" * 600).answer().body == b"1200"
    assert server.buffered_bytes == 0


def test_a_body_in_pieces_is_counted_until_it_is_answered(start: Start, counter: Counter) -> None:
    server, port = start(counter)
    with Caller(port) as caller:
        caller.trickle([post(b"x" * 600, path=b"/wait", length=1_200), b"y" * 600])
        until("it runs", lambda: counter.began == 1)
        assert server.buffered_bytes == 600
        counter.go.set()
        assert caller.answer().body == b"1200"
        assert server.buffered_bytes == 0


@pytest.mark.parametrize("ending", ["left", "reset", "too_large", "malformed", "too_slow", "failed", "forwarded"])
def test_a_body_in_pieces_is_given_back_however_it_ends(start: Start, counter: Counter, ending: str) -> None:
    server, port = start(counter, body_bytes_max=2_000, body_timeout_s=0.3, trusted="127.0.0.1")
    with Caller(port) as caller:
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        if ending == "failed":
            caller.trickle([post(b"x" * 600, path=b"/fail", length=1_200)])
        elif ending == "forwarded":
            forwarded = post(b"x" * 600, length=1_200).replace(b"Host", b"X-Forwarded-Proto: gopher\r\nHost")
            caller.trickle([forwarded])
        else:
            caller.trickle([chunked, b"258\r\n" + b"x" * 600 + b"\r\n"])
        assert server.buffered_bytes == 600
        match ending:
            case "left":
                caller.close()
            case "reset":
                caller.reset()
            case "too_large":
                assert_refused(caller.send(b"579\r\n" + b"x" * 1_401).answer(), 413, "body_too_large")
            case "malformed":
                assert_refused(caller.send(b"no length\r\n").answer(), 400, "malformed")
            case "too_slow":
                assert_refused(caller.answer(), 408, "body_too_slow")
            case "failed":
                assert caller.send(b"y" * 600).answer().status == 500
            case "forwarded":
                assert caller.send(b"y" * 600).answer().status == 400
        until("it is given back", lambda: not server.buffered_bytes)
    until("the connection is closed", lambda: not server.connections)
    assert server.buffered_bytes == 0


def test_what_is_counted_at_the_end_of_the_server_is_given_back(start: Start, counter: Counter) -> None:
    server, port = start(counter)
    with Caller(port) as one, Caller(port) as two:
        one.trickle(_HALF)
        # Behind a request that is answered: not counted yet, then queued with what was counted.
        two.trickle([WAIT + _HALF[0]])
        assert server.buffered_bytes == 600
        server.stop()
        counter.go.set()
        until("the last request has ended", lambda: not server.in_flight)
        assert server.buffered_bytes == 0


# The head


def test_a_target(serve: Serve, counter: Counter) -> None:
    port = serve(counter, request_line_bytes_max=100)
    for length, status in ((100, 200), (101, 414)):
        request = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * (length - 1))
        for pieces in ([request], [request[:50], request[50:]]):
            with Caller(port) as caller:
                answer = caller.trickle(pieces).answer()
                assert answer.status == status
                assert answer.closes == (status != 200)


def test_the_number_of_fields(serve: Serve, counter: Counter) -> None:
    port = serve(counter, headers_max=5)
    for more, status in ((4, 200), (5, 431)):
        fields = b"".join(b"X-%d: y\r\n" % number for number in range(more))
        with Caller(port) as caller:
            answer = caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields).answer()
            assert answer.status == status
    # The same name again and again is as many fields.
    with Caller(port) as caller:
        answer = caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % (b"X: y\r\n" * 5)).answer()
        assert_refused(answer, 431, "head_too_large")


def test_the_bytes_of_all_fields(serve: Serve, counter: Counter) -> None:
    port = serve(counter, header_bytes_max=500)
    around = len(b"Host: a\r\nX: \r\n")
    for length, status in ((500 - around, 200), (501 - around, 431)):
        with Caller(port) as caller:
            request = b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"x" * length)
            assert caller.send(request).answer().status == status


@pytest.mark.parametrize("piece_bytes", [100, 1_000, 16_384])
@pytest.mark.parametrize(
    "begin", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: a\r\nX", b"GET / HTTP/1.1\r\nHost: a\r\nX: "]
)
def test_an_endless_piece_of_a_head_is_refused_early(
    serve: Serve, counter: Counter, begin: bytes, piece_bytes: int
) -> None:
    """Ten megabytes in small pieces: nothing of it is complete, so llhttp would never say how long it is."""
    port = serve(counter, request_line_bytes_max=1_000, header_bytes_max=4_000)
    with Caller(port) as caller:
        caller.send(begin)
        sent = 0
        while caller.is_silent():
            assert sent < 10_000_000
            caller.send(b"x" * piece_bytes)
            sent += piece_bytes
        # One read may hold as much as it holds.
        assert sent <= 5_000 + 2 * 16_384
        answer = caller.answer()
        assert answer.status == {b"": 400, b"GET /": 414}.get(begin, 431)
        assert answer.closes
        assert caller.ends()
    assert not counter.began


# The body


def chunked(*sizes: int) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in sizes)
    return b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunks


def test_the_length_of_a_body(serve: Serve, counter: Counter) -> None:
    port = serve(counter, body_bytes_max=1_000)
    for good in (post(b"x" * 1_000), chunked(1_000), chunked(*[100] * 10)):
        with Caller(port) as caller:
            assert caller.send(good).answer().body == b"1000"
    # Said in the head, it is refused before a byte of it has come.
    for bad in (post(b"", length=1_001), chunked(1_001), chunked(*[100] * 10, 1), post(b"", length=10**15)):
        with Caller(port) as caller:
            assert_refused(caller.send(bad).answer(), 413, "body_too_large")
            assert caller.ends()


def test_a_caller_that_goes_on_with_its_large_body_sees_why_it_is_not_wanted(serve: Serve, counter: Counter) -> None:
    port = serve(counter, body_bytes_max=1_000)
    with Caller(port) as caller:
        caller.send(post(b"x" * 4_000_000))
        assert_refused(caller.answer(), 413, "body_too_large")
        assert caller.ends()


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        # An extension, 20 bytes for each byte of the body; one without an end; trailers without an end.
        ([b"1;e=%b\r\nx\r\n" % (b"y" * 200)] * 500, 400),
        ([b"1;e="] + [b"y" * 1_000] * 100, 400),
        ([b"1\r\nx\r\n0\r\n"] + [b"T: %b\r\n" % (b"y" * 1_000)] * 100, 431),
        ([b"1\r\nx\r\n0\r\nT: "] + [b"y" * 1_000] * 100, 400),
        # Trailers in one read are complete before anybody looks.
        ([b"1\r\nx\r\n0\r\n" + b"T: %b\r\n" % (b"y" * 1_000) * 10 + b"\r\n"], 431),
    ],
    ids=["extensions", "an endless extension", "trailers", "an endless trailer", "trailers at once"],
)
def test_what_is_around_a_chunked_body(serve: Serve, counter: Counter, framing: list[bytes], status: int) -> None:
    with Caller(serve(counter, header_bytes_max=4_000)) as caller:
        sent = 0
        for piece in (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", *framing):
            if not caller.is_silent():
                break
            caller.send(piece)
            sent += len(piece)
        assert sent < 50_000
        answer = caller.answer()
        assert (answer.status, answer.closes) == (status, True)
    assert not counter.began


# access_log_ratio


@pytest.mark.parametrize(("ratio", "expected"), [(0.0, 0), (0.25, 3), (1.0, 12)])
def test_the_share_of_answers_that_are_told(serve: Serve, counter: Counter, ratio: float, expected: int) -> None:
    port = serve(counter, access_log_ratio=ratio)
    with Caller(port) as caller, told("http.answered") as answered:
        for _ in range(12):
            assert caller.send(b"GET /path?a=secret HTTP/1.1\r\nHost: a\r\n\r\n").answer().status == 200
        until("all are told", lambda: len(answered.events) >= expected)
    assert len(answered.events) == expected
    for event in answered.events:
        assert (event["method"], event["path"], event["outcome"]) == ("GET", "/path", "200")
        assert "secret" not in repr(event)
