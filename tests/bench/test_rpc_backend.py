"""Backends that fall ill on command, and count what comes."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator

import gevent
import pytest

from bench.rpc.backend import Order
from bench.rpc.backends import Backends, backends
from bench.rpc.load import slot
from tests.support.waiting import until


@pytest.fixture
def running() -> Iterator[Backends]:
    with backends(2) as both:
        yield both


def test_each_answers_with_the_path_that_was_asked_for(running: Backends) -> None:
    """By which its callers know that the answer is theirs."""
    assert [get(port, f"/{at}/7") for at, port in enumerate(running.ports)] == [(200, b"/0/7"), (200, b"/1/7")]


def test_one_may_fail_and_the_other_not(running: Backends) -> None:
    """Orders are for one of them."""
    running.order(Order("be", 1, status=503))
    until("it answers 503", lambda: get(running.ports[1], "/")[0] == 503)
    assert get(running.ports[0], "/")[0] == 200


def test_workers_take_one_request_at_a_time_in_the_order_of_arrival(running: Backends) -> None:
    """Two by one worker take twice as long as one; two by two do not."""
    running.order(Order("be", 0, service_s=0.2, workers=1))
    running.order(Order("be", 1, service_s=0.2, workers=2))
    until("both take their time", lambda: all(timed(port) >= 0.2 for port in running.ports))
    alone, crowd = [gevent.spawn(timed, running.ports[0]) for _ in range(3)], gevent.spawn(timed, running.ports[1])
    gevent.joinall([*alone, crowd], timeout=30)
    assert crowd.value < 0.6 <= max(each.value for each in alone)


def test_a_request_that_nobody_waits_for_costs_its_worker_all_the_same(running: Backends) -> None:
    """This is what makes overload collapse."""
    running.order(Order("be", 0, service_s=0.3, workers=1))
    until("it takes its time", lambda: timed(running.ports[0]) >= 0.3)
    left = http.client.HTTPConnection("127.0.0.1", running.ports[0], timeout=30)
    left.request("GET", "/left")
    until("it was seen", lambda: sum(running.report()[0].calls.values()) >= 2)
    left.close()
    assert timed(running.ports[0]) >= 0.31


def test_who_is_dead_refuses_and_comes_back_on_its_port(running: Backends) -> None:
    """Connections that were open are gone."""
    port = running.ports[0]
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kept.request("GET", "/")
    kept.getresponse().read()
    running.order(Order("close", 0))
    until("it refuses", lambda: state(port) == "ConnectionRefusedError")
    assert kept.sock is not None
    # A reset overtakes the end of the stream, or not.
    with contextlib.suppress(ConnectionResetError):
        assert kept.sock.recv(1) == b""
    kept.close()
    running.order(Order("open", 0))
    until("it answers", lambda: state(port) == "answers")
    assert get(port, "/again") == (200, b"/again")


def test_calls_are_counted_by_when_they_came_and_probes_apart(running: Backends) -> None:
    """On the clock that the client's process has too."""
    before = slot(time.monotonic())
    for _ in range(3):
        get(running.ports[0], "/x")
    get(running.ports[0], "/healthz")
    after = slot(time.monotonic())
    first, second = running.report()
    assert sum(first.calls.values()) == 3
    assert sum(first.probes.values()) == 1
    assert all(before <= number <= after for number in (*first.calls, *first.probes))
    assert (second.calls, second.probes) == ({}, {})


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def timed(port: int) -> float:
    began = time.monotonic()
    get(port, "/timed")
    return time.monotonic() - began


def state(port: int) -> str:
    try:
        get(port, "/")
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    return "answers"
