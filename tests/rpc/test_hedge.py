"""The laws of hedging: a late call is made twice, its first good answer counts, and the loser leaves nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import gevent
import pytest

from gateway.domain.resilience.health import Event
from gateway.rpc import BadAnswer, ConnectFailed, Policy, RpcClient, Service
from tests.rpc.books import assert_nothing_left, under_way
from tests.rpc.hearing import Heard
from tests.rpc.peer import GUARD_S, OK, Link, MakeClient, Serve
from tests.rpc.stage import Asked, Stage

SECOND_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n2nd"
FAILING = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"
NO_HTTP = b"SSH-2.0-x\r\n"
TOO_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"


@pytest.fixture
def stage(serve: Serve) -> Stage:
    return Stage(serve)


@pytest.fixture
def client(make_client: MakeClient, stage: Stage) -> RpcClient:
    """A client that knows what is late, and may hedge every call."""
    client = make_client(hedge_ratio=1.0)
    stage.warm(client)
    return client


def start(client: RpcClient, stage: Stage, **changes: Any) -> tuple[Any, Asked, Asked]:
    """Return a call under way, and its two attempts in their order."""
    call = gevent.spawn(client.call, stage.call(**changes))
    return call, stage.next(), stage.next()


def body_of(call: Any) -> bytes:
    body: bytes = call.get(timeout=GUARD_S).body
    return body


# Who wins


def test_a_late_call_is_made_again_elsewhere_and_its_first_attempt_is_cancelled(
    client: RpcClient, stage: Stage, heard: Heard
) -> None:
    call, first, second = start(client, stage)
    assert first.copy != second.copy
    second.link.send(SECOND_OK)

    assert body_of(call) == b"2nd"
    assert stage.hung_up(first.link), "its server is told"
    assert heard.values("rpc.hedged", "outcome") == ["won"]
    assert heard.values("rpc.call", "outcome") == ["cancelled", "answered"]
    assert {view.failed for view in client.breakers().values()} == {0}, "to have lost says nothing"
    assert_nothing_left(client)


def test_the_first_attempt_wins_if_it_is_answered_first_and_the_second_is_cancelled(
    client: RpcClient, stage: Stage, heard: Heard
) -> None:
    call, first, second = start(client, stage)
    first.link.send(OK)

    assert body_of(call) == b"hi"
    assert stage.hung_up(second.link)
    assert heard.values("rpc.hedged", "outcome") == ["lost"]
    assert_nothing_left(client)


def test_the_only_endpoint_is_asked_again_over_another_connection(
    serve: Serve, make_client: MakeClient
) -> None:
    stage, client = Stage(serve, copies=1), make_client(hedge_ratio=1.0)
    stage.warm(client)
    call, first, second = start(client, stage)
    second.link.send(SECOND_OK)

    assert (body_of(call), first.link is second.link) == (b"2nd", False)


def test_a_caller_that_is_no_greenlet_of_gevents_is_beaten_as_well(client: RpcClient, stage: Stage) -> None:
    """The main one."""

    def answer_second() -> None:
        stage.next()
        stage.next().link.send(SECOND_OK)

    answering = gevent.spawn(answer_second)
    assert client.call(stage.call()).body == b"2nd"
    answering.get(timeout=GUARD_S)
    assert_nothing_left(client)


@pytest.mark.parametrize("bad", [FAILING, BUSY, NO_HTTP], ids=["500", "429", "no HTTP"])
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_bad_answer_wins_nothing(
    client: RpcClient, stage: Stage, heard: Heard, which: str, bad: bytes
) -> None:
    call, first, second = start(client, stage)
    loser, winner = (first, second) if which == "first" else (second, first)
    loser.link.send(bad)
    if bad is NO_HTTP or which == "second":
        heard.wait_for("rpc.call")  # the bad one has ended; a first one that was answered is kept
    gevent.idle()
    assert not call.ready(), "there is another one"
    winner.link.send(SECOND_OK)

    assert body_of(call) == b"2nd"
    assert heard.values("rpc.hedged", "outcome") == ["won" if which == "first" else "lost"]
    assert_nothing_left(client)


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_if_both_fail_it_is_the_first_ones_error(
    client: RpcClient, stage: Stage, heard: Heard, first_ends_first: bool
) -> None:
    call, first, second = start(client, stage)
    for attempt in (first, second) if first_ends_first else (second, first):
        attempt.link.send(NO_HTTP if attempt is first else TOO_LARGE)
        gevent.idle()

    with pytest.raises(BadAnswer) as caught:
        call.get(timeout=GUARD_S)
    assert caught.value.reason == "not_http"
    assert heard.values("rpc.hedged", "outcome") == ["lost"]
    assert_nothing_left(client)


def test_if_both_answer_badly_it_is_the_first_ones_answer(client: RpcClient, stage: Stage) -> None:
    call, first, second = start(client, stage)
    first.link.send(FAILING)
    gevent.idle()
    second.link.send(BUSY)

    assert call.get(timeout=GUARD_S).status == 500
    assert_nothing_left(client)


def test_a_call_whose_second_attempt_was_sent_was_sent(
    serve: Serve, make_client: MakeClient, deaf_port: int
) -> None:
    """The first finds no connection.  Whoever made the call may not say that nothing was sent."""
    stage, client = (
        Stage(serve, copies=1),
        make_client(hedge_ratio=1.0, connect_timeout_s=0.1, draw=lambda: 0.0),
    )
    url = stage.servers[0].url
    service = Service("peer", (url, f"http://127.0.0.1:{deaf_port}"), Policy(hedge=True))
    label, deaf = f"peer@{url.removeprefix('http://')}", f"peer@127.0.0.1:{deaf_port}"
    client.command(deaf, Event.FORCE_OPEN)  # else a call would find out about it
    stage.warm(client, service=service)
    client.command(deaf, Event.RESET)
    client.command(label, Event.FORCE_OPEN)
    call = gevent.spawn(client.call, stage.call(service=service))
    # Runs as soon as the call waits for its connection: before it is late.
    gevent.spawn(client.command, label, Event.RESET)
    stage.next().link.send(NO_HTTP)

    with pytest.raises(ConnectFailed) as caught:
        call.get(timeout=GUARD_S)
    assert caught.value.sent == "maybe"
    assert_nothing_left(client)


# Who is hedged


@pytest.mark.parametrize(
    ("warmed", "changes"),
    [(50, {"idempotent": False}), (50, {"policy": False}), (49, {})],
    ids=["not idempotent", "not allowed", "too little is known"],
)
def test_who_is_not_hedged(
    make_client: MakeClient, stage: Stage, heard: Heard, warmed: int, changes: dict[str, Any]
) -> None:
    """By the time that a call which began later was made a second time, this one was not."""
    client = make_client(hedge_ratio=1.0)
    plain = stage.service("plain", hedge=changes.pop("policy", True))
    stage.warm(client, warmed, service=plain)
    stage.warm(client)
    call = gevent.spawn(client.call, stage.call("/plain", service=plain, **changes))
    asked = [stage.next()]
    other = gevent.spawn(client.call, stage.call("/late"))
    asked += [stage.next(), stage.next()]
    for each in asked:
        each.link.send(OK)

    assert [each.path for each in asked] == ["/plain", "/late", "/late"]
    gevent.joinall([call, other], timeout=GUARD_S, raise_error=True)
    assert stage.asked.empty()
    assert [fields["service"] for fields in heard.of("rpc.hedged")] == ["peer"]


@pytest.mark.parametrize(
    "setting", [{"hedge_ratio": 0.0}, {"hedge_ratio": 1.0, "retry_ratio": 0.0, "retry_per_s": 0.0}]
)
def test_nobody_is_hedged_whom_the_budget_does_not_pay_for(
    make_client: MakeClient, stage: Stage, heard: Heard, setting: dict[str, float]
) -> None:
    client = make_client(**setting)
    stage.warm(client)
    call = gevent.spawn(client.call, stage.call())
    heard.wait_for("rpc.hedged", outcome="budget")
    stage.next().link.send(OK)

    assert body_of(call) == b"hi"
    assert stage.asked.empty()


def test_no_more_calls_are_hedged_than_their_share(
    make_client: MakeClient, stage: Stage, heard: Heard
) -> None:
    """A twentieth: of 51 calls two, and the third when there are 60."""
    client, refused = make_client(), 0
    stage.warm(client)
    for number in range(51, 61):
        call = gevent.spawn(client.call, stage.call())
        first = stage.next()
        if number in {51, 52, 60}:
            stage.next()
        else:
            refused += 1
            heard.wait_for("rpc.hedged", times=refused, outcome="budget")
        first.link.send(OK)
        call.get(timeout=GUARD_S)

    assert stage.asked.empty()


def test_nobody_is_hedged_while_calls_wait_in_line(
    make_client: MakeClient, stage: Stage, heard: Heard
) -> None:
    client = make_client(hedge_ratio=1.0, connections_max=1, pool_wait_s=GUARD_S)
    stage.warm(client)
    holders = [gevent.spawn(client.call, stage.call("/held", idempotent=False)) for _ in range(2)]
    held = [stage.next(), stage.next()]
    call = gevent.spawn(client.call, stage.call())
    heard.wait_for("rpc.hedged", outcome="crowded")
    for each in held:
        each.link.send(OK)
    stage.next().link.send(OK)

    gevent.joinall([call, *holders], timeout=GUARD_S, raise_error=True)
    assert stage.asked.empty()
    assert_nothing_left(client)


# What is left behind: nothing


def kill(call: Any) -> None:
    call.kill(timeout=GUARD_S)


def test_a_call_killed_with_two_attempts_under_way_leaves_nothing(
    client: RpcClient, stage: Stage, heard: Heard
) -> None:
    call, first, second = start(client, stage)
    assert under_way(client) == {"calls,": 1, "in flight": 2, "busy": 2}
    kill(call)

    assert stage.hung_up(first.link)
    assert stage.hung_up(second.link)
    assert heard.values("rpc.hedged", "outcome") == ["lost"], "nobody won"
    assert_nothing_left(client)


@pytest.mark.parametrize("bad", [FAILING, NO_HTTP], ids=["answered badly", "failed"])
def test_a_call_killed_while_only_its_second_attempt_runs_leaves_nothing(
    client: RpcClient, stage: Stage, bad: bytes
) -> None:
    call, first, second = start(client, stage)
    first.link.send(bad)
    gevent.idle()
    kill(call)

    assert stage.hung_up(second.link)
    assert_nothing_left(client)


@pytest.mark.parametrize("killed", ["before", "after", "no"])
@pytest.mark.parametrize("order", ["first", "second"])
def test_answers_that_come_in_one_turn_of_the_loop_leave_nothing(
    client: RpcClient, stage: Stage, heard: Heard, order: str, killed: str
) -> None:
    """Both sockets are readable before the loop looks: the one's reader runs while the other's has not heard of it."""
    for round_number in range(20):
        call, first, second = start(client, stage)
        answers = [(first.link, OK), (second.link, SECOND_OK)]
        if killed == "before":
            call.kill(block=False)
        # No switch between the two: sockets of this size take them at once.
        for link, answer in answers if order == "first" else reversed(answers):
            link.send(answer)
        if killed == "after":
            call.kill(block=False)
        call.join(timeout=GUARD_S)
        gevent.idle()

        assert isinstance(call.value, gevent.GreenletExit) or call.value.body in {b"hi", b"2nd"}
        assert not under_way(client), (round_number, client)
    assert len(heard.of("rpc.hedged")) == 20


def test_a_call_killed_at_any_turn_of_the_loop_leaves_nothing(client: RpcClient, stage: Stage) -> None:
    """From before its first byte until it has its second attempt's answer."""

    def send(link: Link) -> None:
        with contextlib.suppress(OSError):  # the call was killed, and has closed
            link.send(SECOND_OK)

    def answer() -> None:
        while True:
            gevent.spawn_later(0.001, send, stage.next().link)

    answering, turns, answered = gevent.spawn(answer), 0, 0
    with gevent.Timeout(GUARD_S):
        while answered < 3:
            call = gevent.spawn(client.call, stage.call())
            for _ in range(turns):
                gevent.sleep(0)
            call.kill()
            answered += not isinstance(call.value, gevent.GreenletExit)
            turns += 1 + turns // 50
            assert_nothing_left(client)
    answering.kill()

    assert turns > 20, "it was killed at many of them"
    assert client.call(stage.call("/")).status == 200


@pytest.mark.parametrize("winner", ["first", "second"])
def test_a_stream_is_hedged_until_its_head_comes(client: RpcClient, stage: Stage, winner: str) -> None:
    pieces: list[bytes] = []

    def read() -> None:
        with client.stream(stage.call()) as response:
            pieces.extend(response)

    reading = gevent.spawn(read)
    first, second = stage.next(), stage.next()
    chosen, loser = (first, second) if winner == "first" else (second, first)
    chosen.link.send(SECOND_OK[:-3])
    assert stage.hung_up(loser.link)
    assert under_way(client) == {"calls,": 1, "in flight": 1, "busy": 1}
    chosen.link.send(b"2nd")
    reading.get(timeout=GUARD_S)

    assert b"".join(pieces) == b"2nd"
    assert_nothing_left(client)
