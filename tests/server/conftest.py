"""Servers in this process, on real sockets."""

from __future__ import annotations

import _socket
import io
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ssl import SSLContext
from typing import Any, Protocol

import gevent
import pytest

from gateway import telemetry
from gateway.server.forwarded import TrustedPeers
from gateway.server.server import Server
from gateway.settings.server import ServerSettings
from tests.server.holding import Hold, holding
from tests.server.tls_material import Certificate, make_certificate

Application = Callable[..., Iterable[bytes]]


class Serve(Protocol):
    """Starts a server and returns its port; limits are ServerSettings' fields."""

    def __call__(
        self, application: Application, *, trusted: str = "", tls: SSLContext | None = None, **limits: Any
    ) -> int: ...


class Start(Protocol):
    """The same, and returns the server beside its port."""

    def __call__(
        self, application: Application, *, trusted: str = "", tls: SSLContext | None = None, **limits: Any
    ) -> tuple[Server, int]: ...


@pytest.fixture(autouse=True)
def _strict_telemetry() -> Iterator[None]:
    with telemetry.strict():
        yield


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers that end with the test; nothing may have failed in their callbacks, and nothing may be left."""
    servers: list[Server] = []
    hub = gevent.get_hub()
    told, before = io.StringIO(), hub.exception_stream
    hub.exception_stream = told

    def serve(
        application: Application, *, trusted: str = "", tls: SSLContext | None = None, **limits: Any
    ) -> tuple[Server, int]:
        listener = _socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1_024)
        server = Server(application, ServerSettings(**limits), trusted=TrustedPeers(trusted), tls=tls)
        servers.append(server)
        port: int = listener.getsockname()[1]
        server.listen(listener)
        return server, port

    yield serve
    for server in servers:
        server.drain(time.monotonic())
        server.stop()
        assert not server.connections
    hub.exception_stream = before
    assert told.getvalue() == ""


@pytest.fixture
def serve(start: Start) -> Serve:
    """Start a server, of which only the port matters."""

    def serve(
        application: Application, *, trusted: str = "", tls: SSLContext | None = None, **limits: Any
    ) -> int:
        return start(application, trusted=trusted, tls=tls, **limits)[1]

    return serve


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One for all tests: they only show and check it."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["plain", "tls"])
def hold(request: pytest.FixtureRequest) -> Hold:
    """Make servers, over TLS and without."""
    if request.param == "plain":
        return holding
    certificate: Certificate = request.getfixturevalue("certificate")
    return partial(holding, certificate.server_context(), certificate.client_context())
