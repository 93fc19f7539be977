"""The laws of one call, against real sockets."""

from __future__ import annotations

import re

import pytest

from gateway.domain.errors import CallFailed
from gateway.rpc import (
    BadAnswer,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    InvalidCall,
    RpcClient,
)
from tests.rpc.books import assert_nothing_left
from tests.rpc.hearing import Heard
from tests.rpc.peer import OK, Link, MakeClient, Serve, answering, once, reached, to

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_an_answer_comes_back_whole(serve: Serve, client: RpcClient) -> None:
    head = b"HTTP/1.1 201 Made\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n"
    server = serve(answering(head, b"a", b"bc"))
    result = client.call(to(server, method="POST", body=b"{}"))

    assert (result.status, result.body) == (201, b"abc")
    assert (result.header("X-A"), result.header("none")) == ("1, 2", None)
    assert result.headers == {"x-a": "1, 2", "content-length": "3"}
    assert 0 < result.duration_s < 5


def test_a_large_body_goes_out_and_comes_back(serve: Serve, client: RpcClient) -> None:
    def echo(link: Link) -> None:
        body = link.request().partition(b"\r\n\r\n")[2]
        link.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)

    body = bytes(range(256)) * 20_000
    result = client.call(to(serve(echo), method="POST", body=body))

    assert result.body == body


@pytest.mark.parametrize("status", [301, 302, 307, 404, 429, 500, 503])
def test_every_status_is_an_answer_and_no_redirect_is_followed(
    serve: Serve, client: RpcClient, status: int
) -> None:
    elsewhere = serve(answering(OK))
    head = f"HTTP/1.1 {status} X\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
    result = client.call(to(serve(answering(head.encode()))))

    assert result.status == status
    assert elsewhere.connections == 0


def test_a_connection_is_used_again(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(OK))
    reused = [client.call(to(server)).reused for _ in range(3)]

    assert (reused, server.connections) == ([False, True, True], 1)


def test_head_is_followed_by_another_answer_on_the_same_connection(serve: Serve, client: RpcClient) -> None:
    def script(link: Link) -> None:
        while request := link.request():
            link.send(OK.removesuffix(b"hi") if request.startswith(b"HEAD") else OK)

    server = serve(script)
    assert client.call(to(server, method="HEAD")).body == b""
    assert client.call(to(server)).body == b"hi"
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        OK + b"GARBAGE",
        OK + OK,
    ],
)
def test_a_connection_that_cannot_be_trusted_is_not_used_again(
    serve: Serve, client: RpcClient, answer: bytes
) -> None:
    """Closing, old, or with something behind its answer: the answer counts, the connection is destroyed."""
    server = serve(answering(answer))
    assert [client.call(to(server)).body for _ in range(2)] == [b"hi", b"hi"]
    assert server.connections == 2


def test_what_comes_after_an_answer_is_never_the_next_calls_answer(serve: Serve, client: RpcClient) -> None:
    """The second answer arrives while the connection lies idle: splitting must not reach another call."""

    def script(link: Link) -> None:
        link.request()
        link.send(OK)
        if link.number == 1:
            server.go_on.wait()
            link.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            server.reached.set()
        link.until_gone()

    server = serve(script)
    client.call(to(server))
    server.go_on.set()
    reached(server.reached)

    assert client.call(to(server)).body == b"hi"
    assert server.connections == 2


def test_an_unframed_body_ends_with_the_connection(serve: Serve, client: RpcClient) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\n\r\n", b"all", b" of it"))

    assert client.call(to(server)).body == b"all of it"


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (b"", (ConnectionLost, "closed_early", "maybe")),
        (b"HTTP/1.1 20", (BadAnswer, "truncated", "maybe")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", (BadAnswer, "truncated", "answered")),
        (CHUNKED + b"2\r\nhi\r\n", (BadAnswer, "truncated", "answered")),
        (b"SSH-2.0-x\r\n", (BadAnswer, "not_http", "maybe")),
        (CHUNKED + b"no\r\n", (BadAnswer, "not_http", "answered")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", (BadAnswer, "body_too_large", "answered")),
        (b"HTTP/1.1 200 OK\r\nX: " + 40_000 * b"a", (BadAnswer, "header_too_large", "maybe")),
    ],
)
def test_a_lying_server_is_a_typed_error_that_says_what_was_sent(
    serve: Serve, client: RpcClient, answer: bytes, ending: tuple[type[CallFailed], str, str]
) -> None:
    with pytest.raises(CallFailed) as caught:
        client.call(to(serve(once(answer)), method="POST"))

    assert (type(caught.value), caught.value.reason, caught.value.sent) == ending
    assert "0 busy, 0 idle" in repr(client)


def test_a_reset_inside_an_answer_is_a_bad_answer(serve: Serve, client: RpcClient) -> None:
    def script(link: Link) -> None:
        link.request()
        link.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")
        server.go_on.wait()
        link.reset()

    server = serve(script)
    with client.stream(to(server)) as response:
        pieces = iter(response)
        assert next(pieces) == b"hi"
        server.go_on.set()
        with pytest.raises(BadAnswer) as caught:
            next(pieces)

    assert (caught.value.reason, caught.value.sent) == ("reset", "answered")


def test_an_endless_body_ends_at_its_bound(serve: Serve, client: RpcClient) -> None:
    def endless(link: Link) -> None:
        link.request()
        link.send(CHUNKED)
        while True:
            link.send(b"1000\r\n" + 4096 * b"a" + b"\r\n")

    with pytest.raises(BadAnswer, match="body_bytes_max") as caught:
        client.call(to(serve(endless), body_bytes_max=100_000))
    assert caught.value.reason == "body_too_large"


def test_an_answer_given_before_the_body_was_read_is_not_lost(serve: Serve, client: RpcClient) -> None:
    """A server refuses a large body (413) and closes; writing fails, and the answer is there all the same."""

    def refuse(link: Link) -> None:
        link.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    result = client.call(to(serve(refuse), method="POST", body=bytes(8_000_000)))

    assert result.status == 413
    assert "0 busy, 0 idle" in repr(client)


def test_nobody_listening_was_never_sent(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(OK))
    server.stop()

    with pytest.raises(ConnectFailed) as caught:
        client.call(to(server))
    assert (caught.value.reason, caught.value.sent, caught.value.status) == ("refused", "never", 502)


def test_an_unknown_host_was_never_sent(client: RpcClient) -> None:
    with pytest.raises(ConnectFailed) as caught:
        client.call(to("http://no-such-host.invalid"))
    assert (caught.value.reason, caught.value.sent) == ("unknown_host", "never")


def test_an_expired_deadline_sends_nothing(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(OK))

    with pytest.raises(CallTimeout) as caught:
        client.call(to(server, within_s=-1))
    assert (caught.value.reason, caught.value.sent, server.connections) == ("deadline", "never", 0)


def test_an_invalid_call_opens_nothing_and_blames_nobody(serve: Serve, make_client: MakeClient) -> None:
    server, client = serve(answering(OK)), make_client(breaker_calls_min=1)
    with pytest.raises(InvalidCall):
        client.call(to(server, headers={"X": "a\r\nb"}))

    assert server.connections == 0
    assert client.call(to(server)).status == 200


def test_idle_connections_are_closed_without_traffic(serve: Serve, make_client: MakeClient) -> None:
    server, client = serve(answering(OK)), make_client(idle_max_s=0.05)
    client.call(to(server))

    assert server.ended.get(timeout=5) == 1
    assert "0 idle" in repr(client)


def test_a_deadline_that_has_passed_is_no_call(serve: Serve, client: RpcClient, heard: Heard) -> None:
    server = serve(answering(OK))
    for within_s in (0.0, -1.0):
        with pytest.raises(CallTimeout), client.stream(to(server, within_s=within_s)):
            pass

    assert heard == 2 * [("rpc.refused", {"endpoint": "peer", "reason": "deadline"})]
    assert (server.connections, client.breakers()["peer"].calls) == (0, 0)
    assert_nothing_left(client)


def test_each_attempt_says_what_time_is_left(serve: Serve, make_client: MakeClient) -> None:
    told: list[int] = []

    def script(link: Link) -> None:
        while request := link.request():
            found = re.search(rb"\r\nX-Left-Ms: (\d+)\r\n", request)
            told.append(int(found[1]) if found else -1)
            link.send(OK if len(told) > 1 else b"HTTP/1.1 503 X\r\nRetry-After: 0.05\r\nContent-Length: 0\r\n\r\n")

    client = make_client(retries_max=1)
    client.call(to(serve(script), within_s=5.0, deadline_header="X-Left-Ms", deadline_margin_s=2.0))

    assert 1_000 < told[0] <= 3_000
    assert told[1] <= told[0] - 50


def test_a_margin_that_leaves_nothing_is_told_as_nothing(serve: Serve, client: RpcClient) -> None:
    requests: list[bytes] = []
    server = serve(lambda link: (requests.append(link.request()), link.send(OK)))
    client.call(to(server, within_s=5.0, deadline_header="X-Left-Ms", deadline_margin_s=9.0))

    assert b"\r\nX-Left-Ms: 0\r\n" in requests[0]


def redirecting(link: Link) -> None:
    """Leads from ``/api/3`` over ``/2`` and ``/1`` to ``/0``, from ``/api/away`` to another host."""
    while request := link.request():
        method, _, rest = request.partition(b" ")
        path = rest.split(b" ")[0].removeprefix(b"/api/")
        if path == b"0":
            link.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Method: %b\r\n\r\n" % method)
            if method == b"GET":
                link.send(b"hi")
        else:
            where = b"http://127.0.0.2/api/0" if path == b"away" else b"/api/%d" % (int(path) - 1)
            link.send(b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % where)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_call_that_allows_it_is_redirected_within_its_origin(
    serve: Serve, client: RpcClient, method: str, heard: Heard
) -> None:
    """A redirect is no repetition: nothing is paid for it, and no retry is needed."""
    server = serve(redirecting)
    result = client.call(to(f"{server.url}/api", path="/3", method=method, redirects_max=3))

    assert (result.status, result.header("x-method")) == (200, method)
    assert heard.values("rpc.call", "status") == [302, 302, 302, 200]
    assert server.connections == 1
    with client.stream(to(f"{server.url}/api", path="/1", redirects_max=1)) as response:
        assert (response.status, b"".join(response)) == (200, b"hi")
    assert_nothing_left(client)


def test_what_a_redirect_led_to_may_be_retried_as_often_as_any_call(serve: Serve, make_client: MakeClient) -> None:
    answers = [
        b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: /there\r\n\r\n",
        b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        OK,
    ]
    paths: list[bytes] = []

    def script(link: Link) -> None:
        while request := link.request():
            link.send(answers[len(paths)])
            paths.append(request.split(b" ")[1])

    client = make_client(retries_max=1)

    assert client.call(to(serve(script), path="/here", idempotent=True, redirects_max=1)).status == 200
    assert paths == [b"/here", b"/there", b"/there"]


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"path": "/3", "redirects_max": 2}, []),
        ({"path": "/1", "method": "POST", "redirects_max": 5}, ["method"]),
        ({"path": "/away", "redirects_max": 5}, ["other_origin"]),
    ],
)
def test_a_redirect_that_is_not_followed_is_the_answer(
    serve: Serve, client: RpcClient, heard: Heard, changes: dict[str, object], reasons: list[str]
) -> None:
    server = serve(redirecting)
    result = client.call(to(f"{server.url}/api", **changes))

    assert (result.status, result.header("location") is None) == (302, False)
    assert heard.values("rpc.not_redirected", "reason") == reasons
    assert_nothing_left(client)
