"""A service of several endpoints: who gets its calls, who is left out, and how the left out come back."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import gevent
import pytest
from gevent.pool import Group

from gateway.domain.resilience.health import Event, State
from gateway.rpc import CallRefused, ConnectFailed, InvalidCall, RpcClient, Service
from tests.rpc.books import assert_nothing_left
from tests.rpc.hearing import Heard
from tests.rpc.peer import GUARD_S, OK, Link, MakeClient, Serve, Server, answering, to
from tests.rpc.stage import Stage, fleet
from tests.support.waiting import until

FAILING = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


class Copy:
    """One of the endpoints: counts what it is asked, answers as the test says."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.requests = 0
        self.answer = OK
        #: Seconds that it takes.
        self.takes_s = 0.0
        self.server: Server = serve(self._script)
        self._address = ("127.0.0.1", self.server.port)
        self.label = f"peer@127.0.0.1:{self.server.port}"

    def die(self) -> None:
        self.server.stop()

    def revive(self) -> None:
        self.server = self._serve(self._script, self._address)

    def _script(self, link: Link) -> None:
        while link.request():
            self.requests += 1
            if self.takes_s:
                gevent.sleep(self.takes_s)
            link.send(self.answer)


def of(*copies: Copy, **policy: Any) -> Service:
    return fleet(*(copy.server for copy in copies), **policy)


def call(client: RpcClient, service: Service, *, idempotent: bool = True) -> int:
    return client.call(to("", service=service, idempotent=idempotent)).status


def crowd(client: RpcClient, service: Service, callers: int = 16, calls: int = 10) -> Counter[int]:
    """Return the statuses of many calls, so many at once that one endpoint would not do."""
    statuses: Counter[int] = Counter()

    def caller() -> None:
        for _ in range(calls):
            statuses[call(client, service)] += 1

    group = Group()
    for _ in range(callers):
        group.spawn(caller)
    group.join(timeout=GUARD_S, raise_error=True)
    return statuses


def is_closed(client: RpcClient, copy: Copy) -> bool:
    return client.breakers()[copy.label].state is State.CLOSED


def seeded() -> Any:
    return random.Random(5).random


# Who gets the calls


def test_calls_at_once_are_spread_over_all_endpoints(serve: Serve, make_client: MakeClient) -> None:
    stage, client = Stage(serve, copies=3), make_client(draw=seeded())
    calls = [gevent.spawn(client.call, stage.call(service=stage.service(hedge=False))) for _ in range(30)]
    asked = [stage.next() for _ in calls]
    for each in asked:
        each.link.send(OK)
    gevent.joinall(calls, timeout=GUARD_S, raise_error=True)

    spread = Counter(each.copy for each in asked)
    assert min(spread.values()) >= 6, spread
    assert len(spread) == 3
    assert_nothing_left(client)


def test_the_faster_endpoint_gets_more(serve: Serve, make_client: MakeClient) -> None:
    fast, slow = Copy(serve), Copy(serve)
    slow.takes_s = 0.02
    client = make_client(draw=seeded())
    assert crowd(client, of(fast, slow)) == {200: 160}

    assert fast.requests > 2 * slow.requests > 0


def test_one_that_fails_at_once_does_not_attract_the_calls(serve: Serve, make_client: MakeClient) -> None:
    """It is the fastest of all.  No circuit helps here: too few calls to judge."""
    well, failing = Copy(serve), Copy(serve)
    well.takes_s, failing.answer = 0.002, FAILING
    client = make_client(retries_max=1, breaker_calls_min=1_000_000, draw=seeded())
    assert crowd(client, of(well, failing), callers=4, calls=25) == {200: 100}

    assert failing.requests < 20


def test_what_failed_at_one_endpoint_is_asked_of_another(serve: Serve, make_client: MakeClient) -> None:
    """Although that is known for the fastest by far."""
    failing, well = Copy(serve), Copy(serve)
    well.takes_s = 0.05
    client = make_client(retries_max=1, draw=lambda: 0.0)
    service = of(failing, well)
    assert [call(client, service), call(client, service)] == [200, 200]
    failing.answer = FAILING

    assert call(client, service) == 200
    assert (failing.requests, well.requests) == (2, 2)


def test_one_call_each_finds_out_about_the_endpoints(serve: Serve, make_client: MakeClient) -> None:
    """Else whoever answered first would get all the calls that are made one by one."""
    copies = [Copy(serve) for _ in range(3)]
    client = make_client(draw=seeded())
    assert [call(client, of(*copies)) for _ in range(100)] == [200] * 100

    assert min(copy.requests for copy in copies) >= 1


def test_an_operator_takes_one_out_by_its_label(serve: Serve, make_client: MakeClient) -> None:
    client, out, kept = make_client(draw=seeded()), Copy(serve), Copy(serve)
    client.command(out.label, Event.FORCE_OPEN)
    assert crowd(client, of(out, kept)) == {200: 160}
    assert (out.requests, kept.requests) == (0, 160)

    client.command(out.label, Event.RESET)
    client.command(kept.label, Event.FORCE_OPEN)
    assert call(client, of(out, kept)) == 200
    assert out.requests == 1


# Who is left out, and comes back


def test_a_dead_endpoint_is_left_out_and_comes_back_and_nobody_notices(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    dead, well = Copy(serve), Copy(serve)
    # So slow that with so many calls the dead one would be worth a try again and again.
    well.takes_s = dead.takes_s = 0.005
    dead.die()
    client = make_client(
        retries_max=1,
        breaker_connect_failures_max=2,
        breaker_open_base_s=0.02,
        slow_start_s=0.001,
        draw=seeded(),
    )
    service = of(dead, well)
    assert crowd(client, service) == {200: 160}
    assert heard.wait_for("breaker.changed", endpoint=dead.label)["reason"] == "connect_failures"
    assert (client.breakers()[well.label].state, well.requests) == (State.CLOSED, 160)

    dead.revive()
    until("calls have proved it well", lambda: call(client, service) and is_closed(client, dead))
    assert crowd(client, service) == {200: 160}
    assert dead.requests > 20
    assert_nothing_left(client)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_call_that_may_be_made_again_finds_out_first_whether_one_is_well(
    serve: Serve, make_client: MakeClient, idempotent: bool
) -> None:
    """Where there are none, another call does, a second later."""
    sick, well = Copy(serve), Copy(serve)
    sick.answer = FAILING
    client = make_client(breaker_calls_min=1, breaker_open_base_s=0.001, breaker_probes=1, draw=lambda: 0.0)
    service = of(sick, well)
    assert call(client, service) == 500
    sick.answer = OK
    until("its time has come", lambda: client.breakers()[sick.label].due)

    due_at = time.monotonic()
    assert call(client, service, idempotent=idempotent) == 200
    # On a machine that stood still meanwhile its second may be over.
    assert is_closed(client, sick) is idempotent or time.monotonic() > due_at + 0.5

    until(
        "its calls have closed it",
        lambda: call(client, service, idempotent=idempotent) == 200 and is_closed(client, sick),
    )


def test_rates_never_shut_out_all_of_them(serve: Serve, make_client: MakeClient) -> None:
    """Both failed once and are open for a minute.  It is more likely the calls than the endpoints."""
    copies = [Copy(serve), Copy(serve)]
    client = make_client(breaker_calls_min=1, breaker_open_base_s=60.0)
    for copy in copies:
        copy.answer = FAILING
    assert [call(client, of(*copies)) for _ in copies] == [500, 500]
    for copy in copies:
        copy.answer = OK

    assert crowd(client, of(*copies)) == {200: 160}
    assert sorted([copies[0].requests, copies[1].requests]) == [1, 161], "one of them is spared"
    assert {view.state for view in client.breakers().values()} == {State.OPEN}


def test_when_all_are_dead_one_is_tried_before_its_time(
    serve: Serve, make_client: MakeClient, heard: Heard
) -> None:
    copies = [Copy(serve), Copy(serve)]
    service = of(*copies)
    client = make_client(breaker_connect_failures_max=1, breaker_open_base_s=60.0, breaker_probes=1)
    for copy in copies:
        copy.die()
    for _ in copies:
        with pytest.raises(ConnectFailed):
            call(client, service)
    with pytest.raises(CallRefused) as caught:
        call(client, service)
    assert caught.value.reason == "no_endpoint"
    for copy in copies:
        copy.revive()

    def answered() -> bool:
        try:
            return call(client, service) == 200
        except CallRefused:
            return False

    until("one is tried", answered)
    tried = heard.of("rpc.panicked")
    assert [change["reason"] for change in heard.of("breaker.changed") if change["after"] == "half_open"] == [
        "panic"
    ]
    assert client.breakers()[tried[0]["endpoint"]].state is State.CLOSED
    assert_nothing_left(client)


# Their names


def test_endpoints_are_told_apart_by_their_labels(serve: Serve, client: RpcClient) -> None:
    copies, only = [Copy(serve), Copy(serve)], serve(answering(OK))
    call(client, of(*copies))
    call(client, fleet(only, name="only"))

    assert list(client.breakers()) == [copies[0].label, copies[1].label, "only"]


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
def test_a_service_has_endpoints_and_each_of_them_once(
    serve: Serve, client: RpcClient, heard: Heard, count: int, stream: bool
) -> None:
    server = serve(answering(OK))
    service = fleet(*[server] * count)
    with pytest.raises(InvalidCall, match="each once"):
        client.stream(to("", service=service)).__enter__() if stream else call(client, service)

    assert heard == [("rpc.refused", {"endpoint": "peer", "reason": "invalid_call"})]
    assert (client.breakers(), server.connections) == ({}, 0)
