"""The order of work in one turn of the loop, and whole answers that their callers take slowly."""

from __future__ import annotations

import io
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.event import Event
from greenlet import getcurrent

from gateway.greenlets.handlers import Handlers
from gateway.server.phases import Phases
from tests.server.conftest import Serve, Start
from tests.server.raw import Caller
from tests.support.waiting import GUARD_S, until

#: More than a socket's buffers take, on both sides.
LARGE = b"x" * 8_388_608
GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"


def whole(body: bytes) -> Callable[..., Iterable[bytes]]:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [body]

    return application


class Step:
    """Stands for a connection, and says what it was asked to do."""

    def __init__(self, name: str, phases: Phases, said: list[str], *, fails: bool = False) -> None:
        self.name = name
        self._phases = phases
        self._said = said
        self._fails = fails

    def arrive(self) -> None:
        """Have the phases believe that it is a connection."""
        self._phases.arrived(self, b"")  # type: ignore[arg-type]  # has what they use of one

    def take(self, data: bytes) -> None:
        self._said.append(f"take {self.name}")
        if self._fails:
            raise LookupError("our own fault")
        self._phases.asked(self.answer)

    def answer(self) -> None:
        self._said.append(f"answer {self.name}")
        self._phases.answered(self)  # type: ignore[arg-type]  # has what they use of a writer

    def write_answer(self) -> None:
        self._said.append(f"write {self.name}")

    def close(self, reason: str) -> None:
        self._said.append(f"close {self.name} {reason}")


def test_all_are_parsed_before_any_is_answered_and_answered_before_any_is_written() -> None:
    said: list[str] = []
    phases = Phases(gevent.get_hub().loop, Handlers(gevent.get_hub()))
    one, other = Step("one", phases, said), Step("other", phases, said)
    one.arrive()
    other.arrive()
    assert said == []
    gevent.idle()

    assert said == [f"{what} {name}" for what in ("take", "answer", "write") for name in ("one", "other")]


def test_what_an_error_leaves_behind_is_taken_up_again() -> None:
    said: list[str] = []

    class Exhausted(Handlers):
        def run(self, jobs: deque[Callable[[], None]], until: float = math.inf) -> None:
            if not said.count("exhausted"):
                said.append("exhausted")
                raise MemoryError("on purpose")
            super().run(jobs, until)

    hub = gevent.get_hub()
    told, before = io.StringIO(), hub.exception_stream
    hub.exception_stream = told
    phases = Phases(hub.loop, Exhausted(hub))
    Step("one", phases, said).arrive()
    gevent.idle()
    gevent.idle()
    hub.exception_stream = before

    assert said == ["take one", "exhausted", "answer one", "write one"]
    assert "on purpose" in told.getvalue()


def test_a_request_in_the_moment_of_the_idle_deadline_keeps_its_connection(start: Start) -> None:
    server, port = start(whole(b"in time"))
    with Caller(port) as caller:
        until("it is connected", lambda: server.connections)
        [connection] = server.connections
        caller.send(GET % b"/")

        def due() -> None:
            connection.deadline = time.monotonic()
            connection.due(connection.deadline)
            done.set()

        done = Event()
        server.loop.run_callback(due)
        assert done.wait(GUARD_S)
        answered = caller.answer()
        assert (answered.body, answered.closes) == (b"in time", False)
        assert caller.is_silent()
        server.loop.run_callback(lambda: connection.due(connection.deadline + 1.0))
        assert caller.send(GET % b"/").answer().body == b"in time"


def test_one_connections_fault_is_not_the_others_end() -> None:
    said: list[str] = []
    phases = Phases(gevent.get_hub().loop, Handlers(gevent.get_hub()))
    for step in (Step("broken", phases, said, fails=True), Step("sound", phases, said)):
        step.arrive()
    gevent.idle()

    assert said == ["take broken", "close broken crashed", "take sound", "answer sound", "write sound"]


def test_an_answer_that_comes_later_is_written_as_well(serve: Serve) -> None:
    go = Event()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        go.wait(GUARD_S)
        start_response("200 OK", [])
        return (environ["PATH_INFO"].encode(),)

    port = serve(application)
    callers = [Caller(port).send(GET % b"/%d" % number) for number in range(20)]
    assert all(caller.is_silent() for caller in callers)
    go.set()

    assert [caller.answer().body for caller in callers] == [b"/%d" % number for number in range(20)]
    for caller in callers:
        caller.close()


def test_a_slow_application_does_not_hold_back_the_answers_of_others(serve: Serve) -> None:
    """All are read in one turn; an answer is with its caller while the last request is still at work."""
    asked: list[str] = []
    order: list[str] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked.append(environ["PATH_INFO"])
        if len(asked) == 10:
            # Asked of the kernel, not of the loop, which stands still as long as this runs.
            order.append("written" if any(_has_come(caller) for caller in callers) else "kept back")
        else:
            _work_for_a_millisecond()
        start_response("200 OK", [])
        return (b"",)

    port = serve(application)
    callers = [Caller(port) for _ in range(10)]
    for number, caller in enumerate(callers):
        caller.send(GET % b"/%d" % number)
    for caller in callers:
        assert caller.answer().status == 200
        caller.close()

    assert order == ["written"]


def test_a_whole_answer_that_is_taken_slowly_holds_no_greenlet(start: Start) -> None:
    ran: list[object] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        ran.append(id(getcurrent()))
        start_response("200 OK", [])
        return (LARGE,)

    server, port = start(application)
    with Caller(port, receive_buffer_bytes=65_536) as slow, Caller(port) as quick:
        slow.send(GET % b"/")
        until("the first answer's beginning", lambda: server.answered == 1)
        assert server.in_flight == 0
        quick.send(GET % b"/")
        assert quick.answer().body == LARGE
        # The greenlet of the first, whose answer has not gone yet.
        assert len(set(ran)) == 1
        assert slow.answer().body == LARGE
        # And the connection goes on behind it.
        assert slow.send(GET % b"/").answer().body == LARGE


def test_requests_behind_an_answer_that_is_taken_slowly_wait_for_it(start: Start) -> None:
    said: list[str] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        said.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return (LARGE if environ["PATH_INFO"] == "/large" else b"small",)

    server, port = start(application)
    with Caller(port, receive_buffer_bytes=65_536) as caller:
        caller.send(GET % b"/large" + GET % b"/second")
        until("the first answer's beginning", lambda: server.answered == 1)
        caller.send(GET % b"/third")
        gevent.idle()
        assert said == ["/large"]
        assert [caller.answer().body for _ in range(3)] == [LARGE, b"small", b"small"]


def test_who_does_not_take_a_whole_answer_is_not_waited_for(start: Start) -> None:
    server, port = start(whole(LARGE), write_timeout_s=0.2, transfer_rate_min_bytes_s=1_000_000_000)
    with Caller(port, receive_buffer_bytes=65_536) as caller:
        caller.send(GET % b"/")
        until("the end of the connection", lambda: not server.connections)
        assert len(caller.rest()) < len(LARGE)


def test_a_caller_that_leaves_in_the_middle_of_a_whole_answer_leaves_nothing(start: Start) -> None:
    server, port = start(whole(LARGE))
    with Caller(port, receive_buffer_bytes=65_536) as caller:
        caller.send(GET % b"/")
        until("the answer's beginning", lambda: server.answered == 1)
    until("the end of the connection", lambda: not server.connections)
    assert server.wheel.watched == 0


def test_what_callers_take_slowly_is_counted_and_bounded(start: Start) -> None:
    server, port = start(whole(LARGE))
    with Caller(port, receive_buffer_bytes=65_536) as caller:
        caller.send(GET % b"/")
        until("the rest to wait", lambda: server.buffered_bytes > 0)
        assert caller.answer().body == LARGE
    assert server.buffered_bytes == 0

    server, port = start(whole(LARGE), buffered_bytes_max=100_000)
    with Caller(port, receive_buffer_bytes=65_536) as caller:
        caller.send(GET % b"/")
        until("the end of the connection", lambda: server.answered == 1 and not server.connections)
        assert len(caller.rest()) < len(LARGE)
    assert server.buffered_bytes == 0


def _has_come(caller: Caller) -> bool:
    caller.sock.setblocking(False)
    try:
        caller.received += caller.sock.recv(65_536)
    except BlockingIOError:
        return False
    finally:
        caller.sock.settimeout(GUARD_S)
    return True


def _work_for_a_millisecond() -> None:
    """Spend more of the loop's time than answers are kept back for."""

    end = time.perf_counter() + 0.002
    while time.perf_counter() < end:
        pass
