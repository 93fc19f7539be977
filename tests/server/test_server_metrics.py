"""What /metrics says of the server: without an event for each request, and without one when nothing is new."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway import telemetry
from gateway.telemetry.metrics import Metrics
from tests.server.conftest import Start
from tests.server.raw import Caller
from tests.server.telling import Counter, told
from tests.support.waiting import until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    sink = Metrics()
    telemetry.attach(sink)
    yield sink
    telemetry.detach(sink)


def says(metrics: Metrics, *lines: str) -> bool:
    page = metrics.scrape().decode().splitlines()
    return all(f"switchboard_{line}" in page for line in lines)


def test_what_the_server_holds_and_did(start: Start, metrics: Metrics) -> None:
    counter = Counter()
    server, port = start(counter)
    with Caller(port) as one, Caller(port) as two, Caller(port) as three:
        for _ in range(5):
            one.send(GET).answer()
        two.send(WAIT)
        three.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n" + b"x" * 7)
        until(
            "it is told",
            lambda: says(
                metrics,
                "connections_open 3.0",
                "requests_in_flight 1.0",
                "buffered_bytes 7.0",
                "requests_answered_total 5.0",
            ),
        )
        counter.go.set()
        two.answer()
    until("they have left", lambda: not server.connections)
    server.stop()
    assert says(
        metrics,
        "connections_open 0.0",
        "requests_in_flight 0.0",
        "buffered_bytes 0.0",
        "requests_answered_total 6.0",
    )


def test_it_is_told_only_when_it_is_news(start: Start) -> None:
    with told("server.observed") as observed:
        server, port = start(Counter())
        with Caller(port) as caller:
            for _ in range(100):
                caller.send(GET).answer()
            until("it is told", lambda: sum(event["answered"] for event in observed.events) == 100)
            before, looks = len(observed.events), server._ticks
            until("the server has looked again", lambda: server._ticks >= looks + 5)
            assert len(observed.events) == before
    assert before <= 2


def test_refusals_and_drops_by_reason(start: Start, metrics: Metrics) -> None:
    _, port = start(Counter(), connections_max=1)
    with Caller(port) as caller:
        caller.send(GET).answer()
        with Caller(port) as other:
            other.answer()
        caller.send(b"nonsense\r\n\r\n")
        caller.answer()
    gevent.idle()
    assert says(
        metrics,
        'requests_refused_total{outcome="503",reason="connections_max"} 1.0',
        'requests_refused_total{outcome="400",reason="malformed"} 1.0',
    )


def test_a_connection_that_is_dropped_is_counted(start: Start, metrics: Metrics) -> None:
    server, port = start(Counter())
    with Caller(port) as caller:
        caller.send(GET).answer()
        server.stop()
        assert caller.ends()
    assert says(metrics, 'connections_dropped_total{reason="stopped"} 1.0')
