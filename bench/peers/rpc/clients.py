"""The clients of bench.rpc, each in the form that its manual gives for many calls to one server.

A client is a function of the server's port that returns ``connect``; that one is called in each of the callers, and
returns ``ask``: a body out, the answer's body back.  Most share one pool among all callers.  The bare loops are no
clients: they are what a call costs when nothing is made, guarded, pooled or handed to anybody.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["CALLERS", "CLIENTS", "PATCHED", "Connect", "httpx_asyncio"]

Ask = Callable[[bytes], bytes]
Connect = Callable[[bytes], Ask]

#: Greenlets that call at once, each with its next call as soon as it has its answer.
CALLERS = 64
PATH = "/echo"
HEADERS = {"content-type": "application/json"}
RECV_BYTES = 65_536
#: What a careful caller would set; nobody comes near.
TIMEOUT_S = 10.0


def ours(port: int) -> Connect:
    """The gateway's client with its default settings: every guard on."""
    from gateway.domain.deadline import Deadline
    from gateway.rpc import Call, RpcClient, Service
    from gateway.settings.rpc import RpcSettings

    client = RpcClient(RpcSettings())
    service = Service("echo", (f"http://127.0.0.1:{port}",))

    def ask(body: bytes) -> bytes:
        deadline = Deadline.after(TIMEOUT_S, now=time.monotonic())
        call = Call(service=service, method="POST", path=PATH, headers=HEADERS, body=body, deadline=deadline)
        return client.call(call).body

    return lambda _: ask


def ours_metered(port: int) -> Connect:
    """The same, where every event is counted for Prometheus as it is in the gateway's own process."""
    from gateway import telemetry
    from gateway.telemetry.metrics import Metrics

    telemetry.attach(Metrics())
    return ours(port)


def geventhttpclient(port: int) -> Connect:
    from geventhttpclient import HTTPClient

    client = HTTPClient("127.0.0.1", port, concurrency=CALLERS)

    def ask(body: bytes) -> bytes:
        return bytes(client.post(PATH, body=body, headers=HEADERS).read())

    return lambda _: ask


def urllib3(port: int) -> Connect:
    import urllib3

    # The pool itself: a PoolManager would look it up by URL for every call.
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=CALLERS, block=True, timeout=TIMEOUT_S)

    def ask(body: bytes) -> bytes:
        return pool.request("POST", PATH, body=body, headers=HEADERS).data

    return lambda _: ask


def requests(port: int) -> Connect:
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=CALLERS, pool_block=True))
    url = f"http://127.0.0.1:{port}{PATH}"

    def ask(body: bytes) -> bytes:
        return session.post(url, data=body, headers=HEADERS, timeout=TIMEOUT_S).content

    return lambda _: ask


def httpx(port: int) -> Connect:
    import httpx

    client = httpx.Client(**_httpx_options())
    url = f"http://127.0.0.1:{port}{PATH}"

    def ask(body: bytes) -> bytes:
        return client.post(url, content=body, headers=HEADERS).content

    return lambda _: ask


def httpx_asyncio(port: int) -> Callable[[bytes], Awaitable[bytes]]:
    """Without gevent: its other form, for whoever would choose it."""
    import httpx

    client = httpx.AsyncClient(**_httpx_options())
    url = f"http://127.0.0.1:{port}{PATH}"

    async def ask(body: bytes) -> bytes:
        return (await client.post(url, content=body, headers=HEADERS)).content

    return ask


def _httpx_options() -> dict[str, Any]:
    import httpx

    limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    return {"limits": limits, "timeout": TIMEOUT_S, "trust_env": False}


def bare(port: int) -> Connect:
    """A socket of gevent's for each caller: sendall, recv, and llhttp until the answer is whole."""
    import gevent.socket
    import httptools

    def connect(body: bytes) -> Ask:
        connected = gevent.socket.create_connection(("127.0.0.1", port))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request, answer = _request(port, body), _Answer()
        parser = httptools.HttpResponseParser(answer)

        def ask(_: bytes) -> bytes:
            connected.sendall(request)
            answer.begin()
            while not answer.done:
                parser.feed_data(connected.recv(RECV_BYTES))
            return answer.body

        return ask

    return connect


def bare_watcher(port: int) -> Connect:
    """The same, with one watcher that runs for as long as the connection, and the hub switched to by hand.

    No timeout, no second thought about who wakes whom: nothing could be built on it, nothing can be faster.
    """
    import gevent
    import httptools
    from greenlet import getcurrent, greenlet

    # A watcher must not outlive its socket, and nobody closes either.
    kept = []

    def connect(body: bytes) -> Ask:
        connected = socket.create_connection(("127.0.0.1", port))
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hub, switch = gevent.get_hub(), greenlet.switch
        watcher = hub.loop.io(connected.fileno(), 1)
        watcher.start(getcurrent().switch)
        kept.append((connected, watcher))
        request, answer = _request(port, body), _Answer()
        feed = httptools.HttpResponseParser(answer).feed_data

        def ask(_: bytes) -> bytes:
            connected.send(request)
            answer.begin()
            while not answer.done:
                switch(hub)
                feed(connected.recv(RECV_BYTES))
            return answer.body

        return ask

    return connect


class _Answer:
    __slots__ = ("body", "done", "headers")

    def begin(self) -> None:
        self.done, self.body, self.headers = False, b"", []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done = True


def _request(port: int, body: bytes) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Encoding: identity\r\n"
    head += f"content-type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


CLIENTS: dict[str, Callable[[int], Connect]] = {
    client.__name__: client
    for client in (ours, ours_metered, geventhttpclient, urllib3, requests, httpx, bare, bare_watcher)
}
#: Those that know nothing of gevent, and wait in greenlets because their sockets are patched.
PATCHED = frozenset({"urllib3", "requests", "httpx"})
