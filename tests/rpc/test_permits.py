"""The law of permits: a call that is killed or timed out at any of its waits leaves nothing behind.

Every test has a pool of one connection.  A permit lost is a second call that never gets one.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from gateway.rpc import RpcClient
from tests.rpc.peer import OK, Link, MakeClient, Serve, Server, reached, to

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


class Stranger(BaseException):
    """What ends a greenlet from outside: neither an Exception nor one of ours."""


def read_request(link: Link) -> None:
    link.request()


def answer_half(link: Link) -> None:
    link.request()
    link.send(b"HTTP/1.1 200 OK\r\nContent-Le")


def answer_head(link: Link) -> None:
    link.request()
    link.send(HEAD, b"half")


def read_nothing(link: Link) -> None:
    """The client's body fills the socket's buffers, and it waits to write."""


STALLS = {
    "writing the body": read_nothing,
    "waiting for the head": read_request,
    "inside the head": answer_half,
    "inside the body": answer_head,
}


def start(serve: Serve, stall: Callable[[Link], None]) -> Server:
    """Return a server that stalls its first connection and answers on every later one."""

    def script(link: Link) -> None:
        if link.number == 1:
            stall(link)
            server.reached.set()
            server.go_on.wait()
            link.until_gone()
        while link.request():
            link.send(OK)

    server = serve(script)
    return server


def one_call(client: RpcClient, server: Server, body: bytes, *, stream: bool) -> None:
    call = to(server, method="POST", body=body)
    if stream:
        with client.stream(call) as response:
            for _ in response:
                pass
    else:
        client.call(call)


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
@pytest.mark.parametrize("ending", [gevent.GreenletExit, Stranger, gevent.Timeout])
@pytest.mark.parametrize("name", STALLS)
def test_a_call_ended_from_outside_gives_its_permit_back(
    serve: Serve, make_client: MakeClient, name: str, ending: type[BaseException], stream: bool
) -> None:
    server, client = start(serve, STALLS[name]), make_client(connections_max=1)
    body = bytes(20_000_000) if name == "writing the body" else b""
    call = gevent.spawn(one_call, client, server, body, stream=stream)
    reached(server.reached)
    call.kill(ending, timeout=5)
    server.go_on.set()

    assert "0 busy, 0 idle" in repr(client)
    assert server.ended.get(timeout=5) == 1, "its connection was destroyed, whatever was still on the wire"
    assert client.call(to(server)).status == 200


def test_a_call_killed_while_it_waits_for_a_connection_leaves_the_queue(
    serve: Serve, make_client: MakeClient
) -> None:
    server, client = start(serve, read_request), make_client(connections_max=1, pool_wait_s=5)
    holder = gevent.spawn(one_call, client, server, b"", stream=False)
    reached(server.reached)
    waiter = gevent.spawn(one_call, client, server, b"", stream=False)
    gevent.idle()
    assert "1 in flight, limit 1 of 1; 1 waiting" in repr(client)
    waiter.kill(timeout=5)
    assert "1 in flight, limit 1 of 1; 0 waiting" in repr(client)
    holder.kill(timeout=5)
    server.go_on.set()

    assert client.call(to(server)).status == 200


def test_a_waiter_killed_in_the_moment_it_is_served_passes_the_connection_on(
    serve: Serve, make_client: MakeClient
) -> None:
    """Between the grant and the wake-up the connection is nobody's: the next waiter must get it."""

    def script(link: Link) -> None:
        link.request()
        server.reached.set()
        server.go_on.wait()
        link.send(OK)
        while link.request():
            link.send(OK)

    server, client = serve(script), make_client(connections_max=1, pool_wait_s=5)
    killed: list[gevent.Greenlet] = []

    def hold() -> None:
        with client.stream(to(server)) as response:
            for _ in response:
                # Takes effect in the loop's next turn, before the wake-up that the end of this stream causes.
                killed[0].kill(block=False)

    holder = gevent.spawn(hold)
    reached(server.reached)
    killed.append(gevent.spawn(client.call, to(server)))
    last = gevent.spawn(client.call, to(server))
    gevent.idle()
    server.go_on.set()

    holder.get(timeout=5)
    assert last.get(timeout=5).status == 200
    assert isinstance(killed[0].get(timeout=5), gevent.GreenletExit)
    assert repr(client).count("0 in flight") == repr(client).count("0 busy, 1 idle") == 1
    assert server.connections == 1


def test_a_call_killed_while_it_connects_gives_its_permit_back(
    make_client: MakeClient, deaf_port: int
) -> None:
    client = make_client(connections_max=1, connect_timeout_s=60)
    call = gevent.spawn(client.call, to(f"http://127.0.0.1:{deaf_port}"))
    gevent.idle()
    assert "1 busy" in repr(client)
    call.kill(timeout=5)

    assert repr(client).count("0 in flight") == repr(client).count("0 busy, 0 idle") == 1


def test_a_call_killed_inside_the_tls_handshake_gives_its_permit_back(
    serve: Serve, make_client: MakeClient
) -> None:
    def script(link: Link) -> None:
        server.reached.set()
        link.until_gone()

    server, client = serve(script), make_client(connections_max=1)
    call = gevent.spawn(client.call, to(f"https://127.0.0.1:{server.port}"))
    reached(server.reached)
    call.kill(timeout=5)

    assert repr(client).count("0 in flight") == repr(client).count("0 busy, 0 idle") == 1
    assert server.ended.get(timeout=5) == 1
