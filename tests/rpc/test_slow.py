"""Calls that hang: counted while they are under way, so that an endpoint trips before they time out."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from gateway.domain.resilience.health import State
from gateway.rpc import CallRefused, RpcClient
from tests.rpc.books import assert_nothing_left, under_way
from tests.rpc.hearing import Heard
from tests.rpc.peer import GUARD_S, OK, MakeClient, Serve
from tests.rpc.stage import Asked, Stage
from tests.support.waiting import until

HEAD, BODY = OK[:-2], OK[-2:]


@pytest.fixture
def stage(serve: Serve) -> Stage:
    return Stage(serve, copies=1)


def hang(client: RpcClient, stage: Stage, calls: int, **changes: Any) -> tuple[list[Any], list[Asked]]:
    """Return so many calls under way, and what the server was asked by them."""
    return (
        [gevent.spawn(client.call, stage.call(idempotent=False, **changes)) for _ in range(calls)],
        [stage.next() for _ in range(calls)],
    )


def wait_for_slow(client: RpcClient, calls: int) -> None:
    until("calls are counted as slow", lambda: client.breakers()["peer"].slow == calls)


def finish(calls: list[Any], asked: list[Asked]) -> None:
    for each in asked:
        each.link.send(OK)
    gevent.joinall(calls, timeout=GUARD_S, raise_error=True)


def test_calls_that_hang_open_the_circuit_before_they_end(
    make_client: MakeClient, stage: Stage, heard: Heard
) -> None:
    client = make_client(
        breaker_calls_min=4, breaker_slow_s=0.02, first_byte_timeout_s=60.0, total_timeout_s=60.0
    )
    calls, asked = hang(client, stage, 4)
    assert heard.wait_for("breaker.changed")["reason"] == "slow_rate"
    assert under_way(client) == {"calls,": 4, "in flight": 4, "busy": 4}
    with pytest.raises(CallRefused, match="open"):
        client.call(stage.call("/"))
    finish(calls, asked)

    assert client.breakers()["peer"].state is State.OPEN, "what they say in the end is of before"
    assert heard.values("rpc.call", "outcome") == ["answered"] * 4
    assert_nothing_left(client)


def test_a_slow_call_is_counted_once_and_at_its_moment(make_client: MakeClient, stage: Stage) -> None:
    client = make_client(breaker_slow_s=0.01)
    calls, asked = hang(client, stage, 3)
    wait_for_slow(client, 3)
    assert not any(call.ready() for call in calls)
    finish(calls, asked)

    view = client.breakers()["peer"]
    assert (view.calls, view.slow, view.failed) == (3, 3, 0)


def test_a_slow_call_that_fails_is_a_failed_one(make_client: MakeClient, stage: Stage) -> None:
    client = make_client(breaker_slow_s=0.01)
    [call], [asked] = hang(client, stage, 1)
    wait_for_slow(client, 1)
    asked.link.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    call.get(timeout=GUARD_S)

    view = client.breakers()["peer"]
    assert (view.calls, view.slow, view.failed) == (1, 0, 1)


def test_a_stream_whose_head_came_in_time_is_not_slow_however_long_it_takes(
    make_client: MakeClient, stage: Stage, heard: Heard
) -> None:
    """Beside it a call that is: by then the stream has taken longer than that."""
    client = make_client(breaker_slow_s=0.1)
    pieces: list[bytes] = []

    def read() -> None:
        with client.stream(stage.call(idempotent=False)) as response:
            pieces.extend(response)

    reading = gevent.spawn(read)
    streaming = stage.next()
    streaming.link.send(HEAD)
    [call], [asked] = hang(client, stage, 1)
    wait_for_slow(client, 1)
    streaming.link.send(BODY)
    reading.get(timeout=GUARD_S)
    finish([call], [asked])

    view = client.breakers()["peer"]
    assert (pieces, view.calls, view.slow) == ([BODY], 2, 1)


def test_a_service_may_have_its_own_idea_of_slow(make_client: MakeClient, stage: Stage) -> None:
    client = make_client(breaker_slow_s=0.01)
    patient = stage.service("patient", slow_s=60.0)
    others, asked_patiently = hang(client, stage, 1, service=patient)
    calls, asked = hang(client, stage, 1)
    wait_for_slow(client, 1)
    finish(others + calls, asked_patiently + asked)

    assert client.breakers()["patient"].slow == 0


def test_a_probe_that_is_slow_opens_the_circuit_again_while_it_hangs(
    make_client: MakeClient, stage: Stage, heard: Heard
) -> None:
    client = make_client(breaker_calls_min=1, breaker_slow_s=0.02, breaker_open_base_s=0.001)
    calls, asked = hang(client, stage, 1)
    heard.wait_for("breaker.changed", reason="slow_rate")
    until("its time has come", lambda: client.breakers()["peer"].due)
    probes, asked_by_probe = hang(client, stage, 1)
    heard.wait_for("breaker.changed", reason="probe_slow")

    assert not probes[0].ready()
    finish(calls + probes, asked + asked_by_probe)
