"""The mistakes of other clients, one test each: what their users lost calls, order or nights to."""

from __future__ import annotations

import resource
import socket
import time

import gevent
import pytest
from gevent.pool import Group

from gateway.domain.resilience.health import State
from gateway.rpc import CallRefused, ConnectionLost, RpcClient
from tests.rpc.peer import OK, Link, MakeClient, Serve, answering, reached, to


def test_pitfall_1_a_timeout_inside_a_send_does_not_lose_the_permit(
    serve: Serve, make_client: MakeClient
) -> None:
    """geventhttpclient: ``gevent.Timeout`` in sendall is no socket error, and the pool shrinks for ever."""

    def script(link: Link) -> None:
        if link.number == 1:
            server.go_on.wait()
        while link.request():
            link.send(OK)

    server, client = serve(script), make_client(connections_max=1)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.1):
        client.call(to(server, method="POST", body=bytes(20_000_000)))
    server.go_on.set()

    assert client.call(to(server)).status == 200


def stale_after_one(link: Link) -> None:
    """Answer once; then take a second request, and close or answer without a word."""
    link.request()
    link.send(OK)
    if link.number == 1:
        link.request()  # read, perhaps acted on, never answered
    else:
        link.until_gone()


def test_pitfall_2_a_post_is_never_sent_twice(serve: Serve, client: RpcClient) -> None:
    """geventhttpclient sends any method again on a reset connection, POST included."""
    server = serve(stale_after_one)
    client.call(to(server, method="POST"))
    with pytest.raises(ConnectionLost) as caught:
        client.call(to(server, method="POST"))

    assert (caught.value.sent, server.connections) == ("maybe", 1)


def test_pitfall_2_what_may_be_repeated_gets_a_new_connection_once(serve: Serve, make_client: MakeClient) -> None:
    server, client = serve(stale_after_one), make_client(retries_max=1)
    client.call(to(server))
    result = client.call(to(server, idempotent=True))

    assert (result.status, result.reused, server.connections) == (200, False, 2)


def test_pitfall_2_a_new_connection_that_dies_is_not_replaced_again(serve: Serve, make_client: MakeClient) -> None:
    def script(link: Link) -> None:
        link.request()
        if link.number == 1:
            link.send(OK)
            link.request()

    server, client = serve(script), make_client(retries_max=1)
    client.call(to(server))
    with pytest.raises(ConnectionLost):
        client.call(to(server, idempotent=True))

    assert server.connections == 2
    assert "0 busy, 0 idle" in repr(client)


def test_pitfall_2_a_post_on_a_connection_that_was_closed_while_idle_takes_a_new_one(
    serve: Serve, client: RpcClient
) -> None:
    """The server's FIN is already here: nothing needs to be sent to find out."""

    def script(link: Link) -> None:
        link.request()
        link.send(OK)

    server = serve(script)
    for number in (1, 2, 3):
        assert client.call(to(server, method="POST")).status == 200
        assert server.ended.get(timeout=5) == number
        gevent.idle()  # its end is here before the loop's next turn


def test_pitfall_3_keep_alive_works_above_descriptor_1023(serve: Serve, make_client: MakeClient) -> None:
    """select(2) fails there, and every pooled connection seems dead."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1500:
        pytest.skip("needs more than 1,500 descriptors")
    server, client = serve(answering(OK)), make_client()
    filler = [socket.socket() for _ in range(1100)]
    try:
        assert filler[-1].fileno() > 1023
        assert [client.call(to(server)).reused for _ in range(3)] == [False, True, True]
    finally:
        for each in filler:
            each.close()
    assert server.connections == 1


def test_pitfall_4_a_timeout_from_outside_does_not_close_the_circuit(
    serve: Serve, make_client: MakeClient
) -> None:
    """circuitbreaker takes a BaseException for a success and resets."""

    def script(link: Link) -> None:
        link.request()
        link.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" if link.number == 1 else b"")
        link.until_gone()

    server = serve(script)
    client = make_client(breaker_calls_min=1, breaker_open_base_s=0.001, breaker_probes=1)
    client.call(to(server))
    gevent.sleep(0.002)  # the time that the circuit stays open at most
    for _ in range(5):
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.02):
            client.call(to(server))

    view = client.breakers()[to(server).service.name]
    assert (view.state, view.probes_passed) == (State.HALF_OPEN, 0)


def test_pitfall_5_calls_to_one_endpoint_run_at_the_same_time(serve: Serve, client: RpcClient) -> None:
    """pybreaker holds its lock while the call runs: one call at a time for each endpoint."""
    together = [0]

    def script(link: Link) -> None:
        link.request()
        together[0] += 1
        if together[0] == 20:
            server.go_on.set()
        assert server.go_on.wait(5), "the calls run one after the other"
        link.send(OK)

    server = serve(script)
    calls = [gevent.spawn(client.call, to(server)) for _ in range(20)]

    assert [call.get(timeout=5).status for call in calls] == [200] * 20


def test_pitfall_6_the_pool_is_not_quadratic_in_its_waiters(serve: Serve, make_client: MakeClient) -> None:
    """httpcore looks at every waiting request at every event."""
    server, group = serve(answering(OK)), Group()
    client = make_client(connections_max=4, waiters_max=5000, pool_wait_s=60, total_timeout_s=60)
    began_at = time.monotonic()
    for _ in range(3000):
        group.spawn(client.call, to(server, within_s=60))
    group.join(timeout=20, raise_error=True)

    assert repr(client).count("0 in flight") == repr(client).count("0 busy, 4 idle") == 1
    assert time.monotonic() - began_at < 10


def test_close_sends_waiters_away(serve: Serve, make_client: MakeClient) -> None:
    """geventhttpclient's close leaves those who wait for a connection waiting."""

    def script(link: Link) -> None:
        link.request()
        server.reached.set()
        link.until_gone()

    server, client = serve(script), make_client(connections_max=1, pool_wait_s=60)
    holder = gevent.spawn(client.call, to(server))
    reached(server.reached)
    waiter = gevent.spawn(client.call, to(server))
    gevent.idle()
    client.stop(to(server, within_s=0).deadline)

    with pytest.raises(CallRefused, match="stopped"):
        waiter.get(timeout=5)
    with pytest.raises(ConnectionLost):
        holder.get(timeout=5)
