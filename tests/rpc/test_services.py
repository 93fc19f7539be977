"""What a client keeps of its services: so many, each with so many calls, under orders, until it is stopped."""

from __future__ import annotations

import time

import gevent
import pytest

from gateway.domain.deadline import Deadline
from gateway.domain.errors import TryLater
from gateway.domain.resilience.health import Event
from gateway.rpc import CallRefused, ConnectionLost, RpcClient, Service
from tests.rpc.books import assert_nothing_left
from tests.rpc.hearing import Heard
from tests.rpc.peer import OK, Link, MakeClient, Serve, answering, reached, to
from tests.rpc.stage import Stage


def test_services_are_bounded_and_the_longest_unused_idle_one_is_forgotten(
    serve: Serve, make_client: MakeClient
) -> None:
    servers, client = [serve(answering(OK)) for _ in range(3)], make_client(services_max=2)
    for number, server in enumerate(servers):
        client.call(to(server, service=Service(f"peer {number}", (server.url,))))

    assert list(client.breakers()) == ["peer 1", "peer 2"]
    assert servers[0].ended.get(timeout=5) == 1, "its idle connection is closed"


def test_services_that_are_all_busy_refuse_another(serve: Serve, make_client: MakeClient) -> None:
    client = make_client(services_max=1)

    def script(link: Link) -> None:
        link.request()
        server.reached.set()
        server.go_on.wait()
        link.send(OK)

    server = serve(script)
    call = gevent.spawn(client.call, to(server))
    reached(server.reached)
    with pytest.raises(TryLater, match="services_max"):
        client.call(to(serve(answering(OK))))
    server.go_on.set()

    assert call.get(timeout=5).status == 200


def test_stop_lets_calls_end_and_refuses_new_ones(serve: Serve, make_client: MakeClient) -> None:
    client = make_client()

    def script(link: Link) -> None:
        link.request()
        server.reached.set()
        server.go_on.wait()
        link.send(OK)

    server = serve(script)
    call = gevent.spawn(client.call, to(server))
    reached(server.reached)
    stopping = gevent.spawn(client.stop, Deadline.after(5, now=time.monotonic()))
    gevent.idle()
    with pytest.raises(CallRefused, match="stopped"):
        client.call(to(server))
    assert not stopping.ready()
    server.go_on.set()

    assert call.get(timeout=5).status == 200
    stopping.get(timeout=5)
    client.stop(Deadline.after(0, now=time.monotonic()))
    assert "0 busy, 0 idle" in repr(client)


def test_stop_ends_calls_that_outlast_its_deadline(serve: Serve, make_client: MakeClient) -> None:
    client = make_client()

    def script(link: Link) -> None:
        link.request()
        server.reached.set()
        link.until_gone()

    server = serve(script)
    call = gevent.spawn(client.call, to(server))
    reached(server.reached)
    client.stop(Deadline.after(0.05, now=time.monotonic()))

    with pytest.raises(ConnectionLost):
        call.get(timeout=5)


def test_stop_is_safe_if_nothing_was_ever_called(make_client: MakeClient) -> None:
    client = make_client()
    client.stop(Deadline.after(0, now=time.monotonic()))
    client.stop(Deadline.after(0, now=time.monotonic()))


def test_stop_ends_the_pauses_of_calls_that_would_only_be_refused_after_them(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    client = make_client(retries_max=1)
    server = serve(answering(b"HTTP/1.1 503 X\r\nRetry-After: 4\r\nContent-Length: 0\r\n\r\n"))
    call = gevent.spawn(client.call, to(server))
    heard.wait_for("rpc.retried")
    gevent.idle()
    with gevent.Timeout(2):
        client.stop(Deadline.after(60, now=time.monotonic()))

    with pytest.raises(CallRefused, match="stopped"):
        call.get(timeout=5)


def test_more_calls_than_the_bulkhead_holds_are_refused_at_once(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    stage, client = Stage(serve, copies=1), make_client(calls_max=2)
    calls = [gevent.spawn(client.call, stage.call()) for _ in range(2)]
    asked = [stage.next(), stage.next()]
    with pytest.raises(CallRefused, match=r"rpc\.calls_max") as caught:
        client.call(stage.call("/"))
    with pytest.raises(CallRefused), client.stream(stage.call("/")):
        pass
    assert (caught.value.reason, caught.value.sent, caught.value.retry_after_s) == ("calls_full", "never", 1.0)
    assert heard.of("rpc.refused") == 2 * [{"endpoint": "peer", "reason": "calls_full"}]
    # It is the service's own: another one at the same place has room.
    assert client.call(stage.call("/", service=stage.service("other"))).status == 200
    for each in asked:
        each.link.send(OK)
    gevent.joinall(calls, timeout=5, raise_error=True)

    assert client.call(stage.call("/")).status == 200


def test_calls_that_pause_and_streams_that_are_open_count_for_the_bulkhead(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    server = serve(answering(b"HTTP/1.1 503 X\r\nRetry-After: 4\r\nContent-Length: 0\r\n\r\n"))
    open_server, client = serve(answering(OK)), make_client(calls_max=1, retries_max=1)
    call = gevent.spawn(client.call, to(server))
    heard.wait_for("rpc.retried")
    with pytest.raises(CallRefused, match="calls_max"):
        client.call(to(server))
    call.kill(timeout=5)
    with client.stream(to(open_server)), pytest.raises(CallRefused, match="calls_max"):
        client.call(to(open_server))

    assert_nothing_left(client)


def test_an_order_for_an_endpoint_not_seen_yet_holds_when_it_is_first_called(
    serve: Serve, client: RpcClient
) -> None:
    servers = [serve(answering(OK)), serve(answering(OK))]
    service = Service("two", tuple(server.url for server in servers))
    client.command("peer", Event.FORCE_OPEN)
    client.command(f"two@127.0.0.1:{servers[0].port}", Event.FORCE_OPEN)
    with pytest.raises(CallRefused, match="forced_open"):
        client.call(to(servers[0]))
    for _ in range(3):
        client.call(to(servers[0], service=service))
    assert (servers[0].connections, servers[1].connections) == (0, 1)

    client.command("peer", Event.RESET)
    assert client.call(to(servers[0])).status == 200


def test_an_order_that_was_taken_back_in_time_does_not_hold(serve: Serve, client: RpcClient) -> None:
    client.command("peer", Event.FORCE_OPEN)
    client.command("peer", Event.RESET)

    assert client.call(to(serve(answering(OK)))).status == 200


def test_an_order_outlasts_the_service_being_forgotten(serve: Serve, make_client: MakeClient) -> None:
    client, servers = make_client(services_max=1), [serve(answering(OK)), serve(answering(OK))]
    client.call(to(servers[0]))
    client.command("peer", Event.FORCE_OPEN)
    client.call(to(servers[1], service=Service("other", (servers[1].url,))))

    with pytest.raises(CallRefused, match="forced_open"):
        client.call(to(servers[0]))


def test_a_service_with_calls_under_way_is_not_forgotten(serve: Serve, make_client: MakeClient) -> None:
    """Not even where it was called longest ago: the next one in that order goes."""
    stage, client = Stage(serve, copies=1), make_client(services_max=2)
    call = gevent.spawn(client.call, stage.call(service=stage.service("busy")))
    asked = stage.next()
    for name in ("idle", "new"):
        client.call(stage.call("/", service=stage.service(name)))
    assert set(client.breakers()) == {"busy", "new"}
    asked.link.send(OK)

    assert call.get(timeout=5).status == 200


def test_stop_ends_both_attempts_of_a_hedged_call(serve: Serve, make_client: MakeClient) -> None:
    stage, client = Stage(serve), make_client(hedge_ratio=1.0)
    stage.warm(client)
    call = gevent.spawn(client.call, stage.call())
    asked = [stage.next(), stage.next()]
    client.stop(Deadline.after(0, now=time.monotonic()))

    with pytest.raises(ConnectionLost):
        call.get(timeout=5)
    assert all(stage.hung_up(each.link) for each in asked)
    assert_nothing_left(client)


def test_stop_ends_a_connection_that_is_being_made(make_client: MakeClient, deaf_port: int) -> None:
    client = make_client(connect_timeout_s=60)
    call = gevent.spawn(client.call, to(f"http://127.0.0.1:{deaf_port}", within_s=60))
    gevent.idle()
    client.stop(Deadline.after(0, now=time.monotonic()))

    with pytest.raises(CallRefused, match="stopped"):
        call.get(timeout=5)
    assert repr(client).count("0 in flight") == repr(client).count("0 busy, 0 idle") == 1
