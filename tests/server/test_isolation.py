"""Requests are isolated from one another as if each had a new thread: what one leaves behind, no other one meets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event
from greenlet import GreenletExit, getcurrent

from tests.greenlets.desk import LEAVES, NEW, look
from tests.greenlets.test_handlers_struck import STRIKES
from tests.server.conftest import Serve, Start
from tests.server.raw import Caller
from tests.support.waiting import GUARD_S, until

#: A path's name, and what the application does there.
Actions = dict[str, Callable[[], object]]

_GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


def application(actions: Actions) -> Callable[..., Iterable[bytes]]:
    """Return an application that answers with what the path's action returns, as JSON."""

    def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        said = actions[environ["PATH_INFO"][1:]]()
        start_response("200 OK", [])
        return [json.dumps(said, default=repr).encode()]

    return answer


def ask(caller: Caller, action: str) -> Any:
    """Return what the action said, or the status if it said nothing."""
    answer = caller.send(_GET % action.encode()).answer()
    return answer.json if answer.status == 200 else answer.status


def test_a_clean_request_leaves_its_greenlet_to_the_next(serve: Serve) -> None:
    port = serve(application({"who": lambda: id(getcurrent())}))
    with Caller(port) as one, Caller(port) as two:
        assert len({ask(caller, "who") for caller in (one, one, two, one)}) == 1


@pytest.mark.parametrize("leave", LEAVES)
def test_a_request_sees_nothing_of(serve: Serve, leave: Callable[[], object]) -> None:
    new = json.loads(json.dumps(NEW))
    port = serve(application({"leave": leave, "look": look}))
    with Caller(port) as one, Caller(port) as two:
        ask(one, "leave")
        assert ask(two, "look") == new
        assert ask(one, "look") == new
        # Both in one read.
        one.send(_GET % b"leave" + _GET % b"look")
        one.answer()
        assert one.answer().json == new


@pytest.mark.parametrize("leave", STRIKES)
def test_a_request_is_not_struck_by_what_an_earlier_one_left(
    serve: Serve, leave: Callable[[], Callable[[], object]]
) -> None:
    begun, go, struck = Event(), Event(), Event()
    bring_about: list[Callable[[], object]] = []

    def leaves() -> None:
        bring_about.append(leave())

    def waits() -> str:
        begun.set()
        assert go.wait(GUARD_S)
        return "undisturbed"

    def strikes() -> None:
        bring_about.pop()()
        struck.set()

    port = serve(application({"leave": leaves, "wait": waits, "look": look}))
    with Caller(port) as one, Caller(port) as two:
        # Pipelined: the second begins as soon as the first has ended.
        one.send(_GET % b"leave" + _GET % b"wait")
        assert one.answer().status == 200
        assert begun.wait(GUARD_S)
        strikes()
        assert ask(two, "look") == json.loads(json.dumps(NEW))
        go.set()
        assert one.answer().json == "undisturbed"


@pytest.mark.parametrize("block", [True, False])
def test_a_kill_of_a_finished_request_returns_and_kills_nobody(serve: Serve, block: bool) -> None:
    kept: list[Any] = []
    begun, go = Event(), Event()

    def waits() -> str:
        begun.set()
        assert go.wait(GUARD_S)
        return "undisturbed"

    port = serve(application({"keep": lambda: kept.append(getcurrent()), "wait": waits}))
    with Caller(port) as one, Caller(port) as two:
        ask(one, "keep")
        two.send(_GET % b"wait")
        assert begun.wait(GUARD_S)
        with gevent.Timeout(GUARD_S):
            # It takes the loop from the last one, which must be gevent's own.
            gevent.killall([kept.pop(), gevent.spawn(gevent.sleep, GUARD_S)], block=block)
            gevent.sleep(0)
        go.set()
        assert two.answer().json == "undisturbed"


def raises(error: BaseException) -> Callable[[], object]:
    def action() -> None:
        raise error

    return action


def kills_itself() -> None:
    gevent.kill(getcurrent())
    gevent.sleep(GUARD_S)


def throws_at_itself() -> None:
    getcurrent().throw()


def runs_out_of_its_own_time() -> None:
    with gevent.Timeout(0.001):
        gevent.sleep(GUARD_S)


def waits_for_one_that_is_killed() -> None:
    other = gevent.spawn(gevent.sleep, GUARD_S)
    gevent.kill(other, ValueError, block=False)
    other.get()


FAILURES: dict[str, Callable[[], object]] = {
    "SystemExit": raises(SystemExit(3)),
    "KeyboardInterrupt": raises(KeyboardInterrupt()),
    "GreenletExit": raises(GreenletExit()),
    "GeneratorExit": raises(GeneratorExit()),
    "StopIteration": raises(StopIteration()),
    "Timeout": raises(gevent.Timeout()),
    "MemoryError": raises(MemoryError()),
    "kills_itself": kills_itself,
    "throws_at_itself": throws_at_itself,
    "runs_out_of_its_own_time": runs_out_of_its_own_time,
    "waits_for_one_that_is_killed": waits_for_one_that_is_killed,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_application_that_fails_fails_alone(start: Start, failure: str) -> None:
    begun, go = Event(), Event()

    def waits() -> str:
        begun.set()
        assert go.wait(GUARD_S)
        return "undisturbed"

    server, port = start(application({"fail": FAILURES[failure], "wait": waits, "look": look}))
    with Caller(port) as one, Caller(port) as two, Caller(port) as three:
        two.send(_GET % b"wait")
        assert begun.wait(GUARD_S)
        answer = one.send(_GET % b"fail").answer()
        assert (answer.status, answer.closes) == (500, True)
        assert one.ends()
        assert ask(three, "look") == json.loads(json.dumps(NEW))
        go.set()
        assert two.answer().json == "undisturbed"
    until("no request in flight", lambda: not server.in_flight)


def test_an_application_that_waits_for_another_request_stops_nobody(serve: Serve) -> None:
    result: AsyncResult[str] = AsyncResult()
    waiting = Event()

    def waits() -> str:
        waiting.set()
        return result.get(timeout=GUARD_S)

    port = serve(application({"wait": waits, "give": lambda: result.set("given"), "look": look}))
    with Caller(port) as one, Caller(port) as two:
        one.send(_GET % b"wait")
        assert waiting.wait(GUARD_S)
        assert ask(two, "look") == json.loads(json.dumps(NEW))
        ask(two, "give")
        assert one.answer().json == "given"


def test_a_failure_that_is_struck_again_while_it_is_told(start: Start) -> None:
    """The window is shut, so telling of the failure waits, and a Timeout that the application forgot strikes then."""
    struck = Event()

    class Late(BaseException):
        def __init__(self) -> None:
            struck.set()

    def fails() -> None:
        (connection,) = server.connections
        while connection.try_write(b"x" * 65_536) > 0:
            pass
        gevent.Timeout.start_new(0.001, Late)
        raise ValueError

    server, port = start(application({"fail": fails}))
    with Caller(port) as caller:
        caller.send(_GET % b"fail")
        assert struck.wait(GUARD_S)
        until("no request in flight", lambda: not server.in_flight)
        caller.rest()
    until("the connection is closed", lambda: not server.connections)


def test_a_write_that_an_application_kept_writes_into_no_other_answer(serve: Serve) -> None:
    kept: list[Callable[[bytes], None]] = []

    def keeps(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if kept:
            # While the next request is being answered, by its greenlet or by any other.
            kept[0](b"stray")
            gevent.spawn(kept[0], b"stray").get()
        write = start_response("200 OK", [])
        if not kept:
            kept.append(write)
        return iter([b"one", b"two"])

    with Caller(serve(keeps)) as caller:
        for _ in range(3):
            assert caller.send(_GET % b"").answer().chunks == (b"one", b"two")
        assert caller.is_silent()
