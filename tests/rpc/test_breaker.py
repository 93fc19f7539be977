"""The breaker in its place: what the end of a call tells it, and what it tells callers."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from gateway.domain.resilience.health import Cause, Event, State, Verdict
from gateway.rpc import (
    BadAnswer,
    CallRefused,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    InvalidCall,
    Policy,
    RpcClient,
    Service,
)
from gateway.rpc.breaker import Breaker, judge_error, judge_status
from gateway.settings.rpc import RpcSettings
from tests.rpc.hearing import Heard
from tests.rpc.peer import OK, Link, MakeClient, Serve, answering, once, reached, to

UNAVAILABLE = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


def timeout(reason: str, sent: Any, waited_s: float) -> CallTimeout:
    return CallTimeout("", reason=reason, sent=sent, waited_s=waited_s)


@pytest.mark.parametrize(
    ("status", "verdict", "cause"),
    [
        (200, Verdict.OK, Cause.CALL), (302, Verdict.OK, Cause.CALL), (404, Verdict.OK, Cause.CALL),
        (429, Verdict.FAILED, Cause.PUSHBACK), (500, Verdict.FAILED, Cause.CALL),
        (503, Verdict.FAILED, Cause.CALL),
    ],
)  # fmt: skip
def test_what_a_status_says_about_its_endpoint(status: int, verdict: Verdict, cause: Cause) -> None:
    assert judge_status(status) == (verdict, cause)


@pytest.mark.parametrize(
    ("error", "waited_s", "verdict", "cause"),
    [
        (ConnectFailed("", reason="refused"), 0.0, Verdict.FAILED, Cause.CONNECT),
        (ConnectFailed("", reason="connect_timeout"), 1.0, Verdict.FAILED, Cause.CONNECT),
        (ConnectionLost("", reason="reset", sent="maybe"), 0.0, Verdict.FAILED, Cause.CALL),
        (BadAnswer("", reason="not_http", sent="answered"), 0.0, Verdict.FAILED, Cause.CALL),
        (timeout("first_byte_timeout", "maybe", 9.0), 0.1, Verdict.FAILED, Cause.CALL),
        (timeout("deadline", "maybe", 9.0), 1.5, Verdict.FAILED, Cause.CALL),
        (timeout("total_timeout", "answered", 9.0), 1.5, Verdict.FAILED, Cause.CALL),
        # A silent address takes all the time there is, whichever bound ends that.
        (timeout("deadline", "never", 9.0), 1.5, Verdict.FAILED, Cause.CONNECT),
        # An attempt that had little of the call's time says nothing, however long the call took.
        (timeout("deadline", "maybe", 9.0), 0.5, Verdict.IGNORED, Cause.CALL),
        (timeout("total_timeout", "maybe", 9.0), 0.5, Verdict.IGNORED, Cause.CALL),
        (timeout("deadline", "never", 9.0), 0.5, Verdict.IGNORED, Cause.CALL),
        # A name is not who bears it, and a name server's failure may be about many names.
        (ConnectFailed("", reason="unknown_host"), 0.0, Verdict.FAILED, Cause.CALL),
        (ConnectFailed("", reason="dns_timeout"), 0.0, Verdict.FAILED, Cause.CALL),
        # Made here.
        (ConnectFailed("", reason="local"), 0.0, Verdict.IGNORED, Cause.CALL),
        (ConnectFailed("", reason="tls_ca_file"), 0.0, Verdict.IGNORED, Cause.CALL),
        (ConnectFailed("", reason="address_not_allowed"), 0.0, Verdict.IGNORED, Cause.CALL),
        (BadAnswer("", reason="body_too_large", sent="answered"), 0.0, Verdict.IGNORED, Cause.CALL),
        (InvalidCall(""), 9.0, Verdict.IGNORED, Cause.CALL),
        (CallRefused("", reason="pool_full", retry_after_s=1), 9.0, Verdict.IGNORED, Cause.CALL),
        (gevent.GreenletExit(), 9.0, Verdict.IGNORED, Cause.CALL),
        (gevent.Timeout(), 9.0, Verdict.IGNORED, Cause.CALL),
    ],
)
def test_what_an_error_says_about_its_endpoint(
    error: BaseException, waited_s: float, verdict: Verdict, cause: Cause
) -> None:
    assert judge_error(error, waited_s=waited_s, patience_s=1.0) == (verdict, cause)


def test_a_reader_who_lets_the_time_run_out_says_nothing_about_the_endpoint() -> None:
    error = timeout("total_timeout", "answered", 9.0)
    error.by_reader = True

    assert judge_error(error, waited_s=9.0, patience_s=1.0)[0] is Verdict.IGNORED


def test_a_platforms_429_is_one_bots_and_shuts_out_no_other(serve: Serve, make_client: MakeClient) -> None:
    server = serve(answering(b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"))
    client = make_client(breaker_calls_min=2)
    platform = Service("platform", (server.url,), Policy(quotas=True))
    for _ in range(5):
        assert client.call(to(server, service=platform)).status == 429

    assert client.breakers()["platform"].calls == 0


def test_failing_answers_open_the_circuit_and_calls_are_refused_unsent(
    serve: Serve, make_client: MakeClient
) -> None:
    server, client = serve(answering(UNAVAILABLE)), make_client(breaker_calls_min=4)
    assert [client.call(to(server)).status for _ in range(4)] == [503] * 4
    with pytest.raises(CallRefused, match="circuit to peer is open") as caught:
        client.call(to(server))

    assert (caught.value.reason, caught.value.sent, caught.value.status) == ("breaker_open", "never", 503)
    assert 0 < caught.value.retry_after_s <= 5


def test_five_refused_connections_open_it_at_once(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(OK))
    server.stop()
    for _ in range(5):
        with pytest.raises(ConnectFailed):
            client.call(to(server))

    with pytest.raises(CallRefused):
        client.call(to(server))


def test_a_breaker_is_its_endpoints_own(serve: Serve, make_client: MakeClient) -> None:
    client = make_client(breaker_calls_min=1)
    client.call(to(serve(answering(UNAVAILABLE))))

    assert client.call(to(serve(answering(OK)))).status == 200


def test_it_closes_again_when_its_probes_pass(serve: Serve, make_client: MakeClient) -> None:
    client = make_client(breaker_calls_min=2, breaker_open_base_s=0.02)

    def script(link: Link) -> None:
        while link.request():
            link.send(OK if server.go_on.is_set() else UNAVAILABLE)

    server = serve(script)
    label = to(server).service.name
    for _ in range(2):
        client.call(to(server))
    server.go_on.set()
    with gevent.Timeout(5):
        while client.breakers()[label].state is not State.CLOSED:
            try:
                client.call(to(server))
            except CallRefused as error:
                gevent.sleep(error.retry_after_s)

    assert client.call(to(server)).status == 200


def test_a_killed_probe_lets_the_next_one_through(serve: Serve, make_client: MakeClient) -> None:
    """A kill is no success: the circuit stays half-open, and the lease is back."""

    def script(link: Link) -> None:
        link.request()
        if link.number == 2:
            server.reached.set()
            link.until_gone()
        link.send(UNAVAILABLE if link.number == 1 else OK)

    server, client = serve(script), make_client(breaker_calls_min=1, breaker_open_base_s=0.001)
    label = to(server).service.name
    client.call(to(server))
    gevent.sleep(0.002)  # the time that the circuit stays open at most
    probe = gevent.spawn(client.call, to(server))
    reached(server.reached)
    view = client.breakers()[label]
    assert (view.state, view.probes_running) == (State.HALF_OPEN, 1)
    probe.kill(timeout=5)

    view = client.breakers()[label]
    assert (view.state, view.probes_running, view.probes_passed) == (State.HALF_OPEN, 0, 0)
    assert client.call(to(server)).status == 200
    assert client.breakers()[label].probes_passed == 1


def test_a_full_pool_is_no_failure_of_the_endpoint(serve: Serve, make_client: MakeClient) -> None:
    def script(link: Link) -> None:
        link.request()
        server.reached.set()
        server.go_on.wait()
        link.send(OK)

    server = serve(script)
    client = make_client(breaker_calls_min=1, connections_max=1, pool_wait_s=0.001)
    call = gevent.spawn(client.call, to(server))
    reached(server.reached)
    for _ in range(5):
        with pytest.raises(CallRefused, match="pool_wait_s"):
            client.call(to(server))
    server.go_on.set()

    assert call.get(timeout=5).status == 200
    assert client.breakers()[to(server).service.name].failed == 0


def test_a_stream_counts_once_however_it_ends(serve: Serve, client: RpcClient) -> None:
    """Were leaving it no success, no probe of an endpoint that only streams could pass."""
    server = serve(lambda link: (link.request(), link.send(OK[:-1]), server.go_on.wait()))
    label = to(server).service.name
    with client.stream(to(server)):
        pass
    with pytest.raises(KeyError), client.stream(to(server)):
        raise KeyError
    view = client.breakers()[label]
    assert (view.calls, view.failed) == (2, 0), "whatever its reader does"

    with client.stream(to(server)) as response:
        server.go_on.set()
        with pytest.raises(BadAnswer):
            list(response)
    view = client.breakers()[label]
    assert (view.calls, view.failed) == (3, 1)


def test_answers_that_break_off_open_the_circuit_and_never_close_it(serve: Serve, make_client: MakeClient) -> None:
    server, client = serve(once(OK[:-1])), make_client(breaker_open_base_s=0.001, breaker_open_max_s=0.001)
    label = to(server).service.name
    for _ in range(20):
        with pytest.raises(BadAnswer):
            client.call(to(server))
    assert client.breakers()[label].state is State.OPEN

    gevent.sleep(0.002)  # as long as it stays open at most
    with pytest.raises(BadAnswer):
        client.call(to(server))
    assert client.breakers()[label].state is State.OPEN


def test_a_stream_that_has_lasted_closes_the_circuit_while_it_lasts(
    serve: Serve, make_client: MakeClient
) -> None:
    """It may last for minutes: its probe must not keep all others out for as long."""

    def script(link: Link) -> None:
        link.request()
        if link.number == 1:
            return
        link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            link.send(b"1\r\na\r\n")
            gevent.sleep(0.1)  # a lively stream

    server = serve(script)
    client = make_client(breaker_calls_min=1, breaker_probes=1, breaker_open_base_s=0.001)
    with pytest.raises(ConnectionLost):
        client.call(to(server))
    gevent.sleep(0.002)
    with client.stream(to(server)) as response:
        for _ in response:
            if client.breakers()[to(server).service.name].state is State.CLOSED:
                break


def test_a_reader_that_is_late_itself_fails_nobody(serve: Serve, make_client: MakeClient) -> None:
    server = serve(lambda link: (link.request(), link.send(OK[:-1]), link.until_gone()))
    client = make_client(total_timeout_s=0.3, breaker_patience_s=0.1)
    with client.stream(to(server)) as response:
        pieces = iter(response)
        next(pieces)
        gevent.sleep(0.45)  # what its reader does with the first piece
        with pytest.raises(CallTimeout):
            next(pieces)

    assert client.breakers()[to(server).service.name].failed == 0


def test_an_operator_has_the_last_word(serve: Serve, client: RpcClient) -> None:
    server = serve(answering(OK))
    label = to(server).service.name
    client.command(label, Event.FORCE_OPEN)
    with pytest.raises(CallRefused, match="forced_open"):
        client.call(to(server))
    client.command(label, Event.RESET)

    assert client.call(to(server)).status == 200


CHANGE = {"endpoint": "peer"}


def test_a_change_is_told_once_with_its_reason(heard: Heard) -> None:
    now = [0.0]
    settings = RpcSettings(breaker_connect_failures_max=1)
    breaker = Breaker("peer", settings, clock=lambda: now[0], draw=lambda: 0.0)
    breaker.settle(breaker.admit(0.0, 1.0), (Verdict.FAILED, Cause.CONNECT), 0.0, False)
    with pytest.raises(CallRefused):
        breaker.admit(1.0, 1.0)
    now[0] = 2.5
    breaker.admit(2.5, 1.0)

    assert heard == [
        ("breaker.changed", CHANGE | {"before": "closed", "after": "open", "reason": "connect_failures"}),
        ("breaker.changed", CHANGE | {"before": "open", "after": "half_open", "reason": "cooled"}),
    ]


def test_every_call_ends_in_one_event_without_its_contents(
    serve: Serve, client: RpcClient, heard: Heard
) -> None:
    server = serve(answering(OK))
    client.call(to(server, path="/secret", headers={"Cookie": "secret"}, method="POST", body=b"secret"))
    with pytest.raises(InvalidCall):
        client.call(to(server, headers={"X": "secret\n"}))

    assert [name for name, _ in heard] == ["rpc.connected", "rpc.call", "rpc.refused"]
    assert heard[1][1].items() >= {"endpoint": "peer", "outcome": "answered", "status": 200}.items()
    assert "secret" not in repr(heard)
