"""A worker's metrics can be scraped."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent import socket
from gevent.pywsgi import WSGIServer

from gateway.domain.deadline import Deadline
from gateway.rpc.call import Call, Service
from gateway.rpc.client import RpcClient
from gateway.settings.rpc import RpcSettings
from gateway.telemetry.metrics import Metrics
from workers.metrics_page import MetricsPage


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_everything_counted_is_on_the_page(port: int) -> None:
    """The outbox's families are there, though this process never served a message."""
    serving = gevent.spawn(MetricsPage(Metrics(), "127.0.0.1", port).serve_forever)
    client = RpcClient(RpcSettings())
    try:
        _wait_for(port)
        deadline = Deadline.after(10.0, now=time.monotonic())
        service = Service("metrics", (f"http://127.0.0.1:{port}",))
        page = client.call(Call(service=service, method="GET", path="/metrics", deadline=deadline))
        refused = client.call(Call(service=service, method="POST", path="/metrics", deadline=deadline))
    finally:
        client.stop(Deadline(0.0))
        serving.kill()

    assert page.status == 200
    assert b"switchboard_outbox" in page.body
    assert refused.status == 405


def test_a_taken_port_is_an_error_and_not_silence(port: int) -> None:
    """Two workers of one machine must not both believe that they are scraped."""
    first = WSGIServer(("127.0.0.1", port), lambda _environ, _start: [], log=None)
    first.start()
    try:
        with pytest.raises(OSError, match="use"):
            MetricsPage(Metrics(), "127.0.0.1", port).serve_forever()
    finally:
        first.close()


def _wait_for(port: int) -> None:
    """Return when somebody listens."""
    with gevent.Timeout(10):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                gevent.sleep(0)
