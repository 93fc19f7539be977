"""Servers and clients that are stopped when their test ends."""

from __future__ import annotations

import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.ssl import SSLContext

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.rpc import RpcClient
from gateway.rpc.breaker import OnCircuit
from gateway.settings.rpc import RpcSettings
from tests.rpc.hearing import Heard
from tests.rpc.peer import MakeClient, Script, Serve, Server
from tests.rpc.tls_peer import Authority, Caller, MakeCaller, ServeTls, TlsServer


@pytest.fixture(autouse=True)
def _strict_telemetry() -> Iterator[None]:
    with telemetry.strict():
        yield


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that follows a script."""
    servers: list[Server] = []

    def start(script: Script, *args: Any, **options: Any) -> Server:
        servers.append(Server(script, *args, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.go_on.set()
        server.stop()


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Make a client with some settings changed; it makes no attempt beyond the first unless they say so."""
    clients: list[RpcClient] = []

    def make(
        *, draw: Callable[[], float] = random.random, on_circuit: OnCircuit | None = None, **changes: Any
    ) -> RpcClient:
        settings = RpcSettings(**{"retries_max": 0} | changes)
        clients.append(RpcClient(settings, draw=draw, on_circuit=on_circuit))
        return clients[-1]

    yield make
    for client in clients:
        client.stop(Deadline.after(0, now=time.monotonic()))
    gevent.idle()  # what a failed test left under way must not be heard in the next one


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Everything that telemetry says during a test."""
    heard = Heard()
    telemetry.attach(heard)
    yield heard
    telemetry.detach(heard)


@pytest.fixture
def client(make_client: MakeClient) -> RpcClient:
    """A client with the default settings, but for retries."""
    return make_client()


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose backlog is full: the kernel leaves further connections unanswered."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = listener.getsockname()
    waiting = []
    for _ in range(3):
        connecting = socket.socket()
        connecting.setblocking(False)
        connecting.connect_ex(address)
        waiting.append(connecting)
    gevent.idle()
    yield address[1]
    for connecting in [*waiting, listener]:
        connecting.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority, where the machine has openssl's command."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def call_tls(authority: Authority) -> Iterator[MakeCaller]:
    """Make a caller of a port; its connections are closed when the test ends."""
    callers: list[Caller] = []

    def make(port: int, host: str = "localhost") -> Caller:
        callers.append(Caller(authority, port, host))
        return callers[-1]

    yield make
    for caller in callers:
        caller.close()


@pytest.fixture
def serve_tls() -> Iterator[ServeTls]:
    """Start a server that tells how TLS began and ended."""
    servers: list[TlsServer] = []

    def start(context: SSLContext, port: int = 0) -> TlsServer:
        servers.append(TlsServer(context, port))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
