"""The laws of time: every wait ends by its own setting, the total or the deadline, whichever is first."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import pytest

from gateway.domain.deadline import Deadline
from gateway.rpc import CallTimeout, ConnectFailed, RpcClient, Timeouts
from gateway.rpc.timeouts import Budget, Step
from tests.rpc.peer import Link, MakeClient, Serve, to

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
TIMEOUTS = Timeouts(connect_s=1.0, first_byte_s=2.0, idle_s=3.0, total_s=10.0, pool_wait_s=0.5)


def budget_at(now: list[float], *, deadline_s: float = 100.0) -> Budget:
    return Budget(TIMEOUTS, Deadline.after(deadline_s, now=now[0]), lambda: now[0])


def test_a_step_gets_the_smaller_of_its_own_bound_and_what_is_left() -> None:
    now = [0.0]
    budget = budget_at(now)
    assert budget.until(3.0) == 3.0
    now[0] = 9.0
    assert budget.until(3.0) == 10.0
    assert budget.wait_s("first_byte", 11.0, "maybe") == 1.0


@pytest.mark.parametrize(
    ("deadline_s", "reason"), [(100.0, "total_timeout"), (10.0, "total_timeout"), (5.0, "deadline")]
)
def test_at_the_end_nothing_is_left_and_the_reason_is_told(deadline_s: float, reason: str) -> None:
    now = [0.0]
    budget = budget_at(now, deadline_s=deadline_s)
    now[0] = 11.0
    with pytest.raises(CallTimeout) as caught:
        raise budget.timed_out("idle", "answered")

    assert (caught.value.reason, caught.value.sent, caught.value.waited_s) == (reason, "answered", 11.0)


@pytest.mark.parametrize(("deadline_s", "reason"), [(100.0, "total_timeout"), (5.0, "deadline")])
def test_a_timer_that_rings_a_little_early_is_called_by_what_it_was_set_for(deadline_s: float, reason: str) -> None:
    """Law: whose time was cut by the deadline is told so.  gevent's timers count from a clock that may stand still for
    a while, so the last wait of a call can end before the call's time does.
    """
    now = [0.0]
    budget = budget_at(now, deadline_s=deadline_s)
    now[0] = budget.ends_at - 0.005
    with pytest.raises(CallTimeout) as caught:
        raise budget.timed_out("first_byte", "maybe")

    assert (caught.value.reason, caught.value.by_deadline) == (reason, reason == "deadline")


@pytest.mark.parametrize("step", ["connect", "first_byte", "idle"])
def test_a_step_that_ends_shortly_before_the_whole_is_called_by_its_own_name(step: Step) -> None:
    now = [0.0]
    budget = budget_at(now)
    now[0] = budget.ends_at - 0.02
    with pytest.raises(CallTimeout, match=rf"{step}_timeout_s") as caught:
        raise budget.timed_out(step, "maybe")

    assert caught.value.reason == f"{step}_timeout"


def silent(link: Link) -> None:
    link.request()
    link.until_gone()


def stalling(link: Link) -> None:
    link.request()
    link.send(HEAD, b"some")
    link.until_gone()


def trickling(piece: bytes) -> Callable[[Link], None]:
    def script(link: Link) -> None:
        link.request()
        link.send(piece)
        while True:
            gevent.sleep(0.01)
            link.send(b"a")

    return script


def interim(link: Link) -> None:
    link.request()
    while True:
        link.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        gevent.sleep(0.01)


def deaf(link: Link) -> None:
    gevent.sleep(60)


TRICKLED_HEAD = trickling(b"HTTP/1.1 200 OK\r\nX: ")
#: More than the sockets' buffers hold.
LARGE_BODY = bytes(20_000_000)

CASES = {
    "silent server": (silent, {"first_byte_timeout_s": 0.1}, "first_byte_timeout", "maybe"),
    "head that trickles": (TRICKLED_HEAD, {"first_byte_timeout_s": 0.1}, "first_byte_timeout", "maybe"),
    "interim answers for ever": (interim, {"first_byte_timeout_s": 0.1}, "first_byte_timeout", "maybe"),
    "body that stalls": (stalling, {"idle_timeout_s": 0.1}, "idle_timeout", "answered"),
    "body that trickles": (trickling(HEAD), {"total_timeout_s": 0.1}, "total_timeout", "answered"),
    "silence to the total": (silent, {"total_timeout_s": 0.1}, "total_timeout", "maybe"),
    "body nobody reads": (deaf, {"idle_timeout_s": 0.1}, "idle_timeout", "maybe"),
}


@pytest.mark.parametrize("name", CASES)
def test_no_server_can_hold_a_call_for_longer_than_the_settings_allow(
    serve: Serve, make_client: MakeClient, name: str
) -> None:
    script, settings, reason, sent = CASES[name]
    client, began_at = make_client(**settings), time.monotonic()
    with pytest.raises(CallTimeout) as caught:
        client.call(to(serve(script), method="POST", body=LARGE_BODY if script is deaf else b""))

    assert (caught.value.reason, caught.value.sent) == (reason, sent)
    assert reason in str(caught.value), "the message names the setting"
    assert time.monotonic() - began_at < 2
    assert "0 busy, 0 idle" in repr(client)


@pytest.mark.parametrize("script", [silent, stalling, trickling(HEAD), interim, deaf])
def test_the_callers_deadline_ends_every_wait(
    serve: Serve, client: RpcClient, script: Callable[[Link], None]
) -> None:
    began_at = time.monotonic()
    with pytest.raises(CallTimeout) as caught:
        client.call(
            to(serve(script), within_s=0.1, method="POST", body=LARGE_BODY if script is deaf else b"")
        )

    assert caught.value.by_deadline
    assert time.monotonic() - began_at < 2


def test_a_calls_own_timeouts_replace_the_settings(serve: Serve, client: RpcClient) -> None:
    timeouts = Timeouts(connect_s=1, first_byte_s=0.05, idle_s=1, total_s=1, pool_wait_s=1)
    with pytest.raises(CallTimeout, match=r"0\.05 s"):
        client.call(to(serve(silent), timeouts=timeouts))


def test_a_connection_that_nobody_accepts_ends_in_time(make_client: MakeClient, deaf_port: int) -> None:
    client, began_at = make_client(connect_timeout_s=0.1), time.monotonic()
    with pytest.raises(ConnectFailed, match="connect_timeout_s") as caught:
        client.call(to(f"http://127.0.0.1:{deaf_port}"))

    assert (caught.value.reason, caught.value.sent) == ("connect_timeout", "never")
    assert time.monotonic() - began_at < 2
    assert "0 busy" in repr(client)


def test_a_deadline_that_cuts_the_connection_short_is_told_as_such(client: RpcClient, deaf_port: int) -> None:
    with pytest.raises(CallTimeout) as caught:
        client.call(to(f"http://127.0.0.1:{deaf_port}", within_s=0.1))

    assert (caught.value.by_deadline, caught.value.sent) == (True, "never")
