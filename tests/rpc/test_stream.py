"""The laws of streaming: bytes are passed on as they come, and a stream left early leaves nothing behind."""

from __future__ import annotations

import gevent
import pytest

from gateway.rpc import BadAnswer, CallTimeout, RpcClient
from tests.rpc.peer import OK, Link, MakeClient, Serve, answering, once, to
from tests.support.waiting import until

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_each_piece_is_passed_on_before_the_next_one_is_sent(serve: Serve, client: RpcClient) -> None:
    """The server sends the next piece only when the test has seen the last one: buffering would deadlock."""

    def script(link: Link) -> None:
        link.request()
        link.send(CHUNKED)
        for letter in b"abc":
            link.send(b"1\r\n%c\r\n" % letter)
            assert server.go_on.wait(5)
            server.go_on.clear()
        link.send(b"0\r\n\r\n")

    server, pieces = serve(script), []
    with client.stream(to(server)) as response:
        assert (response.status, response.header("content-type")) == (200, "text/event-stream")
        for data in response:
            pieces.append(data)
            server.go_on.set()

    assert pieces == [b"a", b"b", b"c"]


def test_an_empty_body_is_no_pieces(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(b"HTTP/1.1 204 No Content\r\n\r\n"))
    with client.stream(to(server)) as response:
        assert list(response) == []


def test_a_stream_read_to_its_end_gives_its_connection_back(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(CHUNKED, b"2\r\nhi\r\n", b"0\r\n\r\n"))
    for _ in range(2):
        with client.stream(to(server)) as response:
            assert b"".join(response) == b"hi"
            assert "0 busy, 1 idle" in repr(client), "already when its last byte was read"

    assert server.connections == 1


def test_a_short_answer_need_not_be_read(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(OK))
    for _ in range(2):
        with client.stream(to(server)) as response:
            assert response.status == 200

    assert server.connections == 1


def test_a_stream_left_a_moment_before_its_end_keeps_its_connection(serve: Serve, client: RpcClient) -> None:
    """An event says that the reply is whole; the last chunk comes behind it."""

    def script(link: Link) -> None:
        while link.request():
            link.send(CHUNKED, b"2\r\nhi\r\n")
            server.go_on.wait()
            link.send(b"0\r\n\r\n")

    server = serve(script)
    for _ in range(3):
        with client.stream(to(server)) as response:
            assert next(iter(response)) == b"hi"
        server.go_on.set()
        until("it is idle", lambda: "0 busy, 1 idle" in repr(client))
        server.go_on.clear()

    assert server.connections == 1


def test_a_stream_left_early_is_destroyed(serve: Serve, client: RpcClient) -> None:
    def endless(link: Link) -> None:
        link.request()
        link.send(CHUNKED)
        while True:
            link.send(1_000 * b"2\r\nhi\r\n")

    server = serve(endless)
    with client.stream(to(server)) as response:
        next(iter(response))

    assert server.ended.get(timeout=5) == 1
    until("nothing is left", lambda: repr(client).count("0 in flight") == repr(client).count("0 busy, 0 idle") == 1)


def test_an_error_of_the_reader_destroys_the_stream_and_passes_on(serve: Serve, client: RpcClient) -> None:
    server = serve(once(CHUNKED, b"2\r\nhi\r\n"))
    with pytest.raises(KeyError), client.stream(to(server)) as response:
        raise KeyError(response.status)

    assert "0 busy, 0 idle" in repr(client)


def test_a_stream_that_breaks_off_is_an_error_after_its_pieces(serve: Serve, client: RpcClient) -> None:
    server = serve(once(CHUNKED, b"2\r\nhi\r\n"))
    with client.stream(to(server)) as response:
        pieces = iter(response)
        assert next(pieces) == b"hi"
        with pytest.raises(BadAnswer) as caught:
            next(pieces)

    assert (caught.value.reason, caught.value.sent) == ("truncated", "answered")
    assert "0 busy, 0 idle" in repr(client)


def test_a_stream_that_timed_out_is_over_even_if_its_reader_goes_on(serve: Serve, client: RpcClient) -> None:
    """Caught inside the block, a ``gevent.Timeout`` must not leave a connection that still owes an answer."""
    server = serve(lambda link: (link.request(), link.send(CHUNKED, b"2\r\nhi\r\n"), link.until_gone()))
    with client.stream(to(server)) as response:
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
            b"".join(response)
        assert "0 busy, 0 idle" in repr(client)
        assert list(response) == []

    assert client.breakers()[to(server).service.name].failed == 0


def test_a_stream_is_bounded_in_size(serve: Serve, client: RpcClient) -> None:
    def endless(link: Link) -> None:
        link.request()
        link.send(CHUNKED)
        while True:
            link.send(b"400\r\n" + 1024 * b"a" + b"\r\n")

    seen = [0]

    def read() -> None:
        with client.stream(to(serve(endless), body_bytes_max=500_000)) as response:
            for data in response:
                seen[0] += len(data)

    with pytest.raises(BadAnswer, match="body_bytes_max"):
        read()
    assert 400_000 < seen[0] <= 500_000


def test_a_stream_is_bounded_in_time_however_lively(serve: Serve, make_client: MakeClient) -> None:
    def endless(link: Link) -> None:
        link.request()
        link.send(CHUNKED)
        while True:
            link.send(1_000 * b"1\r\na\r\n")

    client = make_client(total_timeout_s=0.1)
    with client.stream(to(serve(endless))) as response, pytest.raises(CallTimeout) as caught:
        for _ in response:
            pass

    assert (caught.value.reason, caught.value.sent) == ("total_timeout", "answered")


def test_a_slow_reader_slows_its_server_and_reads_nothing_ahead(serve: Serve, client: RpcClient) -> None:
    """The server's writes block while nobody reads: what waits is in the kernel's buffers, not in ours."""
    sent = [0]

    def endless(link: Link) -> None:
        link.request()
        link.send(CHUNKED)
        while True:
            link.send(b"10000\r\n" + 65_536 * b"a" + b"\r\n")
            sent[0] += 65_536
            server.reached.set()

    server = serve(endless)
    with client.stream(to(server, body_bytes_max=10**9)) as response:
        next(iter(response))
        before = -1
        while sent[0] != before:
            before = sent[0]
            server.reached.clear()
            server.reached.wait(0.05)

    assert sent[0] < 50_000_000
