"""When a call is made again: what is safe, not sooner than it was told to, within the budget, and told."""

from __future__ import annotations

import time

import gevent
import pytest

from gateway.domain.errors import CallFailed
from gateway.domain.resilience.budget import RetryBudget
from gateway.domain.resilience.retry import RetryRules
from gateway.rpc import (
    BadAnswer,
    CallRefused,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    InvalidCall,
)
from gateway.rpc.retries import Retries, Tries
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.settings.rpc import RpcSettings
from tests.rpc.books import assert_nothing_left, under_way
from tests.rpc.hearing import Heard
from tests.rpc.peer import GUARD_S, OK, Link, MakeClient, Script, Serve, Server, answering, reached, to
from tests.rpc.stage import fleet

BROKEN_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"


def status(code: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code} X", *headers, "Content-Length: 0", "", ""]).encode()


def in_turn(*answers: bytes) -> Script:
    """Return a script that gives the server's connections one answer each, whichever request they bring."""

    def script(link: Link) -> None:
        link.request()
        link.send(answers[link.number - 1])

    return script


def lowest() -> float:
    """The draw of the first endpoint, and of no jitter."""
    return 0.0


# What may be tried again


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_was_never_sent_is_sent_to_another_endpoint_whatever_it_is(
    serve: Serve, make_client: MakeClient, heard: Heard, method: str
) -> None:
    dead, well = serve(answering(OK)), serve(answering(OK))
    dead.stop()
    client = make_client(retries_max=1, draw=lowest)
    result = client.call(to(dead, service=fleet(dead, well), method=method))

    assert (result.status, well.connections) == (200, 1)
    retried = {"service": "peer", "reason": "refused", "allowed": "never_sent", "pause_s": 0.0}
    assert heard.of("rpc.retried") == [retried], "there is another endpoint: no pause"


def test_what_was_never_sent_is_sent_again_to_the_only_endpoint_after_a_pause(
    make_client: MakeClient, heard: Heard, deaf_port: int
) -> None:
    client = make_client(retries_max=2, connect_timeout_s=0.01, draw=lambda: 0.5)
    with pytest.raises(ConnectFailed):
        client.call(to(f"http://127.0.0.1:{deaf_port}", method="POST"))

    assert heard.values("rpc.call", "outcome") == ["connect_timeout"] * 3
    assert heard.values("rpc.retried", "pause_s") == [0.0125, 0.025], "half of a bound that doubles"
    assert heard.values("rpc.not_retried", "refused") == ["retries_max"]


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pushback_is_obeyed_and_never_too_soon(
    serve: Serve, make_client: MakeClient, heard: Heard, method: str, code: int
) -> None:
    """Whoever says when to come back has not acted on it: any method may be sent again, then."""
    times: list[float] = []

    def script(link: Link) -> None:
        while link.request():
            times.append(time.monotonic())
            link.send(OK if len(times) > 1 else status(code, "Retry-After: 0.06"))

    client = make_client(retries_max=1)
    assert client.call(to(serve(script), method=method)).status == 200

    assert times[1] - times[0] >= 0.06
    assert heard.of("rpc.retried")[0].items() >= {"reason": f"http_{code}", "allowed": "pushback"}.items()


@pytest.mark.parametrize(
    ("said", "within_s", "refused"),
    [
        ("6", 100.0, "pushback_too_long"),
        ("Fri, 31 Dec 2300 23:59:59 GMT", 100.0, "pushback_too_long"),
        ("4", 2.0, "deadline"),
    ],
)
def test_pushback_that_nobody_waits_for_is_the_callers_answer(
    serve: Serve, make_client: MakeClient, heard: Heard, said: str, within_s: float, refused: str
) -> None:
    server, client = serve(answering(status(503, f"Retry-After: {said}"))), make_client(retries_max=2)
    result = client.call(to(server, within_s=within_s, idempotent=True))

    assert (result.status, result.header("retry-after")) == (503, said)
    assert heard.of("rpc.not_retried") == [{"service": "peer", "reason": "http_503", "refused": refused}]
    assert_nothing_left(client)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_failing_answer_is_asked_for_again_only_if_that_changes_nothing(
    serve: Serve, make_client: MakeClient, heard: Heard, code: int
) -> None:
    client = make_client(retries_max=1, draw=lowest)
    once_more = serve(in_turn(status(code), OK))
    assert client.call(to(once_more, method="POST", idempotent=True)).status == 200
    assert client.call(to(serve(in_turn(status(code), OK)), method="POST")).status == code

    assert heard.values("rpc.retried", "allowed") == ["status"]
    assert heard.values("rpc.not_retried", "refused") == ["not_idempotent"]


@pytest.mark.parametrize("code", [400, 404, 429, 501])
def test_other_answers_stand(serve: Serve, make_client: MakeClient, code: int) -> None:
    server, client = serve(answering(status(code))), make_client(retries_max=2)

    assert client.call(to(server, idempotent=True)).status == code
    assert server.connections == 1


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 20", BROKEN_OFF], ids=["none", "head", "body"])
def test_an_answer_that_never_came_or_broke_off_is_asked_for_again_if_that_changes_nothing(
    serve: Serve, make_client: MakeClient, broken: bytes
) -> None:
    client = make_client(retries_max=1, draw=lowest)
    assert client.call(to(serve(in_turn(broken, OK)), idempotent=True)).body == b"hi"

    server = serve(in_turn(broken, OK))
    with pytest.raises((BadAnswer, ConnectionLost)):
        client.call(to(server))
    assert server.connections == 1
    assert_nothing_left(client)


def test_a_stream_is_opened_again_but_never_after_its_head_was_handed_over(
    serve: Serve, make_client: MakeClient
) -> None:
    server, client = serve(in_turn(b"", BROKEN_OFF, OK)), make_client(retries_max=2, draw=lowest)
    with client.stream(to(server, idempotent=True)) as response:
        pieces = iter(response)
        assert next(pieces) == b"hi"
        with pytest.raises(BadAnswer):
            next(pieces)

    assert server.connections == 2
    assert_nothing_left(client)


def test_what_ended_at_the_callers_deadline_is_over(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    server, client = serve(lambda link: link.until_gone()), make_client(retries_max=2)
    with pytest.raises(CallTimeout) as caught:
        client.call(to(server, within_s=0.05, idempotent=True))

    assert (caught.value.by_deadline, server.connections) == (True, 1)
    assert not heard.of("rpc.retried")


def test_a_deadline_that_a_timer_took_for_passed_is_over_all_the_same() -> None:
    """Timers may ring a little early, and nothing is left that would be worth an attempt."""
    retries = Retries("peer", RetryRules(), RetryBudget(), draw=lowest)
    call, tries = to("http://peer", within_s=10.0, idempotent=True), Tries()
    budget = Budget(Timeouts.of(RpcSettings()), call.deadline, time.monotonic)
    early = CallTimeout("", reason="deadline", sent="maybe", waited_s=9.99)
    assert retries.after_error(early, call, tries, budget, True) is None

    ours = CallTimeout("", reason="idle_timeout", sent="maybe", waited_s=9.99)
    assert retries.after_error(ours, call, tries, budget, True) == 0.0


def test_a_step_that_took_too_long_is_tried_again_if_that_changes_nothing(
    serve: Serve, make_client: MakeClient
) -> None:
    def script(link: Link) -> None:
        link.request()
        if link.number == 1:
            link.until_gone()
        link.send(OK)

    client = make_client(retries_max=1, first_byte_timeout_s=0.05, draw=lowest)

    assert client.call(to(serve(script), idempotent=True)).status == 200


def test_an_invalid_call_is_not_tried_again(serve: Serve, make_client: MakeClient, heard: Heard) -> None:
    server, other = serve(answering(OK)), serve(answering(OK))
    client = make_client(retries_max=2)
    with pytest.raises(InvalidCall):
        client.call(to(server, service=fleet(server, other), headers={"X": "a\nb"}, idempotent=True))

    assert [name for name, _ in heard] == ["rpc.refused"]
    assert_nothing_left(client)


# What was refused here


def holding(link: Link, server: Server) -> None:
    """Keep the first call until the test says so; answer the others at once."""
    while link.request():
        if not server.reached.is_set():
            server.reached.set()
            server.go_on.wait()
        link.send(OK)


def test_what_is_refused_here_is_tried_at_another_endpoint_at_once(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    """Both have one slot, and the line of the first is too slow: the other has come free meanwhile.

    It costs no retry: it has reached nobody.
    """
    one = serve(lambda link: holding(link, one))
    other = serve(lambda link: holding(link, other))
    client = make_client(
        retries_max=2,
        connections_max=1,
        waiters_max=1,
        pool_wait_s=0.05,
        retry_ratio=0.0,
        retry_per_s=0.0,
        draw=lowest,
    )
    service = fleet(one, other)
    holders = [gevent.spawn(client.call, to(one, service=service))]
    reached(one.reached)
    holders.append(gevent.spawn(client.call, to(one, service=service)))
    reached(other.reached)
    call = gevent.spawn(client.call, to(one, service=service, method="POST"))
    gevent.idle()
    assert under_way(client)["waiting of"] == 1
    other.go_on.set()
    holders[1].get(timeout=GUARD_S)

    assert call.get(timeout=GUARD_S).status == 200
    assert heard.of("rpc.retried") == [
        {"service": "peer", "reason": "pool_wait", "allowed": "refused_here", "pause_s": 0.0}
    ]
    one.go_on.set()
    gevent.joinall(holders, timeout=GUARD_S, raise_error=True)
    assert_nothing_left(client)


def test_what_is_refused_here_is_not_tried_again_at_the_same_endpoint(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    server = serve(lambda link: holding(link, server))
    client = make_client(retries_max=2, connections_max=1, pool_wait_s=0.001)
    holder = gevent.spawn(client.call, to(server))
    reached(server.reached)
    with pytest.raises(CallRefused) as caught:
        client.call(to(server, idempotent=True))
    server.go_on.set()

    assert caught.value.reason == "pool_wait"
    assert heard.of("rpc.not_retried") == [
        {"service": "peer", "reason": "pool_wait", "refused": "no_other_member"}
    ]
    holder.get(timeout=GUARD_S)


# How often


def test_no_call_is_made_more_often_than_the_settings_allow(serve: Serve, make_client: MakeClient) -> None:
    client = make_client(retries_max=3, retry_base_s=0.001)
    requests: list[int] = []

    def script(link: Link) -> None:
        while link.request():
            requests.append(link.number)
            link.send(status(500))

    server = serve(script)
    assert client.call(to(server, idempotent=True)).status == 500
    assert len(requests) == 4

    assert client.call(to(server, idempotent=True, retries_max=1)).status == 500
    assert len(requests) == 4 + 2, "a call may want fewer"


def test_an_outage_sees_no_more_attempts_than_the_budget_pays_for(
    make_client: MakeClient, heard: Heard
) -> None:
    """Nobody listens.  A fifth of the calls, ten a second, and the first second's ten in advance."""
    client = make_client(
        retries_max=10,
        retry_base_s=0.001,
        retry_max_s=0.001,
        breaker_connect_failures_max=1_000_000,
        breaker_calls_min=1_000_000,
    )
    calls, began_at = 300, time.monotonic()
    for _ in range(calls):
        with pytest.raises(ConnectFailed):
            client.call(to("http://127.0.0.1:1"))

    elapsed_s = time.monotonic() - began_at
    attempts = len(heard.of("rpc.call"))
    assert calls + 50 <= attempts <= 1.2 * calls + 10 * (1 + elapsed_s)
    assert heard.values("rpc.not_retried", "refused").count("budget") > calls / 2


# What a pause holds, and what is told of the whole


def pausing(link: Link) -> None:
    while link.request():
        link.send(status(503, "Retry-After: 4"))


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "not connected"])
def test_a_call_that_pauses_holds_nothing_and_leaves_nothing_when_it_is_killed(
    serve: Serve, make_client: MakeClient, heard: Heard, answered: bool, stream: bool
) -> None:
    """Four seconds of a slot and a connection would be somebody else's call."""
    client = make_client(retries_max=1, retry_base_s=4.0, retry_max_s=4.0, draw=lambda: 0.99)
    server = serve(pausing)
    if not answered:
        server.stop()

    def make() -> None:
        if stream:
            with client.stream(to(server)):
                pass
        else:
            client.call(to(server))

    call = gevent.spawn(make)
    heard.wait_for("rpc.retried")
    gevent.idle()
    assert under_way(client) == {"calls,": 1}
    call.kill(timeout=GUARD_S)

    assert not under_way(client)


@pytest.mark.parametrize(
    ("first", "sent"),
    [
        (b"", "maybe"),
        (BROKEN_OFF, "answered"),
        (status(500), "answered"),
        (status(503, "Retry-After: 0"), "never"),
    ],
)
def test_what_an_earlier_attempt_may_have_done_is_not_forgotten(
    serve: Serve, make_client: MakeClient, first: bytes, sent: str
) -> None:
    """The last attempt finds nobody, and was never sent.  The call as a whole was: its sender may not deny it."""

    def script(link: Link) -> None:
        link.request()
        server.stop()
        link.send(first)

    server, client = serve(script), make_client(retries_max=1, draw=lowest)
    with pytest.raises(CallFailed) as caught:
        client.call(to(server, idempotent=True))

    assert (type(caught.value), caught.value.sent) == (ConnectFailed, sent)
